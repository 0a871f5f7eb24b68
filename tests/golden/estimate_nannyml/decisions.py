"""Writes decisions.json: whether NannyML 0.13.1 would calibrate generated scores.

Its own data sets always need it, so that they cannot show the other answer. The generator is repeated in the test.

Calibrated scores are tied in long runs, and numpy's sort leaves ties in an order of its own, on which the answer can
depend. Cases whose answer changes when the rows are shuffled before that sort are left out.
"""

import json
import pathlib

import numpy
from nannyml import calibration
from nannyml.calibration import IsotonicCalibrator, needs_calibration

MASK = (1 << 64) - 1
HERE = pathlib.Path(__file__).parent


def draws(seed):
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        yield (state >> 11) / (1 << 53)


def decide(labels, scores, shuffle=None):
    """NannyML's answer, with the rows shuffled before each calibration error is computed."""
    error = calibration._calculate_expected_calibration_error

    def shuffled(y_true, y_pred_proba, bin_index_edges):
        order = shuffle.permutation(len(y_true)) if shuffle is not None else numpy.arange(len(y_true))
        return error(y_true[order], y_pred_proba[order], bin_index_edges)

    calibration._calculate_expected_calibration_error = shuffled
    try:
        return bool(needs_calibration(numpy.array(labels), numpy.array(scores), IsotonicCalibrator()))
    finally:
        calibration._calculate_expected_calibration_error = error


def main():
    cases, shuffle = [], numpy.random.default_rng(1)
    for seed in range(1, 61):
        unit = draws(seed)
        rows = [37, 101, 250, 1000, 4001][seed % 5]
        tilt = [0.0, 0.0, 0.1, 0.3][seed % 4]
        scores, labels = [], []
        for _ in range(rows):
            score = next(unit)
            scores.append(score)
            labels.append(int(next(unit) < score + tilt * (0.5 - score)))
        decided = decide(labels, scores)
        if any(decide(labels, scores, shuffle) != decided for _ in range(10)):
            print("left out:", seed)
            continue
        cases.append({"seed": seed, "rows": rows, "tilt": tilt, "calibrate": decided})
    (HERE / "decisions.json").write_text(json.dumps(cases) + "\n")
    print(sum(c["calibrate"] for c in cases), "of", len(cases))


main()
