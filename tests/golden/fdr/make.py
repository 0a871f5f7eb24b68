"""Writes golden.json: adjusted p-values by statsmodels, and levels and decisions of online-fdr's procedures.

Made with Python 3.11 and the packages of requirements.txt beside this file.
"""

import json
import pathlib

import numpy as np
from online_fdr.e_values.sequential import ELond
from online_fdr.p_values.investing.lord.plus_plus import LordPlusPlus
from online_fdr.p_values.investing.saffron.saffron import Saffron
from statsmodels.stats.multitest import multipletests

METHODS = {"bonferroni": "bonferroni", "holm": "holm", "benjamini_hochberg": "fdr_bh", "benjamini_yekutieli": "fdr_by"}


class PowerSequence:
    """SAFFRON's sequence, which we give e-LOND too."""

    def calc_gamma(self, j, **_):
        return 0.4374901658 * j**-1.6


def run(test, values):
    rejected, levels = [], []
    for value in values:
        rejected.append(bool(test.test_one(value)))
        levels.append(test.last_test_level)
    return {"levels": levels, "rejected": rejected}


def main():
    source = np.random.default_rng(7)
    batches, sequences = [], []
    for size in (1, 2, 3, 10, 40):
        for power in (1, 3):
            p = [round(float(v), 9) for v in source.random(size) ** power]
            if size == 10:
                p[3] = p[4]
            adjusted = {name: [float(v) for v in multipletests(p, method=method)[1]] for name, method in METHODS.items()}
            batches.append({"p": p, "adjusted": adjusted})
    for share in (0.0, 0.05, 0.4):
        drifted = source.random(150) < share
        p = [float(f"{v:.9g}") for v in np.where(drifted, source.random(150) ** 12, source.random(150))]
        e = [0.5 * v**-0.5 for v in p]
        sequences.append({
            "p": p,
            "lord": run(LordPlusPlus(0.05, 0.025), p),
            "saffron": run(Saffron(0.05, 0.02, 0.4), p),
            "e_lond": run(ELond(0.05, PowerSequence()), e),
        })
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps({"batches": batches, "sequences": sequences}, indent=None, separators=(",", ":")) + "\n")


main()
