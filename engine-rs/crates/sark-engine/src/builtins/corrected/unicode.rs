//! Characters as Go knows them: its Unicode is 15.0. Rust and the regex crate have later ones, with more letters and more pairs of
//! capital and small.

use std::sync::LazyLock;

use regex::Regex;

static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{age=15.0}").ok());

/// Whether Go knows `c` at all.
pub(super) fn is_assigned(c: char) -> bool {
    c.is_ascii() || ASSIGNED.as_ref().is_some_and(|assigned| assigned.is_match(c.encode_utf8(&mut [0; 4])))
}

/// Whether Unicode took `c` for the capital or the small letter of another one, or for another spelling of it, after 15.0.
pub(super) const fn is_paired_later(c: char) -> bool {
    matches!(
        c,
        '\u{19b}'
            | '\u{264}'
            | '\u{390}'
            | '\u{3b0}'
            | '\u{1c89}'..='\u{1c8a}'
            | '\u{1fd3}'
            | '\u{1fe3}'
            | '\u{a7cb}'..='\u{a7cf}'
            | '\u{a7d2}'..='\u{a7d5}'
            | '\u{a7da}'..='\u{a7dc}'
            | '\u{fb05}'..='\u{fb06}'
            | '\u{10d50}'..='\u{10d85}'
            | '\u{16ea0}'..='\u{16ed3}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_a_later_unicode_are_not_assigned() {
        for (c, expected) in [
            ('a', true),
            ('\u{1c88}', true),
            ('\u{1c89}', false),
            ('\u{a7cb}', false),
            ('\u{10d50}', false),
            ('\u{1df2a}', true),
        ] {
            assert_eq!(is_assigned(c), expected, "{c:?}");
        }
    }

    #[test]
    fn what_the_regex_crate_folds_into_a_later_letter_is_known_to_be_paired_later() {
        let later = Regex::new(r"(?i)[^\p{age=15.0}]").unwrap();
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|c| is_assigned(*c)) {
            assert!(!later.is_match(c.encode_utf8(&mut [0; 4])) || is_paired_later(c), "{c:?}");
        }
    }
}
