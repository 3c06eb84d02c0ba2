//! Base64 as Go's decoders read it: line breaks anywhere, and bits beyond the last byte may be set.

use base64::{
    Engine as _,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const fn engine(alphabet: &Alphabet, padding: DecodePaddingMode) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(padding);
    GeneralPurpose::new(alphabet, config)
}

const PADDED: GeneralPurpose = engine(&STANDARD, DecodePaddingMode::RequireCanonical);
const BARE: GeneralPurpose = engine(&STANDARD, DecodePaddingMode::RequireNone);
const URL_PADDED: GeneralPurpose = engine(&URL_SAFE, DecodePaddingMode::RequireCanonical);
const URL_BARE: GeneralPurpose = engine(&URL_SAFE, DecodePaddingMode::RequireNone);

/// The standard alphabet, padded.
pub(super) fn standard(text: &[u8]) -> Option<Vec<u8>> {
    decode(&PADDED, text)
}

/// The alphabet of URLs, padded or not, as OPA's `base64url.decode`. It completes the padding by the length of the text with
/// its line breaks, so that a bare text with a line break is refused.
pub(super) fn url(text: &str) -> Option<Vec<u8>> {
    let missing = match (text.ends_with('='), text.len() % 4) {
        (true, _) | (false, 0) => "",
        (false, 2) => "==",
        (false, 3) => "=",
        (false, _) => return None,
    };
    decode(&URL_PADDED, format!("{text}{missing}").as_bytes())
}

/// Whichever of the four spellings the text looks like, as the members of a JSON Web Key are read.
pub(super) fn any(text: &str) -> Option<Vec<u8>> {
    let engine = match (text.ends_with('='), text.contains(['+', '/'])) {
        (true, true) => PADDED,
        (true, false) => URL_PADDED,
        (false, true) => BARE,
        (false, false) => URL_BARE,
    };
    decode(&engine, text.as_bytes())
}

fn decode(engine: &GeneralPurpose, text: &[u8]) -> Option<Vec<u8>> {
    if text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        let joined: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        return engine.decode(joined).ok();
    }
    engine.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_may_be_there_or_not_in_a_url() {
        assert_eq!(url("YQ"), Some(b"a".to_vec()));
        assert_eq!(url("YQ=="), Some(b"a".to_vec()));
        assert_eq!(url(""), Some(Vec::new()));
        for wrong in ["YQ=", "Y", "YQ===", "Y Q", "+/8", "YQ==YQ=="] {
            assert_eq!(url(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn line_breaks_are_skipped_but_count_for_the_padding() {
        assert_eq!(url("YW\nJj\r"), None);
        assert_eq!(url("YW\nJjZ\r\nA=="), Some(b"abcd".to_vec()));
        assert_eq!(standard(b"YW\r\nJj"), Some(b"abc".to_vec()));
    }

    #[test]
    fn bits_beyond_the_last_byte_are_ignored() {
        assert_eq!(url("YR"), Some(b"a".to_vec()));
    }

    #[test]
    fn the_spelling_of_a_key_is_guessed() {
        for spelling in ["--8", "++8", "--8=", "++8="] {
            assert_eq!(any(spelling), Some(vec![0xfb, 0xef]), "{spelling}");
        }
        assert_eq!(any("-+8"), None);
    }
}
