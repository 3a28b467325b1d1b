#!/usr/bin/env python3
"""Makes statistics.csv, the figures that tests/unit/reports/test_statistics.c expects.

    statistics.py >statistics.csv      needs numpy, scipy and statsmodels

Where scipy or statsmodels has the function, the figure is theirs. Tango's test has none: there the
likelihood is maximised numerically under the constraint, and ends of intervals are roots of that
statistic. The same is done for the test of Farrington and Manning. Intervals that R's package PropCIs
0.3-0 (scoreci.mp) gives are added as constants.

Lines: function,arguments...,value. A line "matrix,name,seeds,images,digits" holds differences of
images, row by row, as -, 0 and +; lines after it name it."""
import math
import warnings
from fractions import Fraction

import numpy as np
import pandas
import scipy.stats as st
import statsmodels.formula.api as smf
from scipy.optimize import brentq, minimize_scalar
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint, test_proportions_2indep

warnings.simplefilter("ignore")
LEVELS = (0.5, 0.9, 0.95, 0.998)
NEVER = 2.0 ** 64  # stands for SIZE_MAX


def row(name, *values):
    print(",".join([name] + [v if isinstance(v, str) else repr(float(v)) if not float(v).is_integer()
                             or abs(v) >= 2 ** 53 else str(int(v)) for v in values]))


def close(a, b, tolerance):
    assert abs(a - b) <= tolerance * max(1, abs(b)), (a, b)


def over(count, share):
    """count / share, of a count that may be 0 at a share that may be 0."""
    return 0 if count == 0 else count / share if share > 0 else math.inf


# ---- distributions ----

