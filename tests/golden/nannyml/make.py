"""Writes golden.json: what NannyML says about pairs of columns, and the thresholds of its default.

Made with Python 3.11 and the packages of requirements.txt beside this file. Samples come from the generator of
two_sample/make.py, whose steps the reader in Rust repeats.
"""

import json
import pathlib
import warnings

import numpy as np
import pandas as pd
from nannyml.chunk import SizeBasedChunker
from nannyml.drift.univariate.methods import FeatureType, MethodFactory
from nannyml.thresholds import StandardDeviationThreshold, calculate_threshold_values

warnings.simplefilter("ignore")
MASK = (1 << 64) - 1
METHODS = {
    "continuous": ["jensen_shannon", "kolmogorov_smirnov", "wasserstein", "hellinger"],
    "categorical": ["jensen_shannon", "chi2", "l_infinity", "hellinger"],
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


def main():
    cases, seed = [], 1001
    for n, m in [(30, 20), (1000, 200), (9999, 500), (10000, 500), (12000, 3000)]:
        for shape, shift in [("bell", 0.0), ("bell", 0.4), ("bell", 2.5), ("heavy", 0.0), ("heavy", 3.0), ("constant", 0.0),
                             ("constant", 1.0), ("binary", 0.0), ("4", 0.0), ("4", 1.0), ("25", 0.0), ("25", 2.0)]:
            for kind in ("continuous", "categorical"):
                if kind == "categorical" and shape in ("bell", "heavy"):
                    continue
                seed += 2
                left, right = make(shape, n, seed, 0.0), make(shape, m, seed + 1, shift)
                if kind == "categorical":
                    left, right = ([f"c{int(v):02}" for v in side] for side in (left, right))
                results = {}
                for key in METHODS[kind]:
                    feature = FeatureType.CONTINUOUS if kind == "continuous" else FeatureType.CATEGORICAL
                    method = MethodFactory.create(
                        key, feature, chunker=SizeBasedChunker(max(n // 10, 2)), threshold=StandardDeviationThreshold(None, 3),
                        computation_params={})
                    method._fit(pd.Series(left))
                    value = float(method._calculate(pd.Series(right)))
                    results[key] = value if np.isfinite(value) else None
                    if key == "chi2":
                        results["chi2_alert"] = bool(method.alert(value))
                cases.append({"kind": kind, "shape": shape, "n": n, "m": m, "seed": seed, "shift": shift, "results": results})
    thresholds = []
    source = draws(5)
    for size in (1, 2, 10):
        for low in (0.0, 0.5):
            chunks = [low + next(source) / 2**33 for _ in range(size)]
            found = calculate_threshold_values(StandardDeviationThreshold(None, 3), np.array(chunks), 0, 1)
            both = calculate_threshold_values(StandardDeviationThreshold(3, 3), np.array(chunks), 0, 1)
            thresholds.append({"chunks": chunks, "upper": found[1], "lower": both[0]})
    path = pathlib.Path(__file__).with_name("golden.json")
    lines = ",\n".join(json.dumps(case) for case in cases)
    path.write_text('{"cases": [\n' + lines + '\n],\n"thresholds": ' + json.dumps(thresholds) + "}\n")


main()
