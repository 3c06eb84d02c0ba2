use regorus::Value;

use super::{
    super::super::tests::{called, json},
    parse_needs_machine,
};

fn formatted(at: &str) -> Result<Value, super::BuiltinError> {
    called("time.format", &[json(at)])
}

fn ns(layout: &str, text: &str) -> Option<i64> {
    called("time.parse_ns", &[layout.into(), text.into()]).ok().map(|ns| ns.as_i64().unwrap())
}

#[test]
fn times_are_written_as_go_writes_them() {
    for (at, expected) in [
        ("0", "1970-01-01T00:00:00Z"),
        ("1709251199123456790", "2024-02-29T23:59:59.12345679Z"),
        ("-1", "1969-12-31T23:59:59.999999999Z"),
        (r#"[1709251199000000000, "Europe/Berlin"]"#, "2024-03-01T00:59:59+01:00"),
        (r#"[1709251199000000000, "America/New_York", "RFC1123Z"]"#, "Thu, 29 Feb 2024 18:59:59 -0500"),
        (r#"[1709251199000000000, "UTC", "UnixDate"]"#, "Thu Feb 29 23:59:59 UTC 2024"),
        (
            r#"[951827696000000000, "", "Monday January _2 002 __2 3:4:5pm .000 ,99 06"]"#,
            "Tuesday February 29 060  60 12:34:56pm .000  00",
        ),
        (r#"[5000000, "", "5.000 5.999 5,000000 .0"]"#, "0.005 0.005 0,005000 .0"),
        (
            r#"[0, "Asia/Kolkata", "Z07 Z0700 Z07:00 Z070000 Z07:00:00 -07 -07:00:00"]"#,
            "+05 +0530 +05:30 +053000 +05:30:00 +05 +05:30:00",
        ),
        (r#"[0, "", "Z07 Z0700 -07 -0700 Month Janet _2006 é2"]"#, "Z Z +00 +0000 Month Janet _1970 é1"),
        (r#"[0, "", ""]"#, "1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(formatted(at), Ok(expected.into()), "{at}");
    }
    for at in ["1.5", "[]", r#""x""#, "[1, 2]", r#"[1, "UTC", 3]"#, r#"[1, "Nowhere/None"]"#] {
        assert!(formatted(at).is_err(), "{at}");
    }
}

#[test]
fn times_are_read_as_strictly_as_go_does() {
    let day = 1_772_323_200_000_000_000;
    for (layout, text) in [
        ("2006-01-02", "2026-03-01"),
        ("2006-1-2", "2026-03-1"),
        ("Jan _2 2006", "mar  1 2026"),
        ("Monday, January 2 2006", "FRIDAY, March 01 2026"),
        ("2006 002", "2026 060"),
        ("2006 __2", "2026  60"),
        ("02/01/06 3PM", "01/03/26 12AM"),
        ("2006-01-02 15:04:05", "2026-03-01 0:00:00.0000000000"),
        ("2006-01-02 15:04:05.000", "2026-03-01 00:00:00,000"),
        ("2006-01-02T15:04:05Z07:00", "2026-03-01T00:00:00Z"),
        ("RFC3339", "2026-03-01T02:00:00+02:00"),
        ("RFC1123", "Sun, 01 Mar 2026 00:00:00 UTC"),
        ("2006-01-02 MST-0700", "2026-03-01 CET+0000"),
        ("a  b 2006-01-02", "a b   2026-03-01"),
    ] {
        assert_eq!(ns(layout, text), Some(day), "{layout} {text}");
    }
    for (layout, text) in [
        ("2006-01-02", "2026-03-01T00:00:00"),
        ("2006-01-02", "2026-3-1"),
        ("2006-01-02", "2026-02-29"),
        ("2006-01-02", " 2026-03-01"),
        ("2006-1-2", "2026-13-1"),
        ("2006 002", "2026 366"),
        ("2006 002 Jan", "2026 060 Apr"),
        ("RFC3339", "2026-03-01t00:00:00z"),
        ("RFC3339", "2026-03-01T24:00:00Z"),
        ("RFC3339", "2026-03-01T00:00:00+0200"),
        ("RFC3339", "9999-12-31T23:59:59Z"),
        ("15:04:05.000", "00:00:00.0"),
        ("3PM", "13PM"),
        ("Jan", "January"),
        ("é2", "é"),
        ("x", "y"),
    ] {
        assert_eq!(ns(layout, text), None, "{layout} {text}");
    }
    assert_eq!(ns("2006-01-02 15:04:05,999", "2026-03-01 00:00:00.12"), Some(day + 120_000_000));
    assert_eq!(called("time.parse_rfc3339_ns", &["2026-03-01T00:00:01.5Z".into()]), Ok(Value::from(day + 1_500_000_000)));
}

#[test]
fn the_letters_of_a_zone_are_the_machines() {
    for (text, needs) in
        [("10 CET", true), ("10 GMT+3", true), ("10 ChST", true), ("10 +03", true), ("10 UTC", false), ("10 C", false)]
    {
        assert_eq!(parse_needs_machine("15 MST", text), needs, "{text}");
    }
    assert!(!parse_needs_machine("15 MST -0700", "10 CET +0100"));
}
