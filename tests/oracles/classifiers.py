#!/usr/bin/env python3
"""Compares the classifier stages with scikit-learn on given features (a long check).

    classifiers.py FERDAG FEATURES [--rows N]   features: a folder as extract_features writes it
    classifiers.py --figures                    the figures in tests/unit/kernels/test_classifiers.c

Trains on the first N rows of the training split (default 4000; LIBSVM's own kernels are slow) and
compares predictions of the public and private split. Exit 1 if one differs more than it may."""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import sklearn
from scipy.spatial.distance import cdist
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

SPLITS = ("public", "private")


def figures():
    def draw(n, seed):
        x, y = np.zeros((n, 5), np.float32), np.arange(n) % 4
        for i in range(n):
            for j in range(5):
                total = 20000 * ((i + j) % 4)
                for _ in range(2):
                    seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
                    total += seed >> 16
                x[i, j] = total
        return x, y

    def digits(p):
        return "".join(map(str, p))

    (x, y), (q, z) = draw(200, 1), draw(100, 2)
    print("scikit-learn", sklearn.__version__, "numpy", np.__version__)
    bayes = GaussianNB().fit(x, y)
    print("bayes", digits(bayes.predict(q)), bayes.theta_[1, 2], bayes.var_[1, 2])
    print("depth 3", digits(DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, y).predict(q)))
    for seed in range(4):
        t = DecisionTreeClassifier(random_state=seed).fit(x, y)
        print("tree", t.tree_.node_count, t.get_depth(), t.tree_.feature[:2], t.tree_.threshold[:2],
              t.score(q, z))
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(x.astype(float))
    print("knn 1", digits(y[nearest.kneighbors(q.astype(float), return_distance=False)[:, 0]]))
    small = x.astype(float) / 65536, q.astype(float) / 65536
    for name, model in (("logistic", LogisticRegression(C=2, tol=1e-12, max_iter=1000,
                                                      solver="newton-cg")),
                        ("discriminant", LinearDiscriminantAnalysis()),
                        ("shrunk", LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2))):
        model.fit(small[0], y)
        w, b = model.coef_ - model.coef_[0], model.intercept_ - model.intercept_[0]
        print(name, digits(model.predict(small[1])), w[1, 2], w[3, 0], b[3])
    for depth in (None, 2):
        s = [RandomForestClassifier(100, max_depth=depth, random_state=i).fit(x, y).score(q, z)
             for i in range(40)]
        print("forest", depth, np.mean(s), np.std(s), min(s), max(s))


class Stages:
    def __init__(self, program, features, rows):
        self.program = os.path.abspath(program)
        self.home = tempfile.mkdtemp(prefix="ferdag-oracle-")
        self.data = {}
        os.makedirs(self.home + "/features")
        for s in ("train",) + SPLITS:
            x, y = (np.load(f"{features}/{s}_{p}.npy") for p in ("features", "labels"))
            if s == "train":
                x, y = x[:rows], y[:rows]
            self.data[s] = x, y
            np.save(f"{self.home}/features/{s}_features.npy", x)
            np.save(f"{self.home}/features/{s}_labels.npy", y)

    def run(self, kind, params, inputs=("features",)):
        job = {"stage": kind, "kind": kind, "key": "00", "params": params, "threads": 1,
               "backend": "auto", "inputs": {i: [{"path": i}] for i in inputs},
               "outputs": {"predictions": "predictions", "timing": "timing.json", "model": "model",
                           "summary": "summary.json", "importance": "importance.npy"}}
        with open(self.home + "/job.json", "w") as f:
            json.dump(job, f)
        subprocess.run([self.program, "stage", kind], cwd=self.home, check=True,
                       stdout=subprocess.DEVNULL)

    def predictions(self):
        return np.concatenate([np.load(f"{self.home}/predictions/{s}_predictions.npy")
                               for s in SPLITS])


