"""The four nets in PyTorch, to compare ours with: same layers, names and layouts of weights.

  nets.py dump PROGRAM [width [precision [seeds]]]   PROGRAM is build/tests/oracles/net_dump: runs it
                                 for each net and each of so many seeds and compares logits, features,
                                 loss, gradients and the weights after a step
  nets.py load MODEL WIDTH FILE.safetensors  loads weights that train_cnn wrote, strictly, and prints
                                 the logits of one image of zeros
Exit status: 0 when all is within bounds, 77 if this CPU lacks the precision. Needs numpy, torch,
safetensors."""
import math
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from gates import Gates

SKIPPED = 77


class Skipped(Exception):
    pass


def conv(i, o, k, stride=1, groups=1, bias=False):
    return nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=bias)


class VGG(nn.Module):
    def __init__(self, width, classes=7):
        super().__init__()
        layers, channels = [], 1
        for m in [1, 1, 0, 2, 2, 0, 4, 4, 4, 4, 0, 8, 8, 8, 8, 0, 8, 8, 8, 8, 0]:
            if m == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            out = m * width
            layers += [conv(channels, out, 3, bias=True), nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def pooled(self, x):
        return self.features(x).mean((2, 3))

    def forward(self, x):
        return self.classifier(self.pooled(x))


class Basic(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(i, o, 3, stride), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv(o, o, 3), nn.BatchNorm2d(o)
        self.shortcut = nn.Sequential()
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(conv(i, o, 1, stride), nn.BatchNorm2d(o))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class PreAct(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), conv(i, o, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), conv(o, o, 3)
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(conv(i, o, 1, stride))

    def forward(self, x):
        a = F.relu(self.bn1(x))
        shortcut = self.shortcut(a) if hasattr(self, "shortcut") else x
        return self.conv2(F.relu(self.bn2(self.conv1(a)))) + shortcut


class Bottleneck(nn.Module):
    def __init__(self, i, group_width, stride):
        super().__init__()
        o = 2 * group_width
        self.conv1, self.bn1 = conv(i, group_width, 1), nn.BatchNorm2d(group_width)
        self.conv2 = conv(group_width, group_width, 3, stride, groups=2)
        self.bn2 = nn.BatchNorm2d(group_width)
        self.conv3, self.bn3 = conv(group_width, o, 1), nn.BatchNorm2d(o)
        self.shortcut = nn.Sequential()
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(conv(i, o, 1, stride), nn.BatchNorm2d(o))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return F.relu(y + self.shortcut(x))


class Residual(nn.Module):
    """ResNet18, PreActResNet18, ResNeXt29: a stem, `layer1`..., global average pool, `linear`."""

    def __init__(self, kind, width, classes=7):
        super().__init__()
        self.preact = kind == "preact_resnet18"
        self.conv1 = conv(1, width, 1 if kind == "resnext29" else 3)
        if not self.preact:
            self.bn1 = nn.BatchNorm2d(width)
        channels = width
        wide = kind == "resnext29"
        self.stages = 3 if wide else 4
        for s in range(self.stages):
            blocks, out = [], width * 2**s
            for b in range(3 if wide else 2):
                stride = 2 if s > 0 and b == 0 else 1
                block = Bottleneck if wide else PreAct if self.preact else Basic
                blocks.append(block(channels, 2 * out if wide else out, stride))
                channels = 4 * out if wide else out
            setattr(self, f"layer{s + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(channels, classes)

    def pooled(self, x):
        x = self.conv1(x)
        if not self.preact:
            x = F.relu(self.bn1(x))
        for s in range(self.stages):
            x = getattr(self, f"layer{s + 1}")(x)
        return x.mean((2, 3))

    def forward(self, x):
        return self.linear(self.pooled(x))


MODELS = ["vgg19", "resnet18", "preact_resnet18", "resnext29"]


def make(model, width, classes=7):
    return VGG(width, classes) if model == "vgg19" else Residual(model, width, classes)


def read_dump(program, model, width, precision, seed, weights=None):
    """Runs net_dump, from a file of weights if given; returns {name: tensor} of what it wrote (see
    net_dump.c)."""
    with tempfile.NamedTemporaryFile() as raw:
        command = [program, model, str(width), precision, str(seed), raw.name]
        run = subprocess.run(command + ([weights] if weights else []), capture_output=True, text=True)
        if run.returncode == SKIPPED:
            raise Skipped(run.stderr.strip())
        if run.returncode != 0:
            raise subprocess.CalledProcessError(run.returncode, command, run.stdout, run.stderr)
        values = torch.from_numpy(numpy.fromfile(raw.name, "<f4"))
    out, at = {}, 0
    for line in run.stdout.splitlines():
        name, *shape = line.split()
        shape = [int(s) for s in shape]
        count = int(numpy.prod(shape)) if shape else 1
        out[name] = values[at:at + count].reshape(shape)
        at += count
    assert at == len(values)
    return out


def gradient_terms(module, x, dy):
    """{parameter: sum of the magnitudes of the terms whose sum its gradient is}, from the input of
    the module and the gradient of its output."""
    if isinstance(module, nn.Conv2d):
        return {"weight": torch.nn.grad.conv2d_weight(x.abs(), module.weight.shape, dy.abs(), module.stride,
                                                      module.padding, groups=module.groups),
                "bias": dy.abs().sum((0, 2, 3))}
    if isinstance(module, nn.BatchNorm2d):
        normal = F.batch_norm(x, None, None, training=True)
        return {"weight": (dy * normal).abs().sum((0, 2, 3)), "bias": dy.abs().sum((0, 2, 3))}
    return {"weight": dy.abs().T @ x.abs(), "bias": dy.abs().sum(0)}


def watch_terms(net):
    """A dictionary {name: norm of gradient_terms} that the next backward pass fills."""
    terms = {}

    def watch(name, module):
        def forward(_, inputs, y):
            def backward(dy):
                for k, v in gradient_terms(module, inputs[0].detach(), dy.detach()).items():
                    terms[name + "." + k] = float(v.norm())
            if y.requires_grad:
                y.register_hook(backward)
        module.register_forward_hook(forward)

    for name, module in net.named_modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
            watch(name, module)
    return terms


def train_step(net, d, gates):
    """The step that net_dump did. Returns {name: result}, named as in the dump, and {name: terms}. Rounding
    errors of a result grow with its own size and with its terms: of a gradient gradient_terms, of a
    running mean the deviation."""
    rate = 0.01
    terms = watch_terms(net)
    net.train()
    with gates:
        logits = net(d["images"].double())
    loss = F.cross_entropy(logits, d["labels"].long(), label_smoothing=0.1)
    loss.backward()
    results = {"gradient." + k: p.grad.clone() for k, p in net.named_parameters()}
    optimizer = torch.optim.SGD(net.parameters(), rate, 0.9, weight_decay=5e-4)
    for p in net.parameters():
        p.grad.clamp_(-0.1, 0.1)
    optimizer.step()
    results |= {"after." + k: v.double() for k, v in net.state_dict().items()}
    of = {"gradient." + k: terms[k] for k, _ in net.named_parameters()}
    of |= {"after." + k: rate * terms[k] for k, _ in net.named_parameters()}
    of |= {k: float(results[k[:-4] + "var"].sqrt().norm()) for k in results if k.endswith("running_mean")}
    return results | {"loss": loss.detach()}, of


# Errors that are allowed: a part of the result's norm and a part of that of its terms. A gradient whose
# terms cancel has few right digits: that of a convolution's bias before a norm, which undoes it, has none.
# In fp32 the largest errors of 24 seeds at width 16 are at most half of what is allowed.
# bf16 keeps 8 bits of each activation: PyTorch's autocast is 0.3 from float64 in the gradients of the
# ResNets, 0.6 in those of the other two.
BOUNDS = {
    "fp32": {"loss": 1e-5, "logits": 1e-5, "features": 1e-5, "gradient": 2e-5, "after": 2e-5, "terms": 2e-6},
    "bf16": {"loss": 0.15, "logits": 0.15, "features": 0.15, "gradient": 1.2, "after": 1.2, "terms": 0.02},
}
# Of gates.py, and the part of gates near 0 that may differ. In fp32 inputs of ReLUs are up to 7e-5 of a
# layer's scale from the reference, most of them less than 1e-5; in bf16 all gates are taken from ours.
MARGINS = {"fp32": (1e-3, 0.02), "bf16": (math.inf, 1)}


def judge(d, results, terms, bounds):
    """{kind: (largest error as a part of what is allowed, its name, relative error)}"""
    worst = {}
    for name, theirs in results.items():
        kind, ours = name.split(".")[0], d[name].double()
        assert ours.shape == theirs.shape, name
        error, norm = float((ours - theirs).norm()), float(theirs.norm())
        part = error / (bounds[kind] * norm + bounds["terms"] * terms.get(name, 0) + 1e-30)
        if not math.isfinite(part):  # which compares as smaller than any number
            part = math.inf
        worst[kind] = max(worst.get(kind, (0,)), (part, name, error / (norm + 1e-30)))
    return worst


def compare(program, model, width, precision, seed=1, weights=None):
    """One step from the same weights, drawn ones or those of a file, which each side reads itself.
    Returns the largest errors by kind, and whether all are within bounds."""
    d = read_dump(program, model, width, precision, seed, weights)
    net = make(model, width).double()
    state = {k[6:]: v for k, v in d.items() if k.startswith("start.")}
    assert list(state) == list(net.state_dict()), "names or their order differ"
    net.load_state_dict(load_file(weights) if weights else state, strict=True)
    margin, may_differ = MARGINS[precision]
    gates = Gates([v for k, v in d.items() if k.startswith("relu.")], margin)
    results, terms = train_step(net, d, gates)
    assert next(gates.outputs, None) is None, "our net has more ReLUs"
    net.eval()
    with torch.no_grad():
        results["features"] = net.pooled(d["images"].double())
        results["logits"] = net(d["images"].double())
    worst = judge(d, results, terms, BOUNDS[precision])
    good = gates.wrong == 0 and gates.held <= may_differ * gates.near
    good = good and all(part <= 1 for part, *_ in worst.values())
    print(f"{model:16} width {width} {precision} seed {seed}:",
          ", ".join(f"{name} {error:.1e} ({part:.2f})" for part, name, error in worst.values()),
          f"(parts of what is allowed); gates: {gates.held} of {gates.near} near 0 differ, {gates.wrong} wrong",
          "" if good else "BEYOND BOUNDS")
    return worst, good


def dump(program, width=16, precision="fp32", seeds=1):
    """Compares all nets; returns the exit status."""
    good = True
    for model in MODELS:
        try:
            all_seeds = [compare(program, model, width, precision, seed + 1) for seed in range(seeds)]
        except Skipped as why:
            print(why)
            return SKIPPED
        good = good and all(within for _, within in all_seeds)
        if seeds > 1:
            print(f"{model:16} largest parts of {seeds} seeds:",
                  ", ".join(f"{k} {max(w[k][0] for w, _ in all_seeds):.2f}" for k in all_seeds[0][0]))
    return not good


def main():
    if sys.argv[1] == "dump":
        given = [convert(a) for convert, a in zip([str, int, str, int], sys.argv[2:])]
        sys.exit(dump(*given))
    net = make(sys.argv[2], int(sys.argv[3]))
    net.load_state_dict(load_file(sys.argv[4]), strict=True)
    with torch.no_grad():
        print(net.eval()(torch.zeros(1, 1, 40, 40)).tolist())


if __name__ == "__main__":
    main()
