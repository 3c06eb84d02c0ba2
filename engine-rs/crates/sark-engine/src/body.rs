//! The body of an answer, passed on without being copied.

use std::{fmt, ops::Deref};

use bytes::Bytes;
use triomphe::ThinArc;

/// The bytes of an answer's body. Cloning copies none of them.
#[derive(Clone)]
pub struct Body(Holder);

/// Who holds the bytes.
#[derive(Clone)]
enum Holder {
    Fixed(&'static [u8]),
    Own(Bytes),
    /// The decision cache.
    Kept(ThinArc<(), u8>),
}

impl Body {
    /// A body that is always there.
    pub const fn fixed(bytes: &'static [u8]) -> Self {
        Self(Holder::Fixed(bytes))
    }

    /// A body of the decision cache. It lives on when its entry goes.
    pub(crate) fn lent(kept: &ThinArc<(), u8>) -> Self {
        Self(Holder::Kept(kept.clone()))
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Holder::Fixed(bytes) => bytes,
            Holder::Own(bytes) => bytes,
            Holder::Kept(kept) => &kept.slice,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Holder::Own(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Body {}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_their_bytes_whoever_holds_them() {
        let all = [
            Body::fixed(b"{}\n"),
            b"{}\n".to_vec().into(),
            Bytes::from_static(b"{}\n").into(),
            Body::lent(&ThinArc::from_header_and_slice((), b"{}\n")),
        ];
        for body in &all {
            assert_eq!((&**body, body), (b"{}\n".as_slice(), &all[0]));
            assert_eq!(format!("{body:?}"), r#""{}\n""#);
        }
        assert_ne!(all[0], Body::fixed(b"{}"));
    }
}
