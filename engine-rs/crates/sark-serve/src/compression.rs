//! Bodies packed by gzip, both ways.

use std::io::{Read, Write};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

/// Shortest answer that is packed, as OPA's `server.encoding.gzip.min_length`.
const MIN_BYTES: usize = 1024;

/// Why a body cannot be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unpacking {
    Broken,
    /// It holds more than it may; no more than that was unpacked.
    TooLarge,
}

/// What is packed in `body`, at most `limit` bytes.
pub(crate) fn unpack(body: &[u8], limit: usize) -> Result<Vec<u8>, Unpacking> {
    let mut plain = Vec::new();
    let one_too_many = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body).take(one_too_many).read_to_end(&mut plain).map_err(|_| Unpacking::Broken)?;
    if plain.len() > limit { Err(Unpacking::TooLarge) } else { Ok(plain) }
}

/// `body` packed; None when that is not worth it.
pub(crate) fn pack(body: &[u8]) -> Option<Vec<u8>> {
    if !is_worth_packing(body) {
        return None;
    }
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::best());
    packer.write_all(body).ok()?;
    packer.finish().ok()
}

/// Whether it is long enough.
pub(crate) const fn is_worth_packing(body: &[u8]) -> bool {
    body.len() >= MIN_BYTES
}

/// Whether an Accept-Encoding header lets answers be packed, by OPA's reading.
pub(crate) fn is_accepted(header: &[u8]) -> bool {
    header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|part| part == b"gzip" || part.starts_with(b"gzip;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked_up_to_a_limit() {
        let text = b"0123456789".repeat(1000);
        let packed = pack(&text).unwrap();
        assert!(packed.len() < 200);
        assert_eq!(unpack(&packed, text.len()), Ok(text.clone()));
        assert_eq!(unpack(&packed, text.len() - 1), Err(Unpacking::TooLarge));
    }

    #[test]
    fn a_bomb_is_unpacked_no_further_than_its_limit() {
        let packed = pack(&vec![0; 64 << 20]).unwrap();
        assert!(packed.len() < 100_000);
        assert_eq!(unpack(&packed, 1 << 20), Err(Unpacking::TooLarge));
    }

    #[test]
    fn what_is_not_packed_or_cut_off_is_broken() {
        let packed = pack(&[7; 2000]).unwrap();
        for broken in [&b""[..], b"{}", b"\x1f\x8b", &packed[..packed.len() - 1]] {
            assert_eq!(unpack(broken, 10_000), Err(Unpacking::Broken));
        }
    }

    #[test]
    fn short_answers_are_left_alone_and_so_are_clients_that_cannot_read_them() {
        assert_eq!(pack(&[0; MIN_BYTES - 1]), None);
        for (header, accepted) in
            [("gzip", true), ("br, gzip;q=0.5", true), ("deflate", false), ("", false), ("GZIP", false), ("xgzip", false)]
        {
            assert_eq!(is_accepted(header.as_bytes()), accepted, "{header}");
        }
    }
}
