"""Training and feature extraction of the four nets on a GPU, ferdag against PyTorch on the same GPU,
on drawn images (batch 128 of 40x40). Both sides stay loaded and take turns; figures are medians.

  bench_gpu.py FOLDER [--models resnet18,...] [--widths 64,16] [--rounds 3] [--seconds 0.6]
               [--limit 280] [--dry-run]

FOLDER has bench_gpu; the table goes to FOLDER/bench.md, too. PyTorch's arrangements, all channels_last,
cudnn.benchmark, fused SGD with momentum and gradients clipped by value:
  eager     bf16 autocast, operation by operation
  graph     bf16 autocast, the whole step as one CUDA graph
  bf16      the whole step as one CUDA graph; convolutions and linear layer have bf16 weights, without
            float32 copies, which saves PyTorch work that ferdag does
  compiled  torch.compile, bf16 autocast, the whole step as one CUDA graph; for one net (ResNet18 at
            width 64), since compiling takes long
The best of them counts, and of ferdag's figures the first; "engines timed" is ferdag with the fastest of
cuDNN's engines (the kind choose_engines), also for that net only. PyTorch's images are one batch that lies on the
device: it crops nothing and reads no loss, while ferdag's figures contain the crops, the upload of the
queue and the reading of the loss once in 224 steps. In extraction both copy the features of each batch
to the host. --dry-run runs PyTorch's code on the CPU in tiny sizes, without ferdag.
Targets: at width 64 1.3 times PyTorch (and ResNet18 at least 55,000 images/s on an H200), at width 16
twice; extraction at least as fast. Each is passed, FAILED or skipped."""
import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
import traceback

import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = ["vgg19", "resnet18", "preact_resnet18", "resnext29"]
BATCH, SIZE, CLASSES = 128, 40, 7
COMPILED = ("resnet18", 64)
LEAST = {64: 1.3, 16: 2.0}
H200_RESNET18 = 55000


def load_models():
    """The nets of tests/oracles/nets.py, without the packages that its other functions need."""
    path = os.path.join(HERE, "..", "oracles", "nets.py")
    if not os.path.exists(path):
        path = os.path.join(HERE, "nets.py")
    lines = open(path, encoding="utf-8").read().split("\n")
    first = next(i for i, l in enumerate(lines) if l.startswith("def conv("))
    end = next(i for i, l in enumerate(lines) if l.startswith("def read_dump("))
    names = {"nn": nn, "F": F, "torch": torch}
    exec(compile("\n".join(lines[first:end]), path, "exec"), names)
    return names["make"]


class Torch:
    """One net in one arrangement."""

    def __init__(self, make, model, width, precision, kind, device, batch):
        self.device, self.kind, self.batch = device, kind, batch
        self.half = precision == "bf16" and kind != "bf16"  # autocast
        torch.manual_seed(1)
        self.net = make(model, width).to(device, memory_format=torch.channels_last).train()
        dtype = torch.float32
        if kind == "bf16":
            dtype = torch.bfloat16
            for m in self.net.modules():
                if isinstance(m, (nn.Conv2d, nn.Linear)):
                    m.to(torch.bfloat16)
        self.images = torch.randn(batch, 1, SIZE, SIZE, device=device, dtype=dtype)
        self.images = self.images.to(memory_format=torch.channels_last)
        self.labels = torch.randint(0, CLASSES, (batch,), device=device)
        self.total = torch.zeros((), device=device)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.01, 0.9, weight_decay=5e-4,
                                         fused=device == "cuda")
        compiled = kind == "compiled"
        self.forward = torch.compile(self.net) if compiled else self.net
        self.pooled = torch.compile(self.net.pooled) if compiled else self.net.pooled
        self.steps = {"train": self.train, "predict": self.predict}

    def autocast(self):
        return torch.autocast(self.device, torch.bfloat16, enabled=self.half,
                              cache_enabled=self.kind == "eager")

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            logits = self.forward(self.images)
            loss = F.cross_entropy(logits.float(), self.labels)
        loss.backward()
        nn.utils.clip_grad_value_(self.net.parameters(), 0.1)
        self.optimizer.step()
        self.total += loss.detach() * self.batch

    def predict(self):
        with torch.no_grad(), self.autocast():
            self.features = self.pooled(self.images).float()

    def prepare(self):
        """Warms up; records both kinds of step as graphs, unless eager or on a CPU."""
        for command in ("train", "predict"):
            step = self.steps[command]
            self.net.train(command == "train")
            if self.device == "cpu":
                step()
                continue
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(5):
                    step()
            torch.cuda.current_stream().wait_stream(stream)
            torch.cuda.synchronize()
            if self.kind == "eager":
                continue
            graph = torch.cuda.CUDAGraph()
            self.optimizer.zero_grad(set_to_none=True)
            with torch.cuda.graph(graph):
                step()
            self.steps[command] = graph.replay

    def measure(self, command, seconds):
        """Images a second."""
        step = self.steps[command]
        self.net.train(command == "train")
        step()
        wait = torch.cuda.synchronize if self.device == "cuda" else lambda: None
        wait()
        images, start = 0, time.perf_counter()
        while images == 0 or time.perf_counter() - start < seconds:
            for _ in range(50 if self.device == "cuda" else 1):
                step()
                images += self.batch
                if command == "predict":
                    self.features.cpu()
            wait()
        return images / (time.perf_counter() - start)


