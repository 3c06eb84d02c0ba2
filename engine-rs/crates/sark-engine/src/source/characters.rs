//! What no module may hold, wherever it stands: OPA refuses it in comments and in strings too.

use super::nesting;
use crate::error::PolicyError;

/// May begin a file, and means nothing there.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a module without the byte order mark that some editors put in front of it.
pub(crate) fn without_mark(mut text: String) -> String {
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    text
}

/// Refuse the module `name` if its `text` holds what OPA's scanner does not read. regorus' takes a null for the end.
pub(super) fn check(name: &str, text: &str) -> Result<(), PolicyError> {
    for (character, what) in [('\0', "a null character"), (BYTE_ORDER_MARK, "a byte order mark that does not begin the file")] {
        if let Some(at) = text.find(character) {
            return Err(PolicyError(format!("{}: {what}: remove it", nesting::place(name, text, at))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_may_begin_a_file_and_stand_nowhere_else() {
        assert_eq!(without_mark("\u{feff}package p".to_owned()), "package p");
        assert_eq!(without_mark("package p".to_owned()), "package p");
        for text in ["\u{feff}package p", "package p\n# a\u{feff}", "package p\nr := \"\u{feff}\""] {
            assert!(check("p.rego", text).unwrap_err().0.ends_with("does not begin the file: remove it"), "{text:?}");
        }
    }

    #[test]
    fn a_null_character_is_refused_where_it_stands() {
        let refused = check("p.rego", "package p\nr := 1 \0").unwrap_err();
        assert_eq!(refused.0, "p.rego:2:8: a null character: remove it");
        assert_eq!(check("p.rego", "package p\nr := 1"), Ok(()));
    }
}
