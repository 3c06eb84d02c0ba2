//! Go's regular expressions, written anew for the regex crate.
//!
//! Both have one ancestor and differ in what they accept: in Go `\d`, `\w`, `\s`, `\b` and `\B` know ASCII only, `\Q...\E` quotes,
//! a brace that starts no repetition is a brace, and inside a class `[`, `&&`, `--` and `~~` mean nothing special.

use std::{fmt::Write, iter::Peekable, str::Chars};

/// Go's largest count in a repetition.
const MOST_REPETITIONS: u32 = 1000;
/// What may stand between `[:` and `:]`, or behind a `^` there. Go refuses all else.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// `pattern` in the regex crate's syntax; None when Go refuses it, or it has no equal here.
pub(super) fn translated(pattern: &str) -> Option<String> {
    let mut translator =
        Translator { rest: pattern, text: String::with_capacity(pattern.len() + 16), repeatable: false, repeated: false };
    while !translator.rest.is_empty() {
        translator.step()?;
    }
    Some(translator.text)
}

struct Translator<'p> {
    rest: &'p str,
    text: String,
    /// Something stands before that a repetition can apply to.
    repeatable: bool,
    /// It is a repetition already: Go allows no second one.
    repeated: bool,
}

impl Translator<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..)?;
        Some(c)
    }

    fn literal(&mut self, c: char) {
        push_literal(&mut self.text, c);
        self.repeatable = true;
        self.repeated = false;
    }

    fn item(&mut self, text: &str) {
        self.text.push_str(text);
        self.repeatable = true;
        self.repeated = false;
    }

    fn step(&mut self) -> Option<()> {
        if let Some(quoted) = self.rest.strip_prefix("\\Q") {
            let (quoted, rest) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            quoted.chars().for_each(|c| self.literal(c));
            self.rest = rest;
            return Some(());
        }
        if let Some((count, rest)) = repetition(self.rest) {
            self.rest = rest;
            return self.repetition(&count?);
        }
        match self.take()? {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => self.item(")"),
            '|' => {
                self.text.push('|');
                self.repeatable = false;
                self.repeated = false;
            }
            c @ ('*' | '+' | '?') => self.repetition(&c.to_string())?,
            c @ ('.' | '^' | '$') => self.item(&c.to_string()),
            c => self.literal(c),
        }
        Some(())
    }

    fn repetition(&mut self, operator: &str) -> Option<()> {
        if !self.repeatable || self.repeated {
            return None;
        }
        self.text.push_str(operator);
        if let Some(rest) = self.rest.strip_prefix('?') {
            self.text.push('?');
            self.rest = rest;
        }
        self.repeated = true;
        Some(())
    }

    fn group(&mut self) -> Option<()> {
        self.text.push('(');
        self.repeatable = false;
        self.repeated = false;
        let Some(inside) = self.rest.strip_prefix('?') else {
            return Some(());
        };
        if inside.starts_with("P<") || (inside.starts_with('<') && !inside.starts_with("<=") && !inside.starts_with("<!")) {
            let end = inside.find('>')? + 1;
            self.text.push('?');
            self.text.push_str(inside.get(..end)?);
            self.rest = inside.get(end..)?;
            return Some(());
        }
        let end = inside.find([':', ')'])?;
        let flags = inside.get(..end)?;
        let is_known = flags.chars().all(|flag| matches!(flag, 'i' | 'm' | 's' | 'U' | '-'));
        if !is_known || flags.ends_with('-') || (flags.is_empty() && inside.starts_with(')')) {
            return None;
        }
        self.text.push('?');
        self.text.push_str(inside.get(..=end)?);
        self.rest = inside.get(end + 1..)?;
        Some(())
    }

    fn escape(&mut self) -> Option<()> {
        if let Some(class) = self.rest.chars().next().and_then(perl_class) {
            self.take();
            self.item(&format!("[{class}]"));
            return Some(());
        }
        match self.rest.chars().next()? {
            c @ ('A' | 'z') => {
                self.take();
                self.item(&format!("\\{c}"));
            }
            c @ ('b' | 'B') => {
                self.take();
                self.item(&format!("(?-u:\\{c})"));
            }
            'p' | 'P' => {
                let mut chars = self.rest.chars().peekable();
                let class = unicode_class(&mut chars)?;
                self.rest = self.rest.get(self.rest.len() - chars.collect::<String>().len()..)?;
                self.item(&class);
            }
            _ => {
                let mut chars = self.rest.chars().peekable();
                let c = escaped(&mut chars)?;
                self.rest = self.rest.get(self.rest.len() - chars.collect::<String>().len()..)?;
                self.literal(c);
            }
        }
        Some(())
    }

    /// A class in brackets; its ranges are written as code points, so that nothing in it means anything else.
    fn class(&mut self) -> Option<()> {
        let mut class = String::from("[");
        if let Some(rest) = self.rest.strip_prefix('^') {
            class.push('^');
            self.rest = rest;
        }
        let mut is_first = true;
        loop {
            if let Some(rest) = self.rest.strip_prefix(']').filter(|_| !is_first) {
                self.rest = rest;
                break;
            }
            is_first = false;
            self.class_item(&mut class)?;
        }
        class.push(']');
        self.item(&class);
        Some(())
    }

    fn class_item(&mut self, class: &mut String) -> Option<()> {
        if let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|after| after.split_once(":]")) {
            // Any other name the regex crate takes for a class inside the class.
            if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                return None;
            }
            let _ = write!(class, "[:{name}:]");
            self.rest = rest;
            return Some(());
        }
        let mut chars = self.rest.chars().peekable();
        if chars.peek() == Some(&'\\') {
            let mut after = chars.clone();
            after.next();
            if let Some(perl) = after.peek().copied().and_then(perl_class) {
                after.next();
                // A negated class inside a class needs brackets of its own.
                let _ = if perl.starts_with('^') { write!(class, "[{perl}]") } else { write!(class, "{perl}") };
                return self.rest_is(after);
            }
            if matches!(after.peek(), Some('p' | 'P')) {
                class.push_str(&unicode_class(&mut after)?);
                return self.rest_is(after);
            }
        }
        let low = class_char(&mut chars)?;
        let mut high = low;
        let mut after = chars.clone();
        if after.next() == Some('-') && after.peek().is_some_and(|c| *c != ']') {
            high = class_char(&mut after)?;
            chars = after;
        }
        if high < low {
            return None;
        }
        let _ = write!(class, "\\x{{{:x}}}-\\x{{{:x}}}", u32::from(low), u32::from(high));
        self.rest_is(chars)
    }

    fn rest_is(&mut self, chars: Peekable<Chars<'_>>) -> Option<()> {
        let left: usize = chars.map(char::len_utf8).sum();
        self.rest = self.rest.get(self.rest.len() - left..)?;
        Some(())
    }
}

