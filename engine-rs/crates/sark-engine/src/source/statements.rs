//! Where the statements of a module begin, found without parsing it.
//!
//! A large module is parsed in parts, and a part begins where a statement does. Only beginnings that are certain count: an
//! identifier at the start of a line and outside of brackets, behind something that ends an operand, since no statement has two
//! operands side by side. What is not found belongs to the statement before it, so that a part is at most longer than it need be.

use super::tokens::{Kind, Token, Tokens};

/// Words that go on with a statement, or that another word must follow.
const JOINING: [&str; 12] = ["and", "as", "contains", "else", "every", "if", "import", "in", "not", "or", "package", "with"];
/// As [`JOINING`], for the words that begin no statement only: `some` asks for a variable, and regorus has its own `__target__`.
const INSIDE: [&str; 2] = ["some", "__target__"];
const DEFAULT: &str = "default";

/// Whether more of a statement must come behind `word`.
pub(super) fn joins(word: &str) -> bool {
    word == DEFAULT || word == "some" || JOINING.contains(&word)
}

/// A statement of a module: a rule, as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Statement<'t> {
    /// Where it begins. It ends where the next one begins.
    pub start: usize,
    /// Its beginning, up to and with the word or sign behind which a rule's head has nothing more to say about the rule's name
    /// and kind: `allow if`, `default allow :=`, `f(x, y) =`.
    pub head: &'t str,
}

/// The statements behind `package` and imports; none when the text is not understood.
pub(super) fn statements(text: &str) -> Vec<Statement<'_>> {
    let mut scan = Scan { text, depth: 0, before: Before::Sign, found: Vec::new(), head_ends: None };
    if Tokens::of(text).try_for_each(|token| scan.see(token)).is_none() || scan.depth > 0 {
        return Vec::new();
    }
    scan.end_head(text.len());
    scan.found
}

/// What stands before a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The end of an operand.
    Operand,
    /// The brace that ends a body, a set or an object.
    Brace,
    /// Anything that asks for more.
    Sign,
}

struct Scan<'t> {
    text: &'t str,
    depth: usize,
    before: Before,
    found: Vec<Statement<'t>>,
    /// Where the head of the last statement ends, once that is seen.
    head_ends: Option<usize>,
}

impl<'t> Scan<'t> {
    /// None when a bracket or a string is not closed.
    fn see(&mut self, token: Token<'t>) -> Option<()> {
        self.before = match token.kind {
            Kind::Word => self.word(token),
            Kind::Text | Kind::Number => Before::Operand,
            Kind::Unended => return None,
            Kind::Open(bracket) => {
                if bracket == b'{' {
                    self.ends_head(token.end());
                }
                self.depth += 1;
                Before::Sign
            }
            Kind::Close(bracket) => {
                self.depth = self.depth.checked_sub(1)?;
                if bracket == b'}' { Before::Brace } else { Before::Operand }
            }
            // `==`, `!=`, `<=`, `>=` are of conditions.
            Kind::Double(b':') | Kind::Sign(b'=') => {
                self.ends_head(token.end());
                Before::Sign
            }
            Kind::Double(_) | Kind::Sign(_) => Before::Sign,
        };
        Some(())
    }

    fn word(&mut self, token: Token<'t>) -> Before {
        let (start, word) = (token.start, token.text);
        let begins_line = self.text.as_bytes().get(start.wrapping_sub(1)) == Some(&b'\n');
        if begins_line && self.depth == 0 && self.begins_statement(word) {
            self.end_head(start);
            self.found.push(Statement { start, head: self.text.get(start..).unwrap_or_default() });
            self.head_ends = None;
        } else if matches!(word, "if" | "contains") {
            self.ends_head(token.end());
        }
        if joins(word) { Before::Sign } else { Before::Operand }
    }

    fn begins_statement(&self, word: &str) -> bool {
        if JOINING.contains(&word) || INSIDE.contains(&word) {
            return false;
        }
        // How regorus reads `p[x]` without a body depends on whether a keyword follows.
        let after_body = self.before == Before::Brace || self.found.is_empty();
        self.before != Before::Sign && (word != DEFAULT || after_body)
    }

    /// The head of the statement under way ends at `at`, unless it has before, or this is inside brackets.
    fn ends_head(&mut self, at: usize) {
        if self.depth == 0 {
            self.head_ends.get_or_insert(at);
        }
    }

    /// The statement under way ends at `at`.
    fn end_head(&mut self, at: usize) {
        let end = self.head_ends.unwrap_or(at);
        if let Some(last) = self.found.last_mut() {
            last.head = self.text.get(last.start..end).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(text: &str) -> Vec<&str> {
        statements(text).into_iter().map(|statement| statement.head.trim_end()).collect()
    }

    #[test]
    fn statements_begin_with_a_word_at_the_start_of_a_line() {
        let text = "package p\n\nimport data.x\nimport data.y as z\n\ndefault allow := false\n\
                    allow if {\n\tinput.a == \"}\"\n}\nallow if x\n# if {\nf(x, {\"a\": 1}) = y { y := x }\n\
                    granted contains x if some x in input.y\n\"a\"\nv := `\nnone {\n` # v\nlast(1)\n";
        assert_eq!(
            heads(text),
            ["default allow :=", "allow if", "allow if", "f(x, {\"a\": 1}) =", "granted contains", "v :=", "last(1)"]
        );
    }

    #[test]
    fn what_may_go_on_with_a_statement_begins_none() {
        for text in [
            "package\np",
            "package p.\nq",
            "package p\nimport data.x as\ny",
            "package p\na := 1 +\nb",
            "package p\na if not\nb",
            "package p\na if some\nb in c",
            "package p\na if b\nwith input as 1",
            "package p\na := 1\nelse := 2 if b",
            "package p\na if x\nin y",
            "package p\na := {\nb}",
            "package p\n  a := 1\n  b := 2",
            "package p\na[1]\ndefault b := 2",
        ] {
            assert!(heads(text).len() <= 1, "{text:?}: {:?}", heads(text));
        }
        assert_eq!(heads("package p\na if { b }\ndefault c := 2"), ["a if", "default c :="]);
    }

    #[test]
    fn a_text_that_is_not_understood_has_no_statements() {
        for text in [
            "package p\na := \"\nb := 1",
            "package p\na := (\nb := 1",
            "package p\na := )\nb := 1",
            "package p\na := `\nb := 1",
        ] {
            assert_eq!(heads(text), [""; 0], "{text:?}");
        }
    }
}
