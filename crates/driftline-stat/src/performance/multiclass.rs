//! Metrics of several classes, and of rankings, from their outcomes.

use driftline_event::Metric;
use driftline_sketch::{OutcomeProfile, OutcomeSummary, RankingOutcomes};

use super::classes::{Averaging, ClassConfusion, ClassMetric};
use super::collect::{Metrics, measured};
use super::mean::mean_gain;

impl Metrics<'_> {
    pub(super) fn multiclass(&mut self, profile: &OutcomeProfile, summary: &OutcomeSummary) {
        let Some(view) = summary.multiclass() else {
            return;
        };
        // A label that the reference does not know and a decision that it does not know are two more classes: whether
        // they are of the same name nobody can tell any more, and they count as an error.
        let known = view.classes();
        let cells = view.confusion().map(|(truth, said, _, weight)| {
            let said = if said == known { known + 1 } else { said };
            (truth, said, weight)
        });
        let matrix = ClassConfusion::new(known + 2, cells);
        let (n, per_weight) = (summary.judged(), self.per_weight);
        let accuracy = self.share(matrix.right(), matrix.total());
        self.push(Metric::Accuracy, accuracy, n);
        for (metric, of_class, averaging) in [
            (Metric::Precision, ClassMetric::Precision, Averaging::Macro),
            (Metric::Recall, ClassMetric::Recall, Averaging::Macro),
            (Metric::F1, ClassMetric::F1, Averaging::Macro),
            (
                Metric::WeightedPrecision,
                ClassMetric::Precision,
                Averaging::Weighted,
            ),
            (
                Metric::WeightedRecall,
                ClassMetric::Recall,
                Averaging::Weighted,
            ),
            (Metric::WeightedF1, ClassMetric::F1, Averaging::Weighted),
        ] {
            let average = matrix.average(of_class, averaging, per_weight, self.confidence);
            self.push(metric, average, n);
        }
        self.push(Metric::Mcc, matrix.mcc(per_weight, self.confidence), n);
        let (ranked, of) = view.ranked();
        let hits: f64 = (0..self.options.top_k).map(|k| view.rank_weight(k)).sum();
        self.push(Metric::TopK, self.share(hits, of), ranked);
        let log_loss = view.log_loss();
        self.push_loss(Metric::LogLoss, log_loss, f64::MAX);
        let counts = view.confusion().map(|(truth, said, n, _)| (truth, said, n));
        let (mut labels, mut decided) = (vec![0; known + 1], vec![0; known + 1]);
        let mut hits = vec![0; known + 1];
        for (truth, said, n) in counts {
            labels[truth] += n;
            decided[said] += n;
            hits[truth] += if truth == said { n } else { 0 };
        }
        for (class, name) in profile.classes().iter().enumerate().take(known) {
            let counts = [labels[class], decided[class], hits[class]];
            self.class(&matrix, class, name, counts);
        }
    }

    /// One class against the rest; `counts` are its labels, its predictions and those of them that are right.
    fn class(&mut self, matrix: &ClassConfusion, class: usize, name: &str, counts: [u64; 3]) {
        let [labels, decided, hits] = counts;
        let (cells, name) = (matrix.class(class), Some(name));
        let precision = self.share(cells.true_positive, cells.predicted());
        self.push_class(Metric::Precision, name, precision, decided);
        let recall = self.share(cells.true_positive, cells.positives());
        self.push_class(Metric::Recall, name, recall, labels);
        let scaled = cells.scaled(self.per_weight);
        let interval = scaled.f_beta_interval(1.0, self.confidence);
        let f1 = cells.f1().map(|value| measured(value, interval));
        self.push_class(Metric::F1, name, f1, labels + decided - hits);
    }

    pub(super) fn ranking(&mut self, summary: &OutcomeSummary) {
        let Some(view) = summary.ranking() else {
            return;
        };
        let (n, k) = (summary.judged(), self.options.ndcg_k);
        // The wanted item is the only relevant one, so the ideal order has it first, and the ideal gain is 1.
        let gains = |gain: fn(f64) -> f64, k: usize| {
            let listed = (0..RankingOutcomes::RANKS).map(move |rank| {
                let value = if rank < k { gain(rank as f64) } else { 0.0 };
                (value, view.rank_weight(rank))
            });
            listed.chain([(0.0, view.miss_weight())])
        };
        let discounted = gains(|rank| 1.0 / libm::log2(rank + 2.0), k);
        let ndcg = mean_gain(discounted, self.per_weight, self.confidence);
        self.push(Metric::Ndcg, ndcg, n);
        let reciprocal = gains(|rank| 1.0 / (rank + 1.0), RankingOutcomes::RANKS);
        let mrr = mean_gain(reciprocal, self.per_weight, self.confidence);
        self.push(Metric::Mrr, mrr, n);
        let hits: f64 = (0..k).map(|rank| view.rank_weight(rank)).sum();
        let of: f64 = gains(|_| 1.0, RankingOutcomes::RANKS)
            .map(|gain| gain.1)
            .sum();
        self.push(Metric::HitRate, self.share(hits, of), n);
    }
}
