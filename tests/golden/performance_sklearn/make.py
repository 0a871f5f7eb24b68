"""Writes golden.json: scikit-learn's metrics of seeded predictions and labels.

Only seeds and results are stored. The rows come from a linear congruential generator and from operations that IEEE
arithmetic defines exactly, so that the tests make the very same rows: see `draw_*` here and in
crates/driftline-stat/tests/performance_golden.rs. A metric that is 0/0 is null: scikit-learn would say 0, NaN or raise.

Made with Python 3.11 and the packages of requirements.txt beside this file.
"""

import json
import pathlib
import warnings

import numpy as np
from sklearn import metrics

MASK = (1 << 64) - 1


def generator(seed):
    """Uniform multiples of 2^-32 in [0, 1): Knuth's MMIX generator, upper half."""
    state = seed

    def draw():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        return (state >> 32) / 4294967296.0

    return draw


def weight(case, unit):
    """A multiple of a quarter from 0.25 to 4, or 1."""
    return (np.floor(unit() * 16.0) + 1.0) / 4.0 if case["weighted"] else 1.0


def draw_binary(case):
    """Rows of score, decision, label, weight."""
    unit, rows = generator(case["seed"]), []
    for _ in range(case["n"]):
        u, v, w = unit(), unit(), weight(case, unit)
        shape = case["shape"]
        if shape == "fraud":
            score = u * u * u * u * u * u
        elif shape == "ties":
            score = np.floor(u * 8.0) / 8.0
        elif shape == "sure":
            score = 0.0 if u < 0.5 else 1.0
        elif shape == "constant":
            score = 0.5
        else:
            score = u
        chance = {"overconfident": 0.25 + score / 2.0, "reversed": 1.0 - score, "sure": 0.125 + 0.75 * score,
                  "random": 0.375}.get(shape, score)
        label = {"positives": True, "negatives": False}.get(case["labels"], v < chance)
        rows.append((float(score), bool(score >= case["threshold"]), bool(label), float(w)))
    return rows


def binary(case):
    rows = draw_binary(case)
    values = dict.fromkeys([
        "accuracy", "precision", "recall", "f1", "f_beta", "specificity", "mcc", "roc_auc", "average_precision",
        "log_loss", "brier", "business_value", "true_positives", "false_positives", "false_negatives",
        "true_negatives"])
    if not rows:
        return values
    s, d, y, w = (np.array(column) for column in zip(*rows))
    tn, fp, fn, tp = metrics.confusion_matrix(y, d, labels=[False, True], sample_weight=w).ravel().tolist()
    values.update(true_positives=tp, false_positives=fp, false_negatives=fn, true_negatives=tn)
    values["accuracy"] = metrics.accuracy_score(y, d, sample_weight=w)
    values["log_loss"] = metrics.log_loss(y, s, labels=[False, True], sample_weight=w)
    values["brier"] = metrics.brier_score_loss(y, s, labels=[False, True], pos_label=True, sample_weight=w)
    # Predicted and true: ((tn, fp), (fn, tp)) are worth 0.5, -2, -10, 4.
    values["business_value"] = float((0.5 * tn - 2.0 * fp - 10.0 * fn + 4.0 * tp) / w.sum())
    if tp + fp:
        values["precision"] = metrics.precision_score(y, d, sample_weight=w)
    if tp + fn:
        values["recall"] = metrics.recall_score(y, d, sample_weight=w)
        values["average_precision"] = metrics.average_precision_score(y, s, sample_weight=w)
    if tp + fp + fn:
        values["f1"] = metrics.f1_score(y, d, sample_weight=w)
        values["f_beta"] = metrics.fbeta_score(y, d, beta=2.0, sample_weight=w)
    if tn + fp:
        values["specificity"] = metrics.recall_score(~y, ~d, sample_weight=w)
    if (tp + fp) and (tp + fn) and (tn + fp) and (tn + fn):
        values["mcc"] = metrics.matthews_corrcoef(y, d, sample_weight=w)
    if (tp + fn) and (tn + fp):
        values["roc_auc"] = metrics.roc_auc_score(y, s, sample_weight=w)
    return values


