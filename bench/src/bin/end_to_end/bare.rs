//! The bare consumer: Driftline's settings, and nothing done with the messages.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use driftline_kafka::KafkaOptions;
use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;

use crate::measure::Reader;

/// As Driftline's worker: how long to wait for a message, and how many to take between two looks around.
const POLL_WAIT: Duration = Duration::from_millis(100);
const BATCH_MAX: u64 = 512;

/// A thread with a consumer.
pub(crate) struct Bare {
    read: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), KafkaError>>,
}

impl Bare {
    pub(crate) fn start(kafka: &KafkaOptions, topic: &str, group: &str) -> Result<Self> {
        let mut config = ClientConfig::new();
        for (name, value) in kafka.consumer_properties()? {
            config.set(name, value);
        }
        config.set("group.id", group);
        // Driftline's worker looks positions up itself; this one has none and begins at the oldest record.
        config.set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create()?;
        consumer.subscribe(&[topic])?;
        let (read, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let shared = (Arc::clone(&read), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("bare".to_owned())
            .spawn(move || consume(&consumer, &shared.0, &shared.1))?;
        Ok(Self { read, stop, thread })
    }
}

fn consume(consumer: &BaseConsumer, read: &AtomicU64, stop: &AtomicBool) -> Result<(), KafkaError> {
    while !stop.load(Ordering::Acquire) {
        let (mut wait, mut taken) = (POLL_WAIT, 0);
        for _ in 0..BATCH_MAX {
            let Some(polled) = consumer.poll(wait) else {
                break;
            };
            wait = Duration::ZERO;
            match polled {
                Ok(message) => {
                    black_box(message.payload());
                    taken += 1;
                }
                Err(KafkaError::PartitionEOF(_)) => {}
                Err(error) => return Err(error),
            }
        }
        read.fetch_add(taken, Ordering::Relaxed);
    }
    Ok(())
}

impl Reader for Bare {
    fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn is_done(&mut self) -> bool {
        true
    }

    fn failed(&self) -> bool {
        self.thread.is_finished()
    }

    fn close(self) -> Result<()> {
        self.stop.store(true, Ordering::Release);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the consumer's thread panicked"))??;
        Ok(())
    }
}
