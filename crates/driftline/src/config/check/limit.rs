//! Flush, limits, HTTP and workers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use driftline_event::Timestamp;

use super::Checker;
use crate::config::checked::{Flush, Http, Join, Limits, Workers};
use crate::config::raw::{RawFlush, RawHttp, RawJoin, RawLimits, RawWorkers};

const DEFAULT_BIND: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

impl Checker<'_> {
    pub(super) fn flush(&mut self, raw: &RawFlush) -> Flush {
        let interval = Duration::from_secs(5);
        Flush {
            interval: self.span(raw.interval.as_ref(), "flush.interval", interval),
            bytes: self.size(raw.bytes.as_ref(), "flush.bytes", 64 << 20),
        }
    }

    pub(super) fn limits(&mut self, raw: &RawLimits) -> Limits {
        let wire = driftline_wire::Limits::default();
        let (message, text) = (wire.message_bytes_max as u64, wire.string_bytes_max as u64);
        let earliest_time = self.earliest(raw.earliest_time.as_deref(), wire.earliest);
        let count = |given: Option<u32>, default| given.unwrap_or(default);
        let skew = Duration::from_secs(3_600);
        Limits {
            wire: driftline_wire::Limits {
                message_bytes_max: self.size(
                    raw.message_bytes_max.as_ref(),
                    "limits.message_bytes_max",
                    message,
                ) as usize,
                string_bytes_max: self.size(
                    raw.string_bytes_max.as_ref(),
                    "limits.string_bytes_max",
                    text,
                ) as usize,
                features_max: self.within(
                    count(raw.features_max, wire.features_max as u32),
                    "limits.features_max",
                    1,
                    1_000_000,
                ) as usize,
                nesting_max: self.within(
                    count(raw.nesting_max, wire.nesting_max as u32),
                    "limits.nesting_max",
                    1,
                    64,
                ) as usize,
                earliest: earliest_time,
                ..wire
            },
            segments_per_field_max: self.within(
                count(raw.segments_per_field_max, 50),
                "limits.segments_per_field_max",
                1,
                1_000_000,
            ),
            series_per_model_max: self.within(
                count(raw.series_per_model_max, 2_000),
                "limits.series_per_model_max",
                1,
                10_000_000,
            ),
            series_max: self.within(
                count(raw.series_max, 20_000),
                "limits.series_max",
                1,
                10_000_000,
            ),
            future_skew_max: self.span(
                raw.future_skew_max.as_ref(),
                "limits.future_skew_max",
                skew,
            ),
            earliest_time,
            batch_bytes_max: self.size(
                raw.batch_bytes_max.as_ref(),
                "limits.batch_bytes_max",
                900_000,
            ),
        }
    }

    fn earliest(&mut self, text: Option<&str>, default: Timestamp) -> Timestamp {
        let Some(text) = text else { return default };
        text.parse().unwrap_or_else(|_| {
            let message = format!("`{text}` is not a date or time");
            self.error(
                "limits.earliest_time",
                message,
                "write one such as 2020-01-01",
            );
            default
        })
    }

    pub(super) fn http(&mut self, raw: &RawHttp) -> Http {
        let Some(text) = &raw.bind else {
            return Http { bind: DEFAULT_BIND };
        };
        let local = text.replacen("localhost", "127.0.0.1", 1);
        let bind = local.parse().unwrap_or_else(|_| {
            let message = format!("`{text}` is not an address with a port");
            self.error(
                "http.bind",
                message,
                "write one such as 127.0.0.1:9464 or 0.0.0.0:9464",
            );
            DEFAULT_BIND
        });
        Http { bind }
    }

    pub(super) fn workers(&mut self, raw: &RawWorkers) -> Workers {
        let count = |given: Option<u16>| given.unwrap_or(1);
        Workers {
            observe: self.within(count(raw.observe), "workers.observe", 1, 256),
            join: self.within(count(raw.join), "workers.join", 1, 256),
            evaluate: self.within(count(raw.evaluate), "workers.evaluate", 1, 256),
        }
    }

    pub(super) fn join_stage(&mut self, raw: RawJoin) -> Join {
        Join {
            memory: self.size(raw.memory.as_ref(), "join.memory", 256 * 1_048_576),
            directory: raw.directory.map(PathBuf::from),
        }
    }
}
