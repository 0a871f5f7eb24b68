//! Metrics of two classes from their outcomes.

use driftline_event::Metric;
use driftline_sketch::{BinaryOutcomes, LossMoments, OutcomeProfile, OutcomeSummary};

use super::collect::{Metrics, is_one_value, measured};
use super::curve::{ScoreBin, average_precision, roc_auc};
use super::{CalibrationBin, Confusion, calibration_error};

impl Metrics<'_> {
    pub(super) fn binary(&mut self, profile: &OutcomeProfile, summary: &OutcomeSummary) {
        let Some(view) = summary.binary() else {
            return;
        };
        let [[tn, fp], [fneg, tp]] = view.confusion();
        let cells = Confusion {
            true_positive: tp,
            false_positive: fp,
            false_negative: fneg,
            true_negative: tn,
        };
        self.decisions(&cells, view.confusion_counts());
        if profile.has_scores() {
            self.scores(profile, &view, summary.judged());
        }
    }

    /// What follows from the confusion matrix of two classes, given as weights and as counts.
    fn decisions(&mut self, cells: &Confusion, counts: [[u64; 2]; 2]) {
        let [[tn, fp], [fneg, tp]] = counts;
        let (n, confidence) = (tn + fp + fneg + tp, self.confidence);
        let (hits, total) = (cells.true_positive, cells.total());
        let right = hits + cells.true_negative;
        for (metric, hits, of, n) in [
            (Metric::Accuracy, right, total, n),
            (Metric::Precision, hits, cells.predicted(), tp + fp),
            (Metric::Recall, hits, cells.positives(), tp + fneg),
            (
                Metric::Specificity,
                cells.true_negative,
                cells.negatives(),
                tn + fp,
            ),
        ] {
            self.push(metric, self.share(hits, of), n);
        }
        let scaled = cells.scaled(self.per_weight);
        for (metric, beta) in [(Metric::F1, 1.0), (Metric::FBeta, self.options.beta)] {
            let value = cells.f_beta(beta);
            let found = value.map(|v| measured(v, scaled.f_beta_interval(beta, confidence)));
            self.push(metric, found, tp + fp + fneg);
        }
        let mcc = cells
            .mcc()
            .map(|v| measured(v, scaled.mcc_interval(confidence)));
        self.push(Metric::Mcc, mcc, n);
        if let Some(costs) = &self.options.cost_matrix {
            let interval = scaled.business_value_interval(costs, confidence);
            let value = cells.business_value(costs);
            self.push(
                Metric::BusinessValue,
                value.map(|v| measured(v, interval)),
                n,
            );
        }
        for (metric, cell) in [
            (Metric::TruePositives, cells.true_positive),
            (Metric::FalsePositives, cells.false_positive),
            (Metric::FalseNegatives, cells.false_negative),
            (Metric::TrueNegatives, cells.true_negative),
        ] {
            let share = self.share(cell, total);
            let amount = share.map(|share| measured(cell, share.interval.map(|p| p * total)));
            self.push(metric, amount, n);
        }
    }

    /// What needs the score.
    fn scores(&mut self, profile: &OutcomeProfile, view: &BinaryOutcomes<'_>, n: u64) {
        let weight = |bin: usize, positive: bool| {
            view.weight(bin, positive, false) + view.weight(bin, positive, true)
        };
        let score_bin = |bin: usize| ScoreBin {
            positives: weight(bin, true),
            negatives: weight(bin, false),
            is_one_value: is_one_value(profile.score_bins(), bin),
        };
        let rows = |bin: usize| {
            let count =
                |positive| view.count(bin, positive, false) + view.count(bin, positive, true);
            (count(false) + count(true)) as f64
        };
        let bins: Vec<ScoreBin> = (0..view.bins()).map(score_bin).collect();
        let rows: Vec<f64> = (0..view.bins()).map(rows).collect();
        let area = roc_auc(&bins, self.per_weight, self.confidence);
        self.push(Metric::RocAuc, area, n);
        let precision = average_precision(&bins, &rows, self.per_weight, self.confidence);
        self.push(Metric::AveragePrecision, precision, n);
        // Scores that are no probabilities have no likelihood.
        let of_all = |moments: Option<LossMoments>| moments.filter(|m| m.n == n);
        let Some(brier) = of_all(view.brier()) else {
            return;
        };
        self.push_loss(Metric::LogLoss, of_all(view.log_loss()), f64::MAX);
        self.push_loss(Metric::Brier, Some(brier), 1.0);
        let of_reference = profile.probability_bins(0);
        let calibration = |(bin, amounts): (usize, &ScoreBin)| CalibrationBin {
            weight: amounts.positives + amounts.negatives,
            positives: amounts.positives,
            score: of_reference.get(bin).map_or(0.0, |b| b.score),
        };
        let calibration: Vec<_> = bins.iter().enumerate().map(calibration).collect();
        let error = calibration_error(&calibration, self.per_weight, self.confidence);
        self.push(Metric::CalibrationError, error, n);
    }
}
