"""The four nets in PyTorch, to compare ours with: same layers, names and layouts of weights.

  nets.py dump PROGRAM [width [precision]]   PROGRAM is build/tests/oracles/net_dump: runs it for each
                                 net and compares logits, features, loss and gradients
  nets.py load MODEL WIDTH FILE.safetensors  loads weights that train_cnn wrote, strictly, and prints
                                 the logits of one image of zeros
Exit 0 when all is within bounds. Needs numpy, torch, safetensors."""
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F


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


def distance(a, b):
    return float((a - b).norm() / (b.norm() + 1e-30))


def read_dump(program, model, width, precision, weights=None):
    """Runs net_dump, from a file of weights if given; returns {name: tensor} of what it wrote (see
    net_dump.c)."""
    with tempfile.NamedTemporaryFile() as raw:
        run = subprocess.run([program, model, str(width), precision, raw.name] + ([weights] if weights else []),
                             check=True, capture_output=True, text=True)
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


def compare(program, model, width, precision, weights=None):
    """One step from the same weights, drawn ones or those of a file, which each side reads itself."""
    d = read_dump(program, model, width, precision, weights)
    net = make(model, width).double()
    state = {k[6:]: v for k, v in d.items() if k.startswith("start.")}
    assert list(state) == list(net.state_dict()), "names or their order differ"
    net.load_state_dict(load_file(weights) if weights else state, strict=True)
    x, labels = d["images"].double(), d["labels"].long()
    net.train()
    loss = F.cross_entropy(net(x), labels, label_smoothing=0.1)
    loss.backward()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, 0.9, weight_decay=5e-4)
    # Conv biases before a norm have no gradient but rounding, and after training they are nothing else.
    rounding = {k for k, p in net.named_parameters() if p.grad.norm() <= 1e-9}
    each = sorted((distance(d["gradient." + k].double(), p.grad), k)
                  for k, p in net.named_parameters() if k not in rounding)
    (worst, name), middle = each[-1], each[len(each) // 2][0]
    for p in net.parameters():
        p.grad.clamp_(-0.1, 0.1)
    optimizer.step()
    after = max(distance(d["after." + k].double(), v.double())
                for k, v in net.state_dict().items() if k not in rounding and v.double().norm() > 1e-6)
    net.eval()
    with torch.no_grad():
        logits = distance(d["logits"].double(), net(x))
        features = distance(d["features"].double(), net.pooled(x))
    gap = abs(float(d["loss"]) - loss.item()) / loss.item()
    # In fp32 a ReLU whose input is within 1e-7 of 0 may open or not, which moves the gradient of its
    # channel by one of some thousand terms (PyTorch's own fp32 is up to 1e-2 from fp64 so). bf16
    # keeps 8 bits, opens or shuts some hundredths of all ReLUs, and PyTorch's autocast is as far
    # from fp64 as we are: 0.3 in the ResNets, 0.6 in the deeper two.
    bound, middle_bound, worst_bound = (1e-4, 1e-2, 5e-2) if precision == "fp32" else (0.15, 0.75, 1.2)
    good = max(logits, features, gap) < bound and middle < middle_bound
    good = good and max(worst, after) < worst_bound
    print(f"{model:16} width {width} {precision}: loss {gap:.1e} gradients {middle:.1e}, worst {worst:.1e} "
          f"({name}) "
          f"step {after:.1e} logits {logits:.1e} features {features:.1e}",
          "" if good else "BEYOND BOUNDS")
    return good


def main():
    if sys.argv[1] == "dump":
        width = int(sys.argv[3]) if len(sys.argv) > 3 else 16
        precision = sys.argv[4] if len(sys.argv) > 4 else "fp32"
        sys.exit(not all([compare(sys.argv[2], m, width, precision) for m in MODELS]))
    net = make(sys.argv[2], int(sys.argv[3]))
    net.load_state_dict(load_file(sys.argv[4]), strict=True)
    with torch.no_grad():
        print(net.eval()(torch.zeros(1, 1, 40, 40)).tolist())


if __name__ == "__main__":
    main()
