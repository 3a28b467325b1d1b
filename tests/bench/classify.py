"""Training and prediction of the classifiers of Table V, ours against scikit-learn's and, for the
SVMs, LIBSVM's own svm-train and svm-predict, on the same features with as many threads.

  classify.py BUILD FEATURES [--rows svm_linear,knn_5,...] [--rounds 3] [--threads 2]
              [--seconds 0.5] [--cpu-time] [--no-libsvm] [--no-ties] [--alone]

FEATURES is a folder as extract_features or fuse_features writes it; trained is on its train split,
predicted are public and private together. Both sides stay loaded and take turns, A B A B; figures
are medians over the rounds. What trains for more than 30 s trains once, and what takes more than
10 s to predict predicts once. Prediction is timed for the whole batch and for one image at a time, in
microseconds an image. A second is one of the clock, or with --cpu-time one of CPU time a thread, for
a machine that does other things too. scikit-learn gets float32 as it lies there, and as many jobs;
agreement is the share of images that both put into the same class. Where definitions leave a choice
(kNN: a tied vote, or the k-th and the next neighbour equally far) such images are left out of it, and
kNN and naive Bayes are compared with scikit-learn in float64, unless --no-ties. Memory is the
peak resident set, libraries and data included, in MB. LIBSVM's tools run on one thread, read text, and
run once; their time includes reading. Goals are for the least ratio of a kind to scikit-learn. The last
line is the geometric mean of those ratios (kNN trains nothing and isn't counted there)."""
import argparse
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

KERNELS = ["linear", "poly", "rbf", "sigmoid"]
ROWS = [f"svm_{k}" for k in KERNELS] + [f"knn_{k}" for k in (1, 3, 5, 7, 9)] + ["tree"] + \
    [f"forest_{d}" for d in (5, 10, 15, 20)] + ["bayes", "logistic", "discriminant"]
LONG_TRAINING, LONG_PREDICTION = 30, 10
GOALS = {"svm": (5, 10), "knn": (None, 1.5), "tree": (2, 2), "forest": (2, 3), "bayes": (None, 2)}


def load(folder):
    parts = {s: [np.load(f"{folder}/{s}_{p}.npy") for p in ("features", "labels")]
             for s in ("train", "public", "private")}
    x, y = parts["train"]
    q, z = (np.concatenate([parts["public"][i], parts["private"][i]]) for i in (0, 1))
    return x, y, q, z


# ---- scikit-learn's side: a process that answers like bench_classify ----

def sklearn_model(row, threads):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier
    kind, _, number = row.partition("_")
    return {
        "svm": lambda: SVC(kernel=number, cache_size=1000),
        "knn": lambda: KNeighborsClassifier(int(number), algorithm="brute", n_jobs=threads),
        "tree": lambda: DecisionTreeClassifier(random_state=1),
        "forest": lambda: RandomForestClassifier(100, max_depth=int(number), random_state=1,
                                                 n_jobs=threads),
        "bayes": lambda: GaussianNB(),
        "logistic": lambda: LogisticRegression(max_iter=1000),
        "discriminant": lambda: LinearDiscriminantAnalysis(),
    }[kind]()


class Sklearn:
    def __init__(self, folder, row, threads):
        self.x, self.y, self.q, _ = load(folder)
        self.row, self.threads, self.model = row, threads, None

    def step(self, what, turn):
        if what == "train":
            self.model = sklearn_model(self.row, self.threads).fit(self.x, self.y)
        elif what == "predict":
            self.model.predict(self.q)
        else:
            i = turn * 97 % len(self.q)
            self.model.predict(self.q[i:i + 1])

    def save(self, path):
        self.model.predict(self.q).astype(np.uint8).tofile(path)
        return len(self.q), 0, 0

    def exact(self, path):
        """As save, in float64, and 255 where the definition leaves a choice."""
        wide = self.q.astype(float)
        if self.row == "bayes":
            out = sklearn_model(self.row, 1).fit(self.x.astype(float), self.y).predict(wide)
        else:
            from sklearn.neighbors import NearestNeighbors
            k = int(self.row.split("_")[1])
            nearest = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(self.x.astype(float))
            far, index = nearest.kneighbors(wide)
            votes = np.stack([np.bincount(row, minlength=7) for row in self.y[index[:, :k]]])
            best = np.sort(votes, axis=1)
            out = votes.argmax(axis=1)
            out[(best[:, -1] == best[:, -2]) | (far[:, k] - far[:, k - 1] <= 1e-6 * far[:, k])] = 255
        out.astype(np.uint8).tofile(path)
        return len(out), 0, 0

    def measure(self, what, seconds):
        count, cpu, start = 0, time.process_time(), time.perf_counter()
        while count == 0 or time.perf_counter() - start < seconds:
            self.step(what, count)
            count += 1
        return count, time.perf_counter() - start, time.process_time() - cpu

    def answer(self):
        print("ready", flush=True)
        for line in sys.stdin:
            what, value = line.split()
            if what in ("save", "exact"):
                print(*getattr(self, what)(value), flush=True)
            else:
                print(*self.measure(what, float(value)), flush=True)