class Ours:
    def __init__(self, folder, model, width, precision, options=()):
        command = [f"{folder}/bench_gpu", "-i", "-m", model, "-w", str(width), "-p", precision, *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise RuntimeError(self.process.stderr.read().strip() or line.strip() or "bench_gpu ended")
        self.device = line.split(" ", 1)[1].strip()

    def measure(self, command, seconds):
        self.process.stdin.write(f"{command} {seconds}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read().strip() or "bench_gpu ended")
        images, elapsed = map(float, line.split())
        return images / elapsed

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass  # it has ended; the failure was reported
        self.process.wait()


class Bench:
    def __init__(self, a):
        self.a, self.start = a, time.monotonic()
        self.counts = {"passed": 0, "FAILED": 0, "skipped": 0}
        self.make, self.log, self.verdicts = load_models(), [], []

    def say(self, line):
        print(line, flush=True)
        self.log.append(line)

    def judge(self, word, what):
        self.counts[word] += 1
        self.verdicts.append(f"{word} {what}")

    def late(self, reserve=0):
        return time.monotonic() - self.start > self.a.limit - reserve

    def sides(self, model, width, precision):
        """(name, side) of each arrangement that works; what doesn't is reported."""
        a, cell = self.a, f"{model}, width {width}, {precision}"
        device = "cpu" if a.dry_run else "cuda"
        kinds = ["eager", "graph"] + (["bf16"] if precision == "bf16" else [])
        if (model, width) == COMPILED and precision == "bf16" and not a.no_compile and not self.late(120):
            kinds.append("compiled")
        if not a.dry_run:
            try:
                yield "ferdag", Ours(a.folder, model, width, precision)
                if (model, width) == COMPILED and precision == "bf16" and not self.late(120):
                    yield "timed", Ours(a.folder, model, width, precision, ["-e"])
            except (RuntimeError, OSError) as e:
                self.judge("FAILED", f"{cell}: ferdag: {e}")
                return
        for kind in kinds:
            try:
                side = Torch(self.make, model, width, precision, kind, device, a.batch)
                side.prepare()
                yield kind, side
            except Exception as e:  # goes on with the other arrangements
                text = traceback.format_exception_only(e)[-1].strip()
                self.verdicts.append(f"PyTorch, {kind}, {cell}: {' '.join(text.split())[:300]}")

    def cell(self, model, width, precision):
        sides = dict(self.sides(model, width, precision))
        rates = {}
        try:
            for _ in range(self.a.rounds):
                for command in ("train", "predict"):
                    for name, side in sides.items():
                        rate = side.measure(command, self.a.seconds)
                        rates.setdefault((name, command), []).append(rate)
        except (RuntimeError, OSError) as e:
            self.judge("FAILED", f"{model}, width {width}, {precision}: {e}")
        for side in sides.values():
            if isinstance(side, Ours):
                self.device = side.device
                side.close()
        for command in ("train", "predict"):
            median = {n: statistics.median(r) for (n, c), r in rates.items() if c == command}
            if median:
                self.row(model, width, precision, command, median)
        del sides
        if not self.a.dry_run:
            torch.cuda.empty_cache()

    def row(self, model, width, precision, command, median):
        ours, timed = median.pop("ferdag", None), median.pop("timed", None)
        best = max(median, key=median.get) if median else None
        others = ", ".join(f"{n} {r:.0f}" for n, r in median.items()) or "-"
        ratio = ours / median[best] if ours and best else None
        self.say(f"| {model} | {width} | {precision} | {command} | {f'{ours:.0f}' if ours else '-'} | "
                 f"{f'{timed:.0f}' if timed else '-'} | "
                 f"{others} | {f'{ratio:.2f} ({best})' if ratio else '-'} |")
        what = f"{model}, width {width}, {precision}, {command}"
        if ratio is None:
            self.judge("skipped", f"{what}: nothing to compare with")
            return
        least = LEAST.get(width, 1.0) if command == "train" and precision == "bf16" else 1.0
        self.judge("passed" if ratio >= least else "FAILED",
                   f"{what}: {ratio:.2f} of PyTorch's best, at least {least:g}")
        if (model, width, precision, command) == ("resnet18", 64, "bf16", "train"):
            if "H200" in torch.cuda.get_device_name():
                self.judge("passed" if ours >= H200_RESNET18 else "FAILED",
                           f"{what}: {ours:.0f} images/s, at least {H200_RESNET18}")
            else:
                self.judge("skipped", f"{what}: {H200_RESNET18} images/s is for an H200")

    def run(self):
        a = self.a
        if a.dry_run:
            self.say(f"dry run on the CPU, PyTorch {torch.__version__}")
        else:
            torch.backends.cudnn.benchmark = True
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
            driver = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                                    capture_output=True, text=True).stdout.strip().split("\n")[0]
            self.say(f"{torch.cuda.get_device_name()}, driver {driver or 'unknown'}; PyTorch "
                     f"{torch.__version__}, cuDNN {torch.backends.cudnn.version()}; batch {a.batch} of "
                     f"{SIZE}x{SIZE}; medians of {a.rounds} rounds in turn, {a.seconds:g} s each\n")
        self.say("| net | width | precision | what | ferdag, images/s | engines timed | PyTorch, images/s | ratio |\n"
                 "|---|---|---|---|---|---|---|---|")
        cells = [(m, w, "bf16") for w in map(int, a.widths.split(",")) for m in a.models.split(",")]
        if not a.dry_run:
            cells.append(("resnet18", int(a.widths.split(",")[-1]), "fp32"))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # of timeout; the summary follows
        try:
            for cell in cells:
                if self.late(15):
                    self.judge("skipped", f"{', '.join(map(str, cell))}: out of time")
                    continue
                self.cell(*cell)
        except SystemExit:
            self.judge("FAILED", "the bench wasn't finished in time")
        return self.finish()

    def finish(self):
        self.say("")
        if hasattr(self, "device"):
            self.say(f"ferdag: {self.device}")
        for verdict in self.verdicts:
            self.say(verdict)
        self.say(f"{self.counts['passed']} passed, {self.counts['FAILED']} failed, "
                 f"{self.counts['skipped']} skipped")
        with open(os.path.join(self.a.folder, "bench.md"), "w", encoding="utf-8") as file:
            file.write("\n".join(self.log) + "\n")
        return 1 if self.counts["FAILED"] else 0


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("folder")
    a.add_argument("--models", default=",".join(MODELS))
    a.add_argument("--widths", default="64,16")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--seconds", type=float, default=0.6)
    a.add_argument("--batch", type=int, default=BATCH, help=argparse.SUPPRESS)
    a.add_argument("--limit", type=float, default=280)
    a.add_argument("--no-compile", action="store_true")
    a.add_argument("--dry-run", action="store_true")
    a = a.parse_args()
    if a.dry_run:
        a.widths, a.rounds, a.seconds, a.batch = "4", 1, 0, 4
    sys.exit(Bench(a).run())


if __name__ == "__main__":
    main()
