//! The confusion matrix of several classes.

use super::interval::{Confidence, Interval};
use super::{Confusion, Measured};

/// A metric of one class against the rest that can be averaged over classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassMetric {
    /// Share of the predictions of a class that are right.
    Precision,
    /// Share of a class that is predicted.
    Recall,
    /// Harmonic mean of both.
    F1,
}

/// How classes are averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Averaging {
    /// Every class counts alike.
    Macro,
    /// Every class counts as often as it is true.
    Weighted,
}

/// How often which class was predicted for which: counts or weights, in as many cells as are not empty.
///
/// ```
/// use driftline_stat::performance::{Averaging, ClassConfusion, ClassMetric, Confidence};
///
/// let cells = [(0, 0, 8.0), (0, 1, 2.0), (1, 1, 5.0), (2, 1, 1.0), (2, 2, 4.0)];
/// let matrix = ClassConfusion::new(3, cells);
/// let recall = matrix
///     .average(ClassMetric::Recall, Averaging::Macro, 1.0, Confidence::new(0.95))
///     .unwrap();
/// assert!((recall.value - (0.8 + 1.0 + 0.8) / 3.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClassConfusion {
    /// Truth, prediction, amount.
    cells: Vec<(usize, usize, f64)>,
    labels: Vec<f64>,
    decided: Vec<f64>,
    hits: Vec<f64>,
    total: f64,
}

/// How a metric of a class moves with one more prediction: right, missed, or wrongly taken for the class.
#[derive(Clone, Copy, Debug, Default)]
struct Slopes {
    value: f64,
    hit: f64,
    missed: f64,
    wrong: f64,
}

impl ClassConfusion {
    /// Of `classes` classes, from (truth, prediction, amount). Cells of classes that there are not, and amounts that are
    /// not positive, do not count.
    #[must_use]
    pub fn new(classes: usize, cells: impl IntoIterator<Item = (usize, usize, f64)>) -> Self {
        let mut matrix = Self {
            cells: Vec::new(),
            labels: vec![0.0; classes],
            decided: vec![0.0; classes],
            hits: vec![0.0; classes],
            total: 0.0,
        };
        for (truth, decided, amount) in cells {
            if truth < classes && decided < classes && amount > 0.0 && amount.is_finite() {
                matrix.cells.push((truth, decided, amount));
                matrix.labels[truth] += amount;
                matrix.decided[decided] += amount;
                matrix.total += amount;
                if truth == decided {
                    matrix.hits[truth] += amount;
                }
            }
        }
        matrix
    }

    /// The sum of all cells.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The sum of the right ones.
    #[must_use]
    pub fn right(&self) -> f64 {
        self.hits.iter().sum()
    }

    /// One class against the rest.
    #[must_use]
    pub fn class(&self, class: usize) -> Confusion {
        let at = |all: &[f64]| all.get(class).copied().unwrap_or(0.0);
        let (labels, decided, hits) = (at(&self.labels), at(&self.decided), at(&self.hits));
        Confusion {
            true_positive: hits,
            false_positive: decided - hits,
            false_negative: labels - hits,
            true_negative: (self.total - labels - decided + hits).max(0.0),
        }
    }

