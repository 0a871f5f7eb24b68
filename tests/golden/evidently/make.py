"""Writes golden.json: what Evidently says about pairs of columns.

Made with Python 3.11 and the packages of requirements.txt beside this file. Samples come from the generator of
two_sample/make.py, whose steps the reader in Rust repeats.
"""

import json
import pathlib
import warnings

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests.registry import _get_default_stattest, get_registered_stattest
from evidently.legacy.core import ColumnType
from evidently.legacy.calculations import stattests  # noqa: F401  (registers the tests)

warnings.simplefilter("ignore")
MASK = (1 << 64) - 1
TESTS = {
    ColumnType.Numerical: ["ks", "wasserstein", "jensenshannon", "psi", "kl_div", "hellinger"],
    ColumnType.Categorical: ["chisquare", "z", "jensenshannon", "psi", "kl_div", "hellinger"],
}


def draws(seed):
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        yield state >> 32


def make(shape, n, seed, shift):
    source = draws(seed)
    unit = lambda: next(source) / 4294967296.0
    values = []
    for _ in range(n):
        if shape == "bell":
            base = unit() + unit() + unit() + unit() - 2.0
        elif shape == "heavy":
            sign = 1.0 if next(source) % 2 == 0 else -1.0
            base = sign / (unit() + 0.01)
        elif shape == "binary":
            base = 1.0 if unit() < 0.3 else 0.0
        elif shape == "constant":
            base = 1.0
        else:
            base = float(int(unit() * int(shape)))
        values.append(base + shift)
    return values


def run(name, kind, reference, current):
    test = get_registered_stattest(name, kind)
    try:
        result = test(pd.Series(reference), pd.Series(current), kind, None)
    except Exception:
        return None
    score = float(result.drift_score)
    return [score if np.isfinite(score) else None, bool(result.drifted)]


def main():
    cases, seed = [], 1
    sizes = [(30, 20), (1000, 200), (1001, 200), (3000, 500)]
    changes = [("bell", 0.0), ("bell", 0.4), ("heavy", 0.0), ("heavy", 3.0), ("binary", 0.0), ("4", 0.0), ("4", 1.0), ("25", 0.0), ("25", 2.0)]
    for n, m in sizes:
        for shape, shift in changes:
            for kind in (ColumnType.Numerical, ColumnType.Categorical):
                if kind == ColumnType.Categorical and shape in ("bell", "heavy"):
                    continue
                seed += 2
                reference, current = make(shape, n, seed, 0.0), make(shape, m, seed + 1, shift)
                # Categories are names: letters, so that nothing takes them for numbers.
                if kind == ColumnType.Categorical:
                    name = lambda v: f"c{int(v):02}"
                    left, right = [name(v) for v in reference], [name(v) for v in current]
                else:
                    left, right = reference, current
                chosen = _get_default_stattest(pd.Series(left), pd.Series(right), kind).name
                if kind == ColumnType.Numerical and chosen in ("chisquare", "z"):
                    results = {chosen: run(chosen, ColumnType.Categorical, left, right)}
                else:
                    results = {}
                for name_ in TESTS[kind]:
                    if name_ == "z" and len(set(left) | set(right)) > 2:
                        continue
                    results[name_] = run(name_, kind, left, right)
                cases.append({"kind": kind.value, "shape": shape, "n": n, "m": m, "seed": seed, "shift": shift,
                              "chosen": chosen, "results": results})
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


main()
