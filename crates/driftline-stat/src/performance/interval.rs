//! Intervals at a confidence level.

use statrs::function::erf::erfc_inv;

use crate::distribution::normal_upper_tail;

/// From where to where a metric may lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

impl Interval {
    /// The part of it within `lower` to `upper`.
    #[must_use]
    pub fn clipped(self, lower: f64, upper: f64) -> Self {
        Self {
            lower: self.lower.clamp(lower, upper),
            upper: self.upper.clamp(lower, upper),
        }
    }

    /// Made larger until it holds `value`.
    #[must_use]
    pub fn with(self, value: f64) -> Self {
        Self {
            lower: self.lower.min(value),
            upper: self.upper.max(value),
        }
    }

    /// Both ends moved by an increasing function.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            lower: f(self.lower),
            upper: f(self.upper),
        }
    }
}

/// How sure intervals are, as normal quantiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    z: f64,
}

impl Confidence {
    /// Two-sided intervals that hold the truth in this share of cases: 0.95 for z = 1.96. Taken for the nearest of 0.5
    /// and 0.999999 if outside; not a number counts as 0.95.
    #[must_use]
    pub fn new(level: f64) -> Self {
        let level = if level.is_nan() { 0.95 } else { level };
        let tail = 0.5 * (1.0 - level.clamp(0.5, 0.999_999));
        let mut z = std::f64::consts::SQRT_2 * erfc_inv(2.0 * tail);
        // One step of Newton's method: the inverse is good to seven digits or so.
        let density = libm::exp(-0.5 * z * z) / (2.0 * std::f64::consts::PI).sqrt();
        z += (normal_upper_tail(z) - tail) / density;
        Self { z }
    }

    /// Standard deviations to each side.
    #[must_use]
    pub fn deviations(self) -> f64 {
        self.z
    }

    /// Wilson's score interval of a share: `hits` of `trials`, both may be fractions.
    ///
    /// Its coverage averages the nominal level and dips to 0.84 at nominal 0.95 only for shares within about 1/n of 0
    /// or 1 (Brown, Cai, DasGupta 2001). Without trials it is all of 0 to 1.
    ///
    /// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    ///
    /// ```
    /// use driftline_stat::performance::Confidence;
    /// let interval = Confidence::new(0.95).wilson(8.0, 10.0);
    /// assert!((interval.lower - 0.4902).abs() < 1e-4 && (interval.upper - 0.9433).abs() < 1e-4);
    /// ```
    #[must_use]
    pub fn wilson(self, hits: f64, trials: f64) -> Interval {
        if !(trials > 0.0 && hits.is_finite() && trials.is_finite()) {
            return Interval {
                lower: 0.0,
                upper: 1.0,
            };
        }
        let (p, square) = ((hits / trials).clamp(0.0, 1.0), self.z * self.z);
        let centre = p + square / (2.0 * trials);
        let inner = p * (1.0 - p) / trials + square / (4.0 * trials * trials);
        let (reach, total) = (self.z * inner.sqrt(), 1.0 + square / trials);
        Interval {
            lower: (centre - reach) / total,
            upper: (centre + reach) / total,
        }
        .clipped(0.0, 1.0)
        .with(p)
    }

    /// `value` with `variance`, by the normal law.
    #[must_use]
    pub fn normal(self, value: f64, variance: f64) -> Interval {
        let reach = self.z * variance.max(0.0).sqrt();
        Interval {
            lower: value - reach,
            upper: value + reach,
        }
    }

    /// A mean of `n` values whose variance was estimated from them: by Student's law with n − 1 degrees of freedom,
    /// its quantile from the normal one by the first four terms of Fisher's and Cornish's expansion (off by less than
    /// 1 % from 5 degrees of freedom on at a confidence of 0.95). `variance` is that of the mean.
    #[must_use]
    pub fn student(self, value: f64, variance: f64, n: f64) -> Interval {
        let (z, per_degree) = (self.z, 1.0 / (n - 1.0).max(1.0));
        let s = z * z;
        let first = z * (s + 1.0) / 4.0;
        let second = z * ((5.0 * s + 16.0) * s + 3.0) / 96.0;
        let third = z * (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0;
        let t = z + per_degree * (first + per_degree * (second + per_degree * third));
        let reach = t * variance.max(0.0).sqrt();
        Interval {
            lower: value - reach,
            upper: value + reach,
        }
    }

    /// A share-like metric in (0, 1) with `variance`, by the normal law of its log odds (delta method), so that the
    /// interval stays within 0 to 1 and leans the right way near the ends. None at the ends.
    #[must_use]
    pub fn logit(self, value: f64, variance: f64) -> Option<Interval> {
        let inside = value > 0.0 && value < 1.0 && variance.is_finite();
        inside.then(|| {
            let odds = libm::log(value / (1.0 - value));
            let deviation = variance.max(0.0).sqrt() / (value * (1.0 - value));
            let reach = self.z * deviation;
            let share = |logit: f64| 1.0 / (1.0 + libm::exp(-logit));
            Interval {
                lower: share(odds - reach),
                upper: share(odds + reach),
            }
            .with(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_normal_law() {
        for (level, z) in [
            (0.95, 1.959_963_984_540_054),
            (0.99, 2.575_829_303_548_901),
            (0.5, 0.674_489_750_196_081_7),
            (0.999_999, 4.891_638_475_698_9),
            (f64::NAN, 1.959_963_984_540_054),
        ] {
            let found = Confidence::new(level).deviations();
            assert!((found - z).abs() < 1e-9, "{level}: {found}");
        }
    }

    #[test]
    fn student_is_wider_by_what_tables_say() {
        for (n, t) in [
            (6.0, 2.570_58),
            (11.0, 2.228_14),
            (31.0, 2.042_27),
            (1e9, 1.959_96),
        ] {
            let interval = Confidence::new(0.95).student(0.0, 1.0, n);
            assert!((interval.upper / t - 1.0).abs() < 0.01, "{n}: {interval:?}");
        }
    }

    #[test]
    fn wilson_at_the_ends_is_not_a_point() {
        let confidence = Confidence::new(0.95);
        let none = confidence.wilson(0.0, 20.0);
        assert_eq!(none.lower, 0.0);
        assert!((none.upper - 0.161).abs() < 1e-3);
        let all = confidence.wilson(20.0, 20.0);
        assert!((all.lower - 0.839).abs() < 1e-3 && all.upper == 1.0);
        let unknown = confidence.wilson(f64::NAN, 0.0);
        assert_eq!((unknown.lower, unknown.upper), (0.0, 1.0));
    }

    #[test]
    fn log_odds_lean_away_from_the_nearer_end() {
        let interval = Confidence::new(0.95).logit(0.95, 0.0004).unwrap();
        assert!(0.95 - interval.lower > interval.upper - 0.95);
        assert!(interval.upper < 1.0);
        assert_eq!(Confidence::new(0.95).logit(1.0, 0.0), None);
    }
}