fn class_char(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '\\' => escaped(chars),
        c => Some(c),
    }
}

/// The members of `\d` and its like, ASCII only.
const fn perl_class(letter: char) -> Option<&'static str> {
    match letter {
        'd' => Some("0-9"),
        'D' => Some("^0-9"),
        'w' => Some("0-9A-Za-z_"),
        'W' => Some("^0-9A-Za-z_"),
        's' => Some("\\t\\n\\x0C\\r\\x20"),
        'S' => Some("^\\t\\n\\x0C\\r\\x20"),
        _ => None,
    }
}

/// `\pL`, `\p{Greek}`, `\P{^Greek}`; stands at the letter p.
fn unicode_class(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut is_negated = chars.next()? == 'P';
    let mut name = String::new();
    match chars.next()? {
        '{' => loop {
            match chars.next()? {
                '}' => break,
                c => name.push(c),
            }
        },
        c => name.push(c),
    }
    if let Some(rest) = name.strip_prefix('^') {
        name = rest.to_owned();
        is_negated = !is_negated;
    }
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    is_name.then(|| format!("\\{}{{{name}}}", if is_negated { 'P' } else { 'p' }))
}

/// The character of an escape; stands behind the backslash.
fn escaped(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    match chars.next()? {
        'a' => Some('\x07'),
        'f' => Some('\x0c'),
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        'v' => Some('\x0b'),
        'x' => hexadecimal(chars),
        c @ '0'..='7' => {
            // A single digit other than zero would be a reference to a group, which Go does not have.
            if c != '0' && !chars.peek().is_some_and(|next| ('0'..='7').contains(next)) {
                return None;
            }
            let mut code = c.to_digit(8)?;
            for _ in 0..2 {
                let Some(digit) = chars.peek().and_then(|next| next.to_digit(8)) else {
                    break;
                };
                code = code * 8 + digit;
                chars.next();
            }
            char::from_u32(code)
        }
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
        _ => None,
    }
}

