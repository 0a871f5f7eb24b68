"""Makes the streams that the sequential detectors are compared on, from sequential_streams.json.

Only integer arithmetic, and floating-point addition, multiplication and division: `tests/sequential/streams.rs` of
driftline-detect makes the same values to the last bit. A normal value is the sum of twelve uniform ones less six.

A part of a stream has `n` values; its level goes in a straight line from `from` to `to` (which is `from` if not given).

- bernoulli: 1 with the level as probability, else 0
- every: 1 at every k-th value of the part, k being the level rounded down, else 0
- normal: the level plus `sd` (1 if not given) times a normal value
- uniform: between the level and the level plus `width`
- constant: the level
"""

import json
import pathlib

MASK = (1 << 64) - 1
SPECS = pathlib.Path(__file__).with_name("sequential_streams.json")


class Random:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def uniform(self):
        """At least 0, below 1."""
        return (self.next() >> 11) / 9007199254740992.0

    def normal(self):
        total = 0.0
        for _ in range(12):
            total += self.uniform()
        return total - 6.0

    def below(self, bound):
        """A whole number below `bound`."""
        return (self.next() >> 32) * bound >> 32

    def sample(self, size, count):
        """`count` different indices below `size`, in order of drawing (a partial Fisher-Yates shuffle)."""
        indices = list(range(size))
        for i in range(count):
            j = i + self.below(size - i)
            indices[i], indices[j] = indices[j], indices[i]
        return indices[:count]


def values(spec):
    """The values of one stream."""
    random = Random(spec["seed"])
    out = []
    for part in spec["parts"]:
        first, n = part["from"], part["n"]
        slope = part.get("to", first) - first
        kind = part["kind"]
        for i in range(n):
            level = first + slope * i / n
            if kind == "bernoulli":
                out.append(1.0 if random.uniform() < level else 0.0)
            elif kind == "every":
                out.append(1.0 if (i + 1) % int(level) == 0 else 0.0)
            elif kind == "normal":
                out.append(level + part.get("sd", 1.0) * random.normal())
            elif kind == "uniform":
                out.append(level + part["width"] * random.uniform())
            elif kind == "constant":
                out.append(float(level))
            else:
                raise ValueError(f"no kind {kind}")
    return out


def streams(*inputs):
    """(name, values) of every stream whose input is one of these: error, loss, real."""
    specs = json.loads(SPECS.read_text())
    return [(spec["name"], values(spec)) for spec in specs if spec["input"] in inputs]


def summary():
    """Sizes and check sums (of the bits of all values), for the test that both generators agree."""
    import struct

    out = []
    for name, stream in streams("error", "loss", "real"):
        check = 0
        for value in stream:
            bits = struct.unpack("<Q", struct.pack("<d", value))[0]
            mixed = check ^ bits
            mixed = (mixed << 23 | mixed >> 41) & MASK
            check = (mixed * 0x9E3779B97F4A7C15 + 1) & MASK
        out.append({"name": name, "n": len(stream), "check": f"{check:016x}"})
    return out
