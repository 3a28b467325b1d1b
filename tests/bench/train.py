"""Training and feature extraction of the four nets, ours against PyTorch's, on the same drawn images
(batch 128 of 40x40, bf16) and arranged the same way: one training of all threads ("1 x 2"), and as
many trainings of one thread each ("2 x 1").

  train.py BUILD [--models resnet18,...] [--widths 16,64] [--arrangements 1x2,2x1] [--rounds 3]
           [--seconds 4] [--compile both|yes|no] [--cpu-time] [--alone]

Both sides stay loaded and take turns, A B A B, a few seconds each; figures are medians over the
rounds, of the sum of the trainings that run at once. PyTorch runs channels_last under bf16 autocast,
eager and compiled (torch.compile, which for the features folds the norms into frozen weights), and
the faster of the two counts. A second is one of the clock, or with --cpu-time one of CPU time a
thread, for a machine that does other things too. The fraction is of the GEMM peak measured by
bench_profile on as many threads. Memory is the peak resident set of the trainings together, Python
and libraries included, in MB. The last lines are the geometric mean and
the least of the ratios: of training and of extraction ("predict") at each width, and last of all of
training at all widths. Without PyTorch, or with --alone, only ours is measured."""
import argparse
import ctypes
import logging
import math
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = ["vgg19", "resnet18", "preact_resnet18", "resnext29"]
BATCH, SIZE = 128, 40


def have_torch():
    return subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode == 0


# ---- PyTorch's side: a process that answers like bench_train -i ----

class Torch:
    def __init__(self, model, width, threads, compiled):
        import torch
        # torch.compile looks for a CUDA toolkit and warns where there is one but no GPU
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        sys.path.insert(0, os.path.join(HERE, "..", "oracles"))
        import nets
        self.torch = torch
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        self.net = nets.make(model, width).to(memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.01, 0.9, weight_decay=5e-4)
        self.images = torch.randn(BATCH, 1, SIZE, SIZE).to(memory_format=torch.channels_last)
        self.labels = torch.randint(0, 7, (BATCH,))
        if compiled:
            import torch._inductor.config
            torch._inductor.config.freezing = True  # what is compiled for inference alone
        self.forward = torch.compile(self.net) if compiled else self.net
        self.pooled = torch.compile(self.net.pooled) if compiled else self.net.pooled

    def train(self):
        torch = self.torch
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(self.forward(self.images), self.labels)
        loss.backward()
        torch.nn.utils.clip_grad_value_(self.net.parameters(), 0.1)
        self.optimizer.step()

    def predict(self):
        with self.torch.inference_mode(), self.torch.autocast("cpu", self.torch.bfloat16):
            self.pooled(self.images)

    def answer(self):
        for command in ("train", "predict"):
            self.measure(command, 0)
        print("ready", flush=True)
        for line in sys.stdin:
            command, seconds = line.split()
            print(*self.measure(command, float(seconds)), flush=True)

    def measure(self, command, seconds):
        self.net.train(command == "train")
        step = self.train if command == "train" else self.predict
        step()
        step()
        images, cpu, start = 0, time.process_time(), time.perf_counter()
        while images == 0 or time.perf_counter() - start < seconds:
            step()
            images += BATCH
        return images, time.perf_counter() - start, time.process_time() - cpu


# ---- measuring ----

