//! Digests of a string's bytes and message authentication codes, as lower-case hexadecimal.

use hmac::Hmac;
use md5::Md5;
use regorus::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::{BuiltinError, Circumstances, OwnBuiltin, operands::string};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "crypto.md5", arity: 1, call: digest::<Md5> },
    OwnBuiltin { name: "crypto.sha1", arity: 1, call: digest::<Sha1> },
    OwnBuiltin { name: "crypto.sha256", arity: 1, call: digest::<Sha256> },
    OwnBuiltin { name: "crypto.hmac.equal", arity: 2, call: equal },
    OwnBuiltin { name: "crypto.hmac.md5", arity: 2, call: code::<Hmac<Md5>> },
    OwnBuiltin { name: "crypto.hmac.sha1", arity: 2, call: code::<Hmac<Sha1>> },
    OwnBuiltin { name: "crypto.hmac.sha256", arity: 2, call: code::<Hmac<Sha256>> },
    OwnBuiltin { name: "crypto.hmac.sha512", arity: 2, call: code::<Hmac<Sha512>> },
];

fn digest<D: Digest>(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(Value::from(hexadecimal(&D::digest(string(operands, 0)?))))
}

/// Of the message, the first operand, with the key, the second.
fn code<M: hmac::Mac + hmac::KeyInit>(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let message = string(operands, 0)?;
    let key = string(operands, 1)?;
    let mut code = <M as hmac::KeyInit>::new_from_slice(key.as_bytes())
        .map_err(|_| BuiltinError("the key has a length that the code cannot use".into()))?;
    code.update(message.as_bytes());
    Ok(Value::from(hexadecimal(&code.finalize().into_bytes())))
}

/// In a time that does not tell where two codes differ.
fn equal(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (left, right) = (string(operands, 0)?, string(operands, 1)?);
    Ok(Value::from(bool::from(left.as_bytes().ct_eq(right.as_bytes()))))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, json};
    use super::*;

    fn texts(operands: &[&str]) -> Vec<Value> {
        operands.iter().map(|operand| Value::from(*operand)).collect()
    }

    #[test]
    fn digests_are_those_of_the_published_vectors() {
        for (name, message, digest) in [
            ("crypto.md5", "", "d41d8cd98f00b204e9800998ecf8427e"),
            ("crypto.md5", "message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("crypto.sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("crypto.sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            assert_eq!(called(name, &texts(&[message])), Ok(Value::from(digest)), "{name} of {message}");
        }
    }

    #[test]
    fn codes_are_those_of_the_published_vectors() {
        let (message, key) = ("what do ya want for nothing?", "Jefe");
        for (name, code) in [
            ("crypto.hmac.md5", "750c783e6ab0b503eaa86e310a5db738"),
            ("crypto.hmac.sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            ("crypto.hmac.sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                "crypto.hmac.sha512",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            assert_eq!(called(name, &texts(&[message, key])), Ok(Value::from(code)), "{name}");
        }
    }

    #[test]
    fn codes_are_equal_only_byte_for_byte() {
        for (left, right, are_equal) in [("ab", "ab", true), ("ab", "aB", false), ("ab", "abc", false), ("", "", true)] {
            assert_eq!(called("crypto.hmac.equal", &texts(&[left, right])), Ok(Value::from(are_equal)), "{left} {right}");
        }
    }

    #[test]
    fn only_strings_are_digested() {
        assert_eq!(called("crypto.md5", &[json("1")]).unwrap_err().0, "operand 1 must be string but got number");
        let sentence = called("crypto.hmac.sha256", &[json("\"a\""), json("null")]).unwrap_err().0;
        assert_eq!(sentence, "operand 2 must be string but got null");
    }
}
