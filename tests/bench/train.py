"""Images a second of a training step: ours (bench_train) and PyTorch (fp32, channels_last; with
--bf16 autocast), in turn, best of several short rounds each, because the machine may be shared.

  train.py PROGRAM [--widths 16,64] [--threads 1,2] [--rounds 2] [--seconds 3] [--bf16]
           [--models vgg19,...] [--cpu-time]"""
import argparse
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "oracles"))
import nets
import torch
from torch.nn import functional as F


def pytorch(model, width, threads, seconds, bf16, cpu_time, batch=128):
    clock = (lambda: time.process_time() / threads) if cpu_time else time.perf_counter
    torch.manual_seed(1)
    net = nets.make(model, width).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, 0.9, weight_decay=5e-4)
    x = torch.randn(batch, 1, 40, 40).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 7, (batch,))
    best, start, steps = 1e30, time.perf_counter(), 0
    while steps < 3 or time.perf_counter() - start < seconds:
        t = clock()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = F.cross_entropy(net(x), labels)
        loss.backward()
        torch.nn.utils.clip_grad_value_(net.parameters(), 0.1)
        optimizer.step()
        if steps > 0:
            best = min(best, clock() - t)
        steps += 1
    return batch / best


def ours(program, model, width, threads, seconds, precision, cpu_time):
    out = subprocess.run([program, "-m", model, "-w", str(width), "-t", str(threads), "-p",
                          precision, "-r", str(2 * seconds)] + ["-c"] * cpu_time, check=True, capture_output=True,
                         text=True).stdout.split()
    return float(out[4])


def main():
    a = argparse.ArgumentParser()
    a.add_argument("program")
    a.add_argument("--widths", default="16,64")
    a.add_argument("--threads", default="1,2")
    a.add_argument("--models", default=",".join(nets.MODELS))
    a.add_argument("--rounds", type=int, default=2)
    a.add_argument("--seconds", type=float, default=3)
    a.add_argument("--bf16", action="store_true")
    a.add_argument("--cpu-time", action="store_true")
    a = a.parse_args()
    precision = "bf16" if a.bf16 else "fp32"
    print(f"{'model':16} width threads {'ours':>8} {'PyTorch':>8}  ratio   ({precision}, images/s)")
    for threads in map(int, a.threads.split(",")):
        torch.set_num_threads(threads)
        for width in map(int, a.widths.split(",")):
            for model in a.models.split(","):
                us = them = 0
                for _ in range(a.rounds):
                    us = max(us, ours(a.program, model, width, threads, a.seconds, precision,
                                      a.cpu_time))
                    them = max(them, pytorch(model, width, threads, a.seconds, a.bf16,
                                              a.cpu_time))
                print(f"{model:16} {width:5} {threads:7} {us:8.1f} {them:8.1f} {us / them:6.2f}",
                      flush=True)


if __name__ == "__main__":
    main()
