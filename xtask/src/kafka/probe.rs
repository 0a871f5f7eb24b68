//! Asks a broker for its view of the cluster with one hand-written Metadata request, so that xtask
//! needs no Kafka client.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(1);
const METADATA: i16 = 3;
/// The first version that can ask for no topics without creating any; Kafka 4 still answers it.
const METADATA_VERSION: i16 = 4;
const RESPONSE_BYTES_MAX: usize = 1 << 20;

/// Whether the broker at `port` answers and sees at least `count` brokers.
pub(super) fn sees_brokers(port: u16, count: usize) -> bool {
    brokers_seen(port).is_ok_and(|seen| seen >= count)
}

fn brokers_seen(port: u16) -> io::Result<usize> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(&request())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > RESPONSE_BYTES_MAX {
        return Err(io::Error::other("not a Kafka broker"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    // correlation id, throttle time, then the array of brokers
    let count = body
        .get(8..12)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_be_bytes);
    count
        .and_then(|count| usize::try_from(count).ok())
        .ok_or_else(|| io::Error::other("a short answer"))
}

fn request() -> Vec<u8> {
    const CLIENT: &[u8] = b"xtask";
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(METADATA_VERSION.to_be_bytes());
    body.extend(1_i32.to_be_bytes()); // correlation id
    body.extend((CLIENT.len() as i16).to_be_bytes());
    body.extend(CLIENT);
    body.extend(0_i32.to_be_bytes()); // no topics
    body.push(0); // and create none
    let mut framed = (body.len() as i32).to_be_bytes().to_vec();
    framed.extend(body);
    framed
}
