"""Writes golden.json: what scipy, numpy and astropy say about pairs of samples.

Made with Python 3.11, scipy 1.17.1, numpy 2.4.6, astropy 8.0.2:

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 numpy==2.4.6 astropy==8.0.2
    venv/bin/python tests/golden/two_sample/make.py

or `cargo xtask golden two_sample`.

Samples are given by a generator rather than by their values, so that the file stays small. Its steps are exact in
IEEE doubles, so that the reader in Rust (crates/driftline-stat/tests/golden.rs) makes the same bits.
"""

import json
import math
import pathlib
import warnings

import numpy as np
from astropy.stats import kuiper_false_positive_probability, kuiper_two
from scipy import stats
from scipy.spatial.distance import jensenshannon

warnings.simplefilter("ignore")
MASK = (1 << 64) - 1
ZERO_SHARE = 1e-4


def draws(seed):
    """32-bit numbers of Knuth's MMIX generator, upper half."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        yield state >> 32


def make(spec):
    """The values of a sample; `shape` names the distribution."""
    source = draws(spec["seed"])
    unit = lambda: next(source) / 4294967296.0
    scale, shift = spec["scale"], spec["shift"]
    values = []
    for _ in range(spec["n"]):
        shape = spec["shape"]
        if shape == "uniform":
            base = unit()
        elif shape == "bell":
            base = unit() + unit() + unit() + unit() - 2.0
        elif shape == "heavy":
            sign = 1.0 if next(source) % 2 == 0 else -1.0
            base = sign / (unit() + 2.0**-33)
        elif shape == "integers":
            base = math.floor(unit() * 12.0)
        elif shape == "binary":
            base = 1.0 if unit() < 0.3 else 0.0
        elif shape == "zero_inflated":
            first, second = unit(), unit()
            base = 0.0 if first < 0.45 else second
        elif shape == "constant":
            base = 1.0
        elif shape == "few":
            base = math.floor(unit() * 3.0)
        elif shape == "rounded":
            base = math.floor((unit() + unit() + unit() + unit() - 2.0) * 8.0) / 8.0
        elif shape == "cubed":
            base = unit() + 2.0**-33
            base = 1.0 / (base * base * base)
        elif shape == "spiked":
            first, second = unit(), unit()
            base = 0.25 if first < 0.3 else 0.75 if first < 0.5 else second
        elif shape == "infinite":
            first, second = unit(), unit()
            base = math.inf if first < 0.1 else -math.inf if first > 0.95 else second
        elif shape == "nan":
            base = math.nan
        values.append(float(base * scale + shift))
    return np.array(values)


def shares(ref, cur):
    p, q = np.asarray(ref, float), np.asarray(cur, float)
    return p / p.sum(), q / q.sum()


def share_distances(ref, cur):
    p, q = shares(ref, cur)
    p0, q0 = np.where(p == 0, ZERO_SHARE, p), np.where(q == 0, ZERO_SHARE, q)
    none = lambda value: [float(value), None, "none"]
    return {
        "psi": none(np.sum((q0 - p0) * np.log(q0 / p0))),
        "kl_divergence": none(np.sum(p0 * np.log(p0 / q0))),
        "jensen_shannon": none(np.nan_to_num(jensenshannon(p, q, 2))),
        "hellinger": none(math.sqrt(0.5 * np.sum((np.sqrt(p) - np.sqrt(q)) ** 2))),
        "total_variation": none(0.5 * np.abs(p - q).sum()),
        "l_infinity": none(np.abs(p - q).max()),
    }


def contingency(ref, cur):
    table = np.array([ref, cur])
    table = table[:, table.sum(axis=0) > 0]
    out = {}
    for name, lambda_ in (("chi_square", None), ("g_test", "log-likelihood")):
        result = stats.chi2_contingency(table, lambda_=lambda_)
        out[name] = [float(result.statistic), float(result.pvalue), "asymptotic"]
    out["fisher_exact"] = out["z_test"] = None
    if table.shape[1] == 2:
        odds, p = stats.fisher_exact(table)
        out["fisher_exact"] = ["inf" if math.isinf(odds) else float(odds), float(p), "exact"]
        n, m = table.sum(axis=1)
        pooled = table[:, 1].sum() / (n + m)
        z = (table[0, 1] / n - table[1, 1] / m) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        out["z_test"] = [float(z), float(2 * stats.norm.sf(abs(z))), "asymptotic"]
    return out


def attempt(function):
    try:
        statistic, p, method = function()
    except (ValueError, IndexError, ZeroDivisionError, np.linalg.LinAlgError):
        return None
    if not (np.isfinite(statistic) and np.isfinite(p)):
        return None
    return [float(statistic), float(p), method]


def distance(function, x, y):
    found = attempt(lambda: (function(x, y), 0.0, "none"))
    return found and [found[0], None, "none"]


def epps_singleton_is_sound(x, y):
    """Whether scipy inverts the covariance and not its rounding errors.

    With few distinct values the covariance is singular. scipy's pseudo-inverse keeps eigenvalues above 9e-16 of the
    largest, which rounding errors can be; then its statistic is noise, as is the rank that it takes for the degrees of
    freedom.
    """
    n, m = len(x), len(y)
    sigma = stats.iqr(np.concatenate([x, y])) / 2
    waves = lambda v: np.concatenate([f(np.reshape([0.4, 0.8], (-1, 1)) / sigma * v) for f in (np.cos, np.sin)])
    covariance = (n + m) / n * np.cov(waves(x), bias=True) + (n + m) / m * np.cov(waves(y), bias=True)
    values = np.linalg.eigvalsh(covariance)
    kept = np.linalg.matrix_rank(np.linalg.pinv(covariance))
    inverted = np.sum(values > 1e-18 * values.max())
    sound = np.sum(values > 1e-12 * values.max())
    return values.max() >= 1e-24 and kept == sound and (sound == 4 or inverted >= sound) and not (
        (np.abs(values) > 4e-16 * values.max()) & (values < 1e-12 * values.max())).any()


def kuiper(x, y):
    """astropy's, with its p-value kept a probability.

    Up to one over the effective size, which the statistic cannot be below, its formula leaves the real numbers. At
    three over that size, where an exact formula ends, rounding decides between it and the asymptotic one: take it.
    """
    statistic, p = kuiper_two(x, y)
    smallest = 1 / len(x) + 1 / len(y)
    if abs(statistic - 3 * smallest) < 1e-12:
        p = kuiper_false_positive_probability(statistic * (1 - 1e-13), 1 / smallest)
    p = 1.0 if statistic <= smallest * (1 + 1e-12) else min(max(p, 0.0), 1.0)
    return statistic, p, "asymptotic"


def pair(result, method):
    return result.statistic, result.pvalue, method


def numeric(x, y):
    large, small = max(len(x), len(y)), min(len(x), len(y))
    ties = len(np.unique(np.concatenate([x, y]))) < len(x) + len(y)
    mw_method = "exact" if small <= 8 and not ties else "asymptotic"
    out = {
        "ks": attempt(lambda: pair(stats.ks_2samp(x, y), "exact" if large <= 10000 else "asymptotic")),
        "kuiper": attempt(lambda: kuiper(x, y)),
        "cramer_von_mises": attempt(
            lambda: pair(stats.cramervonmises_2samp(x, y), "exact" if large <= 20 else "asymptotic")),
        "anderson_darling": attempt(lambda: pair(stats.anderson_ksamp([x, y]), "asymptotic")),
        "mann_whitney": attempt(lambda: pair(stats.mannwhitneyu(x, y), mw_method)),
        "welch_t": attempt(lambda: pair(stats.ttest_ind(x, y, equal_var=False), "asymptotic")),
        "epps_singleton": attempt(lambda: pair(stats.epps_singleton_2samp(x, y), "asymptotic")),
        "wasserstein": distance(stats.wasserstein_distance, x, y),
        "energy": distance(stats.energy_distance, x, y),
    }
    if np.isnan(x).any() or np.isnan(y).any():
        # scipy sorts a NaN like a number here and gives a statistic.
        out["anderson_darling"] = None
    if not (len(x) and len(y) and np.isfinite(x).all() and np.isfinite(y).all()):
        # The rest is numpy's by our own definition, and has no say on infinities.
        return out
    edges = np.unique(np.quantile(x, [i / 10 for i in range(1, 10)]))
    count = lambda v: np.bincount(np.searchsorted(edges, v, side="right"), minlength=len(edges) + 1)
    ref, cur = count(x), count(y)
    out |= share_distances(ref, cur)
    out |= {k: v for k, v in contingency(ref, cur).items() if k in ("chi_square", "g_test")}
    distinct = np.unique(np.concatenate([x, y]))
    if out["epps_singleton"] and not epps_singleton_is_sound(x, y):
        del out["epps_singleton"]
    if len(distinct) == 2:
        counts = [[int(np.sum(v == d)) for d in distinct] for v in (x, y)]
        out |= {k: v for k, v in contingency(*counts).items() if k in ("fisher_exact", "z_test")}
    return out


def spec(shape, n, seed, scale=1.0, shift=0.0):
    return {"shape": shape, "n": n, "seed": seed, "scale": scale, "shift": shift}


def numeric_cases():
    sizes = [(1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (5, 5), (5, 9), (8, 30), (10, 12), (12, 12), (19, 20), (20, 20),
             (21, 20), (24, 24), (25, 40), (60, 60), (7, 400), (100, 150), (500, 500), (997, 1000), (2000, 5000)]
    changes = [("bell", 1.0, 0.0), ("bell", 1.0, 0.25), ("bell", 1.5, 0.0), ("uniform", 1.0, 0.05), ("heavy", 1.0, 0.0),
               ("heavy", 2.0, 0.5), ("integers", 1.0, 0.0), ("integers", 1.0, 1.0), ("binary", 1.0, 0.0),
               ("zero_inflated", 1.0, 0.0), ("zero_inflated", 1.1, 0.0), ("uniform", 1e6, 1e9), ("bell", 1.0, 3.0)]
    seed = 1
    for n, m in sizes:
        for shape, scale, shift in changes:
            seed += 2
            base_scale, base_shift = (scale, shift) if scale == 1e6 else (1.0, 0.0)
            yield spec(shape, n, seed, base_scale, base_shift), spec(shape, m, seed + 1, scale, shift)
    for n, m in [(1, 1), (4, 9), (30, 40)]:
        yield spec("constant", n, 1), spec("constant", m, 1)
        yield spec("constant", n, 1), spec("constant", m, 1, 2.0)
        yield spec("constant", n, 1), spec("bell", m, 5, 1.0, 1.0)
    # Beyond scipy's limit for the exact law: every region of the one-sample law.
    for n, m, shift in [(12000, 3, 0.0), (12000, 3, 1.0), (12000, 40, 0.0), (12000, 40, 0.3), (12000, 40, 0.9),
                        (12000, 40, 2.5), (10001, 300, 0.0), (10001, 300, 0.1), (10001, 300, 0.2), (10001, 300, 0.5),
                        (15000, 11000, 0.0), (15000, 11000, 0.01), (15000, 11000, 0.03), (15000, 11000, 0.2),
                        (20000, 20000, 0.0), (120000, 110000, 0.0), (120000, 110000, 0.004)]:
        seed += 2
        yield spec("bell", n, seed), spec("bell", m, seed + 1, 1.0, shift)


    # Ties, atoms, very heavy tails and extreme units at every kind of size.
    # (Beyond 1e77 Welch's degrees of freedom overflow in scipy, which then takes one.)
    for n, m in [(2, 9), (6, 6), (9, 9), (15, 20), (20, 21), (33, 48), (64, 50), (128, 96), (750, 1000), (3000, 1200)]:
        for shape, scale, shift in [("few", 1.0, 0.0), ("few", 1.0, 1.0), ("rounded", 1.0, 0.125), ("cubed", 1.0, 0.0),
                                    ("cubed", 3.0, 1.0), ("spiked", 1.0, 0.0), ("spiked", 1.0, 0.25), ("bell", 1e70, 0.0),
                                    ("bell", 1e-70, 0.0), ("infinite", 1.0, 0.0), ("infinite", 1.0, 0.3)]:
            seed += 2
            base_scale = scale if scale in (1e70, 1e-70) else 1.0
            yield spec(shape, n, seed, base_scale), spec(shape, m, seed + 1, scale, shift)
    # A different shape on each side.
    for n, m in [(12, 25), (70, 31), (400, 1000)]:
        for left, right in [("bell", "heavy"), ("uniform", "integers"), ("binary", "few"), ("zero_inflated", "uniform"),
                            ("constant", "binary"), ("constant", "infinite"), ("cubed", "bell"), ("rounded", "bell")]:
            seed += 2
            yield spec(left, n, seed), spec(right, m, seed + 1)
    # Sizes up to 100,000, each limit of the exact laws from both sides, and the most unequal sizes there are.
    for n, m, shape, shift in [(1, 100000, "bell", 0.0), (100000, 1, "bell", 2.5), (100000, 9, "heavy", 0.0),
                               (9, 100000, "integers", 1.0), (100000, 100, "uniform", 0.1), (100, 100000, "infinite", 0.0),
                               (100000, 5000, "cubed", 0.0), (100000, 99999, "bell", 0.005), (100000, 100000, "few", 0.0),
                               (100000, 100000, "bell", 0.0), (10000, 10000, "bell", 0.02), (10000, 9999, "bell", 0.02),
                               (10000, 9973, "zero_inflated", 0.0), (10001, 10001, "bell", 0.05), (10000, 1, "bell", 0.0),
                               (10000, 16, "spiked", 0.25), (8, 300, "bell", 0.5), (9, 300, "bell", 0.5)]:
        seed += 2
        yield spec(shape, n, seed), spec(shape, m, seed + 1, 1.0, shift)
    # Nothing to test.
    for n, m in [(0, 0), (0, 5), (5, 0), (0, 100000)]:
        yield spec("bell", n, 1), spec("bell", m, 2)
    for left, right in [("nan", "bell"), ("bell", "nan"), ("nan", "nan")]:
        yield spec(left, 9, 1), spec(right, 9, 2)


def tables():
    yield [["a", 5], ["b", 5]], [["a", 5], ["b", 5]]
    yield [["no", 90], ["yes", 10]], [["no", 70], ["yes", 30]]
    yield [["no", 8], ["yes", 2]], [["no", 1], ["yes", 5]]
    yield [["no", 3], ["yes", 0]], [["no", 1], ["yes", 5]]
    yield [["no", 3]], [["yes", 5]]
    yield [["no", 900000], ["yes", 1000]], [["no", 1900000], ["yes", 2300]]
    yield [["no", 500000], ["yes", 500000]], [["no", 499000], ["yes", 501000]]
    yield [["a", 7], ["b", 8]], [["a", 8], ["b", 7]]
    yield [["a", 100], ["b", 1]], [["a", 1000], ["b", 0]]
    yield [["a", 10], ["b", 20], ["c", 30]], [["a", 6], ["b", 9], ["c", 17]]
    yield [["a", 10], ["b", 20], ["c", 0]], [["a", 6], ["c", 17]]
    yield [["a", 10], ["b", 20]], [["c", 6], ["d", 17]]
    yield [["x", 12]], [["x", 3]]
    source = draws(99)
    for size in (4, 12, 40, 300):
        yield ([[f"c{i:03}", next(source) % 200] for i in range(size)],
               [[f"c{i:03}", next(source) % 150] for i in range(size)])
    # Two categories of any share at sizes up to 100,000, and a few to many of very unequal share.
    for n, m in [(1, 1), (3, 4), (10, 10), (25, 60), (100, 100), (1000, 300), (5000, 100000), (100000, 100000)]:
        for share in (2, 30, 50):
            side = lambda size: [["no", size - size * share // 100 - next(source) % (size // 20 + 1)],
                                 ["yes", size * share // 100 + 1 + next(source) % (size // 20 + 1)]]
            yield side(n), side(m)
    for size in (3, 5, 20, 90):
        side = lambda scale: [[f"c{i:03}", next(source) % (scale // (i + 1) + 1)] for i in range(size)]
        for scale in (50, 3000, 100000):
            yield side(scale), side(scale * 2)


def main():
    out = {"numeric": [], "categorical": []}
    for ref, cur in numeric_cases():
        out["numeric"].append({"reference": ref, "current": cur, "results": numeric(make(ref), make(cur))})
    for ref, cur in tables():
        names = sorted({n for n, c in ref + cur if c > 0})
        r, c = ([dict(side).get(name, 0) for name in names] for side in (ref, cur))
        results = share_distances(r, c) | contingency(r, c)
        out["categorical"].append({"reference": ref, "current": cur, "results": results})
    lines = ["{"]
    for i, (kind, cases) in enumerate(out.items()):
        lines.append(f'"{kind}": [')
        lines.append(",\n".join(json.dumps(case, allow_nan=False) for case in cases))
        lines.append("]," if i == 0 else "]")
    lines.append("}")
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text("\n".join(lines) + "\n")


main()
