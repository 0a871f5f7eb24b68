//! The listening thread and its bounds.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use driftline_telemetry::Telemetry;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use crate::{Readiness, routes};

/// Where to listen and how much to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// The address to listen on; port 0 takes any free one.
    pub bind: SocketAddr,
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Bytes of a request's line and headers.
    pub request_head_bytes_max: usize,
    /// Bytes of a request's body. No path takes one; more than this is refused unread.
    pub request_body_bytes_max: u64,
    /// Time to send a request's head, and the time a connection may idle.
    pub head_timeout: Duration,
    /// Time to answer.
    pub handler_timeout: Duration,
    /// The life of a connection, after which it ends with the current answer.
    pub connection_life_max: Duration,
    /// Time that open connections get at shutdown and after the end of their life.
    pub grace: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)),
            connections_max: 128,
            request_head_bytes_max: 16 * 1_024,
            request_body_bytes_max: 16 * 1_024,
            head_timeout: Duration::from_secs(30),
            handler_timeout: Duration::from_secs(10),
            connection_life_max: Duration::from_secs(300),
            grace: Duration::from_secs(5),
        }
    }
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {bind}: {source}")]
    Bind {
        /// The address that was asked for.
        bind: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The thread or its runtime could not be made.
    #[error("cannot start the HTTP thread: {0}")]
    Thread(std::io::Error),
}

/// A running server. Dropping it shuts it down.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// The address it listens on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops listening, lets open answers end within the grace time, and waits for that.
    pub fn shutdown(mut self) {
        self.stop_and_wait();
    }

    fn stop_and_wait(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the HTTP thread panicked");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_and_wait();
    }
}

/// Serves `telemetry` on a thread of its own until the [`Server`] is shut down or dropped.
///
/// # Errors
/// When the address cannot be bound or the thread cannot be started.
pub fn serve(
    options: HttpOptions,
    telemetry: Telemetry,
    readiness: Readiness,
) -> Result<Server, ServeError> {
    let bind = options.bind;
    let at_bind = |source| ServeError::Bind { bind, source };
    let listener = std::net::TcpListener::bind(bind).map_err(at_bind)?;
    listener.set_nonblocking(true).map_err(at_bind)?;
    let local_addr = listener.local_addr().map_err(at_bind)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .thread_name("driftline-http")
        .enable_all()
        .build()
        .map_err(ServeError::Thread)?;
    let listener = {
        let _guard = runtime.enter();
        TcpListener::from_std(listener).map_err(at_bind)?
    };
    let (stop, stopped) = watch::channel(false);
    let router = routes::router(&options, telemetry, readiness);
    let grace = options.grace;
    let thread = std::thread::Builder::new()
        .name("driftline-http".to_owned())
        .spawn(move || {
            runtime.block_on(accept(listener, router, options, stopped));
            runtime.shutdown_timeout(grace);
        })
        .map_err(ServeError::Thread)?;
    Ok(Server {
        local_addr,
        stop,
        thread: Some(thread),
    })
}

async fn accept(
    listener: TcpListener,
    router: Router,
    options: HttpOptions,
    mut stopped: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(options.connections_max));
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = next(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                tokio::spawn(connection(
                    stream,
                    permit,
                    router.clone(),
                    options.clone(),
                    stopped.clone(),
                ));
            }
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to be closed.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let all = u32::try_from(options.connections_max).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(options.grace, slots.acquire_many(all)).await;
}

async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    Ok((listener.accept().await?.0, permit))
}

async fn connection(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    router: Router,
    options: HttpOptions,
    mut stopped: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(
        router.map_request(|request: hyper::Request<hyper::body::Incoming>| request.map(Body::new)),
    );
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .max_buf_size(options.request_head_bytes_max.max(8 * 1_024))
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(options.connection_life_max) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(options.grace, connection).await;
    drop(permit);
}