def distributions():
    for z in (-40, -9, -3, -1.5, -1e-9, 0, 1e-9, 0.1, 0.5, 1, 1.959963984540054, 3, 5, 8, 13, 21, 30, 37):
        row("normal_tail", z, st.norm.sf(z))
    for q in (1e-300, 1e-100, 1e-20, 1e-9, 0.0005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.49, 0.5, 0.51, 0.8, 0.975,
              0.999):
        row("normal_critical", q, st.norm.isf(q))
    for df in (1, 2, 3, 4, 7, 23, 24, 25, 99, 999, 3588, 10 ** 5, 10 ** 7):
        for t in (-6, -1, 0, 0.3, 1, 1.7, 2.5, 6, 20, 37):
            row("student_tail", t, df, st.t.sf(t, df))
        for q in (1e-12, 1e-4, 0.001, 0.025, 0.05, 0.3, 0.5, 0.9):
            row("student_critical", q, df, st.t.isf(q, df))
    for t in (1e-6, 0.001, 1e5):  # scipy loses five digits near 0, so closed forms
        row("student_tail", t, 1, 0.5 - math.atan(t) / math.pi if t < 1 else math.atan(1 / t) / math.pi)
        row("student_tail", t, 2, 0.5 - t / (2 * math.sqrt(2 + t * t)) if t < 1 else
            1 / (math.sqrt(2 + t * t) * (math.sqrt(2 + t * t) + t)))
    for n in (1, 2, 3, 9, 10, 31, 100, 601, 3589, 10 ** 5):
        for k in sorted({0, 1, n // 3, (n - 1) // 2, n // 2, (n + 1) // 2, n // 2 + 1,
                         n // 2 + int(math.sqrt(n)), n // 2 + int(3 * math.sqrt(n)),
                         n // 2 + int(9 * math.sqrt(n)), (9 * n) // 10, n - 1, n}):
            if k <= n:
                row("coin_tail", k, n, coin_tail(k, n))


def coin_tail(k, n):
    """P(X >= k) of n fair coins, exact; scipy must agree."""
    total = term = math.comb(n, k)
    for j in range(k, n):
        term = term * (n - j) // (j + 1)
        total += term
    p = float(Fraction(total, 2 ** n))
    theirs = st.binom.sf(k - 1, n, 0.5)
    assert abs(p - theirs) <= 1e-10 * p or p < 1e-290, (k, n, p, theirs)
    return p


# ---- one accuracy ----

SINGLE = [(0, 1), (1, 1), (0, 7), (7, 7), (1, 7), (3, 10), (5, 10), (50, 100), (99, 100), (0, 3589), (1, 3589),
          (2574, 3589), (2648, 3589), (3588, 3589), (3589, 3589), (123456, 10 ** 6), (1, 10 ** 12),
          (10 ** 12 - 1, 10 ** 12)]


def single():
    for k, n in SINGLE:
        for level in LEVELS:
            low, high = proportion_confint(k, n, 1 - level, method="wilson")
            row("wilson_low", k, n, level, max(0, low) if k else 0)
            row("wilson_high", k, n, level, min(1, high) if k < n else 1)
        for bound in (0.001, 0.3, 0.5, 0.72, 0.75, 0.999):
            z = (k / n - bound) / math.sqrt(bound * (1 - bound) / n)
            p = st.norm.sf(abs(z))
            if k == 2574 and p > 1e-12:  # the bound is an end of Wilson's interval at 1 - 2p
                close(proportion_confint(k, n, 2 * p, method="wilson")[0 if z > 0 else 1], bound, 1e-9)
            row("single_above", k, n, bound, st.norm.sf(z))
            row("single_below", k, n, bound, st.norm.cdf(z))
            if k < n < 10 ** 6:
                row("single_images", k, n, bound, 0.05, scaled(lambda f: single_z(k, n, bound, f), n, 0.05))
    for bound, above, below in ((0, 0, 1), (1, 1, 0), (-0.5, 0, 1), (1.5, 1, 0)):
        row("single_above", 3, 7, bound, above)
        row("single_below", 3, 7, bound, below)
    row("single_above", 0, 7, 0, 1)
    row("single_below", 0, 7, 0, 1)
    row("single_above", 7, 7, 1, 1)
    row("single_below", 7, 7, 1, 1)
    row("single_images", 5, 10, 0.5, 0.05, NEVER)
    row("single_images", 3, 7, 0, 0.05, 1)


def single_z(k, n, bound, factor):
    return abs(k / n - bound) / math.sqrt(bound * (1 - bound) / (n * factor))


def scaled(z_of, n, alpha):
    """The images at which the statistic of the same shares reaches the critical value."""
    critical = st.norm.isf(alpha / 2)
    if z_of(1) < 1e-9:
        return NEVER
    factor = math.exp(brentq(lambda f: z_of(math.exp(f)) - critical, -60, 60, xtol=1e-15, rtol=1e-14))
    images = n * factor
    assert abs(images - round(images)) > 1e-9 * images, "an integer: rounding errors would decide"
    return max(1, math.ceil(images))


# ---- paired ----

PAIRED = [(1, 0, 0), (1, 1, 0), (2, 1, 1), (10, 0, 0), (10, 10, 0), (10, 0, 10), (10, 5, 5), (10, 3, 0), (10, 0, 3),
          (44, 1, 0), (44, 0, 1), (160, 20, 40), (21, 1, 7), (100, 12, 12), (3589, 0, 0), (3589, 1, 0), (3589, 0, 9),
          (3589, 301, 240), (3589, 240, 301), (3589, 3589, 0), (3589, 2000, 1589), (3589, 180, 179),
          (3589, 700, 200), (10 ** 6, 41000, 40000), (10 ** 9, 5, 0), (10 ** 9, 40000000, 39990000)]
MARGINS = (-0.5, -0.1, -0.02, -0.01, 0, 0.005, 0.01, 0.03, 0.2, 0.9)


def log_likelihood(n, b, c, margin, q):
    terms = ((b, q + margin), (c, q), (n - b - c, 1 - 2 * q - margin))
    return sum(k * math.log(p) if p > 0 else -math.inf for k, p in terms if k > 0)


def best_right_only(n, b, c, margin, check=False):
    """P(only the right one is correct) of maximum likelihood, if P(only left) is margin greater."""
    low, high = max(0.0, -margin), (1 - margin) / 2

    def slope(q):
        return over(b, q + margin) + over(c, q) - over(2 * (n - b - c), 1 - 2 * q - margin)
    inner_low = low + (high - low) * 1e-15 if low == 0 else low * (1 + 1e-15)
    inner_high = high - (high - low) * 1e-13
    if slope(inner_low) <= 0:
        q = low
    elif slope(inner_high) >= 0:
        q = high
    else:
        q = brentq(slope, inner_low, inner_high, xtol=1e-300, rtol=1e-15, maxiter=1000)
    if check:
        found = minimize_scalar(lambda x: -log_likelihood(n, b, c, margin, x), bounds=(low, high), method="bounded",
                                options={"xatol": 1e-12})
        assert -found.fun <= log_likelihood(n, b, c, margin, q) + 1e-9 * (1 + abs(found.fun)), (n, b, c, margin)
    return q


def tango_z(n, b, c, margin, check=False):
    if margin == 0:  # the maximum is the pooled share
        return (b - c) / math.sqrt(b + c) if b + c else math.nan
    q = best_right_only(n, b, c, margin, check)
    return (b - c - n * margin) / math.sqrt(n * (2 * q + margin - margin * margin))


def ends(z_of, observed, level, lowest=-1.0, highest=1.0):
    critical = st.norm.isf((1 - level) / 2)
    tiny = 1e-13

    def end(sign, limit):
        if abs(observed - limit) < tiny:
            return limit
        start = observed + tiny * (limit - observed)
        stop = limit - sign * 1e-9
        return brentq(lambda m: z_of(m) + sign * critical, min(start, stop), max(start, stop), xtol=1e-16,
                      rtol=1e-14, maxiter=1000)
    return end(-1, lowest), end(1, highest)


def paired():
    for n, b, c in PAIRED:
        d = (b - c) / n
        row("mcnemar", b, c, min(1, 2 * exact_coin(max(b, c), b + c)))
        for margin in MARGINS:
            if margin == 0:
                row("paired_above", n, b, c, 0, exact_coin(b, b + c))
                row("paired_below", n, b, c, 0, exact_coin(c, b + c))
            else:
                z = tango_z(n, b, c, margin, check=True)
                row("paired_above", n, b, c, margin, st.norm.sf(z))
                row("paired_below", n, b, c, margin, st.norm.cdf(z))
            if n < 10 ** 6 and abs(margin) < 0.1 and abs(d - margin) > 1e-9:
                row("paired_images", n, b, c, margin, 0.05,
                    scaled(lambda f: abs(tango_z(n, b, c, margin)) * math.sqrt(f), n, 0.05))
        if n == 10 ** 9 and b < 100:  # brentq's brackets are too coarse near 0
            continue
        for level in LEVELS:
            low, high = ends(lambda m: tango_z(n, b, c, m), d, level)
            row("paired_low", n, b, c, level, low)
            row("paired_high", n, b, c, level, high)
    row("paired_images", 100, 12, 12, 0, 0.05, NEVER)
    row("paired_images", 100, 0, 0, 0, 0.05, NEVER)
    for margin, above, below in ((1, 1, 0), (-1, 0, 1), (1.5, 1, 0), (-1.5, 0, 1)):
        row("paired_above", 10, 3, 0, margin, above)
        row("paired_below", 10, 3, 0, margin, below)
    row("paired_above", 10, 10, 0, 1, 1)
    row("paired_below", 10, 10, 0, 1, 1)
    # R: PropCIs 0.3-0, scoreci.mp(right_only, left_only, n, level), which stops at 1e-7
    for n, b, c, level, low, high in PROPCIS:
        row("propcis_low", n, b, c, level, low)
        row("propcis_high", n, b, c, level, high)
    detectable()


def exact_coin(k, n):
    return coin_tail(k, n) if n <= 10 ** 5 else st.binom.sf(k - 1, n, 0.5)


# The second row is the airway example of Fagerland, Lydersen and Laake (2014), Statistics in Medicine
# 33:2850, who print -0.517 to -0.026.
PROPCIS = [(160, 40, 20, 0.95, 0.0308645218611, 0.2180642858148), (21, 1, 7, 0.95, -0.5172323499407, -0.0260029605457),
           (44, 0, 1, 0.9, -0.0956624394113, 0.0365169332786),
           (3589, 301, 240, 0.95, 0.00430818230503, 0.02975018318731),
           (10, 3, 0, 0.99, -0.218510532379, 0.679975402355)]


def detectable():
    """Miettinen's formula, and the power of McNemar's test at its d by simulation."""
    rng = np.random.default_rng(5)
    for n in (500, 3589, 7178, 10 ** 6):
        for r in (0.02, 0.1, 0.15, 0.3):
            for alpha, power in ((0.05, 0.8), (0.05, 0.95), (0.002, 0.8), (0.05, 0.3)):
                a, b = st.norm.isf(alpha / 2), st.norm.isf(1 - power)

                def excess(x):
                    return x * math.sqrt(n) - a * math.sqrt(r) - b * math.sqrt(r - x * x)
                d = brentq(excess, 0, r, xtol=1e-16, rtol=1e-14) if excess(r) > 0 else math.inf
                row("paired_detectable", n, r, alpha, power, d)
                if n * r > 300:
                    counts = rng.multinomial(n, [(r + d) / 2, (r - d) / 2, 1 - r], size=20000)
                    z = (counts[:, 0] - counts[:, 1]) / np.sqrt(counts[:, 0] + counts[:, 1])
                    close(np.mean(z > a), power, 0.02)
    row("paired_detectable", 20, 0.02, 0.05, 0.8, math.inf)
    row("paired_detectable", 0, 0.1, 0.05, 0.8, math.inf)


# ---- independent ----

INDEPENDENT = [(0, 1, 0, 1), (1, 1, 0, 1), (0, 5, 0, 9), (5, 5, 9, 9), (5, 5, 0, 9), (0, 5, 9, 9), (3, 10, 5, 12),
               (12, 40, 3, 38), (7, 34, 1, 34), (0, 100, 7, 90), (100, 100, 83, 90), (2574, 3589, 2500, 3589),
               (2648, 3589, 2574, 3589), (2574, 3589, 5120, 7178), (1, 3589, 0, 3589), (3589, 3589, 3588, 3589),
               (2600, 3589, 7, 10), (700000, 10 ** 6, 699000, 10 ** 6), (9, 10 ** 9, 3, 10 ** 9)]


def best_right(x1, n1, x2, n2, margin):
    low, high = max(0.0, -margin), min(1.0, 1 - margin)

    def slope(p):
        return over(x1, p + margin) - over(n1 - x1, 1 - p - margin) + over(x2, p) - over(n2 - x2, 1 - p)
    inner_low, inner_high = low + (high - low) * 1e-15, high - (high - low) * 1e-13
    if slope(inner_low) <= 0:
        return low
    if slope(inner_high) >= 0:
        return high
    return brentq(slope, inner_low, inner_high, xtol=1e-300, rtol=1e-15, maxiter=1000)


def check_right(x1, n1, x2, n2, margin):
    """The likelihood itself, and the cubic equation of Miettinen and Nurminen (1985)."""
    found = best_right(x1, n1, x2, n2, margin)

    def negative(p):
        terms = ((x1, p + margin), (n1 - x1, 1 - p - margin), (x2, p), (n2 - x2, 1 - p))
        return -sum(k * math.log(q) if q > 0 else -math.inf for k, q in terms if k > 0)
    low, high = max(0.0, -margin), min(1.0, 1 - margin)
    least = minimize_scalar(negative, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    assert negative(found) <= least.fun + 1e-9 * (1 + abs(least.fun)), (x1, n1, x2, n2, margin)
    n, x = n1 + n2, x1 + x2
    roots = np.roots([n, (n1 + 2 * n2) * margin - n - x, (n2 * margin - n - 2 * x2) * margin + x,
                      x2 * margin * (1 - margin)])
    assert min(abs(roots - found)) < 1e-6, (x1, n1, x2, n2, margin, roots, found)


def farrington_z(x1, n1, x2, n2, margin):
    if margin == 0:
        right = (x1 + x2) / (n1 + n2)
    else:
        right = best_right(x1, n1, x2, n2, margin)
    left = right + margin
    variance = left * (1 - left) / n1 + right * (1 - right) / n2
    return (x1 / n1 - x2 / n2 - margin) / math.sqrt(variance) if variance > 0 else math.nan


def independent():
    """statsmodels up to 0.15.0 has a wrong coefficient in the cubic equation (its issue 10269: count0 in
    place of nobs0), so it is asked at margin 0 only."""
    for x1, n1, x2, n2 in INDEPENDENT:
        for margin in MARGINS:
            z = farrington_z(x1, n1, x2, n2, margin)
            if math.isnan(z):  # none or all correct on both sides
                above = below = 1
            else:
                above, below = st.norm.sf(z), st.norm.cdf(z)
                check_right(x1, n1, x2, n2, margin)
                if margin == 0:
                    close(test_proportions_2indep(x1, n1, x2, n2, method="score", compare="diff",
                                                  correction=False).statistic, z, 1e-9)
            row("independent_above", x1, n1, x2, n2, margin, above)
            row("independent_below", x1, n1, x2, n2, margin, below)
            if not math.isnan(z) and n1 < 10 ** 6 and abs(margin) < 0.1 and abs(z) > 1e-9:
                row("independent_images", x1, n1, x2, n2, margin, 0.05,
                    scaled(lambda f: abs(z) * math.sqrt(f), n1, 0.05))
        if n1 == 10 ** 9:
            continue
        for level in LEVELS:
            low, high = ends(lambda m: farrington_z(x1, n1, x2, n2, m), x1 / n1 - x2 / n2, level)
            row("independent_low", x1, n1, x2, n2, level, low)
            row("independent_high", x1, n1, x2, n2, level, high)
            if (x1, x2, level) == (7, 1, 0.95):  # printed by Fagerland, Lydersen and Laake (2015)
                assert (round(low, 3), round(high, 2)) == (0.028, 0.34), (low, high)
    row("independent_images", 5, 10, 7, 14, 0, 0.05, NEVER)
    row("independent_above", 5, 5, 0, 9, 1, 1)
    row("independent_below", 5, 5, 0, 9, 1, 1)
    for margin, above, below in ((1, 1, 0), (-1, 0, 1), (1.5, 1, 0), (-1.5, 0, 1)):
        row("independent_above", 4, 5, 3, 9, margin, above)
        row("independent_below", 4, 5, 3, 9, margin, below)


# ---- means, Holm ----

def means():
    for n, mean, deviation in ((2, 0.01, 0.02), (3, -0.03, 0.01), (4, 0.5, 0.5), (10, 0, 1), (100, 0.004, 0.3),
                               (3589, 0.0113, 0.311), (3589, -0.02, 0.27), (10 ** 6, 0.0001, 0.3)):
        error = deviation / math.sqrt(n)
        for bound in (-0.1, -0.01, 0, 0.0113, 0.02):
            t = (mean - bound) / error
            row("sample_above", n, mean, deviation, bound, st.t.sf(t, n - 1))
            row("sample_below", n, mean, deviation, bound, st.t.cdf(t, n - 1))
            row("sample_images", n, mean, deviation, bound, 0.05,
                max(2, scaled(lambda f: abs(t) * math.sqrt(f), n, 0.05)))
        for level in LEVELS:
            low, high = st.t.interval(level, n - 1, mean, error)
            row("sample_low", n, mean, deviation, level, low)
            row("sample_high", n, mean, deviation, level, high)
    for n, mean, deviation, bound, above, below in ((1, 0.5, 0, 0, 1, 1), (0, 0, 0, 0, 1, 1), (5, 0.5, 0, 0, 0, 1),
                                                    (5, 0.5, 0, 0.5, 1, 1), (5, -0.5, 0, 0, 1, 0)):
        row("sample_above", n, mean, deviation, bound, above)
        row("sample_below", n, mean, deviation, bound, below)
    row("sample_low", 1, 0.5, 0, 0.95, -math.inf)
    row("sample_high", 1, 0.5, 0, 0.95, math.inf)
    rng = np.random.default_rng(6)
    for values in ([], [0.25], [1, 1, 1], [0, 1, -1, 0.5], list(rng.integers(-4, 5, 30) / 4)):
        row("sample_mean", *values, np.mean(values) if values else 0)
        row("sample_deviation", *values, np.std(values, ddof=1) if len(values) > 1 else 0)
        if len(values) == 30:  # all steps together
            row("sample_test", *values, st.ttest_1samp(values, 0, alternative="greater").pvalue)


def holm():
    rng = np.random.default_rng(7)
    cases = [[0.3], [1], [0], [0.01, 0.04], [0.04, 0.01], [0.03, 0.03, 0.03], [0.01, 0.02, 0.03, 0.04],
             [0.04, 0.03, 0.02, 0.01], [0.5, 0.001, 1, 0.0002, 0.04, 0.04], [0, 0, 1, 1]]
    cases += [list(rng.uniform(size=n) ** 4) for n in (3, 5, 8, 13, 32)]
    for p in cases:
        row("holm", *p, *multipletests(p, method="holm")[1])


# ---- bootstrap ----

def matrix(name, seeds, images, left, right, shared, rng):
    """A part of the images, `shared`, has the same difference for all seeds."""
    common = rng.choice([0, 1, -1], p=[1 - left - right, left, right], size=images)
    own = rng.choice([0, 1, -1], p=[1 - left - right, left, right], size=(seeds, images))
    x = np.where(rng.random(images) < shared, common, own)
    row("matrix", name, seeds, images, "".join("-0+"[v + 1] for v in x.ravel()))
    return x.astype(float)


def resample(x, draws, rng):
    """The draws that bootstrap.c describes, by drawing each image and each seed."""
    seeds, images = x.shape
    by_image, by_seed, out = x.mean(0), x.mean(1), np.empty(draws)
    for start in range(0, draws, 20000):
        count = min(20000, draws - start)
        out[start:start + count] = by_image[rng.integers(0, images, (count, images))].mean(1)
    if seeds > 1:
        part = by_seed[rng.integers(0, seeds, (draws, seeds))].mean(1) - x.mean()
        part *= math.sqrt(seeds / (seeds - 1)) * np.sqrt((seeds - 1) / rng.chisquare(seeds - 1, draws))
        out += part
    return out


def bootstrap():
    rng = np.random.default_rng(8)
    draws = 400000
    for seeds, images, left, right in ((1, 1, 1, 0), (1, 8, 0.5, 0), (1, 60, 0.3, 0.1), (1, 400, 0.12, 0.1),
                                       (2, 50, 0.3, 0.1), (3, 60, 0.2, 0.2), (3, 200, 0.15, 0.08),
                                       (5, 90, 0.1, 0.2), (10, 40, 0.3, 0.3), (3, 21, 0.3, 0.1)):
        name = f"m{seeds}x{images}"
        x = matrix(name, seeds, images, left, right, 0 if images == 21 else 0.4, rng)
        if images > 1:
            means = resample(x, draws, rng)
            if seeds == 1:  # scipy's bootstrap must draw from the same distribution
                theirs = st.bootstrap((x[0],), np.mean, n_resamples=20000, method="percentile", batch=2000,
                                      random_state=rng).bootstrap_distribution
                assert st.ks_2samp(theirs, means).pvalue > 1e-4
            for share in (0.001, 0.025, 0.1, 0.3, 0.5, 0.8, 0.975, 0.995):
                bound = math.floor(np.quantile(means, share) * images) / images + 0.37 / images
                p = np.mean(means <= bound)
                if 0.0005 < p < 0.9995 and abs(bound) < 1:  # C's means stay in -1..1
                    row("bootstrap_share", name, bound, draws, p)
        if seeds == 1 and set(x[0]) == {0.0, 1.0}:  # exact: a binomial number
            for k in range(images):
                bound = (k + 0.5) / images
                row("bootstrap_share", name, bound, 1e15, st.binom.cdf(k, images, x.mean()))
        components(name, x)


def components(name, x):
    """The mean squares by statsmodels' analysis of variance."""
    seeds, images = x.shape
    if seeds == 1:
        row("component_seeds", name, math.nan)
        row("component_images", name, x.var(ddof=1) / images if images > 1 else math.nan)
        return
    frame = pandas.DataFrame({"x": x.ravel(), "seed": np.repeat(np.arange(seeds), images),
                              "image": np.tile(np.arange(images), seeds)})
    table = anova_lm(smf.ols("x ~ C(seed) + C(image)", frame).fit())
    square = table["sum_sq"] / table["df"]
    row("component_seeds", name, square["C(seed)"] / images)
    if images == 21:
        assert square["C(image)"] < square["Residual"], "the estimate should be negative here"
    row("component_images", name, max(0, square["C(image)"] - square["Residual"]) / (seeds * images))


def seeds_needed():
    cases = [(0.01, 0, 2e-5 * 1.3 ** i, 1e-5, 0.05) for i in range(-12, 20)]
    cases += [(0.01, 0.01, 2e-5, 1e-5, 0.05), (0.005, 0, 2e-5, 1e-5, 0.05), (0.1, 0, 1e-9, 1e-9, 0.05),
              (0.012, -0.01, 1e-4, 2e-5, 0.002), (-0.012, 0.01, 1e-4, 2e-5, 0.002), (0.01, 0, 0, 1e-5, 0.05),
              (0.01, 0.00, 3e-3, 2.6e-5, 0.05), (0.02, 0, 5e-5, 0, 1e-6), (0.02, 0, math.nan, 1e-5, 0.05),
              (0.02, 0, 1e-5, math.nan, 0.05)]
    for difference, margin, seeds, images, alpha in cases:
        n, z = 2, st.norm.isf(alpha / 2)
        possible = (difference - margin) ** 2 > z * z * images and seeds >= 0
        while possible and (difference - margin) ** 2 < \
                st.t.isf(alpha / 2, n - 1) ** 2 * seeds / n + z * z * images:
            n += 1
        row("seeds_needed", difference, margin, seeds, images, alpha, n if possible else NEVER)


if __name__ == "__main__":
    print("# made by statistics.py, scipy and statsmodels; see there")
    distributions()
    single()
    paired()
    independent()
    means()
    holm()
    bootstrap()
    seeds_needed()
