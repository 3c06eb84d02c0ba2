//! The identity of what is served: the same content has the same revision, whatever the files are called.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::{
    document::{Document, data_text, parse_data},
    error::PolicyError,
};

/// Revision of `sources` with the base document `data`: lower-case hex SHA-256 over the sorted SHA-256s of the sources,
/// followed by the SHA-256 of the canonical data (compact, keys sorted, numbers normalised), and by the numbers that the data
/// spells otherwise, if there are any.
pub fn policy_revision<'a>(sources: impl IntoIterator<Item = &'a str>, data: &[u8]) -> Result<String, PolicyError> {
    revision_of(sources, &parse_data(data)?)
}

pub(crate) fn revision_of<'a>(sources: impl IntoIterator<Item = &'a str>, data: &Document) -> Result<String, PolicyError> {
    let mut digests: Vec<_> = sources.into_iter().map(|source| Sha256::digest(source.as_bytes())).collect();
    digests.sort_unstable();
    let canonical = data_text(&data.value)?;
    let mut hasher = Sha256::new();
    for digest in digests {
        hasher.update(digest);
    }
    hasher.update(Sha256::digest(&canonical));
    if !data.spelled.is_empty() {
        hasher.update(data.spelled.text().as_bytes());
    }
    Ok(hasher.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_spacing_and_key_order_do_not_matter_but_content_does() {
        let one = policy_revision(["package a", "package b"], br#"{"x": 1, "y": [1, 2]}"#).unwrap();
        let two = policy_revision(["package b", "package a"], br#"{"y":[1,2],"x":1}"#).unwrap();
        assert_eq!(one, two);
        assert_eq!(one.len(), 64);
        for other in [
            policy_revision(["package a", "package b "], br#"{"x":1,"y":[1,2]}"#),
            policy_revision(["package a", "package b"], br#"{"x":1,"y":[2,1]}"#),
            policy_revision(["package a"], br#"{"x":1,"y":[1,2]}"#),
            policy_revision(["package a", "package b"], br#"{"x":1.0,"y":[1,2]}"#),
        ] {
            assert_ne!(other.unwrap(), one);
        }
    }

    #[test]
    fn data_that_is_no_object_is_refused() {
        assert!(policy_revision(["package a"], b"[]").is_err());
        assert!(policy_revision(["package a"], b"{").is_err());
    }
}
