"""Monthly KS, PSI and Wasserstein of the flights' columns, computed by scipy on the raw values.

    python -m venv venv && venv/bin/pip install numpy==2.4.6 pandas==3.1.1 pyarrow==26.0.1 scipy==1.17.1
    venv/bin/python tests/golden/flights/make.py

Reads crates/driftline/data/flights/predictions.parquet; writes golden.json beside this file. Reference: January and
February 2013; current: each later calendar month. As in docs/statistics.md: PSI of a number over the cells between the
unique deciles of the reference, closed above, with open ends; PSI of a category over the reference's categories and one
cell for all others; a zero share replaced by 1e-4.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as pq
import scipy
from scipy import stats

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[2] / "crates/driftline/data/flights/predictions.parquet"
NUMERIC = ["sched_hour", "distance", "temp", "humid", "wind_speed", "precip", "pressure", "visib", "score"]
CATEGORICAL = ["carrier", "origin", "dest"]


def psi(reference: np.ndarray, current: np.ndarray) -> float:
    a = np.where(reference == 0, 1e-4, reference)
    b = np.where(current == 0, 1e-4, current)
    return float(((b - a) * np.log(b / a)).sum())


def decile_shares(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    cell = np.searchsorted(edges, values, side="left")
    return np.bincount(cell, minlength=len(edges) + 1) / len(values)


def main() -> None:
    frame = pq.read_table(DATA).to_pandas()
    month = frame["ts"].dt.tz_convert("UTC").dt.month if frame["ts"].dt.tz else frame["ts"].dt.month
    reference = frame[month <= 2]
    rows = []
    for m in range(3, 13):
        current = frame[month == m]
        for name in NUMERIC:
            a = reference[name].dropna().to_numpy(dtype=float)
            b = current[name].dropna().to_numpy(dtype=float)
            edges = np.unique(np.quantile(a, np.arange(1, 10) / 10, method="inverted_cdf"))
            rows.append({
                "month": m, "feature": name, "n": len(b),
                "ks": float(stats.ks_2samp(a, b, method="asymp").statistic),
                "wasserstein": float(stats.wasserstein_distance(a, b)),
                "standard_deviation": float(a.std()),
                "psi": psi(decile_shares(edges, a), decile_shares(edges, b)),
                "missing_ratio": float(current[name].isna().mean()),
            })
        for name in CATEGORICAL:
            a, b = reference[name].value_counts(), current[name].value_counts()
            unseen = b[~b.index.isin(a.index)].sum()
            current_counts = np.append(b.reindex(a.index, fill_value=0).to_numpy(), unseen)
            shares = np.append(a.to_numpy(), 0) / a.sum(), current_counts / b.sum()
            rows.append({"month": m, "feature": name, "n": int(b.sum()), "psi": psi(*shares)})
    versions = {"scipy": scipy.__version__, "numpy": np.__version__, "pyarrow": pyarrow.__version__}
    text = json.dumps({"versions": versions, "rows": rows}, indent=1)
    (HERE / "golden.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
