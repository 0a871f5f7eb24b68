//! Where partitions begin, and where they end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::topic_partition_list::TopicPartitionListElem;

use super::*;

const POSITIONS_RETRY: Duration = Duration::from_millis(200);
/// A partition whose last offsets are transaction markers is at its end when nothing came for so long.
const QUIET_AT_END: Duration = Duration::from_secs(1);
const END_QUERY_TIMEOUT: Duration = Duration::from_secs(1);

impl<S: Stage> Session<S> {
    /// Takes partitions over: positions, the stage's wish, and only then the client's assignment, whose
    /// list carries the offsets (a seek right after an assignment fails).
    pub(super) fn assign(&mut self, sources: Vec<SourcePartition>) -> Result<(), KafkaError> {
        if !self.output.is_open() && !self.output.open(None)? {
            // Stopping: the consumer is closed next, which gives everything back.
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(sources.len());
        if !sources.is_empty() {
            let Some(assignments) = self.positions(&sources)? else {
                return Ok(());
            };
            let mut wishes = self.stage.assigned(&assignments).into_iter();
            for assignment in assignments {
                let wish = wishes.next().unwrap_or_default();
                let source = assignment.source;
                let (offset, position) = match wish {
                    StartAt::Committed => {
                        (Offset::Offset(assignment.position), assignment.position)
                    }
                    StartAt::Offset(offset) => (Offset::Offset(offset), offset),
                    StartAt::Beginning => (Offset::Beginning, 0),
                };
                list.add_partition_offset(&source.topic, source.partition, offset)
                    .map_err(KafkaError::client("setting a start offset"))?;
                self.owned.retain(|owned| owned.source != source);
                self.owned.push(Owned {
                    source,
                    position,
                    is_at_end: false,
                    maybe_at_end: None,
                    resume_at: None,
                });
            }
            // Positions that a policy chose are not in the group yet; the next flush puts them there.
            self.is_dirty = true;
        }
        self.consumer
            .incremental_assign(&list)
            .map_err(KafkaError::client("taking partitions over"))
    }

    /// Asks until there is an answer, for an outage is no reason to end; `None` if stopped meanwhile.
    fn positions(
        &self,
        sources: &[SourcePartition],
    ) -> Result<Option<Vec<Assignment>>, KafkaError> {
        let mut warned: Option<Instant> = None;
        while !self.stop.load(Ordering::Acquire) {
            let error = match self.try_positions(sources) {
                Ok(assignments) => return Ok(Some(assignments)),
                Err(error) => error,
            };
            if let Some(
                RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::TopicAuthorizationFailed,
            ) = error.rdkafka_error_code()
            {
                return Err(KafkaError::Client {
                    operation: "reading the positions",
                    source: error,
                });
            }
            if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                warn!(%error, "cannot read the group's positions; trying again");
                warned = Some(Instant::now());
            }
            std::thread::sleep(POSITIONS_RETRY);
        }
        Ok(None)
    }

    fn try_positions(&self, sources: &[SourcePartition]) -> Result<Vec<Assignment>, ClientError> {
        let committed = self
            .consumer
            .committed_offsets(partition_list(sources.iter()), QUERY_TIMEOUT)?;
        let mut assignments = Vec::with_capacity(sources.len());
        for source in sources {
            let element = committed
                .find_partition(&source.topic, source.partition)
                .ok_or(ClientError::OffsetFetch(RDKafkaErrorCode::UnknownPartition))?;
            element.error()?;
            let (position, is_committed) = match element.offset() {
                Offset::Offset(position) => (position, true),
                _ => (self.first_position(source)?, false),
            };
            assignments.push(Assignment {
                source: source.clone(),
                position,
                is_committed,
                metadata: if is_committed {
                    metadata(&element)
                } else {
                    None
                },
            });
        }
        Ok(assignments)
    }

    /// Where to begin in a partition that the group has no position for.
    fn first_position(&self, source: &SourcePartition) -> Result<i64, ClientError> {
        let (low, high) =
            self.consumer
                .fetch_watermarks(&source.topic, source.partition, QUERY_TIMEOUT)?;
        match self.options.start {
            StartPolicy::Earliest => Ok(low),
            StartPolicy::Latest if self.knows_topic(&source.topic)? => Ok(low),
            StartPolicy::Latest => Ok(high),
        }
    }

    /// Whether the group has a position in any partition of a topic: then a partition without one is new,
    /// and all of it is still to be read.
    fn knows_topic(&self, topic: &str) -> Result<bool, ClientError> {
        let metadata = self.consumer.fetch_metadata(Some(topic), QUERY_TIMEOUT)?;
        let mut list = TopicPartitionList::new();
        for partition in metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions())
        {
            list.add_partition(topic, partition.id());
        }
        let committed = self.consumer.committed_offsets(list, QUERY_TIMEOUT)?;
        Ok(committed
            .elements()
            .iter()
            .any(|e| matches!(e.offset(), Offset::Offset(_))))
    }

    /// rust-rdkafka tells the number of the partition but not its topic.
    pub(super) fn partition_end(&mut self, partition: i32) {
        let now = Instant::now();
        let mut candidates: Vec<&mut Owned> = self
            .owned
            .iter_mut()
            .filter(|owned| owned.source.partition == partition)
            .collect();
        if let [only] = candidates.as_mut_slice() {
            only.is_at_end = true;
            self.is_dirty = true;
            self.stage.end_of_partition(&only.source);
            return;
        }
        for candidate in candidates {
            candidate.maybe_at_end.get_or_insert(now);
        }
    }

    /// Settles which of several partitions of one number have come to their end, by asking for the ends.
    pub(super) fn settle_ends(&mut self) {
        let now = Instant::now();
        for owned in &mut self.owned {
            let Some(since) = owned.maybe_at_end else {
                continue;
            };
            let source = &owned.source;
            // An unreachable leader is not the end of a log.
            let Ok((_, high)) =
                self.consumer
                    .fetch_watermarks(&source.topic, source.partition, END_QUERY_TIMEOUT)
            else {
                continue;
            };
            // Transaction markers are never delivered, so the position may stay below the end.
            if owned.position >= high || now.duration_since(since) >= QUIET_AT_END {
                owned.maybe_at_end = None;
                owned.is_at_end = true;
                self.is_dirty = true;
                self.stage.end_of_partition(source);
            }
        }
    }
}

/// rust-rdkafka panics on metadata that is not UTF-8; then it was not us who committed it.
fn metadata(element: &TopicPartitionListElem<'_>) -> Option<String> {
    let read = AssertUnwindSafe(|| element.metadata().to_owned());
    catch_unwind(read).ok().filter(|text| !text.is_empty())
}
