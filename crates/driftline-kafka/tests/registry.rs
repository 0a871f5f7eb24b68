//! The registry client against a server that speaks just enough HTTP.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use driftline_kafka::{
    RegistryClient, RegistryCredentials, RegistryError, RegistryOptions, SchemaKey,
};

#[derive(Clone, Debug)]
struct Request {
    line: String,
    authorization: Option<String>,
    body: String,
}

/// Answers each request by what `respond` says; `None` never answers.
struct Stub {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    fn start(respond: fn(&str) -> Option<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut unanswered = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                let response = respond(&request.line);
                log.lock().unwrap().push(request);
                match response {
                    Some((status, body)) => write(&mut stream, status, &body),
                    None => unanswered.push(stream),
                }
            }
        });
        Self { url, requests }
    }

    fn client(&self) -> RegistryClient {
        RegistryClient::new(self.options()).unwrap()
    }

    fn options(&self) -> RegistryOptions {
        let mut options = RegistryOptions::new(&self.url);
        options.timeout = Duration::from_millis(500);
        options
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let (mut authorization, mut length) = (None, 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Request {
        line,
        authorization,
        body: String::from_utf8(body).unwrap(),
    }
}

fn write(stream: &mut TcpStream, status: u16, body: &str) {
    let length = body.len();
    // The client hangs up on a body beyond its limit: that is what one test is about.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

fn ok(body: &str) -> Option<(u16, String)> {
    Some((200, body.to_owned()))
}

#[test]
fn a_schema_is_fetched_once() {
    let stub = Stub::start(|line| match line.split(' ').nth(1) {
        Some("/schemas/ids/7") => ok(r#"{"schema":"\"string\""}"#),
        Some("/schemas/guids/0a-1B") => ok(r#"{"schema":"\"long\"","schemaType":"AVRO"}"#),
        _ => Some((404, String::new())),
    });
    let client = stub.client();
    for _ in 0..3 {
        assert_eq!(&*client.schema(&SchemaKey::Id(7)).unwrap(), "\"string\"");
        assert_eq!(
            &*client.schema(&SchemaKey::Guid("0a-1B".into())).unwrap(),
            "\"long\""
        );
    }
    assert_eq!(stub.count(), 2);
    let hostile = SchemaKey::Guid("../../subjects".into());
    assert_eq!(
        client.schema(&hostile),
        Err(RegistryError::Unknown(hostile))
    );
    assert_eq!(stub.count(), 2, "nothing hostile reaches the path");
}

#[test]
fn an_unknown_id_is_asked_for_again_only_after_a_while() {
    let stub = Stub::start(|_| Some((404, r#"{"error_code":40403}"#.into())));
    let mut options = stub.options();
    options.negative_ttl = Duration::from_millis(300);
    let client = RegistryClient::new(options).unwrap();
    let key = SchemaKey::Id(9);
    for _ in 0..3 {
        let error = client.schema(&key).unwrap_err();
        assert!(error == RegistryError::Unknown(key.clone()) && !error.is_temporary());
    }
    assert_eq!(stub.count(), 1);
    let deadline = Instant::now() + Duration::from_secs(5);
    while stub.count() < 2 {
        assert!(Instant::now() < deadline);
        let _ = client.schema(&key);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn silence_and_server_errors_are_temporary_and_not_hammered() {
    for stub in [
        Stub::start(|_| None),
        Stub::start(|_| Some((503, "down\n".into()))),
    ] {
        let client = stub.client();
        let started = Instant::now();
        for id in 0..20 {
            let error = client.schema(&SchemaKey::Id(id)).unwrap_err();
            assert!(error.is_temporary(), "{error}");
        }
        assert!(
            started.elapsed() < Duration::from_millis(900),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(stub.count(), 1);
    }
    let nobody = RegistryClient::new(RegistryOptions::new("http://127.0.0.1:9")).unwrap();
    assert!(nobody.schema(&SchemaKey::Id(1)).unwrap_err().is_temporary());
}

#[test]
fn what_is_not_supported_says_so() {
    let stub = Stub::start(|line| match line.split(' ').nth(1) {
        Some("/schemas/ids/1") => ok(r#"{"schema":"x","references":[{"name":"a"}]}"#),
        Some("/schemas/ids/2") => ok(r#"{"schema":"x","schemaType":"PROTOBUF"}"#),
        Some("/schemas/ids/3") => ok(&format!(r#"{{"schema":"{}"}}"#, "x".repeat(1_000))),
        Some("/schemas/ids/4") => ok(&format!(r#"{{"schema":"{}"}}"#, "x".repeat(100_000))),
        _ => ok("<html>"),
    });
    let mut options = stub.options();
    options.schema_bytes_max = 900;
    let client = RegistryClient::new(options).unwrap();
    let error = |id| client.schema(&SchemaKey::Id(id)).unwrap_err();
    assert!(error(1).to_string().contains("refers to other schemas"));
    assert!(error(2).to_string().contains("PROTOBUF"));
    for id in [3, 4] {
        let limit = 900;
        assert_eq!(
            error(id),
            RegistryError::TooLarge {
                key: SchemaKey::Id(id),
                limit
            }
        );
    }
    assert!(matches!(error(5), RegistryError::Malformed(_)));
}

#[test]
fn a_schema_is_registered_with_credentials() {
    let stub =
        Stub::start(
            |line| match line.starts_with("POST /subjects/flights%2Fa-value/versions ") {
                true => ok(r#"{"id":12}"#),
                false => Some((409, r#"{"message":"incompatible"}"#.into())),
            },
        );
    let mut options = stub.options();
    options.credentials = Some(RegistryCredentials::Basic {
        user: "Aladdin".into(),
        password: "open sesame".into(),
    });
    let client = RegistryClient::new(options).unwrap();
    assert_eq!(
        client.register("flights/a-value", "\"string\"").unwrap(),
        12
    );
    let request = stub.requests.lock().unwrap()[0].clone();
    assert_eq!(
        request.authorization.as_deref(),
        Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    );
    assert_eq!(
        request.body,
        r#"{"schema":"\"string\"","schemaType":"AVRO"}"#
    );

    let mut options = stub.options();
    options.credentials = Some(RegistryCredentials::Bearer("t0ken".into()));
    let client = RegistryClient::new(options).unwrap();
    let error = client.register("other", "\"string\"").unwrap_err();
    assert!(
        matches!(error, RegistryError::Refused { status: 409, .. }),
        "{error}"
    );
    let request = stub.requests.lock().unwrap()[1].clone();
    assert_eq!(request.authorization.as_deref(), Some("Bearer t0ken"));
}
