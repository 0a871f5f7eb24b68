"""Writes golden.json: where Frouros' detectors see drifts and warnings on the shared streams.

Made with Python 3.11 and the packages of requirements.txt beside this file: `cargo xtask golden sequential_frouros`.

A case has the detector by our name, Frouros' parameters, and a run for each stream: the indices of its drifts, how many
warnings it has, and a check sum of their indices. Frouros leaves it to the caller to start afresh after a drift; here
that is done at once. Its STEPD wants 1 for correct and 0 for an error.
"""

import json
import pathlib
import sys
import warnings

from frouros.detectors import concept_drift as detectors

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import sequential_streams  # noqa: E402

# Our name, Frouros' class, what it reads, and sets of parameters.
CASES = [
    ("stepd", "STEPD", ["error"], [
        {},
        {"min_num_instances": 100, "alpha_d": 0.0005, "alpha_w": 0.01},
        {"min_num_instances": 17, "alpha_d": 0.01, "alpha_w": 0.1},
    ]),
    ("ecdd", "ECDDWT", ["error"], [
        {},
        {"min_num_instances": 100, "lambda_": 0.1, "average_run_length": 1000, "warning_level": 0.7},
        {"min_num_instances": 10, "lambda_": 0.4, "average_run_length": 100, "warning_level": 0.9},
    ]),
    ("cusum", "CUSUM", ["error", "real"], [
        {},
        {"min_num_instances": 100, "delta": 0.05, "lambda_": 12.5},
        {"min_num_instances": 1, "delta": 0.0, "lambda_": 5.0},
    ]),
    ("gma", "GeometricMovingAverage", ["error", "real"], [
        {},
        {"min_num_instances": 100, "lambda_": 0.2, "alpha": 0.95},
        {"min_num_instances": 5, "lambda_": 0.05, "alpha": 0.999},
    ]),
    ("page_hinkley", "PageHinkley", ["error", "real"], [
        {},
        {"min_num_instances": 100, "delta": 0.01, "lambda_": 15.0, "alpha": 0.999},
        {"min_num_instances": 10, "delta": 0.0, "lambda_": 5.0, "alpha": 1.0},
    ]),
    ("ddm", "DDM", ["error"], [
        {},
        {"min_num_instances": 100, "warning_level": 1.5, "drift_level": 2.5},
        {"min_num_instances": 10, "warning_level": 2.5, "drift_level": 4.0},
    ]),
]


def check(indices):
    """A check sum of a list of indices."""
    total = 0
    for i in indices:
        total = ((total ^ i) * 0x9E3779B97F4A7C15 + 1) & sequential_streams.MASK
    return f"{total:016x}"


def run(kind, params, values):
    config = getattr(detectors, f"{kind}Config")(**params)
    detector = getattr(detectors, kind)(config=config)
    drifts, warned = [], []
    for i, value in enumerate(values):
        detector.update(value=1.0 - value if kind == "STEPD" else value)
        if detector.drift:
            drifts.append(i)
            detector.reset()
        elif getattr(detector, "warning", False):
            warned.append(i)
    return {"drifts": drifts, "warnings": len(warned), "check": check(warned)}


def main():
    warnings.simplefilter("ignore")  # STEPD divides by nought when there are no errors at all.
    cases = []
    for detector, kind, inputs, sets in CASES:
        streams = sequential_streams.streams(*inputs)
        for params in sets:
            runs = [{"stream": name, **run(kind, params, values)} for name, values in streams]
            cases.append({"detector": detector, "params": params, "runs": runs})
    golden = {"reference": "frouros 0.9.0", "cases": cases}
    # A line a run, so that a difference can be read.
    text = json.dumps(golden, separators=(",", ":")).replace('{"stream"', '\n{"stream"').replace('{"detector"', '\n{"detector"')
    (HERE / "golden.json").write_text(text + "\n")


main()
