//! A client for schema registries with Confluent's API.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use ureq::Agent;

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// After a failure the registry is left alone for this long, so that a stream of messages does not cost a
/// time-out each.
const BACKOFF: Duration = Duration::from_secs(1);
/// Ids that do not exist and are remembered at most: ids come from the data.
const NEGATIVE_MAX: usize = 10_000;
const ERROR_TEXT_MAX: usize = 300;

/// How a message names its schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SchemaKey {
    /// A registry's number, as in the classic five-byte framing.
    Id(u32),
    /// A globally unique id, as in the header framing: hexadecimal digits and dashes.
    Guid(String),
}

impl fmt::Display for SchemaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "schema id {id}"),
            Self::Guid(guid) => write!(f, "schema guid {guid}"),
        }
    }
}

/// Who the client says it is. `Debug` shows no secret.
#[derive(Clone)]
pub enum RegistryCredentials {
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Bearer(String),
}

impl fmt::Debug for RegistryCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user, .. } => write!(f, "Basic({user}, ***)"),
            Self::Bearer(_) => write!(f, "Bearer(***)"),
        }
    }
}

/// How to reach a registry.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// The address, `http://host:port[/path]`; `https` needs the cargo feature `tls`.
    pub url: String,
    /// Who to be.
    pub credentials: Option<RegistryCredentials>,
    /// For one whole request.
    pub timeout: Duration,
    /// How long an id that does not exist is not asked for again.
    pub negative_ttl: Duration,
    /// The largest schema that is taken.
    pub schema_bytes_max: usize,
}

impl RegistryOptions {
    /// Usual settings: 2 s a request, 30 s for an unknown id, schemas up to 1 MB.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
            timeout: Duration::from_secs(2),
            negative_ttl: Duration::from_secs(30),
            schema_bytes_max: 1_000_000,
        }
    }
}

/// Why there is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry does not know it.
    #[error("the registry has no {0}")]
    Unknown(SchemaKey),
    /// No answer, or an error of the server's own: ask again later.
    #[error("the schema registry is unavailable: {0}")]
    Unavailable(String),
    /// The registry will not answer us, or not this.
    #[error("the schema registry refused with status {status}: {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// A schema beyond the limit.
    #[error("{key} is larger than {limit} bytes")]
    TooLarge {
        /// Which.
        key: SchemaKey,
        /// The limit.
        limit: usize,
    },
    /// A kind of schema that is not read.
    #[error("{key}: {reason}")]
    Unsupported {
        /// Which.
        key: SchemaKey,
        /// What it is.
        reason: String,
    },
    /// An answer that is not of the API.
    #[error("the schema registry's answer cannot be read: {0}")]
    Malformed(String),
    /// Options that cannot work.
    #[error("schema registry: {0}")]
    Options(String),
}

impl RegistryError {
    /// Whether the same question may be answered later, so that the message should wait.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Refused { status, .. } => *status == 429 || *status == 401 || *status == 403,
            _ => false,
        }
    }
}

#[derive(Debug, Default)]
struct Cache {
    /// For ever: a registry never changes what an id means.
    known: BTreeMap<SchemaKey, Arc<str>>,
    /// What failed for good, and until when that is believed.
    failed: BTreeMap<SchemaKey, (Instant, RegistryError)>,
    /// Not to be asked before then, and why.
    down: Option<(Instant, RegistryError)>,
}

/// Fetches and registers schemas. Cheap to share behind an `Arc`; calls block.
pub struct RegistryClient {
    options: RegistryOptions,
    base: String,
    agent: Agent,
    authorization: Option<String>,
    cache: Mutex<Cache>,
}

impl fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryClient")
            .field("url", &self.base)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct SchemaAnswer {
    schema: String,
    #[serde(default, rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Serialize)]
struct RegisterRequest<'a> {
    schema: &'a str,
    #[serde(rename = "schemaType")]
    schema_type: &'a str,
}

