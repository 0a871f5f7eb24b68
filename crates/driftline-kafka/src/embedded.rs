//! A broker inside this process, for the demo and quick tests.

use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::JoinHandle;

use rdkafka::mocking::MockCluster;

use crate::error::KafkaError;

/// librdkafka's mock cluster, listening on 127.0.0.1, owned by a thread of its own.
///
/// It is a stand-in and no Kafka. It keeps about 5 MB a partition and then drops the oldest records
/// silently; it forgets everything at the end of the process; it has no admin API, no compaction, no
/// security, and delays the first rebalance of a group by 3 s. Above all it **has no transactions**:
/// everything is acknowledged, but aborted records are shown to every reader, positions sent with a
/// transaction are forgotten and nobody is fenced. Use [`Delivery::AtLeastOnce`] on it; nothing about
/// exactly-once can be shown with it.
///
/// [`Delivery::AtLeastOnce`]: crate::Delivery::AtLeastOnce
#[derive(Debug)]
pub struct EmbeddedBroker {
    bootstrap: String,
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Request {
    CreateTopic {
        name: String,
        partitions: i32,
        answer: SyncSender<Result<(), KafkaError>>,
    },
    /// Every broker refuses connections, or takes them again.
    SetDown {
        is_down: bool,
        answer: SyncSender<Result<(), KafkaError>>,
    },
}

impl EmbeddedBroker {
    /// Starts one broker on a free port of the loopback interface.
    ///
    /// # Errors
    /// If librdkafka cannot make it.
    pub fn start() -> Result<Self, KafkaError> {
        let (requests, incoming) = mpsc::channel();
        let (started, start) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("embedded-broker".into())
            .spawn(move || serve(&started, &incoming))?;
        let bootstrap = start.recv().map_err(|_| gone())??;
        Ok(Self {
            bootstrap,
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Its address.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Creates a topic; one that exists is an error.
    ///
    /// # Errors
    /// From the mock cluster.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let name = name.to_owned();
        self.ask(|answer| Request::CreateTopic {
            name,
            partitions,
            answer,
        })
    }

    /// Makes the broker unreachable, or reachable again.
    ///
    /// # Errors
    /// From the mock cluster.
    pub fn set_down(&self, is_down: bool) -> Result<(), KafkaError> {
        self.ask(|answer| Request::SetDown { is_down, answer })
    }

    fn ask(
        &self,
        request: impl FnOnce(SyncSender<Result<(), KafkaError>>) -> Request,
    ) -> Result<(), KafkaError> {
        let (answer, wait) = mpsc::sync_channel(1);
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send(request(answer)).map_err(|_| gone())?;
        wait.recv().map_err(|_| gone())?
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported by then.
            let _ = thread.join();
        }
    }
}

fn gone() -> KafkaError {
    KafkaError::Admin {
        operation: "the embedded broker".into(),
        reason: "its thread has ended".into(),
    }
}

fn serve(started: &SyncSender<Result<String, KafkaError>>, incoming: &Receiver<Request>) {
    let cluster = match MockCluster::new(1) {
        Ok(cluster) => cluster,
        Err(error) => {
            let error = KafkaError::client("starting the embedded broker")(error);
            // If nobody waits any more, nobody needs the answer: so in all sends of this thread.
            let _ = started.send(Err(error));
            return;
        }
    };
    let _ = started.send(Ok(cluster.bootstrap_servers()));
    while let Ok(request) = incoming.recv() {
        match request {
            Request::CreateTopic {
                name,
                partitions,
                answer,
            } => {
                let created =
                    cluster
                        .create_topic(&name, partitions, 1)
                        .map_err(KafkaError::client(
                            "creating a topic in the embedded broker",
                        ));
                let _ = answer.send(created);
            }
            Request::SetDown { is_down, answer } => {
                let changed = if is_down {
                    cluster.broker_down(-1)
                } else {
                    cluster.broker_up(-1)
                };
                let operation = "changing the embedded broker";
                let _ = answer.send(changed.map_err(KafkaError::client(operation)));
            }
        }
    }
}
