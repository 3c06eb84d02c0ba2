//! Bearer tokens that clients must show.

use subtle::{Choice, ConstantTimeEq};

use crate::options::ConfigurationError;

/// Most tokens: one and its successor, for each of a few clients.
const MAX_TOKENS: usize = 64;

/// Tokens, any of which lets a request in.
pub(crate) struct Tokens(Vec<Vec<u8>>);

impl Tokens {
    pub(crate) fn new(tokens: Vec<String>) -> Result<Self, ConfigurationError> {
        if tokens.is_empty() || tokens.len() > MAX_TOKENS {
            return Err(ConfigurationError(format!("there must be 1 to {MAX_TOKENS} tokens, not {}", tokens.len())));
        }
        if tokens.iter().any(|token| token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(ConfigurationError("a token must be printable ASCII without spaces".into()));
        }
        Ok(Self(tokens.into_iter().map(String::into_bytes).collect()))
    }

    /// Whether this Authorization header carries one. The time it takes tells at most how long a token is.
    pub(crate) fn admit(&self, authorization: Option<&[u8]>) -> bool {
        let Some(shown) = authorization.and_then(bearer) else {
            return false;
        };
        let matches = self.0.iter().fold(Choice::from(0), |found, token| found | token.as_slice().ct_eq(shown));
        matches.into()
    }
}

/// The token of a header `Bearer <token>`.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_token_lets_in() {
        let tokens = Tokens::new(vec!["first".into(), "second".into()]).unwrap();
        for header in ["Bearer first", "bearer second", "BEARER  first "] {
            assert!(tokens.admit(Some(header.as_bytes())), "{header}");
        }
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer firs",
            "Bearer firstx",
            "Bearer third",
            "Basic first",
            "first",
            "Bearer first second",
        ] {
            assert!(!tokens.admit(Some(header.as_bytes())), "{header}");
        }
        assert!(!tokens.admit(None));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for wrong in [vec![], vec![String::new()], vec!["a b".into()], vec!["ä".into()], vec!["a".into(); MAX_TOKENS + 1]] {
            assert!(Tokens::new(wrong).is_err());
        }
    }
}