#[derive(Deserialize)]
struct RegisterAnswer {
    id: u32,
}

impl RegistryClient {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// [`RegistryError::Options`] on an address that cannot work.
    pub fn new(options: RegistryOptions) -> Result<Self, RegistryError> {
        let base = options.url.trim_end_matches('/').to_owned();
        let is_tls = base.starts_with("https://");
        if !is_tls && !base.starts_with("http://") {
            return Err(RegistryError::Options(
                "the url must begin with http:// or https://".into(),
            ));
        }
        if is_tls && !cfg!(feature = "tls") {
            return Err(RegistryError::Options(
                "this build has no TLS (cargo feature `tls`)".into(),
            ));
        }
        if base
            .split('/')
            .nth(2)
            .is_some_and(|authority| authority.contains('@'))
        {
            return Err(RegistryError::Options(
                "credentials do not belong into the url".into(),
            ));
        }
        let agent = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            // A redirect could carry the credentials elsewhere.
            .max_redirects(0)
            .user_agent("driftline")
            .build()
            .into();
        let authorization = options
            .credentials
            .as_ref()
            .map(|credentials| match credentials {
                RegistryCredentials::Basic { user, password } => {
                    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
                }
                RegistryCredentials::Bearer(token) => format!("Bearer {token}"),
            });
        Ok(Self {
            options,
            base,
            agent,
            authorization,
            cache: Mutex::default(),
        })
    }

    /// The text of an Avro schema, from the cache or the registry.
    ///
    /// # Errors
    /// See [`RegistryError`]. Failures other than temporary ones are remembered for `negative_ttl`.
    pub fn schema(&self, key: &SchemaKey) -> Result<Arc<str>, RegistryError> {
        if let Some(answer) = self.cached(key) {
            return answer;
        }
        let fetched = self.fetch(key);
        let mut cache = self.lock();
        match &fetched {
            Ok(schema) => {
                cache.known.insert(key.clone(), Arc::clone(schema));
                cache.down = None;
            }
            Err(error) if error.is_temporary() => {
                cache.down = Some((Instant::now() + BACKOFF, error.clone()));
            }
            Err(error) => {
                let now = Instant::now();
                if cache.failed.len() >= NEGATIVE_MAX {
                    cache.failed.retain(|_, (until, _)| *until > now);
                }
                if cache.failed.len() < NEGATIVE_MAX {
                    let until = now + self.options.negative_ttl;
                    cache.failed.insert(key.clone(), (until, error.clone()));
                }
            }
        }
        fetched
    }