def draw_multiclass(case):
    """Rows of probabilities, label, weight. A label that equals the number of classes is a class never heard of."""
    unit, rows, classes = generator(case["seed"]), [], case["classes"]
    for _ in range(case["n"]):
        v, w = unit(), weight(case, unit)
        label = int(np.floor(v * v * (classes + case["unseen"])))
        raw = [unit() + (case["strength"] if k == label else 0.0) for k in range(classes)]
        if case["never"] is not None:
            raw[case["never"]] = 0.0
        total = 0.0
        for value in raw:
            total += value
        rows.append(([value / total for value in raw], label, float(w)))
    return rows


def multiclass(case):
    rows = draw_multiclass(case)
    values = dict.fromkeys([
        "accuracy", "precision", "recall", "f1", "weighted_precision", "weighted_recall", "weighted_f1", "mcc",
        "top_k"])
    values["classes"] = []
    if not rows:
        return values
    p, y, w = (np.array(column) for column in zip(*rows))
    d = p.argmax(axis=1)
    values["accuracy"] = metrics.accuracy_score(y, d, sample_weight=w)
    # Over the classes that are labels or predictions of these rows, as scikit-learn has it.
    for name, kind in (("precision", "macro"), ("weighted_precision", "weighted")):
        found = metrics.precision_recall_fscore_support(y, d, average=kind, sample_weight=w, zero_division=0.0)
        for metric, value in zip(("precision", "recall", "f1"), found):
            values[name.replace("precision", metric)] = float(value)
    if len(set(y)) > 1 and len(set(d)) > 1:
        values["mcc"] = metrics.matthews_corrcoef(y, d, sample_weight=w)
    # Rows of an unseen class miss, whatever k.
    wide = np.hstack([p, np.full((len(p), 1), -1.0)])
    labels = list(range(case["classes"] + 1))
    values["top_k"] = metrics.top_k_accuracy_score(y, wide, k=2, labels=labels, sample_weight=w)
    each = metrics.precision_recall_fscore_support(y, d, labels=labels, sample_weight=w, zero_division=np.nan)
    values["classes"] = [[None if np.isnan(v) else float(v) for v in row[:3]] for row in zip(*each)]
    return values


def draw_regression(case):
    """Rows of prediction, label, weight: all on a grid of 1/1024, so that fixed-point sums hold them exactly."""
    unit, rows = generator(case["seed"]), []
    for _ in range(case["n"]):
        u, v, w = unit(), unit() + unit() - 1.0, weight(case, unit)
        shape = case["shape"]
        if shape == "zeros":
            label = 0.0 if u < 0.4 else u * 10.0
        elif shape == "signed":
            label = (u - 0.5) * 20.0
        elif shape == "constant":
            label = 3.0
        elif shape == "positive":
            label = 5.0 + u * 50.0
        else:
            label = u * 8.0 * (u * 8.0)
        label = np.floor(label * 1024.0) / 1024.0
        value = np.floor((label + case["bias"] + v * case["noise"]) * 1024.0) / 1024.0
        rows.append((float(value), float(label), float(w)))
    return rows


def regression(case):
    rows = draw_regression(case)
    values = dict.fromkeys(["mae", "mse", "rmse", "mape", "msle", "r2", "bias", "quantile_loss"])
    if not rows:
        return values
    p, y, w = (np.array(column) for column in zip(*rows))
    values["mae"] = metrics.mean_absolute_error(y, p, sample_weight=w)
    values["mse"] = metrics.mean_squared_error(y, p, sample_weight=w)
    values["rmse"] = metrics.root_mean_squared_error(y, p, sample_weight=w)
    values["bias"] = float(np.average(p - y, weights=w))
    values["quantile_loss"] = metrics.mean_pinball_loss(y, p, alpha=0.9, sample_weight=w)
    some = y != 0
    if some.any():
        values["mape"] = metrics.mean_absolute_percentage_error(y[some], p[some], sample_weight=w[some])
    above = (y > -1) & (p > -1)
    if above.any():
        values["msle"] = metrics.mean_squared_log_error(y[above], p[above], sample_weight=w[above])
    if len(set(y)) > 1:
        values["r2"] = metrics.r2_score(y, p, sample_weight=w)
    return values