fn hexadecimal(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let mut digits = String::new();
    if chars.peek() == Some(&'{') {
        chars.next();
        loop {
            match chars.next()? {
                '}' => break,
                c if c.is_ascii_hexdigit() && digits.len() < 8 => digits.push(c),
                _ => return None,
            }
        }
    } else {
        digits = chars.by_ref().take(2).collect();
        if digits.len() != 2 {
            return None;
        }
    }
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}

/// A repetition in braces at the start of `text`, and what follows; the inner None says that its counts are refused.
fn repetition(text: &str) -> Option<(Option<String>, &str)> {
    let (counts, rest) = text.strip_prefix('{')?.split_once('}')?;
    let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
    let is_count =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !is_count(least) || !(most.is_empty() || is_count(most)) {
        return None;
    }
    let number = |text: &str| text.parse::<u32>().ok().filter(|count| *count <= MOST_REPETITIONS);
    let is_allowed = number(least).is_some_and(|least| most.is_empty() || number(most).is_some_and(|most| least <= most));
    Some((is_allowed.then(|| format!("{{{counts}}}")), rest))
}

fn push_literal(text: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        text.push('\\');
        // The regex crate knows `\<` and `\>` as the ends of words.
        if matches!(c, '<' | '>') {
            text.pop();
        }
    }
    text.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_knows_is_kept_or_written_anew() {
        for (go, here) in [
            ("a+b*?c{2,3}", "a+b*?c{2,3}"),
            (r"\d\W\s", "[0-9][^0-9A-Za-z_][\\t\\n\\x0C\\r\\x20]"),
            (r"\Qa.b\E+", r"a\.b+"),
            ("a{2,", r"a\{2\,"),
            ("{a}", r"\{a\}"),
            ("[[a-c]", r"[\x{5b}-\x{5b}\x{61}-\x{63}]"),
            (r"[\d\-x]", r"[0-9\x{2d}-\x{2d}\x{78}-\x{78}]"),
            (r"[^\W]", "[^[^0-9A-Za-z_]]"),
            ("[[:alpha:]]", "[[:alpha:]]"),
            ("[[:^word:]x]", r"[[:^word:]\x{78}-\x{78}]"),
            ("[[:]]", r"[\x{5b}-\x{5b}\x{3a}-\x{3a}]\]"),
            (r"(?P<n>a)(?i:b)(?-s)", "(?P<n>a)(?i:b)(?-s)"),
            (r"\bx\x41\101\p{^Greek}\pL", r"(?-u:\b)xAA\P{Greek}\p{L}"),
        ] {
            assert_eq!(translated(go).as_deref(), Some(here), "{go}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "a**",
            "*",
            "a{2}{3}",
            "(?=a)",
            "(?x)a",
            r"\1",
            r"\Z",
            r"\h",
            "[b-a]",
            "[a",
            "a{1001}",
            "(?i",
            r"\pé",
            "\\",
            "[[:ALPHA:]]",
            "[[:al:]]",
            "[[::]]",
        ] {
            let is_refused = translated(pattern).is_none_or(|text| regex::Regex::new(&text).is_err());
            assert!(is_refused, "{pattern}");
        }
    }
}
