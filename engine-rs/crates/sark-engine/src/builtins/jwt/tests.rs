//! Published vectors, and what tokens and keys must not get away with. How every key and token compares with OPA is tested
//! against OPA itself.

use regorus::Value;

use super::super::{
    BuiltinError,
    tests::{called, is_left_to_opa, json},
};

/// RFC 7515, appendix A.1.
const HS256: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl\
    LmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HS256_KEY: &str =
    r#"{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
/// RFC 7515, appendix A.3.
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0\
    cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const ES256_KEY: &str = r#"{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
/// RFC 8037, appendix A.4. Its payload is no JSON.
const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
    hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
const EDDSA_KEY: &str = r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// `{"iss": "joe", "aud": ["x"], "exp": 1800000000, "nbf": 1700000000}` by the key below.
const RS256: &str = "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogInIifQ.eyJpc3MiOiAiam9lIiwgImF1ZCI6IFsieCJdLCAiZXhwIjogMTgwMDAwMDAwMCwgIm5iZiI\
     6IDE3MDAwMDAwMDB9.d62lXnIxcjFR1y5SaOCYHntruNBqRTIhritmg7XoSwCpH7My5n8d8ajpYx_XwzMRcsA54TlZFDWa8Zoji0HPI6qAW4aA\
     PhhQyGXxkGmC4zlUsdO5bMKOkSan8555AO_gnQngF2ZIKgbkk38DKZkfturfjH3HOOIHSOxAc2VgXvbsSy-QUyi1-OkWms2gJX8QMRMvT-rz3i\
     zRx1S73xAxpKChtdL_8B5gnWIXoR7_amxIVXBTUUfkJTzLNwj_JDPgBuhNXfe3eg0AG7aI79Gxc6ym4XgkwZVnecQ-ZTRgmpHmWzHWeHgMBNmc\
     W1Llvj_6UVpFFDxIRIjOhzdfi0FhSg";
const PS384: &str = "eyJhbGciOiAiUFMzODQiLCAia2lkIjogInIifQ.eyJpc3MiOiAiam9lIiwgImF1ZCI6IFsieCJdLCAiZXhwIjogMTgwMDAwMDAwMCwgIm5iZiI\
     6IDE3MDAwMDAwMDB9.F98-FObbqD_tDG6dOETYOCdLEweKjnLbfoSQXPIkIeH7hNDPdfkA4iopRM8rMLGg3QZzHsEgOPvSULL6uvN9DHzG0qeA\
     CQcDnsSDmeITzhMIoDTuXmH-z1zAZeX1s8aS5Dlj0aqYh1pJlDgmyS5bxC2Le8oqolEnrCPkdPmvVcOHLhPLHiMtxW7VFAuHR5eMWsaSK3jlmz\
     wk1EienvyJKgoi6mwvkDmcn-IDFFMCx-YT9E0axBZ9AoxRXeOmldd069OKwA8bVOue8nA4E6qbmyc9yl06lECbFZs-6PT-olJTr4Hxb4jBjFVH\
     vWyQxzpBZGoUddVJo2u_HwqN7UcYMw";
