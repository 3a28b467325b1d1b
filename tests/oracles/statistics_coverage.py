#!/usr/bin/env python3
"""Simulates how often the 95 % interval of reports/bootstrap.c contains the true difference, 0.

    statistics_coverage.py [REPEATS] >statistics_coverage.txt      needs numpy; 2000 repeats: 10 minutes

The bootstrap is implemented again here. Columns: coverage and mean half width in points of
  owen      the draws of Owen (2007), nothing changed
  scaled    additive draws (change 1 of bootstrap.c), seeds scaled by sqrt(S / (S-1)) (change 2)
  ferdag    ... and by the chi-square factor (change 3): what bootstrap.c does
  images    seeds not resampled: what one seed's interval contains
Worlds: the deviation between seeds, in points of true accuracy, and the shares of images that the
two classifiers decide differently in all seeds alike (common), and by chance in each seed (own)."""
import sys

import numpy as np

IMAGES, DRAWS = 1000, 2000
WORLDS = ((0, 0.1, 0.1), (0, 0, 0.2), (1, 0.1, 0.1), (2, 0.05, 0.1), (5, 0.05, 0.1))


def world(seeds, points, common, own, rng):
    kind = rng.random(IMAGES)
    same = np.where(kind < common / 2, 1, np.where(kind < common, -1, 0))
    shift = rng.standard_normal((seeds, 1)) * points / 100
    chance = rng.random((seeds, IMAGES))
    left, right = (own + shift) / 2, (own - shift) / 2
    alone = np.where(chance < left, 1, np.where(chance < left + right, -1, 0))
    return np.where(kind >= common, alone, same).astype(float)


def groups(columns):
    """The different columns of -1, 0 and 1, and their shares."""
    codes = 3 ** np.arange(len(columns)) @ (columns + 1)
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    return columns[:, first], counts / IMAGES


def draw(x, rng):
    seeds = len(x)
    by_seed, mean = x.mean(1), x.mean()
    sums, counts = np.unique(x.sum(0), return_counts=True)
    images = rng.multinomial(IMAGES, counts / IMAGES, size=DRAWS) @ sums / (seeds * IMAGES)
    if seeds == 1:
        return {"images": images}
    chosen = rng.multinomial(seeds, np.ones(seeds) / seeds, size=DRAWS) / seeds
    part = (chosen @ by_seed - mean) * np.sqrt(seeds / (seeds - 1))
    chi = np.sqrt((seeds - 1) / rng.chisquare(seeds - 1, DRAWS))
    out = {"scaled": images + part, "ferdag": images + part * chi, "images": images}
    if seeds <= 5:
        values, shares = groups(x)
        weights = rng.multinomial(IMAGES, shares, size=DRAWS) / IMAGES
        out["owen"] = ((weights @ values.T) * chosen).sum(1)
    return out


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    names = ("owen", "scaled", "ferdag", "images")
    print(f"Made by statistics_coverage.py: {IMAGES} images, {DRAWS} draws, {repeats} repeats; standard errors of\n"
          f"coverage are up to {50 / np.sqrt(repeats):.1f} %, near 95 % {22 / np.sqrt(repeats):.1f} %.\n")
    print("seeds  deviation  common  own   " + "".join(f"{n:>16}" for n in names))
    rng = np.random.default_rng(1)
    for seeds in (1, 2, 3, 5, 10):
        for points, common, own in WORLDS:
            hits, widths = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
            for _ in range(repeats):
                for name, means in draw(world(seeds, points, common, own, rng), rng).items():
                    low, high = np.quantile(means, (0.025, 0.975))
                    hits[name] += low <= 0 <= high
                    widths[name] += (high - low) * 50
            cells = "".join(f"{100 * hits[n] / repeats:8.1f} %{widths[n] / repeats:6.2f}" if widths[n] else
                            f"{'-':>16}" for n in names)
            print(f"{seeds:5}  {points:9}  {common:6}  {own:4}  {cells}", flush=True)


if __name__ == "__main__":
    main()
