//! Bodies packed by gzip, both ways.

use std::io::{Read, Write};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};

/// Shortest answer that is packed, as OPA's `server.encoding.gzip.min_length`.
const MIN_BYTES: usize = 1024;
/// Longest answer that is packed: this is done where the next answers wait.
const MAX_BYTES: usize = 1 << 20;
/// Longest answer that is packed as well as can be, as OPA does; that takes ten times as long.
const BEST_BYTES: usize = 8 << 10;
/// Members of a packed body. Each costs something, also an empty one, of which a megabyte has fifty thousand.
const MAX_MEMBERS: usize = 16;

/// Why a body cannot be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unpacking {
    Broken,
    /// It holds more than it may; no more than that was unpacked.
    TooLarge,
    /// It has more members than are unpacked.
    TooMany,
}

/// What is packed in `body`, at most `limit` bytes.
pub(crate) fn unpack(body: &[u8], limit: usize) -> Result<Vec<u8>, Unpacking> {
    let mut plain = Vec::new();
    let mut rest = body;
    for _ in 0..MAX_MEMBERS {
        let mut member = GzDecoder::new(rest);
        let room = u64::try_from(limit.saturating_sub(plain.len())).unwrap_or(u64::MAX);
        member.by_ref().take(room.saturating_add(1)).read_to_end(&mut plain).map_err(|_| Unpacking::Broken)?;
        if plain.len() > limit {
            return Err(Unpacking::TooLarge);
        }
        rest = member.into_inner();
        if rest.is_empty() {
            return Ok(plain);
        }
    }
    Err(Unpacking::TooMany)
}

/// `body` packed; None when that is not worth it.
pub(crate) fn pack(body: &[u8]) -> Option<Vec<u8>> {
    if !is_worth_packing(body) {
        return None;
    }
    let level = if body.len() > BEST_BYTES { Compression::fast() } else { Compression::best() };
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 4), level);
    packer.write_all(body).ok()?;
    packer.finish().ok()
}

/// Whether it is long enough, and not too long.
pub(crate) const fn is_worth_packing(body: &[u8]) -> bool {
    MIN_BYTES <= body.len() && body.len() <= MAX_BYTES
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
        assert!(packed.len() < 200, "{}", packed.len());
        assert_eq!(unpack(&packed, text.len()), Ok(text.clone()));
        assert_eq!(unpack(&packed, text.len() - 1), Err(Unpacking::TooLarge));
    }

    #[test]
    fn a_bomb_is_unpacked_no_further_than_its_limit() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&vec![0; 64 << 20]).unwrap();
        let body = packer.finish().unwrap();
        assert!(body.len() < 100_000);
        assert_eq!(unpack(&body, 1 << 20), Err(Unpacking::TooLarge));
    }

    #[test]
    fn some_members_are_unpacked_and_not_any_number() {
        let member = pack(&[b'x'; MIN_BYTES]).unwrap();
        assert_eq!(unpack(&member.repeat(MAX_MEMBERS), 1 << 20), Ok(vec![b'x'; MIN_BYTES * MAX_MEMBERS]));
        assert_eq!(unpack(&member.repeat(2), MIN_BYTES + 1), Err(Unpacking::TooLarge));
        assert_eq!(unpack(&member.repeat(MAX_MEMBERS + 1), 1 << 20), Err(Unpacking::TooMany));
        assert_eq!(unpack(&[&member[..], b"{}"].concat(), 1 << 20), Err(Unpacking::Broken));
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
        assert_eq!(pack(&vec![0; MAX_BYTES + 1]), None);
        assert!(pack(&vec![0; MAX_BYTES]).is_some());
        for (header, accepted) in
            [("gzip", true), ("br, gzip;q=0.5", true), ("deflate", false), ("", false), ("GZIP", false), ("xgzip", false)]
        {
            assert_eq!(is_accepted(header.as_bytes()), accepted, "{header}");
        }
    }
}
