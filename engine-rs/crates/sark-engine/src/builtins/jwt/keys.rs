//! The keys that a text holds: a PEM certificate or public key, a JSON Web Key, or a set of them.

use std::sync::{Arc, LazyLock};

use quick_cache::sync::Cache;

use super::{
    super::{BuiltinError, Circumstances},
    certificate, jwk,
    key::{Key, Scheme},
};

/// Parsed texts are kept, as in OPA: a policy verifies many tokens with the same few sets.
const KEPT_TEXTS: usize = 100;
/// Longer texts are parsed every time, so that what is kept is bounded.
const MAX_KEPT_BYTES: usize = 64 << 10;

static KEPT: LazyLock<Cache<String, Arc<[VerificationKey]>>> = LazyLock::new(|| Cache::new(KEPT_TEXTS));

#[derive(Debug)]
pub(super) struct VerificationKey {
    /// Empty unless the key names the algorithm it is for.
    pub alg: String,
    /// Empty unless the key has a name.
    pub kid: String,
    pub key: Key,
    /// Whether the text held the private part too.
    pub is_private: bool,
}

pub(super) fn read(text: &str, circumstances: &Circumstances) -> Result<Arc<[VerificationKey]>, BuiltinError> {
    if let Some(keys) = KEPT.get(text) {
        return Ok(keys);
    }
    let keys: Arc<[VerificationKey]> = match certificate::pem_key(text) {
        Some(key) => [VerificationKey { alg: String::new(), kid: String::new(), key: key?, is_private: false }].into(),
        None => jwk::read(text, circumstances)?.into(),
    };
    if text.len() <= MAX_KEPT_BYTES {
        KEPT.insert(text.to_owned(), Arc::clone(&keys));
    }
    Ok(keys)
}

/// Whether one of `keys` verifies the signature of a token with these header fields. A key with the token's `kid` decides
/// alone; otherwise every key counts that names no algorithm or the token's.
pub(super) fn one_verifies(
    keys: &[VerificationKey],
    kid: &str,
    alg: &str,
    circumstances: &Circumstances,
    verifies: impl Fn(&VerificationKey) -> bool,
) -> Result<bool, BuiltinError> {
    if let Some(named) = keys.iter().find(|key| !kid.is_empty() && key.kid == kid) {
        return Ok(verifies(named));
    }
    for key in keys.iter().filter(|key| key.alg.is_empty() || key.alg == alg) {
        circumstances.long_work()?;
        if verifies(key) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl VerificationKey {
    /// Whether the public part verifies.
    pub(super) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        self.key.verifies(scheme, message, signature)
    }
}
