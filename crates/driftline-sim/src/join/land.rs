//! From the topics to the outcomes partitions.

use std::collections::BTreeMap;

use driftline_engine::{
    LabelEvent, LabelForwarder, LabelForwarderOptions, LabelValue, ModelSet, Observer,
    ObserverOptions, SourceHandle, outcomes_partition, prediction_id,
};
use driftline_event::{LayoutId, Row, SourcePartition, Value};

use super::schedule::{JoinEvent, JoinSchedule};
use crate::Rng;

/// The rank of fronts in schedules: they are short.
pub(super) const RANK: usize = 2;

/// What a committed flush brought to one partition of the outcomes topic.
#[derive(Clone, Debug)]
pub struct LandedBatch {
    /// The records.
    pub batches: Vec<Vec<u8>>,
    /// What is in them, in order.
    pub events: Vec<JoinEvent>,
    /// The flush.
    pub flush: Landed,
}

/// A committed flush: how far each partition of its topic was read then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// Whether it is of the labels.
    pub of_labels: bool,
    /// The next offset of each partition, and whether it has ended.
    pub positions: Vec<(usize, bool)>,
}

/// One partition of the outcomes topic.
pub type JoinLog = Vec<LandedBatch>;

/// Records with their partitions, and positions with their metadata.
type Flushed = (Vec<(u32, Vec<u8>)>, Vec<(SourcePartition, i64, String)>);

/// One of the two forwarders.
enum Worker {
    Predictions(Box<Observer>),
    Labels(Box<LabelForwarder>),
}

impl Worker {
    fn assign(&mut self, partition: SourcePartition, at: Option<&(i64, String)>) -> SourceHandle {
        let (position, metadata) = at.map_or((0, None), |(p, m)| (*p, Some(m.as_str())));
        match self {
            Self::Predictions(o) => o.assign(partition, position, metadata),
            Self::Labels(l) => l.assign(partition, position, metadata),
        }
    }

    fn observe(&mut self, handle: SourceHandle, offset: i64, event: &JoinEvent, row: &mut Row) {
        match (self, event) {
            (Self::Predictions(observer), JoinEvent::Prediction(p)) => {
                row.clear();
                row.start(LayoutId(p.layout), 1, 1);
                row.set_time(p.at);
                let id = row.push_text(&p.id);
                row.set_id(id);
                row.set_value(0, Value::Double(p.score));
                if let Some(region) = p.region {
                    let region = row.push_text(region);
                    row.set_segment(0, region);
                }
                let seen = observer.observe(handle, offset, None, row);
                seen.expect("every prediction counts");
            }
            (Self::Labels(forwarder), JoinEvent::Label(l)) => {
                let label = LabelEvent {
                    id: &l.id,
                    model: l.scope.0,
                    version: l.scope.1,
                    observed_at: l.at,
                    value: match l.value {
                        Ok(number) => LabelValue::Number(number),
                        Err(text) => LabelValue::Text(text),
                    },
                    weight: l.weight,
                    revision: l.revision,
                };
                // Those outside the sample are not forwarded.
                let _ = forwarder.observe(handle, offset, None, &label);
            }
            _ => unreachable!("each topic has its own kind"),
        }
    }

    fn finish(&mut self, handle: SourceHandle) {
        match self {
            Self::Predictions(o) => o.finish(handle),
            Self::Labels(l) => l.finish(handle),
        }
    }

    fn flush(&mut self) -> Flushed {
        let (outcomes, positions, violations) = match self {
            Self::Predictions(o) => {
                let flush = o.flush();
                (flush.outcomes, flush.positions, flush.violations)
            }
            Self::Labels(l) => {
                let flush = l.flush();
                (flush.outcomes, flush.positions, flush.violations)
            }
        };
        assert_eq!(violations, [], "a forwarder never violates anything");
        (outcomes, positions)
    }
}

fn worker(models: &ModelSet, of_labels: bool, sources: usize, partitions: u32) -> Worker {
    if of_labels {
        let options = LabelForwarderOptions {
            outcomes_partitions: partitions,
            watermark_rank: RANK,
            batch_bytes_max: 300,
            ..LabelForwarderOptions::default()
        };
        let mut forwarder = LabelForwarder::new(models, options);
        forwarder.announce_topic("labels", sources as u32);
        Worker::Labels(Box::new(forwarder))
    } else {
        let options = ObserverOptions {
            outcomes_partitions: partitions,
            watermark_rank: RANK,
            batch_bytes_max: 300,
            ..ObserverOptions::default()
        };
        let mut observer = Observer::new(models, options);
        observer.announce_topic("predictions", sources as u32);
        Worker::Predictions(Box::new(observer))
    }
}

