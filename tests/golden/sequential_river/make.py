"""Writes golden.json: at which values river's detectors say drift and warning, on the streams of ../sequential_streams.json.

Made with Python 3.11 and the packages of requirements.txt beside this file. A run has the 0-based indices of the drifts,
and the stretches of warnings as [first index, length]; a value at which there are both counts as a drift only.

KSWIN draws its sample from the generator of sequential_streams.py, so that others can draw the same. FHDDM is fed
1 for correct: in river 0.26.1 it alarms when the share of ones falls, although its page says that 1 is an error.
"""

import json
import pathlib
import platform
import sys

import numpy
import river
import scipy
from river import drift

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import sequential_streams  # noqa: E402

KSWIN_LONGEST = 5000

ERROR = ("error",)
LOSS = ("error", "loss")
REAL = ("error", "loss", "real")


class Sampler:
    """Stands in for random.Random inside KSWIN."""

    def __init__(self, seed):
        self.random = sequential_streams.Random(seed)

    def sample(self, population, count):
        return self.random.sample(len(population), count)


class InjectedKSWIN(drift.KSWIN):
    def _reset(self):
        super()._reset()
        self._rng = Sampler(self.seed)


class CorrectFHDDM(drift.binary.FHDDM):
    def update(self, error):
        super().update(1 - int(error))


DETECTORS = {
    "adwin": (drift.ADWIN, REAL, [
        {},
        {"delta": 0.05, "clock": 1},
        {"delta": 0.0005, "clock": 8, "max_buckets": 3, "min_window_length": 20, "grace_period": 60},
    ]),
    "ddm": (drift.binary.DDM, ERROR, [
        {},
        {"warm_start": 10, "warning_threshold": 1.5, "drift_threshold": 2.5},
        {"warm_start": 100, "warning_threshold": 2.5, "drift_threshold": 4.0},
    ]),
    "eddm": (drift.binary.EDDM, ERROR, [
        {},
        {"warm_start": 10, "alpha": 0.9, "beta": 0.8},
        {"warm_start": 60, "alpha": 0.98, "beta": 0.95},
    ]),
    "hddm_a": (drift.binary.HDDMA, LOSS, [
        {},
        {"two_sided_test": True},
        {"drift_confidence": 0.01, "warning_confidence": 0.05, "two_sided_test": True},
    ]),
    "hddm_w": (drift.binary.HDDMW, LOSS, [
        {},
        {"two_sided_test": True, "lambda_val": 0.02},
        {"drift_confidence": 0.01, "warning_confidence": 0.05, "lambda_val": 0.1, "two_sided_test": True},
    ]),
    "page_hinkley": (drift.PageHinkley, REAL, [
        {},
        {"threshold": 10.0, "delta": 0.01, "mode": "up"},
        {"min_instances": 100, "threshold": 20.0, "alpha": 1.0, "mode": "down"},
    ]),
    "kswin": (InjectedKSWIN, REAL, [
        {"seed": 42},
        {"seed": 7, "alpha": 0.0001, "window_size": 300, "stat_size": 50},
        {"seed": 1, "alpha": 0.01, "window_size": 60, "stat_size": 20},
    ]),
    "fhddm": (CorrectFHDDM, ERROR, [
        {},
        {"sliding_window_size": 100, "short_window_size": 20},
        {"sliding_window_size": 50, "confidence_level": 0.001},
    ]),
}


def run(detector, values):
    drifts, warnings = [], []
    for i, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            drifts.append(i)
        elif getattr(detector, "warning_detected", False):
            if warnings and sum(warnings[-1]) == i:
                warnings[-1][1] += 1
            else:
                warnings.append([i, 1])
    return {"drifts": drifts, "warnings": warnings}


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def main():
    cases = []
    for name, (make, inputs, sets) in DETECTORS.items():
        streams = sequential_streams.streams(*inputs)
        if name == "kswin":
            streams = [(stream, values) for stream, values in streams if len(values) <= KSWIN_LONGEST]
        for params in sets:
            runs = {stream: run(make(**params), values) for stream, values in streams}
            cases.append({"detector": name, "params": {k: text(v) for k, v in params.items()}, "runs": runs})
            print(name, params, len(runs), "streams,", sum(len(r["drifts"]) for r in runs.values()), "drifts,",
                  sum(len(r["warnings"]) for r in runs.values()), "warnings", flush=True)
    versions = {"python": platform.python_version(), "river": river.__version__, "numpy": numpy.__version__,
                "scipy": scipy.__version__}
    path = pathlib.Path(__file__).with_name("golden.json")
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text(f'{{"versions":{json.dumps(versions)},"cases":[\n{lines}\n]}}\n')


main()
