//! The streams of `tests/golden/sequential_streams.json`, made as `sequential_streams.py` beside it makes them.

use serde::Deserialize;

const SPECS: &str = include_str!("../../../../tests/golden/sequential_streams.json");

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    fn normal(&mut self) -> f64 {
        (0..12).fold(0.0, |total, _| total + self.uniform()) - 6.0
    }
}

/// What the values of a stream may be fed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Input {
    /// 0 and 1.
    Error,
    /// Within 0 to 1.
    Loss,
    /// Any number.
    Real,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Bernoulli,
    Every,
    Normal,
    Uniform,
    Constant,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    kind: Kind,
    n: usize,
    from: f64,
    to: Option<f64>,
    sd: Option<f64>,
    width: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    name: String,
    input: Input,
    seed: u64,
    parts: Vec<Part>,
}

impl Spec {
    fn values(&self) -> Vec<f64> {
        let mut random = Random::new(self.seed);
        let mut values = Vec::new();
        for part in &self.parts {
            let slope = part.to.unwrap_or(part.from) - part.from;
            for i in 0..part.n {
                let level = part.from + slope * i as f64 / part.n as f64;
                values.push(match part.kind {
                    Kind::Bernoulli => f64::from(u8::from(random.uniform() < level)),
                    Kind::Every => f64::from(u8::from((i + 1) % (level as usize) == 0)),
                    Kind::Normal => level + part.sd.unwrap_or(1.0) * random.normal(),
                    Kind::Uniform => level + part.width.expect("a width") * random.uniform(),
                    Kind::Constant => level,
                });
            }
        }
        values
    }
}

/// A stream by name.
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) input: Input,
    pub(crate) values: Vec<f64>,
}

fn specs() -> Vec<Spec> {
    serde_json::from_str(SPECS).expect("the file of streams")
}

/// Every stream, in the order of the file.
pub(crate) fn all() -> Vec<Stream> {
    let made = specs().into_iter().map(|spec| Stream {
        values: spec.values(),
        name: spec.name,
        input: spec.input,
    });
    made.collect()
}

/// One stream by its name.
pub(crate) fn named(name: &str) -> Vec<f64> {
    let found = specs().into_iter().find(|spec| spec.name == name);
    found.expect("a stream of that name").values()
}

/// As `summary()` of the Python twin.
#[test]
fn both_generators_make_the_same_values() {
    for (name, n, check) in [
        ("step_10_30", 4000, "a00a59e61d8d6ac1"),
        ("denser_and_denser", 4000, "c89456729721f11a"),
        ("loss_gradual", 6000, "27c38aae8a4fc583"),
        ("normal_gradual", 6000, "464dbd6c64b45c8c"),
        ("constant_steps", 1800, "0a30bb29eb9e75f7"),
    ] {
        let values = named(name);
        assert_eq!(values.len(), n, "{name}");
        let sum = values.iter().fold(0, |check: u64, value| {
            (check ^ value.to_bits())
                .rotate_left(23)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .wrapping_add(1)
        });
        assert_eq!(format!("{sum:016x}"), check, "{name}");
    }
}

#[test]
fn there_are_enough_streams_of_each_kind() {
    let count = |input| all().iter().filter(|stream| stream.input == input).count();
    assert!(count(Input::Error) >= 25);
    assert!(count(Input::Real) >= 25);
}