const RSA_KEY: &str = r#"{"kty": "RSA", "n": "oTeXcL2lpfd0G9mkEVCw09o0u19d_2RsHBc6xEnCU-JY-txlnHjWQEW9OL6qAo4nmbo24bNWLHgnDnnFxnCnsQhoRAU8E2oVfL9OygM_RdPbWAba7XzYVp4pm4_Fpa_qEjKc-HWmrRt1Z5UiU3mtxvxLApDsniBl6uRa0mV-UyNPgIu3EFL3TtH3ms80MObYGjkUxmFwtqFVrrUyVtFlMLrhnhW6ERUGzTuHtEksYJU1tsMMWTPMDYBNcetj9fyOilFdgYEaq230d-0YMjOrhUwmHK8M82Sy7pFLEHyI9hVc7Li1cBmepki6s2DDhufItI3hS4y-twpvg841f5fydQ", "e": "AQAB", "kid": "r"}"#;
const RSA_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
    MIICzTCCAbWgAwIBAgIUO2qsstEth0o9cA9/eZ2i7LLuOAwwDQYJKoZIhvcNAQEL\n\
    BQAwETEPMA0GA1UEAwwGc2lnbmVyMB4XDTI2MDEwMTAwMDAwMFoXDTI2MDEwMTAw\n\
    MDAwMFowETEPMA0GA1UEAwwGc2lnbmVyMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n\
    MIIBCgKCAQEAoTeXcL2lpfd0G9mkEVCw09o0u19d/2RsHBc6xEnCU+JY+txlnHjW\n\
    QEW9OL6qAo4nmbo24bNWLHgnDnnFxnCnsQhoRAU8E2oVfL9OygM/RdPbWAba7XzY\n\
    Vp4pm4/Fpa/qEjKc+HWmrRt1Z5UiU3mtxvxLApDsniBl6uRa0mV+UyNPgIu3EFL3\n\
    TtH3ms80MObYGjkUxmFwtqFVrrUyVtFlMLrhnhW6ERUGzTuHtEksYJU1tsMMWTPM\n\
    DYBNcetj9fyOilFdgYEaq230d+0YMjOrhUwmHK8M82Sy7pFLEHyI9hVc7Li1cBme\n\
    pki6s2DDhufItI3hS4y+twpvg841f5fydQIDAQABox0wGzAZBgNVHREEEjAQgg5z\n\
    aWduZXIuZXhhbXBsZTANBgkqhkiG9w0BAQsFAAOCAQEAS8UfS3wUT83qXtmO8Gpq\n\
    ZRWxH87Iv9UXF512VpAa+fbFp4mZcefZV6SsKW5wKkJtuwl20Xc3Kq8SFMmFGF+S\n\
    VE74Z38++Kh3WcXjeGm/EWrNUvECHTcOsHr8EPU3qjYbDqvOMSqAmoCO+jil8sve\n\
    GdeCJWFwzZFfrpqj9gsxdmVm883HxcqLDD9E1RK99IbMimAZgYX/03uuxA7c2+At\n\
    1l7zvY0/yyP7kptqwTV+321ZJWZsPrM1nUU7flnOQb2UFtm3tVmgLYL6stTBhFUs\n\
    dKj0CkgfdR0KOIKvvhxFrykyygtAcQo0oqlO3tfmC9YCHR3azJQoKnZPfl5oVTv3\n\
    Kg==\n\
    -----END CERTIFICATE-----\n";

fn verified(name: &str, token: &str, key: &str) -> Result<Value, BuiltinError> {
    called(&format!("io.jwt.{name}"), &[Value::from(token), Value::from(key)])
}

fn demanded(token: &str, constraints: &str) -> Result<Value, BuiltinError> {
    called("io.jwt.decode_verify", &[Value::from(token), json(constraints)])
}

fn is_accepted(answer: &Result<Value, BuiltinError>) -> bool {
    let refused = json("[false, {}, {}]");
    answer.as_ref().is_ok_and(|answer| *answer != refused && answer[0] == Value::from(true))
}

