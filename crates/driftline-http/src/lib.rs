//! Metrics, health, status and a first page over HTTP.
//!
//! [`serve`] runs on a thread and a runtime of its own, so a slow reader never touches the pipeline.
//! Everything is read-only; nothing is loaded from another host; what comes from data is escaped.
//!
//! | Path | What |
//! | --- | --- |
//! | `/` | the page |
//! | `/metrics` | Prometheus text format |
//! | `/healthz` | 200 while the process serves |
//! | `/readyz` | 200 once [`Readiness`] says so, else 503 with the reason |
//! | `/api/v1/status` | models, states, performance, active and recent alerts |
//! | `/api/v1/reports?model=&version=&segment=&feature=&window=` | the newest report of every series and window |
//! | `/api/v1/performance?model=&version=&segment=&window=` | what labels say of the newest windows |
//!
//! Guarantees: bounded connections, header sizes, header time, handling time and connection life.
//! Not guaranteed: authentication and encryption. Bind to loopback (the default) or put a proxy before it.
#![deny(missing_docs)]

mod html;
mod page;
mod readiness;
mod routes;
mod server;
mod status;

pub use readiness::Readiness;
pub use server::{HttpOptions, ServeError, Server, serve};
