//! Copies what the workers tell about themselves to the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use driftline_kafka::{KafkaOptions, Progress, TopicAdmin, WorkerCounts};
use driftline_telemetry::{Stage, Telemetry};

/// How often lag is measured: a request to each partition's leader.
const EVERY: Duration = Duration::from_secs(5);
/// How soon a stop is noticed.
const NAP: Duration = Duration::from_millis(100);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct Reporter {
    admin: Option<TopicAdmin>,
    telemetry: Telemetry,
    workers: Vec<(Stage, Arc<Progress>, WorkerCounts)>,
}

impl Reporter {
    pub(super) fn new(
        kafka: &KafkaOptions,
        telemetry: Telemetry,
        workers: Vec<(Stage, Arc<Progress>)>,
    ) -> Self {
        let workers = workers
            .into_iter()
            .map(|(s, p)| (s, p, WorkerCounts::default()))
            .collect();
        Self {
            admin: TopicAdmin::new(kafka).ok(),
            telemetry,
            workers,
        }
    }

    pub(super) fn run(mut self, stop: &AtomicBool) {
        let mut due = Instant::now();
        while !stop.load(Ordering::Acquire) {
            if Instant::now() >= due {
                self.report();
                due = Instant::now() + EVERY;
            }
            thread::sleep(NAP);
        }
    }

    fn report(&mut self) {
        for (stage, progress, seen) in &mut self.workers {
            let now = progress.counts();
            self.telemetry
                .rebalances(*stage)
                .add(now.rebalances - seen.rebalances);
            self.telemetry
                .flushes_aborted(*stage)
                .add(now.aborts - seen.aborts);
            *seen = now;
            let Some(admin) = &self.admin else { continue };
            for (source, at) in progress.partitions() {
                let lag = match at.is_at_end {
                    true => Some(0),
                    false => admin
                        .log_end(&source, ANSWER_WITHIN)
                        .ok()
                        .map(|end| end - at.position),
                };
                if let Some(lag) = lag {
                    self.telemetry
                        .set_consumer_lag(&source.topic, source.partition, lag.max(0));
                }
            }
        }
    }
}