/// Reads one topic to its end; some flushes fail, and what they held is read again.
fn land_topic(
    models: &ModelSet,
    topic: &[Vec<JoinEvent>],
    of_labels: bool,
    partitions: u32,
    crash: f64,
    rng: &mut Rng,
) -> Vec<Vec<LandedBatch>> {
    let mut committed: BTreeMap<SourcePartition, (i64, String)> = BTreeMap::new();
    let name = |partition: usize| SourcePartition {
        topic: if of_labels { "labels" } else { "predictions" }.to_owned(),
        partition: partition as i32,
    };
    let mut flushes = Vec::new();
    let mut row = Row::default();
    loop {
        let mut worker = worker(models, of_labels, topic.len(), partitions);
        let handles: Vec<SourceHandle> = (0..topic.len())
            .map(|p| worker.assign(name(p), committed.get(&name(p))))
            .collect();
        let start = |p: usize| committed.get(&name(p)).map_or(0, |(at, _)| *at as usize);
        let mut next: Vec<usize> = (0..topic.len()).map(start).collect();
        let mut events: Vec<JoinEvent> = Vec::new();
        loop {
            let unread: Vec<usize> = (0..topic.len())
                .filter(|p| next[*p] < topic[*p].len())
                .collect();
            let has_ended = unread.is_empty();
            if has_ended {
                handles.iter().for_each(|handle| worker.finish(*handle));
            } else {
                let p = unread[rng.below(unread.len() as u64) as usize];
                worker.observe(handles[p], next[p] as i64, &topic[p][next[p]], &mut row);
                events.push(topic[p][next[p]].clone());
                next[p] += 1;
            }
            if !has_ended && rng.below(12) > 0 {
                continue;
            }
            if rng.chance(crash) {
                break;
            }
            let (outcomes, positions) = worker.flush();
            for (source, position, metadata) in positions {
                committed.insert(source, (position, metadata));
            }
            let flush = Landed {
                of_labels,
                positions: next.iter().map(|at| (*at, has_ended)).collect(),
            };
            flushes.push(by_partition(outcomes, &events, &flush, partitions));
            events.clear();
            if has_ended {
                return flushes;
            }
        }
    }
}

fn by_partition(
    outcomes: Vec<(u32, Vec<u8>)>,
    events: &[JoinEvent],
    flush: &Landed,
    partitions: u32,
) -> Vec<LandedBatch> {
    let landed = |partition: u32| LandedBatch {
        batches: outcomes
            .iter()
            .filter(|(p, _)| *p == partition)
            .map(|(_, batch)| batch.clone())
            .collect(),
        events: events
            .iter()
            .filter(|e| outcomes_partition(prediction_id(e.id()), partitions) == partition)
            .cloned()
            .collect(),
        flush: flush.clone(),
    };
    (0..partitions).map(landed).collect()
}

/// The logs of all partitions of the outcomes topic. In each the flushes of the two topics mix in another way; `crash` is
/// the probability that a flush fails.
pub fn land(
    schedule: &JoinSchedule,
    models: &ModelSet,
    partitions: u32,
    crash: f64,
    seed: u64,
) -> Vec<JoinLog> {
    let mut rng = Rng::new(seed);
    let (of_predictions, of_labels) = (&schedule.predictions, &schedule.labels);
    let predictions = land_topic(models, of_predictions, false, partitions, crash, &mut rng);
    let labels = land_topic(models, of_labels, true, partitions, crash, &mut rng);
    (0..partitions as usize)
        .map(|partition| {
            let (mut p, mut l) = (predictions.iter(), labels.iter());
            let mut log = Vec::new();
            loop {
                let left = (p.len() as u64, l.len() as u64);
                let next = if rng.below(left.0 + left.1) < left.0 {
                    p.next()
                } else {
                    l.next()
                };
                match next {
                    Some(flush) => log.push(flush[partition].clone()),
                    None => break,
                }
            }
            log
        })
        .collect()
}
