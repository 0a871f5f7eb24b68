//! The states of all rules of one series.

use driftline_detect::{
    ALL_COLUMNS, AlertMachine, PValueMachine, Phase, QuorumMachine, QuorumSubject, Tested,
    TestedColumn,
};
use driftline_event::{ColumnRole, SeriesKey, Statistic, Timestamp};

use crate::evaluate::Description;
use crate::judge::Judge;
use crate::output::Output;
use crate::spec::ModelSpec;

/// Which rules held for which columns of a closed window: threshold rules first, then those on p-values.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    columns: usize,
    /// By rule, column; none where the rule could not judge.
    holds: Vec<Option<bool>>,
}

impl Held {
    pub(crate) fn new(spec: &ModelSpec) -> Self {
        let columns = spec.profile.columns.len();
        let rules = match spec.quorum_rules.len() {
            0 => 0,
            _ => spec.rules.len() + spec.p_value_rules.len(),
        };
        Self {
            columns,
            holds: vec![None; rules * columns],
        }
    }

    pub(crate) fn say(&mut self, rule: usize, column: usize, holds: Option<bool>) {
        if let Some(place) = self.holds.get_mut(rule * self.columns + column) {
            *place = holds;
        }
    }

    fn of(&self, rule: usize) -> &[Option<bool>] {
        let first = rule * self.columns;
        self.holds.get(first..first + self.columns).unwrap_or(&[])
    }
}

/// The alert machines of one series.
#[derive(Clone, Debug)]
pub(crate) struct RuleStates {
    /// By column, window, rule.
    thresholds: Vec<AlertMachine>,
    /// By window, rule.
    p_values: Vec<PValueMachine>,
    /// By window, rule.
    quorums: Vec<QuorumMachine>,
}

impl RuleStates {
    pub(crate) fn new(spec: &ModelSpec) -> Self {
        let (columns, windows) = (spec.profile.columns.len(), spec.windows.len());
        let thresholds = columns * windows * spec.rules.len();
        Self {
            thresholds: vec![AlertMachine::default(); thresholds],
            p_values: vec![PValueMachine::default(); windows * spec.p_value_rules.len()],
            quorums: vec![QuorumMachine::default(); windows * spec.quorum_rules.len()],
        }
    }

    /// Whether nothing would be lost with them at event time `at`. What an online correction has come to is not
    /// counted: a series that begins anew has its own sequence of tests.
    pub(crate) fn is_idle(&self, spec: &ModelSpec, at: Timestamp) -> bool {
        let columns = spec.profile.columns.len();
        let quiet = |m: &PValueMachine| (0..columns).all(|c| m.phase(c) == Phase::Inactive);
        self.thresholds.iter().all(|machine| machine.is_idle(at))
            && self.p_values.iter().all(quiet)
            && self.quorums.iter().all(|machine| machine.is_idle(at))
    }

    /// The machines of the threshold rules of one column and window.
    pub(crate) fn machines(
        &mut self,
        spec: &ModelSpec,
        column: usize,
        window: usize,
    ) -> &mut [AlertMachine] {
        let per_column = spec.windows.len() * spec.rules.len();
        let first = column * per_column + window * spec.rules.len();
        &mut self.thresholds[first..first + spec.rules.len()]
    }

    /// Where the alerts on p-values of one column and window stand.
    pub(crate) fn p_value_phases(
        &self,
        spec: &ModelSpec,
        column: usize,
        window: usize,
    ) -> impl Iterator<Item = Phase> {
        let rules = spec.p_value_rules.len();
        let machines = self.p_values.iter().skip(window * rules).take(rules);
        machines.map(move |machine| machine.phase(column))
    }

    /// Lets every rule on p-values look at all columns together; by rule, column.
    pub(crate) fn test(
        &mut self,
        judge: &Judge<'_>,
        described: &[Description],
    ) -> Vec<Vec<Tested>> {
        let (spec, span) = (&judge.model.spec, judge.close.span);
        let first = judge.close.window * spec.p_value_rules.len();
        let mut all = Vec::with_capacity(spec.p_value_rules.len());
        for (i, rule) in spec.p_value_rules.iter().enumerate() {
            let columns: Vec<TestedColumn> = described
                .iter()
                .zip(judge.keys)
                .map(|(described, key)| {
                    let found = described
                        .statistics
                        .iter()
                        .find(|s| s.statistic == rule.test);
                    let looks = judge.may_look() && rule.applies_to(&span.name, &key.feature);
                    TestedColumn {
                        p_value: found.and_then(|s| s.p_value).filter(|_| looks),
                        n: described.valid,
                    }
                })
                .collect();
            all.push(self.p_values[first + i].step(rule, span.end, &columns));
        }
        all
    }

    /// Lets every quorum count the columns of the window, and puts out what follows.
    pub(crate) fn count(&mut self, judge: &Judge<'_>, held: &Held, out: &mut Vec<Output>) {
        let (spec, span) = (&judge.model.spec, judge.close.span);
        let first = judge.close.window * spec.quorum_rules.len();
        for (i, rule) in spec.quorum_rules.iter().enumerate() {
            let Some((counted, statistic)) = rule_named(spec, &rule.rule) else {
                continue;
            };
            if !rule.applies_to(&span.name) {
                continue;
            }
            let columns = judge.keys.iter().zip(held.of(counted));
            let ballot = rule.count(columns.map(|(key, holds)| (key.feature.as_str(), *holds)));
            let Some(transition) = self.quorums[first + i].step(rule, span.end, &ballot) else {
                continue;
            };
            let series = SeriesKey {
                feature: ALL_COLUMNS.to_owned(),
                role: ColumnRole::Feature,
                ..judge.keys[0].clone()
            };
            let subject = QuorumSubject {
                series: &series,
                rule,
                window: span,
                reference: judge.reference,
                statistic,
                ballot: &ballot,
            };
            out.push(Output::Alert(subject.event(transition)));
        }
    }
}

/// The number of a threshold rule, or of one on p-values after those, with what it looks at.
pub(crate) fn rule_named(spec: &ModelSpec, name: &str) -> Option<(usize, Statistic)> {
    let thresholds = spec.rules.iter().map(|r| (&r.name, r.statistic));
    let p_values = spec.p_value_rules.iter().map(|r| (&r.name, r.test));
    let mut all = thresholds.chain(p_values).enumerate();
    all.find(|(_, (of, _))| *of == name)
        .map(|(i, (_, statistic))| (i, statistic))
}
