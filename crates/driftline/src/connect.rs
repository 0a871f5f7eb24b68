//! From the configuration to clients' options: the one place where secrets are fetched.

use driftline_kafka::{KafkaOptions, RegistryCredentials, RegistryOptions};

use crate::config::{Config, RegistryAuth, SaslMechanism, SecretSource};
use crate::exit::Failure;

/// How to reach the brokers, secrets included.
///
/// # Errors
/// When a secret is not where the configuration says, or this build cannot do what it asks for.
pub fn kafka_options(config: &Config) -> Result<KafkaOptions, Failure> {
    let client_id = format!("{}-{}", config.app, config.instance);
    let mut options = KafkaOptions::new(config.kafka.brokers.clone(), client_id);
    options.properties.clone_from(&config.kafka.properties);
    let mut set = |name: &str, value: String| options.properties.insert(name.to_owned(), value);
    let path = |path: &std::path::Path| config.directory.join(path).display().to_string();
    if let Some(sasl) = &config.kafka.sasl {
        let mechanism = match sasl.mechanism {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        if sasl.mechanism != SaslMechanism::Plain {
            needs_tls_build("SASL SCRAM")?;
        }
        set("sasl.mechanism", mechanism.into());
        set("sasl.username", sasl.username.clone());
        set("sasl.password", fetch(config, &sasl.password)?);
    }
    if let Some(tls) = &config.kafka.tls {
        needs_tls_build("TLS to the brokers")?;
        for (name, file) in [
            ("ssl.ca.location", &tls.ca_file),
            ("ssl.certificate.location", &tls.certificate_file),
            ("ssl.key.location", &tls.key_file),
        ] {
            if let Some(file) = file {
                set(name, path(file));
            }
        }
        if let Some(password) = &tls.key_password {
            set("ssl.key.password", fetch(config, password)?);
        }
    }
    let protocol = match (&config.kafka.sasl, &config.kafka.tls) {
        (None, None) => None,
        (Some(_), None) => Some("SASL_PLAINTEXT"),
        (None, Some(_)) => Some("SSL"),
        (Some(_), Some(_)) => Some("SASL_SSL"),
    };
    if let Some(protocol) = protocol {
        set("security.protocol", protocol.into());
    }
    Ok(options)
}

/// How to reach the registry, if there is one.
///
/// # Errors
/// When a secret is not where the configuration says, or this build has no TLS and the address needs it.
pub fn registry_options(config: &Config) -> Result<Option<RegistryOptions>, Failure> {
    let Some(registry) = &config.registry else {
        return Ok(None);
    };
    if registry.url.starts_with("https://") {
        needs_tls_build("https to the registry")?;
    }
    let mut options = RegistryOptions::new(registry.url.clone());
    options.timeout = registry.timeout;
    options.credentials = match &registry.auth {
        RegistryAuth::None => None,
        RegistryAuth::Basic { username, password } => Some(RegistryCredentials::Basic {
            user: username.clone(),
            password: fetch(config, password)?,
        }),
        RegistryAuth::Token(token) => Some(RegistryCredentials::Bearer(fetch(config, token)?)),
    };
    Ok(Some(options))
}

fn fetch(config: &Config, secret: &SecretSource) -> Result<String, Failure> {
    let secret = secret.fetch(&config.directory).map_err(Failure::config)?;
    Ok(secret.reveal().to_owned())
}

fn needs_tls_build(what: &str) -> Result<(), Failure> {
    if cfg!(feature = "tls") {
        return Ok(());
    }
    let message = format!("{what} is not part of this build");
    Err(Failure::config(message).hint("build with `cargo build --release --features tls`"))
}