    /// Registers an Avro schema under a subject, or finds it there, and returns its id.
    ///
    /// # Errors
    /// See [`RegistryError`]; an incompatible schema is refused with status 409.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let url = format!(
            "{}/subjects/{}/versions",
            self.base,
            percent_encode(subject)
        );
        let body = serde_json::to_vec(&RegisterRequest {
            schema,
            schema_type: "AVRO",
        })
        .map_err(|error| RegistryError::Malformed(error.to_string()))?;
        let mut request = self.agent.post(&url).header("Content-Type", CONTENT_TYPE);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let (status, body) = self.answer(request.send(&body[..]))?;
        match status {
            200..=299 => serde_json::from_slice::<RegisterAnswer>(&body)
                .map(|answer| answer.id)
                .map_err(|error| RegistryError::Malformed(error.to_string())),
            _ => Err(refusal(status, &body)),
        }
    }

    fn cached(&self, key: &SchemaKey) -> Option<Result<Arc<str>, RegistryError>> {
        let mut cache = self.lock();
        if let Some(schema) = cache.known.get(key) {
            return Some(Ok(Arc::clone(schema)));
        }
        let now = Instant::now();
        match cache.failed.get(key) {
            Some((until, error)) if *until > now => return Some(Err(error.clone())),
            Some(_) => {
                cache.failed.remove(key);
            }
            None => {}
        }
        cache
            .down
            .as_ref()
            .filter(|(until, _)| *until > now)
            .map(|(_, error)| Err(error.clone()))
    }

    fn fetch(&self, key: &SchemaKey) -> Result<Arc<str>, RegistryError> {
        let url = match key {
            SchemaKey::Id(id) => format!("{}/schemas/ids/{id}", self.base),
            SchemaKey::Guid(guid) => {
                if guid.is_empty() || !guid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
                    return Err(RegistryError::Unknown(key.clone()));
                }
                format!("{}/schemas/guids/{guid}", self.base)
            }
        };
        let mut request = self.agent.get(&url).header("Accept", CONTENT_TYPE);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let limit = self.options.schema_bytes_max;
        let too_large = || RegistryError::TooLarge {
            key: key.clone(),
            limit,
        };
        let (status, body) = match self.answer(request.call()) {
            Err(RegistryError::TooLarge { .. }) => return Err(too_large()),
            other => other?,
        };
        match status {
            200..=299 => {}
            404 => return Err(RegistryError::Unknown(key.clone())),
            _ => return Err(refusal(status, &body)),
        }
        let answer: SchemaAnswer = serde_json::from_slice(&body)
            .map_err(|error| RegistryError::Malformed(error.to_string()))?;
        let unsupported = |reason: String| RegistryError::Unsupported {
            key: key.clone(),
            reason,
        };
        if let Some(other) = answer.schema_type.filter(|kind| kind != "AVRO") {
            return Err(unsupported(format!(
                "it is a {other} schema, and only AVRO is read"
            )));
        }
        if answer
            .references
            .is_some_and(|references| !references.is_empty())
        {
            let reason = "it refers to other schemas, which is not supported: register it whole";
            return Err(unsupported(reason.into()));
        }
        if answer.schema.len() > limit {
            return Err(too_large());
        }
        Ok(answer.schema.into())
    }

    /// Status and body, the body bounded: the schema is a JSON string in it, and escaping may double it.
    fn answer(
        &self,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(u16, Vec<u8>), RegistryError> {
        let unavailable = |error: ureq::Error| RegistryError::Unavailable(error.to_string());
        let mut response = result.map_err(unavailable)?;
        let limit = self
            .options
            .schema_bytes_max
            .saturating_mul(2)
            .saturating_add(4_096);
        let read = response
            .body_mut()
            .with_config()
            .limit(limit as u64)
            .read_to_vec();
        let body = read.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => RegistryError::TooLarge {
                key: SchemaKey::Id(0),
                limit,
            },
            other => unavailable(other),
        })?;
        Ok((response.status().as_u16(), body))
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(status: u16, body: &[u8]) -> RegistryError {
    let text = String::from_utf8_lossy(body);
    let reason: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(ERROR_TEXT_MAX)
        .collect();
    match status {
        500..=599 => RegistryError::Unavailable(format!("status {status}: {reason}")),
        _ => RegistryError::Refused { status, reason },
    }
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for index in 0..4 {
            let digit = (bits >> (18 - 6 * index)) & 63;
            let is_padding = index > chunk.len();
            text.push(if is_padding {
                '='
            } else {
                char::from(ALPHABET[digit as usize])
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, encoded) in cases {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn subjects_are_escaped() {
        assert_eq!(percent_encode("a/b c-value"), "a%2Fb%20c-value");
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut options = RegistryOptions::new("http://127.0.0.1:1");
        options.credentials = Some(RegistryCredentials::Basic {
            user: "u".into(),
            password: "hunter2".into(),
        });
        let text = format!("{options:?}");
        assert!(!text.contains("hunter2"));
        let client = RegistryClient::new(options).expect("valid options");
        assert!(!format!("{client:?}").contains("hunter2"));
        assert!(RegistryClient::new(RegistryOptions::new("http://u:hunter2@h")).is_err());
    }
}
