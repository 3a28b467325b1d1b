"""ReLUs and max-pools that decide as another computation of the same net did, where rounding decides.

A ReLU is a gate: open or shut. Two correct computations of one net round differently, so an input
that lies within rounding of 0 may open its gate in one computation and not in the other. One such
gate among millions moves the gradient of its channel by up to 1e-2, in PyTorch's own float32 against
float64 too. A comparison of gradients then fails by chance, or needs bounds that hide errors.

Within `Gates`, each gate whose input is closer to 0 than `margin` times the root mean square of the
layer's inputs takes the state that it had in the other computation. All other gates decide on their
own, and `wrong` counts those whose state differs. The margin is far above rounding, so that of the
gates within it (`near`) few differ (`held`) unless the other computation has them wrong. A max-pool
likewise takes the place that the other one took where the values at the two places differ by less
than the margin."""
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


def windows(x):
    """(n, c, h, w) -> (n, c, h / 2, w / 2, 4): what a 2x2 max-pool chooses from."""
    height, width = x.shape[2] // 2, x.shape[3] // 2
    x = x[:, :, :2 * height, :2 * width].unflatten(3, (width, 2)).unflatten(2, (height, 2))
    return x.permute(0, 1, 2, 4, 3, 5).flatten(4)


class Gates(TorchFunctionMode):
    """outputs: those of the other computation's ReLUs, in the order in which this one runs them."""

    def __init__(self, outputs, margin):
        super().__init__()
        self.outputs, self.margin = iter(outputs), margin
        self.near = self.held = self.wrong = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is F.relu:
            return self.relu(args[0])
        if func is F.max_pool2d:
            return self.max_pool(args[0])
        return func(*args, **(kwargs or {}))

    def choose(self, near, ours, own):
        differ = ours != own
        self.held += int((near & differ).sum())
        self.wrong += int((~near & differ).sum())
        return torch.where(near, ours, own)

    def relu(self, x):
        self.output = next(self.outputs)
        assert self.output.shape == x.shape, "another order of ReLUs"
        self.limit = self.margin * x.detach().square().mean().sqrt()
        near = x.abs() <= self.limit
        self.near += int(near.sum())
        return x * self.choose(near, self.output > 0, x > 0)

    def max_pool(self, x):
        """x is the output of the last ReLU. Where all gates of a window are shut in both computations, any
        place will do; an open one may have a value just below 0 here."""
        own, ours = windows(x), windows(self.output)
        best = own.amax(-1, keepdim=True)
        any_open = (best > 0) | (ours.amax(-1, keepdim=True) > 0)
        place = torch.where(any_open, own.argmax(-1, keepdim=True), 0)
        other = torch.where(any_open, ours.argmax(-1, keepdim=True), 0)
        near = best - own.gather(-1, other) <= self.limit
        return own.gather(-1, self.choose(near, other, place)).squeeze(-1)
