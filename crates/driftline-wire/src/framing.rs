//! How a message names its writer's schema: the registry's framing.

use crate::reject::{Reject, SchemaId};

/// The record header in which newer clients put the id of the value's schema.
pub const VALUE_SCHEMA_ID_HEADER: &str = "__value_schema_id";

const MAGIC_ID: u8 = 0;
const MAGIC_GUID: u8 = 1;

/// The schema id at the front of `bytes`, and where what follows begins.
pub(crate) fn schema_id(bytes: &[u8]) -> Result<(SchemaId, usize), Reject> {
    match *bytes {
        [MAGIC_ID, a, b, c, d, ..] => Ok((SchemaId::Id(u32::from_be_bytes([a, b, c, d])), 5)),
        [MAGIC_GUID, ref rest @ ..] => match rest.first_chunk::<16>() {
            Some(guid) => Ok((SchemaId::Guid(*guid), 17)),
            None => Err(Reject::malformed(
                "the message ends within the GUID of its schema",
            )),
        },
        [MAGIC_ID, ..] => Err(Reject::malformed(
            "the message ends within the id of its schema",
        )),
        [byte, ..] => Err(Reject::malformed(format!(
            "the message begins with byte {byte} where the registry framing has 0 or 1; \
             if it has no framing, set `format: avro_plain` or `format: json`"
        ))),
        [] => Err(Reject::malformed("the schema id is empty")),
    }
}

/// The schema id in a message's headers, which counts before the framing.
#[inline]
pub(crate) fn in_headers<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
) -> Option<&'h [u8]> {
    let mut headers = headers.into_iter();
    headers.find_map(|(name, value)| (name == VALUE_SCHEMA_ID_HEADER).then_some(value))
}

/// The schema id of a message and where its data begins.
pub(crate) fn of_message(
    payload: &[u8],
    header: Option<&[u8]>,
) -> Result<(SchemaId, usize), Reject> {
    match header {
        Some(value) => schema_id(value).map(|(id, _)| (id, 0)),
        None => schema_id(payload),
    }
}

/// The id in the classic framing, if that is what `payload` has.
#[inline]
pub(crate) fn classic(payload: &[u8]) -> Option<u32> {
    match *payload {
        [MAGIC_ID, a, b, c, d, ..] => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}

/// Puts the registry framing before a message.
pub(crate) fn write_id(id: u32, into: &mut Vec<u8>) {
    into.push(MAGIC_ID);
    into.extend_from_slice(&id.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_framings_and_prefers_the_header() {
        assert_eq!(schema_id(&[0, 0, 0, 1, 2, 9]), Ok((SchemaId::Id(258), 5)));
        let mut guid = vec![1];
        guid.extend(0..16);
        let id = SchemaId::Guid(std::array::from_fn(|i| i as u8));
        assert_eq!(schema_id(&guid), Ok((id, 17)));
        assert_eq!(id.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
        let headers = [("x", &b"y"[..]), (VALUE_SCHEMA_ID_HEADER, &guid)];
        let message = [0, 0, 0, 0, 1];
        assert_eq!(of_message(&message, in_headers(headers)), Ok((id, 0)));
        assert_eq!(
            of_message(&message, in_headers([])),
            Ok((SchemaId::Id(1), 5))
        );
        assert_eq!(classic(&message), Some(1));
    }

    #[test]
    fn refuses_what_is_not_framed() {
        for bytes in [&[][..], &[0], &[0, 0, 0, 0], &[1, 0], b"{\"a\":1}"] {
            assert!(
                matches!(schema_id(bytes), Err(Reject::Drop(..))),
                "{bytes:?}"
            );
        }
    }
}