def vote(neighbours, labels, k):
    """Majority, ties to the class of the nearest among the tied."""
    out = []
    for row in labels[neighbours[:, :k]]:
        counts = np.bincount(row)
        out.append(next(c for c in row if counts[c] == counts.max()))
    return np.array(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", nargs="?")
    parser.add_argument("features", nargs="?")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--figures", action="store_true")
    a = parser.parse_args()
    if a.figures:
        return figures()
    if not a.features:
        parser.error("FERDAG and FEATURES are needed")
    stages = Stages(a.program, a.features, a.rows)
    x, y = stages.data["train"]
    q = np.concatenate([stages.data[s][0] for s in SPLITS])
    z = np.concatenate([stages.data[s][1] for s in SPLITS])
    bad = []

    def same(name, theirs, least):
        ours = stages.predictions()
        share = (ours == theirs).mean()
        print(f"{name:14} same {share:.5f}  accuracy {(ours == z).mean():.4f} "
              f"scikit-learn {(theirs == z).mean():.4f}", flush=True)
        if share < least:
            bad.append(name)

    def over_seeds(name, kind, params, model):
        """Ten seeds on both sides: the means must lie within one standard error of an accuracy over
        so many images, that of the seeds included."""
        ours, scores = [], [model(i).fit(x, y).score(q, z) for i in range(10)]
        for seed in range(10 if kind == "random_forest" else 1):  # our tree leaves nothing to chance
            stages.run(kind, dict(params, seed=seed))
            ours.append((stages.predictions() == z).mean())
        mean, difference = np.mean(scores), np.mean(ours) - np.mean(scores)
        error = np.sqrt(mean * (1 - mean) / len(z) + np.var(ours) / len(ours) + np.var(scores) / 10)
        print(f"{name:14} accuracy {np.mean(ours):.4f} +- {np.std(ours):.4f}  scikit-learn {mean:.4f} "
              f"+- {np.std(scores):.4f}  difference {difference:+.4f}, error {error:.4f}", flush=True)
        if abs(difference) > error:
            bad.append(name)

    for kernel in ("linear", "poly", "rbf", "sigmoid"):
        stages.run("train_svm", {"kernel": kernel})
        stages.run("predict_svm", {}, ("features", "model"))
        same("svm " + kernel, SVC(kernel=kernel, cache_size=1000).fit(x, y).predict(q), 0.999)
    stages.run("train_svm", {"kernel": "rbf", "class_weight": "balanced"})
    stages.run("predict_svm", {}, ("features", "model"))
    same("svm balanced", SVC(class_weight="balanced", cache_size=1000).fit(x, y).predict(q), 0.999)
    for kernel in ("linear", "rbf"):
        stages.run("cross_validate_svm", {"kernel": kernel, "c": [0.1, 3], "folds": 4})
        folds = PredefinedSplit(np.load(stages.home + "/folds.npy"))
        with open(stages.home + "/scores.json") as f:
            grid = json.load(f)["grid"]
        for point in grid:
            theirs = cross_val_score(SVC(kernel=kernel, C=point["c"], gamma=point.get("gamma", "scale"),
                                         cache_size=1000), x, y, cv=folds)
            furthest = np.abs(theirs - point["folds"]).max()
            print(f"folds {kernel} C {point['c']:3g}  mean {point['mean']:.4f}  scikit-learn "
                  f"{theirs.mean():.4f}  furthest fold {furthest:.5f}", flush=True)
            if furthest > 0.002:
                bad.append("cross-validation " + kernel)
    stages.run("naive_bayes", {})
    same("naive_bayes", GaussianNB().fit(x.astype(float), y).predict(q.astype(float)), 0.999)
    stages.run("logistic_regression", {"tolerance": 1e-6, "max_iterations": 5000})
    same("logistic", LogisticRegression(tol=1e-6, max_iter=5000)
         .fit(x.astype(float), y).predict(q.astype(float)), 0.999)
    wide = x.astype(float), q.astype(float)
    for shrinkage in (None, 0.1):
        stages.run("linear_discriminant", {"shrinkage": shrinkage or 0})
        theirs = LinearDiscriminantAnalysis(solver="lsqr" if shrinkage else "svd",
                                            shrinkage=shrinkage)
        same(f"discriminant {shrinkage or 0}", theirs.fit(wide[0], y).predict(wide[1]), 0.999)
    # scikit-learn leaves the order of rows at the same distance open; FER2013 has such rows
    neighbours = np.concatenate([np.argsort(cdist(part, x, "sqeuclidean"), kind="stable")[:, :9]
                                 for part in np.array_split(q.astype(float), 20)])
    for k in (1, 3, 5, 7, 9):
        stages.run("knn", {"k": k})
        same(f"knn {k}", vote(neighbours, y, k), 0.999)
    over_seeds("decision_tree", "decision_tree", {}, lambda i: DecisionTreeClassifier(random_state=i))
    for depth in (5, 20):
        over_seeds(f"forest {depth}", "random_forest", {"max_depth": depth},
                   lambda i: RandomForestClassifier(100, max_depth=depth, random_state=i))
    stages.run("random_forest", {"max_depth": 10})
    with open(stages.home + "/summary.json") as f:
        bag = json.load(f)["out_of_bag"]["accuracy"]
    importance = np.load(stages.home + "/importance.npy")
    theirs = [RandomForestClassifier(100, max_depth=10, random_state=i, oob_score=True).fit(x, y)
              for i in range(3)]
    print(f"out of bag     accuracy {bag:.4f}  scikit-learn", *(f"{t.oob_score_:.4f}" for t in theirs))
    if abs(bag - np.mean([t.oob_score_ for t in theirs])) > 0.02:
        bad.append("out of bag")
    between, among = (np.corrcoef(a, theirs[0].feature_importances_)[0, 1]
                      for a in (importance, theirs[1].feature_importances_))
    print(f"importance     correlation {between:.4f}, of two seeds of scikit-learn's {among:.4f}")
    if between < among - 0.05:
        bad.append("importance")
    if bad:
        sys.exit("differs: " + ", ".join(bad))


if __name__ == "__main__":
    main()
