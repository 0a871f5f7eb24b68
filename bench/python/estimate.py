"""Times NannyML's CBPE on rows that the benchmark `estimate` wrote: `estimate.py DIRECTORY CHUNK_SIZE`.

Prints JSON: seconds of CPU time of fit and of estimate, without reading the rows, and the first chunk's estimated AUC. The process
is held to one thread, as Driftline is.
"""

import json
import os
import pathlib
import sys
import time
import warnings

for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[variable] = "1"
warnings.filterwarnings("ignore")

import nannyml
import numpy
import pandas

METRICS = ["roc_auc", "average_precision", "accuracy", "f1", "precision", "recall", "specificity"]


def read(directory, name, labelled):
    columns = {"score": "<f8", "prediction": "u1"} | ({"label": "u1"} if labelled else {})
    return pandas.DataFrame({
        column: numpy.fromfile(directory / f"{name}.{column}", dtype=kind) for column, kind in columns.items()
    })


def main():
    directory, chunk_size = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    reference, current = read(directory, "reference", True), read(directory, "current", False)
    for frame in [reference, current]:
        for column in frame.columns.intersection(["prediction", "label"]):
            frame[column] = frame[column].astype("int64")
    numpy.random.seed(1)
    estimator = nannyml.CBPE(y_pred_proba="score", y_pred="prediction", y_true="label", metrics=METRICS,
                             chunk_size=chunk_size, problem_type="classification_binary")
    started = time.process_time()
    estimator.fit(reference)
    fitted = time.process_time()
    found = estimator.estimate(current)
    done = time.process_time()
    first = found.filter(period="analysis").to_df()[("roc_auc", "value")].iloc[0]
    print(json.dumps({"name": f"NannyML {nannyml.__version__}", "fit": fitted - started, "estimate": done - fitted,
                      "roc_auc": float(first)}))


main()
