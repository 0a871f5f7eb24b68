//! A client for /metrics and Prometheus, and a schema registry for one test.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// The body of an answer, or the status line of one that is no 200.
pub fn get(address: &str, path: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // HTTP 1.0: the body ends with the connection, so nothing is chunked.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = ask().map_err(|e| e.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.lines().next().unwrap_or_default();
    match status.contains(" 200 ") {
        true => Ok(body.to_owned()),
        false => Err(format!("{status}\n{body}")),
    }
}

pub fn percent_encoded(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric();
    text.bytes().fold(String::new(), |mut encoded, b| {
        match plain(&b) {
            true => encoded.push(char::from(b)),
            false => encoded.push_str(&format!("%{b:02X}")),
        }
        encoded
    })
}

/// The sum of the samples of `name` that have all of `labels`; none without such a sample.
pub fn sample(exposition: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let of_name = exposition.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    let has = |line: &&str| {
        labels
            .iter()
            .all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
    };
    let values: Vec<f64> = of_name
        .filter(has)
        .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// A schema registry that knows as much of Confluent's API as its Python client asks for.
#[derive(Debug)]
pub struct Registry {
    pub address: String,
    schemas: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Registry {
    pub fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let schemas: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let shared = Arc::clone(&schemas);
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &shared);
            }
        });
        Self { address, schemas }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn schemas(&self) -> usize {
        self.schemas.lock().unwrap().len()
    }
}

/// The first id that is given, so that it is none that a test guesses.
const FIRST_ID: u64 = 4_711;

fn answer(mut stream: TcpStream, schemas: &Mutex<BTreeMap<String, u64>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    let mut length = 0;
    reader.read_line(&mut line).unwrap();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, body) = reply(&line, &body, schemas);
    let text = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    // A client that has gone away is its own affair.
    let _ = stream.write_all((head + &text).as_bytes());
}

fn reply(line: &str, body: &[u8], schemas: &Mutex<BTreeMap<String, u64>>) -> (u16, Value) {
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = target.split('?').next().unwrap_or("");
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let mut schemas = schemas.lock().unwrap();
    match (method, parts.as_slice()) {
        ("POST", ["subjects", subject, ..]) => {
            let asked: Value = serde_json::from_slice(body).unwrap();
            let text = asked["schema"].as_str().unwrap().to_owned();
            let next = FIRST_ID + schemas.len() as u64;
            let id = *schemas.entry(text.clone()).or_insert(next);
            let answer = json!({"subject": subject, "id": id, "version": 1, "schema": text});
            (200, answer)
        }
        ("GET", ["schemas", "ids", id]) => {
            let id: u64 = id.parse().unwrap();
            match schemas.iter().find(|(_, known)| **known == id) {
                Some((text, _)) => (200, json!({"schema": text})),
                None => (
                    404,
                    json!({"error_code": 40403, "message": "Schema not found"}),
                ),
            }
        }
        _ => (404, json!({"error_code": 404, "message": "not here"})),
    }
}
