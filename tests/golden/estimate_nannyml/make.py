"""Writes golden.json and data/: what NannyML's CBPE says of its own bundled data sets.

    python3.11 -m venv venv && venv/bin/pip install -r requirements.txt
    NML_DISABLE_USAGE_LOGGING=1 venv/bin/python make.py

The rows come from the wheel itself, cut down to the columns that CBPE looks at (data/SOURCE.md). Two things in NannyML
are changed for the golden file, and nothing else:

- N_EXPERIMENTS is 2,000 instead of 50, with a seed: the sampling error of average precision is drawn at random, and with
  50 draws it differs by a tenth from run to run. What is compared is what those draws are an estimate of.
- `always` and `never` replace its decision whether to calibrate; `auto` leaves it as it is.
"""

import json
import math
import os
import pathlib
import warnings

os.environ.setdefault("NML_DISABLE_USAGE_LOGGING", "1")
warnings.filterwarnings("ignore")

import nannyml
import numpy
import pandas
import sklearn
from nannyml.performance_estimation.confidence_based import cbpe as module
from nannyml.sampling_error import binary_classification, multiclass_classification
from sklearn.isotonic import IsotonicRegression

HERE = pathlib.Path(__file__).parent
DATA = pathlib.Path(nannyml.__file__).parent / "datasets" / "data"
COSTS = [[1.0, -10.0], [-20.0, 5.0]]
CLASSES = ["highstreet_card", "prepaid_card", "upmarket_card"]
CLASS_COSTS = [[5.0, -1.0, -2.0], [-1.0, 3.0, -4.0], [-2.5, -3.0, 10.0]]
BINARY = ["roc_auc", "average_precision", "accuracy", "f1", "precision", "recall", "specificity", "business_value",
          "confusion_matrix"]
DECIDE = module.needs_calibration


def binary(reference, analysis, targets, score, prediction, label, rows=None):
    joined = pandas.concat([analysis.reset_index(drop=True), targets[[label]].reset_index(drop=True)], axis=1)
    names = {score: "score", prediction: "prediction", label: "label"}
    cut = lambda frame: frame[list(names)].rename(columns=names).iloc[:rows].reset_index(drop=True)
    frames = cut(reference), cut(joined)
    for frame in frames:
        frame["prediction"] = frame["prediction"].astype("int8")
        frame["label"] = frame["label"].astype("int8")
    return frames


def sets():
    csv = lambda name: pandas.read_csv(DATA / f"{name}.csv")
    pq = lambda name: pandas.read_parquet(DATA / f"{name}.pq")
    yield "car_loan", binary(csv("synthetic_car_loan_reference"), csv("synthetic_car_loan_analysis"),
                             csv("synthetic_car_loan_analysis_target"), "y_pred_proba", "y_pred", "repaid")
    yield "work_home", binary(csv("synthetic_sample_reference"), csv("synthetic_sample_analysis"),
                              csv("synthetic_sample_analysis_gt"), "y_pred_proba", "y_pred", "work_home_actual")
    yield "california", binary(csv("california_housing_reference"), csv("california_housing_analysis"),
                               csv("california_housing_analysis_gt"), "y_pred_proba", "y_pred", "clf_target")
    # These scores have all their digits, so the rows take room: the first 20,000 of each are enough.
    yield "employment", binary(pq("employment_MA_reference"), pq("employment_MA_analysis"),
                               pq("employment_MA_analysis_target"), "predicted_probability", "prediction", "employed",
                               20_000)
    joined = pandas.concat([csv("mc_analysis"), csv("mc_analysis_gt")[["y_true"]]], axis=1)
    names = {f"y_pred_proba_{c}": f"score_{c}" for c in CLASSES} | {"y_pred": "prediction", "y_true": "label"}
    cut = lambda frame: frame[list(names)].rename(columns=names)
    yield "cards", (cut(csv("mc_reference")), cut(joined))


def plain(value):
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return bool(value) if isinstance(value, (bool, numpy.bool_)) else round(float(value), 9)


