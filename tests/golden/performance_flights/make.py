"""Monthly performance of the flights' model on the rows whose label came, computed by scikit-learn.

    python -m venv venv && venv/bin/pip install -r tests/golden/performance_flights/requirements.txt
    venv/bin/python tests/golden/performance_flights/make.py

Reads predictions.parquet and labels.parquet in crates/driftline/data/flights; writes golden.json beside this file.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sklearn
from sklearn import metrics

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[2] / "crates/driftline/data/flights"


def main() -> None:
    predictions = pq.read_table(DATA / "predictions.parquet", columns=["id", "ts", "score", "pred"])
    labels = pq.read_table(DATA / "labels.parquet")
    assert len(set(labels["id"].to_pylist())) == labels.num_rows, "one label an id"
    predictions = predictions.append_column("month", pc.month(predictions["ts"]))
    counts = predictions.group_by("month").aggregate([("id", "count")])
    predicted = dict(zip(counts["month"].to_pylist(), counts["id_count"].to_pylist()))
    joined = predictions.join(labels, keys="id", join_type="inner")
    month = joined["month"].to_numpy()
    truth = joined["late"].to_numpy().astype(int)
    score = joined["score"].to_numpy()
    decided = joined["pred"].to_numpy().astype(int)
    delay = pc.subtract(joined["label_ts"].cast("timestamp[us]"), joined["ts"].cast("timestamp[us]"))
    delay = delay.cast("int64").to_numpy() / 1e6
    rows = []
    for m in sorted(predicted):
        here = month == m
        y, s, d = truth[here], score[here], decided[here]
        rows.append(
            {
                "month": m,
                "predicted": predicted[m],
                "labelled": int(here.sum()),
                "roc_auc": metrics.roc_auc_score(y, s),
                "accuracy": metrics.accuracy_score(y, d),
                "f1": metrics.f1_score(y, d),
                "log_loss": metrics.log_loss(y, s),
                "brier": metrics.brier_score_loss(y, s),
                "delay_p50_seconds": float(np.quantile(delay[here], 0.5)),
                "delay_p95_seconds": float(np.quantile(delay[here], 0.95)),
            }
        )
    versions = {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "pyarrow": pyarrow.__version__}
    (HERE / "golden.json").write_text(json.dumps({"versions": versions, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