# ---- measuring ----

class Side:
    """A process with one classifier that waits for orders."""

    def __init__(self, command, threads, cpu_time):
        variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = dict(os.environ, **{v: str(threads) for v in variables})
        if "bench_classify" in command[0]:
            environment["GOMP_SPINCOUNT"] = "1000"  # as dag/executors/local.c sets it for a stage
        self.threads, self.cpu_time, self.seconds = threads, cpu_time, {}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)
        if self.process.stdout.readline() != "ready\n":
            sys.exit(f"classify.py: {' '.join(command)} failed")

    def ask(self, what, value):
        self.process.stdin.write(f"{what} {value}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 3:
            sys.exit(f"classify.py: {what} failed")
        return map(float, answer)

    def run(self, what, seconds):
        count, wall, cpu = self.ask(what, seconds)
        took = (cpu / self.threads if self.cpu_time else wall) / count
        self.seconds.setdefault(what, []).append(took)

    def median(self, what):
        return statistics.median(self.seconds[what])

    def classes(self, path, what="save"):
        self.ask(what, path)
        return np.fromfile(path, np.uint8)

    def peak(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(s.split()[1]) for s in status if s.startswith("VmHWM")) / 1024

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def in_turn(sides, what, rounds, seconds, long):
    for _ in range(rounds):
        for side in sides:
            side.run(what, seconds)
        if max(s.seconds[what][-1] for s in sides) > long:
            break


def tool(command, cpu_time):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime if cpu_time else wall


def write_text(path, x, y):
    with open(path, "w") as f:
        for row, label in zip(x, y):
            f.write(f"{label} " + " ".join(f"{j + 1}:{v:.9g}" for j, v in enumerate(row) if v) + "\n")


class Libsvm:
    def __init__(self, folder, home):
        x, self.y, q, z = load(folder)
        self.home, self.n, self.gamma = home, len(q), 1 / (x.shape[1] * x.astype(float).var())
        write_text(f"{home}/train", x, self.y)
        write_text(f"{home}/test", q, z)

    def run(self, row, cpu_time):
        """Seconds to train, seconds an image, classes."""
        kernel = KERNELS.index(row.split("_")[1])
        train = tool(["svm-train", "-q", "-t", str(kernel), "-g", repr(float(self.gamma)), "-m", "1000",
                      f"{self.home}/train", f"{self.home}/model"], cpu_time)
        predict = tool(["svm-predict", f"{self.home}/test", f"{self.home}/model",
                        f"{self.home}/out"], cpu_time)
        return train, predict / self.n, np.loadtxt(f"{self.home}/out").astype(np.uint8)


def percent(share):
    return f"{100 * share:.2f}"


def microseconds(seconds):
    return f"{1e6 * seconds:.3g}" if seconds < 1e-3 else f"{1e6 * seconds:.0f}"


def compare(a, row, z, libsvm, home, ratios):
    ours = Side([f"{a.build}/tests/bench/bench_classify", a.features, row, str(a.threads)], a.threads,
                a.cpu_time)
    theirs = [] if a.alone else [Side([sys.executable, os.path.abspath(__file__), "--worker",
                                       a.features, row, str(a.threads)], a.threads, a.cpu_time)]
    sides = [ours] + theirs
    in_turn(sides, "train", a.rounds, 0, LONG_TRAINING)
    classes = [s.classes(f"{home}/classes") for s in sides]
    in_turn(sides, "predict", a.rounds, a.seconds, LONG_PREDICTION)
    in_turn(sides, "single", a.rounds, a.seconds, LONG_PREDICTION)
    cells = [row]
    for what in ("train", "predict", "single"):
        each = len(z) if what == "predict" else 1
        show = (lambda s: f"{s:.3g}") if what == "train" else microseconds
        cells += [show(s.median(what) / each) for s in sides]
        if theirs:
            ratio = theirs[0].median(what) / ours.median(what)
            counted = what != "train" or not row.startswith("knn")
            cells.append(f"{ratio:.2f}" if counted else "-")
            if counted:
                ratios[what][row] = ratio
    cells += [percent((c == z).mean()) for c in classes]
    peaks = [f"{s.peak():.0f}" for s in sides]
    if theirs:
        if not a.no_ties and (row == "bayes" or row.startswith("knn")):
            exact = theirs[0].classes(f"{home}/classes", "exact")
            clear = exact != 255
            cells.append(f"{percent((classes[0] == exact)[clear].mean())} of {clear.sum()}")
        else:
            cells.append(percent((classes[0] == classes[1]).mean()))
    print("| " + " | ".join(cells + peaks) + " |", flush=True)
    for side in sides:
        side.close()
    if libsvm and row.startswith("svm"):
        train, predict, out = libsvm.run(row, a.cpu_time)
        return (f"| {row} | {ours.median('train'):.3g} | {train:.3g} | "
                f"{train / ours.median('train'):.1f} | {microseconds(ours.median('predict') / len(z))} "
                f"| {microseconds(predict)} | {predict * len(z) / ours.median('predict'):.1f} | "
                f"{percent((out == z).mean())} | {percent((classes[0] == out).mean())} |")
    return None


def head(alone):
    cells = ["classifier"]
    for what in ("train, s", "batch, µs", "single, µs"):
        cells += [f"{what}: ours"] + ([] if alone else ["scikit-learn", "ratio"])
    for what in ("accuracy, %", "peak, MB"):
        cells += [f"{what}: ours"] + ([] if alone else ["scikit-learn"])
        if what.startswith("accuracy") and not alone:
            cells.append("same, %")
    return "| " + " | ".join(cells) + " |\n" + "|---" * len(cells) + "|"


def geomean(ratios):
    logs = [math.log(r) for r in ratios.values()]
    return f"{math.exp(sum(logs) / len(logs)):.2f}" if logs else "-"


def goals(ratios):
    """The least ratio of each kind beside what it should be."""
    for kind, wanted in GOALS.items():
        for what, goal in zip(("train", "predict"), wanted):
            own = {r: x for r, x in ratios[what].items() if r.split("_")[0] == kind}
            if goal and own:
                least = min(own, key=own.get)
                yield (f"{kind} {what} {own[least]:.2f} ({least}), goal {goal}"
                       f"{'' if own[least] >= goal else ': MISSED'}")


def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("build")
    a.add_argument("features")
    a.add_argument("--rows", default=",".join(ROWS))
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--threads", type=int, default=os.cpu_count())
    a.add_argument("--seconds", type=float, default=0.5)
    a.add_argument("--cpu-time", action="store_true")
    a.add_argument("--no-libsvm", action="store_true")
    a.add_argument("--alone", action="store_true")
    a.add_argument("--no-ties", action="store_true")
    a = a.parse_args()
    unknown = [r for r in a.rows.split(",") if r not in ROWS]
    if unknown:
        sys.exit(f"classify.py: unknown row '{unknown[0]}' (rows: {', '.join(ROWS)})")
    return a


def have_sklearn():
    return subprocess.run([sys.executable, "-c", "import sklearn"], capture_output=True).returncode == 0


def main():
    if sys.argv[1:2] == ["--worker"]:
        folder, row, threads = sys.argv[2:]
        Sklearn(folder, row, int(threads)).answer()
        return
    a = arguments()
    if not a.alone and not have_sklearn():
        print("No scikit-learn here (PYTHON=... picks another Python): ours alone.\n")
        a.alone = True
    x, _, q, z = load(a.features)
    clock = "CPU time a thread" if a.cpu_time else "the clock"
    print(f"{len(x)} x {x.shape[1]} to train on, {len(q)} to predict; {a.threads} thread"
          f"{'s' * (a.threads > 1)}; seconds of {clock}; median of {a.rounds}")
    del x, q
    if not a.alone:
        import sklearn
        print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}")
    print("\n" + head(a.alone), flush=True)
    ratios = {"train": {}, "predict": {}, "single": {}}
    with tempfile.TemporaryDirectory(prefix="bench-classify-") as home:
        rows = a.rows.split(",")
        wanted = not a.no_libsvm and not a.alone and any(r.startswith("svm") for r in rows)
        libsvm = Libsvm(a.features, home) if wanted and shutil.which("svm-train") else None
        lines = list(filter(None, [compare(a, r, z, libsvm, home, ratios) for r in rows]))
    if lines:
        print("\nLIBSVM's svm-train and svm-predict, one thread, cache of 1000 MB:\n\n"
              "| classifier | train, s: ours | LIBSVM | ratio | batch, µs: ours | LIBSVM | ratio | "
              "accuracy, %: LIBSVM | same, % |\n" + "|---" * 9 + "|\n" + "\n".join(lines))
    if not a.alone:
        print("\n" + "\n".join(goals(ratios)))
        print(f"one image at a time: geomean {geomean(ratios['single'])}")
        print(f"geomean train {geomean(ratios['train'])} predict {geomean(ratios['predict'])}")


if __name__ == "__main__":
    main()