def peak_megabytes(pid):
    """Not getrusage's: that of a child starts with what its parent had."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


class Side:
    """Trainings of one kind that run at once; each is a process that waits for orders."""

    def __init__(self, name, command, count, threads):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        if name == "ours":
            environment["GOMP_SPINCOUNT"] = "1000"  # as dag/executors/local.c sets it for a stage
        self.name, self.threads, self.rates, self.peak = name, threads, {}, 0
        self.workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, env=environment) for _ in range(count)]
        for w in self.workers:
            if w.stdout.readline() != "ready\n":
                sys.exit(f"train.py: {' '.join(command)} failed")

    def run(self, command, seconds, cpu_time):
        rate = peak = 0
        for w in self.workers:
            w.stdin.write(f"{command} {seconds}\n")
            w.stdin.flush()
        for w in self.workers:
            images, wall, cpu = map(float, w.stdout.readline().split())
            rate += images / (cpu / self.threads if cpu_time else wall)
            peak += peak_megabytes(w.pid)
        self.rates.setdefault(command, []).append(rate)
        self.peak = peak

    def rate(self, command):
        return statistics.median(self.rates[command])

    def close(self):
        for w in self.workers:
            w.stdin.close()
            w.wait()


# ---- what it was measured on ----

def processor():
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown CPU"


def our_onednn(build):
    """The version of the library that bench_train loads."""
    said = subprocess.run(["ldd", f"{build}/tests/bench/bench_train"], capture_output=True, text=True)
    path = re.search(r"libdnnl\S* => (\S+)", said.stdout)
    if not path:
        return "unknown"

    class Version(ctypes.Structure):
        _fields_ = [("major", ctypes.c_int), ("minor", ctypes.c_int), ("patch", ctypes.c_int)]
    version = ctypes.CDLL(path[1]).dnnl_version
    version.restype = ctypes.POINTER(Version)
    v = version().contents
    return f"{v.major}.{v.minor}.{v.patch}"


def print_setting(a):
    cores = len(os.sched_getaffinity(0))
    print(f"{processor()}, {cores} CPUs; load {os.getloadavg()[0]:.1f} at the start")
    print(f"ours: oneDNN {our_onednn(a.build)}, bf16")
    if not a.alone:
        import torch
        found = re.search(r"(?:MKL-DNN|oneDNN) v?(\S+)", torch.__config__.show())
        tried = {"both": "the faster of eager and compiled", "yes": "compiled", "no": "eager"}[a.compile]
        print(f"PyTorch {torch.__version__}: oneDNN {found[1] if found else 'unknown'}, "
              f"{torch.backends.cpu.get_cpu_capability()}, channels_last, bf16 autocast, {tried}")
    arrangements = a.arrangements.replace("x", " x ").replace(",", " and ")
    print(f"trainings x threads {arrangements}; medians of {a.rounds} rounds in turn, {a.seconds:g} s "
          f"each of {'CPU time a thread' if a.cpu_time else 'the clock'}\n")


def summary(ratios):
    """The last lines, of {(command, width): [ratio, ...]}."""
    def line(of):
        return f"geomean {math.exp(sum(map(math.log, of)) / len(of)):.2f} min {min(of):.2f}"
    lines = [f"{'' if command == 'train' else command + ', '}width {width}: {line(ratios[command, width])}"
             for command in ("train", "predict") for c, width in ratios if c == command]
    return lines + [line([r for (c, _), of in ratios.items() if c == "train" for r in of])]


# ---- the comparison ----

def peak_gflops(build, threads):
    """Sum of what `threads` processes reach at once."""
    runs = [subprocess.Popen([f"{build}/tests/bench/bench_profile", "-q"], stdout=subprocess.PIPE,
                             text=True) for _ in range(threads)]
    return sum(float(r.communicate()[0].split("GEMM ")[1].split()[0]) for r in runs)


def sides_of(a, model, width, count, threads):
    ours = [f"{a.build}/tests/bench/bench_train", "-i", "-m", model, "-w", str(width), "-t",
            str(threads)]
    yield Side("ours", ours, count, threads)
    for compiled in [] if a.alone else {"both": [False, True], "yes": [True], "no": [False]}[a.compile]:
        command = [sys.executable, os.path.abspath(__file__), "--worker", model, str(width),
                   str(threads), str(int(compiled))]
        yield Side("compiled" if compiled else "eager", command, count, threads)


def compare(a, model, width, count, threads, peak):
    """One cell: prints its rows, returns the ratios {command: ratio}, none if alone."""
    sides = list(sides_of(a, model, width, count, threads))
    for _ in range(a.rounds):
        for command in ("train", "predict"):
            for side in sides:
                side.run(command, a.seconds, a.cpu_time)
    flops = subprocess.run([f"{a.build}/tests/bench/bench_train", "-m", model, "-w", str(width), "-f"],
                           capture_output=True, text=True).stdout
    us, ratios = sides[0], {}
    for command, factor in (("train", 3), ("predict", 1)):
        fraction = us.rate(command) * factor * float(flops) * 1e-9 / peak
        row = f"| {model} | {width} | {count} x {threads} | {command} | {us.rate(command):.0f} |"
        if len(sides) > 1:
            them = max(sides[1:], key=lambda s: s.rate(command))
            ratios[command] = us.rate(command) / them.rate(command)
            others = ", ".join(f"{s.name} {s.rate(command):.0f}" for s in sides[1:])
            row += f" {others} | {ratios[command]:.2f} | {100 * fraction:.0f} % | {us.peak:.0f} | {them.peak:.0f} |"
        else:
            row += f" - | - | {100 * fraction:.0f} % | {us.peak:.0f} | - |"
        print(row, flush=True)
    for side in sides:
        side.close()
    return ratios


def main():
    if sys.argv[1:2] == ["--worker"]:
        model, width, threads, compiled = sys.argv[2:]
        Torch(model, int(width), int(threads), int(compiled)).answer()
        return
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("build")
    a.add_argument("--models", default=",".join(MODELS))
    a.add_argument("--widths", default="16,64")
    a.add_argument("--arrangements", default="1x2,2x1")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--seconds", type=float, default=4)
    a.add_argument("--compile", choices=["both", "yes", "no"], default="both")
    a.add_argument("--cpu-time", action="store_true")
    a.add_argument("--alone", action="store_true")
    a = a.parse_args()
    if not a.alone and not have_torch():
        print("No PyTorch here (PYTHON=... picks another Python): ours alone.\n")
        a.alone = True
    print_setting(a)
    print("| net | width | trainings x threads | what | ours, images/s | PyTorch, images/s | ratio "
          "| of GEMM peak | ours, MB | PyTorch, MB |\n|---|---|---|---|---|---|---|---|---|---|")
    ratios, peaks = {}, {}
    for width in map(int, a.widths.split(",")):
        for model in a.models.split(","):
            for arrangement in a.arrangements.split(","):
                count, threads = map(int, arrangement.split("x"))
                total = count * threads
                peaks[total] = peaks.get(total) or peak_gflops(a.build, total)
                cell = compare(a, model, width, count, threads, peaks[total])
                for command, ratio in cell.items():
                    ratios.setdefault((command, width), []).append(ratio)
    print("\nGEMM peak: " + ", ".join(f"{p:.0f} GFLOP/s on {n} threads" for n, p in peaks.items()))
    if not a.alone:
        print("\n".join(summary(ratios)))


if __name__ == "__main__":
    main()
