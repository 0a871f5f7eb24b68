"""Measures river's detectors on values that it reads, for `cargo xtask bench detectors`.

Standard input: lines `<detector> <count>`, each followed by that many little-endian doubles. Standard output: river's version,
and for each line the CPU time of an update in nanoseconds and the number of drifts, or null if river has no such detector.
"""

import argparse
import array
import json
import sys
import time

import river
from river import drift

MAKE = {
    "adwin": drift.ADWIN,
    "ddm": drift.binary.DDM,
    "eddm": drift.binary.EDDM,
    "hddm_a": drift.binary.HDDMA,
    "hddm_w": drift.binary.HDDMW,
    "page_hinkley": drift.PageHinkley,
    "kswin": lambda: drift.KSWIN(seed=1),
}
# River's FHDDM alarms when the share of ones falls: it is fed 1 for correct.
FLIPPED = {"fhddm": drift.binary.FHDDM}
# A test by scipy at each value takes half a millisecond.
SLOW = {"kswin": 1_000}


def measure(name, values, rounds):
    make = MAKE.get(name) or FLIPPED.get(name)
    if make is None:
        return None
    if name in FLIPPED:
        values = [1 - int(value) for value in values]
    values = values[: SLOW.get(name, len(values))]
    best, drifts = float("inf"), 0
    for _ in range(rounds):
        detector = make()
        start = time.process_time()
        for value in values:
            detector.update(value)
        best = min(best, (time.process_time() - start) / len(values) * 1e9)
    detector = make()
    for value in values:
        detector.update(value)
        drifts += detector.drift_detected
    return {"nanos": best, "drifts": int(drifts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    results = []
    while line := sys.stdin.buffer.readline():
        name, count = line.decode().split()
        values = array.array("d", sys.stdin.buffer.read(8 * int(count)))
        results.append(measure(name, values.tolist(), rounds))
        print(f"river's {name}: {results[-1]}", file=sys.stderr)
    print(json.dumps({"version": river.__version__, "results": results}))


main()
