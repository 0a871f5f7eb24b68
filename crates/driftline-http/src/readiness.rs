//! Whether the process does its work.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A flag with a reason, shared by its clones.
///
/// ```
/// use driftline_http::Readiness;
/// let readiness = Readiness::new("waiting for partitions");
/// assert_eq!(readiness.reason().as_deref(), Some("waiting for partitions"));
/// readiness.ready();
/// assert_eq!(readiness.reason(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Readiness {
    reason: Arc<Mutex<Option<String>>>,
}

impl Readiness {
    /// Not ready, for `reason`.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: Arc::new(Mutex::new(Some(reason.into()))),
        }
    }

    /// Ready from here on.
    pub fn ready(&self) {
        *self.lock() = None;
    }

    /// Not ready any more, for `reason`.
    pub fn not_ready(&self, reason: impl Into<String>) {
        *self.lock() = Some(reason.into());
    }

    /// Why it is not ready; none when it is.
    pub fn reason(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