def run(reference, analysis, chunk_size, calibrate):
    multiclass = "score" not in reference.columns
    module.needs_calibration = {"auto": DECIDE, "always": lambda *a, **k: True, "never": lambda *a, **k: False}[calibrate]
    numpy.random.seed(1)
    estimator = nannyml.CBPE(
        y_pred_proba={c: f"score_{c}" for c in CLASSES} if multiclass else "score",
        y_pred="prediction", y_true="label", metrics=BINARY, chunk_size=chunk_size,
        problem_type="classification_multiclass" if multiclass else "classification_binary",
        business_value_matrix=numpy.array(CLASS_COSTS if multiclass else COSTS),
    )
    estimator.fit(reference)
    frame = estimator.estimate(analysis).filter(period="analysis").to_df()
    module.needs_calibration = DECIDE
    metrics = [name for name in frame.columns.get_level_values(0).unique() if name != "chunk"]
    columns = {"estimate": "value", "lower": "lower_confidence_boundary", "upper": "upper_confidence_boundary",
               "lower_threshold": "lower_threshold", "upper_threshold": "upper_threshold", "alert": "alert",
               "realised": "realized"}
    chunks = []
    for _, row in frame.iterrows():
        chunks.append({
            "start": int(row[("chunk", "start_index")]), "end": int(row[("chunk", "end_index")]),
            "metrics": {m: {ours: plain(row[(m, theirs)]) for ours, theirs in columns.items()} for m in metrics},
        })
    calibrated = ([not isinstance(estimator._calibrators[c], nannyml.calibration.NoopCalibrator) for c in CLASSES]
                  if multiclass else bool(estimator.needs_calibration))
    return {"chunk_size": chunk_size, "calibrate": calibrate, "calibrated": calibrated, "chunks": chunks}


def isotonic():
    random = numpy.random.default_rng(7)
    cases = []
    for name, n, digits in [("distinct", 200, 6), ("ties", 300, 2), ("heavy_ties", 120, 1), ("two", 2, 3), ("one", 1, 3)]:
        for weighted in [False, True]:
            x = random.uniform(0, 1, n).round(digits)
            y = (random.uniform(0, 1, n) < x ** 2).astype(float)
            w = random.uniform(0.1, 3, n).round(3) if weighted else numpy.ones(n)
            fitted = IsotonicRegression(out_of_bounds="clip").fit(x, y, sample_weight=w)
            at = numpy.concatenate([[-1.0, 0.0, 1.0, 2.0], random.uniform(-0.1, 1.1, 40)]).round(4)
            cases.append({"name": f"{name}{'_weighted' if weighted else ''}", "x": x.tolist(), "y": y.tolist(),
                          "weight": w.tolist(), "thresholds": fitted.X_thresholds_.tolist(),
                          "values": fitted.y_thresholds_.tolist(), "at": at.tolist(),
                          "predicted": fitted.predict(at).tolist()})
    return cases


def main():
    binary_classification.N_EXPERIMENTS = multiclass_classification.N_EXPERIMENTS = 2_000
    # Where `auto` calibrates, `always` says the same: one set shows it.
    plans = {
        "car_loan": [(5_000, "auto"), (5_000, "never"), (1_500, "auto")], "work_home": [(5_000, "auto")],
        "california": [(600, "auto"), (600, "always")], "employment": [(2_000, "auto")],
        "cards": [(6_000, "auto"), (6_000, "never")],
    }
    results = {}
    for name, (reference, analysis) in sets():
        for part, frame in [("reference", reference), ("analysis", analysis)]:
            frame.to_parquet(HERE / "data" / f"{name}_{part}.parquet", compression="zstd", index=False)
        results[name] = [run(reference.copy(), analysis.copy(), *plan) for plan in plans[name]]
        print(name, [(r["calibrate"], r["calibrated"], len(r["chunks"])) for r in results[name]], flush=True)
    versions = {m.__name__: m.__version__ for m in (nannyml, numpy, pandas, sklearn)}
    golden = {"versions": versions, "costs": COSTS, "class_costs": CLASS_COSTS, "sets": results}
    (HERE / "golden.json").write_text(json.dumps(golden) + "\n")
    (HERE / "isotonic.json").write_text(json.dumps({"versions": versions, "cases": isotonic()}) + "\n")


main()
