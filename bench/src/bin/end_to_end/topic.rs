//! The topics of one benchmark: made at the start, filled once, deleted at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use driftline::commands::run::Interrupt;
use driftline_bench::encoding::Encoding;
use driftline_bench::figures::thousands;
use driftline_bench::traffic::{Event, Names, Traffic};
use driftline_kafka::{KafkaOptions, OutRecord, Producer, TopicAdmin, TopicSpec};

use crate::Arguments;

const SEND_WITHIN: Duration = Duration::from_secs(60);
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Deletes its topics when it is dropped.
pub(crate) struct Topics {
    admin: TopicAdmin,
    names: Vec<String>,
    /// The topic of the events, and the prefix of all other names.
    pub(crate) events: String,
}

impl Topics {
    /// Creates the topic of the events.
    pub(crate) fn create(kafka: &KafkaOptions, partitions: u32) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let mut topics = Self {
            admin: TopicAdmin::new(kafka)?,
            names: Vec::new(),
            events: format!("driftline-bench-{:x}", now.as_millis()),
        };
        let spec = TopicSpec {
            name: topics.events.clone(),
            partitions: Some(i32::try_from(partitions)?),
            replication: None,
            config: BTreeMap::new(),
        };
        topics.add(&[spec])?;
        Ok(topics)
    }

    /// Creates further topics.
    pub(crate) fn add(&mut self, specs: &[TopicSpec]) -> Result<()> {
        self.names
            .extend(specs.iter().map(|spec| spec.name.clone()));
        self.admin.ensure(specs).context("creating topics")?;
        Ok(())
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        if let Err(error) = self.admin.delete(&names) {
            eprintln!(
                "these topics could not be deleted: {}: {error}",
                names.join(" ")
            );
        }
    }
}

/// Produces the events, to each partition in turn, and returns their mean size in bytes.
pub(crate) fn fill(
    kafka: &KafkaOptions,
    topics: &Topics,
    names: &Names,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> Result<u64> {
    let mut kafka = kafka.clone();
    // The payload is nearly random: compressing it would only measure lz4.
    kafka
        .properties
        .insert("compression.type".to_owned(), "none".to_owned());
    let producer = Producer::new(&kafka)?;
    let mut traffic = Traffic::new(
        arguments.seed,
        names.models.len(),
        arguments.events_per_second,
    );
    let mut event = Event::default();
    let mut record = OutRecord {
        topic: topics.events.clone(),
        value: Some(Vec::new()),
        ..OutRecord::default()
    };
    let (mut bytes, started) = (0, Instant::now());
    let mut told = started;
    for i in 0..arguments.events {
        let value = record.value.get_or_insert_default();
        traffic.next_into(&mut event);
        Encoding::AvroRecord.encode(names, &event, value);
        bytes += value.len() as u64;
        record.partition = Some((i % u64::from(arguments.partitions)) as i32);
        producer.send(&record, SEND_WITHIN)?;
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            eprintln!(
                "produced {} of {}",
                thousands(i),
                thousands(arguments.events)
            );
        }
        if interrupt.is_set() {
            bail!("interrupted");
        }
    }
    producer.flush(SEND_WITHIN)?;
    eprintln!(
        "produced {} in {:.1} s",
        thousands(arguments.events),
        started.elapsed().as_secs_f64()
    );
    Ok(bytes / arguments.events)
}