    /// The mean of a metric over the classes that are true or predicted at least once, as scikit-learn takes it: a
    /// class's metric counts as 0 where it is 0/0. None without predictions.
    ///
    /// The interval is normal on the scale of log odds, with the delta method's variance for multinomial cells (which
    /// knows that an error is a miss of one class and a wrong prediction of another), which is made larger for classes of
    /// few predictions without errors. At 0 and 1 it is Wilson's with as many trials as the rarest class has labels. `per_weight` is how many predictions a weight of
    /// one stands for.
    #[must_use]
    pub fn average(
        &self,
        metric: ClassMetric,
        averaging: Averaging,
        per_weight: f64,
        confidence: Confidence,
    ) -> Option<Measured> {
        if self.total <= 0.0 {
            return None;
        }
        let classes = 0..self.labels.len();
        let slopes: Vec<Slopes> = classes.clone().map(|k| self.slopes(metric, k)).collect();
        let is_seen = |k: &usize| self.labels[*k] > 0.0 || self.decided[*k] > 0.0;
        let seen = classes.clone().filter(is_seen).count() as f64;
        let weight = |k: usize| match averaging {
            Averaging::Macro => 1.0 / seen,
            Averaging::Weighted => self.labels[k] / self.total,
        };
        let value: f64 = classes
            .filter(is_seen)
            .map(|k| weight(k) * slopes[k].value)
            .sum();
        let mut variance = 0.0;
        for &(truth, decided, amount) in &self.cells {
            let mut slope = if truth == decided {
                weight(truth) * slopes[truth].hit
            } else {
                weight(truth) * slopes[truth].missed + weight(decided) * slopes[decided].wrong
            };
            if averaging == Averaging::Weighted {
                slope += (slopes[truth].value - value) / self.total;
            }
            variance += amount * slope * slope;
        }
        for class in (0..self.labels.len()).filter(is_seen) {
            let weight = weight(class);
            variance += weight * weight * self.unseen_variance(metric, class, per_weight);
        }
        let value = value.clamp(0.0, 1.0);
        let rarest = self.labels.iter().filter(|n| **n > 0.0);
        let rarest = rarest.copied().fold(f64::INFINITY, f64::min);
        Some(Measured {
            value,
            interval: share_interval(
                value,
                variance / per_weight,
                rarest * per_weight,
                confidence,
            ),
        })
    }

    /// By how much the counts of a class make the variance of its metric too small: nothing in the cells tells that a
    /// rare class whose few labels were all predicted might be missed next time. It is the variance with one more hit
    /// and one more miss (as Agresti and Coull take it for a share) less that without, where this is more; in units of
    /// the weights' variance.
    fn unseen_variance(&self, metric: ClassMetric, class: usize, per_weight: f64) -> f64 {
        let (labels, decided) = (self.labels[class], self.decided[class]);
        let hits = self.hits[class] * per_weight;
        let trials = per_weight
            * match metric {
                ClassMetric::Precision => decided,
                ClassMetric::Recall => labels,
                ClassMetric::F1 => labels + decided - self.hits[class],
            };
        let variance = |hits: f64, trials: f64| {
            let share = (hits / trials).clamp(0.0, 1.0);
            // F1 is 2J / (1 + J) of the share J = TP / (TP + FN + FP).
            let slope = match metric {
                ClassMetric::F1 => 2.0 / ((1.0 + share) * (1.0 + share)),
                _ => 1.0,
            };
            slope * slope * share * (1.0 - share) / trials
        };
        if trials <= 0.0 {
            return 0.0;
        }
        let more = variance(hits + 1.0, trials + 2.0) - variance(hits, trials);
        more.max(0.0) * per_weight
    }

    fn slopes(&self, metric: ClassMetric, class: usize) -> Slopes {
        let (labels, decided) = (self.labels[class], self.decided[class]);
        let (of, in_labels, in_decided) = match metric {
            ClassMetric::Precision => (decided, 0.0, 1.0),
            ClassMetric::Recall => (labels, 1.0, 0.0),
            ClassMetric::F1 => (0.5 * (labels + decided), 0.5, 0.5),
        };
        if of <= 0.0 {
            return Slopes::default();
        }
        let value = self.hits[class] / of;
        Slopes {
            value,
            hit: (1.0 - value) / of,
            missed: -value * in_labels / of,
            wrong: -value * in_decided / of,
        }
    }