fn rsa_constraints(more: &str) -> String {
    format!(r#"{{"cert": {}, "aud": "x"{more}}}"#, Value::from(RSA_CERTIFICATE))
}

#[test]
fn published_signatures_verify() {
    for (name, token, key) in [
        ("verify_es256", ES256, ES256_KEY),
        ("verify_eddsa", EDDSA, EDDSA_KEY),
        ("verify_rs256", RS256, RSA_KEY),
        ("verify_rs256", RS256, RSA_CERTIFICATE),
        ("verify_ps384", PS384, RSA_CERTIFICATE),
    ] {
        assert_eq!(verified(name, token, key), Ok(Value::from(true)), "{name}");
    }
    assert!(is_accepted(&demanded(HS256, &format!(r#"{{"cert": {}, "time": 0}}"#, Value::from(HS256_KEY)))));
}

#[test]
fn a_changed_token_does_not_verify() {
    let changed_payload = RS256.replacen(".e", ".f", 1);
    let changed_signature = format!("{}A{}", &ES256[..ES256.len() - 20], &ES256[ES256.len() - 19..]);
    assert_eq!(verified("verify_rs256", &changed_payload, RSA_KEY), Ok(Value::from(false)));
    assert_eq!(verified("verify_es256", &changed_signature, ES256_KEY), Ok(Value::from(false)));
    assert_eq!(verified("verify_hs256", HS256, "another secret"), Ok(Value::from(false)));
    assert_eq!(verified("verify_eddsa", &EDDSA[..EDDSA.len() - 6], EDDSA_KEY), Ok(Value::from(false)));
}

#[test]
fn a_key_of_another_kind_does_not_verify() {
    assert_eq!(verified("verify_es256", RS256, RSA_KEY), Ok(Value::from(false)));
    assert_eq!(verified("verify_rs256", RS256, ES256_KEY), Ok(Value::from(false)));
    assert_eq!(verified("verify_rs384", RS256, RSA_KEY), Ok(Value::from(false)));
    assert_eq!(verified("verify_ps256", RS256, RSA_KEY), Ok(Value::from(false)));
    assert_eq!(verified("verify_rs256", HS256, HS256_KEY), Ok(Value::from(false)));
}

#[test]
fn a_public_key_is_no_shared_secret() {
    // {"alg":"HS256"} signed with the text of a certificate as the secret, as an attacker would who knows only that.
    let signed = "eyJhbGciOiJIUzI1NiJ9.e30";
    let code = called("crypto.hmac.sha256", &[Value::from(signed), Value::from(RSA_CERTIFICATE)]).unwrap();
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&code.as_string().unwrap()[2 * at..2 * at + 2], 16).unwrap()).collect();
    let forged = format!("{signed}.{}", base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, bytes));
    assert_eq!(verified("verify_hs256", &forged, RSA_CERTIFICATE), Ok(Value::from(true)), "the forgery is well made");
    assert_eq!(demanded(&forged, &rsa_constraints("")), Ok(json("[false, {}, {}]")));
    assert_eq!(demanded(RS256, r#"{"secret": "s", "aud": "x", "time": 0}"#), Ok(json("[false, {}, {}]")));
}

#[test]
fn no_signature_is_no_signature() {
    // {"alg":"none"}, {"alg":""}, {} and the name that OPA's library has for HS256, with an empty signature.
    for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiIifQ", "e30", "eyJhbGciOiJITUFDX1dJVEhfU0hBMjU2In0"] {
        for constraints in [r#"{"secret": "s"}"#.to_owned(), rsa_constraints("")] {
            assert_eq!(demanded(&format!("{header}.e30."), &constraints), Ok(json("[false, {}, {}]")), "{header}");
        }
    }
}

#[test]
fn times_count_to_the_nanosecond() {
    for (time, accepted) in [
        ("1700000000000000000", true),
        ("1699999999999999000", false),
        ("1799999999999999000", true),
        ("1800000000000000000", false),
        ("1800000000000000001", false),
    ] {
        assert_eq!(is_accepted(&demanded(RS256, &rsa_constraints(&format!(r#", "time": {time}"#)))), accepted, "{time}");
    }
    // Without a time the query's counts, which is between the two.
    assert!(is_accepted(&demanded(RS256, &rsa_constraints(""))));
}

#[test]
fn issuer_audience_and_algorithm_are_demanded() {
    for (more, accepted) in [
        (r#", "iss": "joe""#, true),
        (r#", "iss": "jim""#, false),
        (r#", "alg": "RS256""#, true),
        (r#", "alg": "PS256""#, false),
        (r#", "iss": "", "alg": """#, true),
    ] {
        assert_eq!(is_accepted(&demanded(RS256, &rsa_constraints(more))), accepted, "{more}");
    }
    let without_audience = format!(r#"{{"cert": {}}}"#, Value::from(RSA_KEY));
    assert_eq!(demanded(RS256, &without_audience), Ok(json("[false, {}, {}]")));
}

#[test]
fn constraints_that_make_no_sense_are_refused() {
    for constraints in [
        "{}",
        r#"{"aud": "x"}"#,
        r#"{"secret": ""}"#,
        r#"{"secret": 1}"#,
        r#"{"secret": "s", "cert": "no key"}"#,
        r#"{"secret": "s", "time": -1}"#,
        r#"{"secret": "s", "time": "1"}"#,
        r#"{"secret": "s", "sub": "me"}"#,
        "[]",
    ] {
        assert!(demanded(RS256, constraints).is_err(), "{constraints}");
    }
    let both = format!(r#"{{"secret": "s", "cert": {}}}"#, Value::from(RSA_KEY));
    assert_eq!(demanded(RS256, &both).unwrap_err().0, "duplicate key constraints");
}

#[test]
fn what_opa_panics_on_is_an_error() {
    // {"alg":"HS256","cty":1} and the claims {"iss":1}: OPA takes both for strings without asking.
    assert!(called("io.jwt.decode", &[Value::from("eyJhbGciOiJIUzI1NiIsImN0eSI6MX0.e30.")]).is_err());
    let signed = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOjF9";
    let code = called("crypto.hmac.sha256", &[Value::from(signed), Value::from("s")]).unwrap();
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&code.as_string().unwrap()[2 * at..2 * at + 2], 16).unwrap()).collect();
    let token = format!("{signed}.{}", base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, bytes));
    assert_eq!(demanded(&token, r#"{"secret": "s", "iss": "a"}"#).unwrap_err().0, "iss value must be a string");
    assert!(is_accepted(&demanded(&token, r#"{"secret": "s"}"#)));
}

#[test]
fn malformed_tokens_are_errors() {
    for token in [
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "*.e30.",
        "e30.e30.*",
        "e30.W10.",
        "W10.e30.",
        "eyJlbmMiOiJBMTI4R0NNIn0.e30.",
        "e30.YQ.",
        "e3.e30.",
    ] {
        assert!(called("io.jwt.decode", &[Value::from(token)]).is_err(), "{token}");
    }
    assert_eq!(called("io.jwt.decode", &[Value::from("e30.e30.AQ")]), Ok(json(r#"[{}, {}, "01"]"#)));
    assert_eq!(called("io.jwt.decode", &[json("1")]).unwrap_err().0, "operand 1 must be string but got number");
}

#[test]
fn a_wrong_key_in_a_set_refuses_the_set() {
    let set = |other: &str| format!(r#"{{"keys": [{RSA_KEY}, {other}]}}"#);
    assert_eq!(verified("verify_rs256", RS256, &set(ES256_KEY)), Ok(Value::from(true)));
    for wrong in [r#"{"kty": "other"}"#, r#"{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}"#, "1"] {
        assert!(verified("verify_rs256", RS256, &set(wrong)).is_err(), "{wrong}");
    }
    assert!(verified("verify_rs256", RS256, &format!("{RSA_KEY} more")).is_err(), "OPA does not look behind the key");
    assert!(verified("verify_rs256", RS256, "").is_err());
}

/// A token of this header and payload without a signature.
fn unsigned(header: &str, payload: &str) -> String {
    let part = |text: &str| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, text);
    format!("{}.{}.", part(header), part(payload))
}

#[test]
fn json_that_only_the_limits_of_the_engine_refuse_is_left_to_opa() {
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    for odd in [r#"{"n":1700000000.0000001}"#, r#"{"n":1e-400}"#, r#"{"n":0.123456789012345678901}"#, deep.as_str()] {
        for token in [unsigned("{}", odd), unsigned(odd, "{}")] {
            assert!(is_left_to_opa("io.jwt.decode", &[token.into()]), "{odd}");
        }
        let verified = [unsigned(odd, "{}").into(), Value::from(ES256_KEY)];
        assert!(is_left_to_opa("io.jwt.verify_es256", &verified), "{odd}");
        assert!(is_left_to_opa("io.jwt.decode_verify", &[unsigned(odd, "{}").into(), json(r#"{"secret": "s"}"#)]), "{odd}");
        assert!(is_left_to_opa("io.jwt.verify_es256", &[ES256.into(), odd.into()]), "{odd}");
    }
    for plain in ["{", "[]", "nonsense", r#"{"n":01}"#] {
        let token = unsigned("{}", plain);
        assert!(!is_left_to_opa("io.jwt.decode", &[token.as_str().into()]), "{plain}");
        assert!(called("io.jwt.decode", &[token.into()]).is_err(), "{plain}");
    }
}
