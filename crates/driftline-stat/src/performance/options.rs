//! The parameters of metrics that have one.

use thiserror::Error;

use crate::estimate::CostMatrix;

/// Best classes that summaries keep of a prediction.
const TOP_K_MAX: usize = 5;
/// Items that summaries keep of a ranking.
const RANKING_K_MAX: usize = 10;

/// What metrics have to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct PerformanceOptions {
    /// β of `f_beta`: how many times more recall counts than precision. Above 0, default 2.
    pub beta: f64,
    /// What each cell of a two-class confusion matrix is worth, for `business_value`. Default: none, and no such metric.
    pub cost_matrix: Option<CostMatrix>,
    /// k of `top_k`: 1 to 5, default 3.
    pub top_k: usize,
    /// The quantile that `quantile_loss` takes predictions for: between 0 and 1, default 0.9.
    pub quantile: f64,
    /// k of `ndcg` and `hit_rate`: 1 to 10, default 10.
    pub ndcg_k: usize,
    /// Confidence of the intervals: between 0 and 1, default 0.95.
    pub confidence: f64,
}

impl Default for PerformanceOptions {
    fn default() -> Self {
        Self {
            beta: 2.0,
            cost_matrix: None,
            top_k: 3,
            quantile: 0.9,
            ndcg_k: RANKING_K_MAX,
            confidence: 0.95,
        }
    }
}

/// A parameter that no metric is defined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OptionsProblem {
    /// β.
    #[error("beta must be above 0 and at most 1000")]
    Beta,
    /// The costs.
    #[error("what a prediction is worth must be a number between -1e12 and 1e12")]
    Costs,
    /// k of the classes.
    #[error("top_k must be 1 to {TOP_K_MAX}")]
    TopK,
    /// The quantile.
    #[error("quantile must be above 0 and below 1")]
    Quantile,
    /// k of the ranking.
    #[error("k of a ranking must be 1 to {RANKING_K_MAX}")]
    NdcgK,
    /// The confidence.
    #[error("confidence must be at least 0.5 and at most 0.999999")]
    Confidence,
}

impl PerformanceOptions {
    /// The first parameter that is out of its range.
    pub fn check(&self) -> Result<(), OptionsProblem> {
        let costs = self.cost_matrix.map_or([0.0; 4], |c| {
            [
                c.true_negative,
                c.false_positive,
                c.false_negative,
                c.true_positive,
            ]
        });
        let rules = [
            (
                self.beta > 0.0 && self.beta <= 1_000.0,
                OptionsProblem::Beta,
            ),
            (costs.iter().all(|c| c.abs() <= 1e12), OptionsProblem::Costs),
            ((1..=TOP_K_MAX).contains(&self.top_k), OptionsProblem::TopK),
            (
                self.quantile > 0.0 && self.quantile < 1.0,
                OptionsProblem::Quantile,
            ),
            (
                (1..=RANKING_K_MAX).contains(&self.ndcg_k),
                OptionsProblem::NdcgK,
            ),
            (
                (0.5..=0.999_999).contains(&self.confidence),
                OptionsProblem::Confidence,
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, problem)) => Err(problem),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_the_rest_is_named() {
        assert_eq!(PerformanceOptions::default().check(), Ok(()));
        let wrong = PerformanceOptions {
            beta: f64::NAN,
            ..PerformanceOptions::default()
        };
        assert_eq!(wrong.check(), Err(OptionsProblem::Beta));
        let wrong = PerformanceOptions {
            top_k: 6,
            ..PerformanceOptions::default()
        };
        assert_eq!(
            wrong.check().unwrap_err().to_string(),
            "top_k must be 1 to 5"
        );
        let wrong = PerformanceOptions {
            cost_matrix: Some(CostMatrix::from_rows([[0.0, f64::INFINITY], [0.0, 0.0]])),
            ..PerformanceOptions::default()
        };
        assert_eq!(wrong.check(), Err(OptionsProblem::Costs));
    }
}