def draw_ranking(case):
    """Rows of the wanted item's place in the list of ten, from 0 (10: not in it), and weight."""
    unit, rows = generator(case["seed"]), []
    for _ in range(case["n"]):
        u, v, w = unit(), unit(), weight(case, unit)
        place = int(np.floor(u * u * 10.0)) if v >= case["missing"] else 10
        rows.append((place, float(w)))
    return rows


def ranking(case):
    rows = draw_ranking(case)
    values = dict.fromkeys(["ndcg", "mrr", "hit_rate"])
    if not rows:
        return values
    place, w = (np.array(column) for column in zip(*rows))
    # Eleven items, the last one for "not in the list": it never counts within the first ten.
    truth = np.zeros((len(rows), 11))
    truth[np.arange(len(rows)), place] = 1.0
    scores = np.tile(np.arange(11.0, 0.0, -1.0), (len(rows), 1))
    values["ndcg"] = metrics.ndcg_score(truth, scores, k=5, sample_weight=w)
    values["hit_rate"] = metrics.top_k_accuracy_score(place, scores, k=5, labels=list(range(11)), sample_weight=w)
    listed = place < 10
    share = w[listed].sum() / w.sum()
    values["mrr"] = float(share * metrics.label_ranking_average_precision_score(
        truth[listed], scores[listed], sample_weight=w[listed])) if listed.any() else 0.0
    return values


def cases():
    seed = iter(range(1000, 2000))

    def case(task, n, weighted=False, **more):
        return {"task": task, "seed": next(seed), "n": n, "weighted": weighted, **more}

    for shape in ("calibrated", "overconfident", "fraud", "ties", "reversed", "sure", "constant", "random"):
        for n, weighted in ((400, False), (3000, True)):
            yield case("binary", n, weighted, shape=shape, labels="both", threshold=0.5)
    yield case("binary", 20000, shape="calibrated", labels="both", threshold=0.5)
    yield case("binary", 20000, shape="fraud", labels="both", threshold=0.3)
    yield case("binary", 2000, shape="calibrated", labels="both", threshold=2.0)
    yield case("binary", 2000, shape="calibrated", labels="both", threshold=0.0)
    yield case("binary", 200, shape="calibrated", labels="positives", threshold=0.5)
    yield case("binary", 200, shape="fraud", labels="negatives", threshold=0.5)
    yield case("binary", 1, shape="calibrated", labels="both", threshold=0.5)
    yield case("binary", 0, shape="calibrated", labels="both", threshold=0.5)
    many = {"strength": 0.5, "unseen": 0, "never": None}
    for classes, n, weighted in ((3, 500, False), (3, 3000, True), (4, 1000, False), (12, 4000, True)):
        yield case("multiclass", n, weighted, classes=classes, **many)
    yield case("multiclass", 800, False, classes=4, strength=0.5, unseen=1, never=None)
    yield case("multiclass", 800, True, classes=3, strength=0.25, unseen=1, never=1)
    yield case("multiclass", 3, False, classes=5, strength=0.5, unseen=0, never=None)
    yield case("multiclass", 300, False, classes=4, strength=1.5, unseen=0, never=3)
    yield case("multiclass", 0, False, classes=3, **many)
    for shape, bias, noise in (("positive", 0.0, 4.0), ("zeros", 0.5, 2.0), ("signed", -1.0, 5.0), ("squared", 0.0, 1.0)):
        for n, weighted in ((500, False), (2000, True)):
            yield case("regression", n, weighted, shape=shape, bias=bias, noise=noise)
    yield case("regression", 300, False, shape="constant", bias=0.25, noise=1.0)
    yield case("regression", 1, False, shape="positive", bias=0.0, noise=1.0)
    yield case("regression", 0, False, shape="positive", bias=0.0, noise=1.0)
    for missing, n, weighted in ((0.0, 500, False), (0.25, 2000, True), (0.9, 300, False), (1.0, 50, False), (0.5, 1, False), (0.5, 0, False)):
        yield case("ranking", n, weighted, missing=missing)


def main():
    tasks = {"binary": binary, "multiclass": multiclass, "regression": regression, "ranking": ranking}
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for case in cases():
            found.append({**case, "expected": tasks[case["task"]](case)})
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(found, indent=None, separators=(",", ":")).replace('},{"task"', '},\n{"task"') + "\n")
    print(len(found), "cases")


main()