    /// Matthews' correlation for several classes, R_K: the correlation of the indicators of truth and prediction. None
    /// where all labels, or all predictions, are of one class.
    ///
    /// The interval is the delta method's for multinomial cells on Fisher's scale artanh(R_K). Where nothing was wrong it
    /// ends where R_K is with as many errors as Wilson's interval of the accuracy allows.
    ///
    /// J. Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004.
    #[must_use]
    pub fn mcc(&self, per_weight: f64, confidence: Confidence) -> Option<Measured> {
        let n = self.total;
        // In shares of the total, so that large counts do not overflow.
        let share = |all: &[f64], k: usize| all[k] / n;
        let product =
            |a: &[f64], b: &[f64]| -> f64 { (0..a.len()).map(|k| share(a, k) * share(b, k)).sum() };
        if n <= 0.0 {
            return None;
        }
        let one_class = |all: &[f64]| all.iter().filter(|x| **x > 0.0).count() < 2;
        if one_class(&self.labels) || one_class(&self.decided) {
            return None;
        }
        let right = self.right() / n;
        let of_labels = 1.0 - product(&self.labels, &self.labels);
        let of_decided = 1.0 - product(&self.decided, &self.decided);
        let root = (of_labels * of_decided).sqrt();
        let value = ((right - product(&self.labels, &self.decided)) / root).clamp(-1.0, 1.0);
        let mut variance = 0.0;
        for &(truth, decided, amount) in &self.cells {
            let hit = if truth == decided { 1.0 } else { 0.0 };
            let (crossed, label, said) = (
                share(&self.decided, truth) + share(&self.labels, decided),
                share(&self.labels, truth),
                share(&self.decided, decided),
            );
            let slope = (hit + right - crossed) / root
                - value * ((1.0 - said) / of_decided + (1.0 - label) / of_labels);
            variance += amount / n * slope * slope;
        }
        let (variance, room) = (variance / (n * per_weight), 1.0 - value * value);
        let interval = if variance > 0.0 && room > 0.0 {
            let scale = confidence.normal(libm::atanh(value), variance / (room * room));
            scale.map(libm::tanh)
        } else {
            let wrong = 1.0 - confidence.wilson(n * per_weight, n * per_weight).lower;
            Interval {
                lower: (value - wrong / of_labels).max(-1.0),
                upper: value,
            }
        };
        Some(Measured {
            value,
            interval: interval.clipped(-1.0, 1.0).with(value),
        })
    }
}

/// The interval of a value in 0 to 1: log odds, or Wilson's with `trials` where there is no variance.
pub(super) fn share_interval(
    value: f64,
    variance: f64,
    trials: f64,
    confidence: Confidence,
) -> Interval {
    let logit = (variance > 0.0).then(|| confidence.logit(value, variance));
    let interval = logit.flatten();
    let interval = interval.unwrap_or_else(|| confidence.wilson(value * trials, trials));
    interval.with(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matrix(counts: &[[f64; 3]; 3]) -> ClassConfusion {
        let cells = (0..9).map(|i| (i / 3, i % 3, counts[i / 3][i % 3]));
        ClassConfusion::new(3, cells)
    }

    #[test]
    fn of_two_classes_it_is_the_plain_correlation() {
        let confidence = Confidence::new(0.95);
        let cells = [(0, 0, 50.0), (0, 1, 9.0), (1, 0, 14.0), (1, 1, 40.0)];
        let of_two = Confusion {
            true_positive: 40.0,
            false_positive: 9.0,
            false_negative: 14.0,
            true_negative: 50.0,
        };
        let found = ClassConfusion::new(2, cells).mcc(1.0, confidence).unwrap();
        assert!((found.value - of_two.mcc().unwrap()).abs() < 1e-12);
        // But for the half counts the intervals are the same.
        let plain = of_two.mcc_interval(confidence);
        assert!((found.interval.lower - plain.lower).abs() < 0.02);
        assert!((found.interval.upper - plain.upper).abs() < 0.02);
    }

    /// The variance by moving each cell a little.
    fn numeric_variance(counts: &[[f64; 3]; 3], metric: impl Fn(&ClassConfusion) -> f64) -> f64 {
        let step = 1e-4;
        (0..9)
            .map(|i| {
                let moved = |by: f64| {
                    let mut moved = *counts;
                    moved[i / 3][i % 3] += by;
                    metric(&matrix(&moved))
                };
                let slope = (moved(step) - moved(-step)) / (2.0 * step);
                counts[i / 3][i % 3] * slope * slope
            })
            .sum()
    }

    #[test]
    fn variances_are_those_of_moved_cells() {
        let counts = [[30.0, 4.0, 2.0], [5.0, 20.0, 3.0], [1.0, 6.0, 9.0]];
        let confidence = Confidence::new(0.95);
        for averaging in [Averaging::Macro, Averaging::Weighted] {
            for metric in [ClassMetric::Precision, ClassMetric::Recall, ClassMetric::F1] {
                let of =
                    |m: &ClassConfusion| m.average(metric, averaging, 1.0, confidence).unwrap();
                let found = of(&matrix(&counts));
                let seen = matrix(&counts);
                let unseen = (0..3).map(|k| {
                    let weight = match averaging {
                        Averaging::Macro => 1.0 / 3.0,
                        Averaging::Weighted => seen.labels[k] / seen.total,
                    };
                    weight * weight * seen.unseen_variance(metric, k, 1.0)
                });
                let variance = numeric_variance(&counts, |m| of(m).value) + unseen.sum::<f64>();
                let wanted = confidence.logit(found.value, variance).unwrap();
                assert!(
                    (found.interval.lower - wanted.lower).abs() < 1e-6,
                    "{metric:?}"
                );
            }
        }
        let of = |m: &ClassConfusion| m.mcc(1.0, confidence).unwrap();
        let found = of(&matrix(&counts));
        let variance = numeric_variance(&counts, |m| of(m).value);
        let room = 1.0 - found.value * found.value;
        let scale = confidence.normal(libm::atanh(found.value), variance / (room * room));
        assert!((found.interval.lower - libm::tanh(scale.lower)).abs() < 1e-6);
    }

    #[test]
    fn nothing_and_one_class_are_no_correlation() {
        let confidence = Confidence::new(0.95);
        let empty = ClassConfusion::new(3, []);
        assert_eq!(empty.mcc(1.0, confidence), None);
        assert_eq!(
            empty.average(ClassMetric::F1, Averaging::Macro, 1.0, confidence),
            None
        );
        let one = ClassConfusion::new(3, [(0, 0, 5.0), (0, 1, 2.0)]);
        assert_eq!(one.mcc(1.0, confidence), None);
        let perfect = ClassConfusion::new(2, [(0, 0, 20.0), (1, 1, 10.0)]);
        let found = perfect.mcc(1.0, confidence).unwrap();
        assert!(found.value == 1.0 && found.interval.lower < 0.8 && found.interval.lower > 0.5);
        let f1 = perfect
            .average(ClassMetric::F1, Averaging::Macro, 1.0, confidence)
            .unwrap();
        assert!(f1.value == 1.0 && f1.interval.lower < 0.75);
    }

    proptest! {
        #[test]
        fn intervals_hold_their_value(counts in prop::array::uniform9(0_u32..40)) {
            let cells = (0..9).map(|i| (i / 3, i % 3, f64::from(counts[i])));
            let matrix = ClassConfusion::new(3, cells);
            let confidence = Confidence::new(0.9);
            let metrics = [ClassMetric::Precision, ClassMetric::Recall, ClassMetric::F1];
            let averages = metrics.into_iter().flat_map(|metric| {
                [Averaging::Macro, Averaging::Weighted].map(|by| matrix.average(metric, by, 1.0, confidence))
            });
            for found in averages.chain([matrix.mcc(1.0, confidence)]).flatten() {
                let Interval { lower, upper } = found.interval;
                prop_assert!(lower <= found.value && found.value <= upper, "{found:?}");
                prop_assert!((-1.0..=1.0).contains(&lower) && upper <= 1.0, "{found:?}");
            }
        }
    }
}
