//! Go's regular expressions, written anew for the regex crate.
//!
//! Both have one ancestor and differ in what they accept: in Go `\d`, `\w`, `\s`, `\b` and `\B` know ASCII only, `\Q...\E` quotes,
//! a brace that starts no repetition is a brace, and inside a class `[`, `&&`, `--` and `~~` mean nothing special. What only one of
//! them accepts, or nobody here has looked at, is left to OPA.

use std::fmt::Write;

use super::names;

/// Why a pattern is not translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untranslated {
    /// Go refuses it too.
    Refused,
    /// Go may take it.
    LeftToOpa,
}

use Untranslated::{LeftToOpa, Refused};

type Translated<T> = Result<T, Untranslated>;

/// Go's largest count in a repetition, and largest product of those of repetitions inside of each other.
const MOST_REPETITIONS: u32 = 1000;
/// What may stand between `[:` and `:]`, or behind a `^` there. Go refuses all else.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// `pattern` in the regex crate's syntax.
pub(super) fn translated(pattern: &str) -> Translated<String> {
    let text = String::with_capacity(pattern.len() + 16);
    let mut translator =
        Translator { rest: pattern, text, before: Before::Nothing, copies: 1, most_copies: 1, open: Vec::new() };
    while !translator.rest.is_empty() {
        translator.step()?;
    }
    if translator.open.is_empty() { Ok(translator.text) } else { Err(Refused) }
}

/// Whether a flag of `translated` says that capital and small letters are one, somewhere. A literal bracket has a backslash there.
pub(super) fn ignores_case(translated: &str) -> bool {
    let flags = |group: &str| group.split([':', ')', '<', '-']).next().is_some_and(|flags| flags.contains('i'));
    translated.split("(?").skip(1).any(flags)
}

/// What stands before, which a repetition may apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Item,
    /// It is a repetition already: Go allows no second one.
    Repetition,
    /// Something that is nothing to Go, such as `(?i)`: a repetition would apply to what stands in front of it.
    Unseen,
}

/// The characters of what is left of a pattern.
#[derive(Clone, Copy)]
struct Reader<'p>(&'p str);

impl Reader<'_> {
    fn peek(self) -> Option<char> {
        self.0.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.0.chars();
        let c = chars.next();
        self.0 = chars.as_str();
        c
    }

    fn next_if_eq(&mut self, expected: char) -> Option<char> {
        if self.peek() == Some(expected) { self.next() } else { None }
    }
}

struct Translator<'p> {
    rest: &'p str,
    text: String,
    before: Before,
    /// How often the repetitions inside of the last item copy the innermost thing, multiplied.
    copies: u32,
    /// The most of any item before it in this group.
    most_copies: u32,
    /// `most_copies` of the groups around this one.
    open: Vec<u32>,
}

impl Translator<'_> {
    fn take(&mut self) -> Translated<char> {
        let mut chars = self.rest.chars();
        let c = chars.next().ok_or(Refused)?;
        self.rest = chars.as_str();
        Ok(c)
    }

    fn literal(&mut self, c: char) {
        push_literal(&mut self.text, c);
        self.begins(1);
    }

    fn item(&mut self, text: &str) {
        self.text.push_str(text);
        self.begins(1);
    }

    /// An item stands there now that copies as much.
    fn begins(&mut self, copies: u32) {
        self.before = Before::Item;
        self.most_copies = self.most_copies.max(self.copies);
        self.copies = copies;
    }

    fn step(&mut self) -> Translated<()> {
        if let Some(quoted) = self.rest.strip_prefix("\\Q") {
            let (quoted, rest) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            quoted.chars().for_each(|c| self.literal(c));
            if quoted.is_empty() {
                self.before = Before::Unseen;
            }
            self.rest = rest;
            return Ok(());
        }
        if let Some((counts, rest)) = repetition(self.rest) {
            self.rest = rest;
            let (least, most) = counts.ok_or(Refused)?;
            return self.counted(least, most);
        }
        match self.take()? {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => {
                let inside = self.most_copies.max(self.copies);
                self.copies = self.open.pop().ok_or(Refused)?;
                self.most_copies = 1;
                self.text.push(')');
                self.begins(inside);
            }
            '|' => {
                self.text.push('|');
                self.before = Before::Nothing;
            }
            c @ ('*' | '+' | '?') => self.repetition(&c.to_string())?,
            c @ ('.' | '^' | '$') => self.item(&c.to_string()),
            c => self.literal(c),
        }
        Ok(())
    }

    /// A repetition in braces; without `most` there is no limit.
    fn counted(&mut self, least: u32, most: Option<u32>) -> Translated<()> {
        // In Go a group that is there never is a group still, and the regex crate has none.
        if most == Some(0) && self.before == Before::Item && self.text.ends_with(')') {
            return Err(LeftToOpa);
        }
        let copies = match (least, most) {
            // Go does not look inside of what stands there never.
            (_, Some(0)) => 1,
            (0, None) => self.copies,
            (_, Some(count)) | (count, None) => count.saturating_mul(self.copies),
        };
        let operator = match most {
            None => format!("{{{least},}}"),
            Some(most) if most == least => format!("{{{least}}}"),
            Some(most) => format!("{{{least},{most}}}"),
        };
        self.repetition(&operator)?;
        let is_looked_at = least >= 2 || most.is_some_and(|most| most >= 2);
        if is_looked_at && copies > MOST_REPETITIONS {
            return Err(Refused);
        }
        self.copies = copies;
        Ok(())
    }

    fn repetition(&mut self, operator: &str) -> Translated<()> {
        match self.before {
            Before::Item => {}
            Before::Nothing | Before::Repetition => return Err(Refused),
            Before::Unseen => return Err(LeftToOpa),
        }
        self.text.push_str(operator);
        if let Some(rest) = self.rest.strip_prefix('?') {
            self.text.push('?');
            self.rest = rest;
        }
        self.before = Before::Repetition;
        Ok(())
    }

    fn opens(&mut self) {
        self.before = Before::Nothing;
        self.open.push(self.most_copies.max(self.copies));
        (self.copies, self.most_copies) = (1, 1);
    }

    fn group(&mut self) -> Translated<()> {
        self.text.push('(');
        let Some(inside) = self.rest.strip_prefix('?') else {
            self.opens();
            return Ok(());
        };
        if inside.starts_with("P<") || (inside.starts_with('<') && !inside.starts_with("<=") && !inside.starts_with("<!")) {
            let (opening, rest) = inside.split_once('>').ok_or(Refused)?;
            let name = opening.split_once('<').map_or("", |(_, name)| name);
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(Refused);
            }
            for part in ["?", opening, ">"] {
                self.text.push_str(part);
            }
            self.rest = rest;
            self.opens();
            return Ok(());
        }
        let end = inside.find([':', ')']).ok_or(Refused)?;
        let (flags, rest) = inside.split_at_checked(end).ok_or(Refused)?;
        let is_known = flags.chars().all(|flag| matches!(flag, 'i' | 'm' | 's' | 'U' | '-'));
        if !is_known || flags.ends_with('-') {
            return Err(Refused);
        }
        for part in ["?", flags] {
            self.text.push_str(part);
        }
        self.rest = rest.get(1..).unwrap_or_default();
        if rest.starts_with(':') {
            self.text.push(':');
            self.opens();
        } else if flags.is_empty() {
            return Err(LeftToOpa);
        } else {
            self.text.push(')');
            self.before = Before::Unseen;
        }
        Ok(())
    }

    fn escape(&mut self) -> Translated<()> {
        if let Some(class) = self.rest.chars().next().and_then(perl_class) {
            self.take()?;
            self.item(&format!("[{class}]"));
            return Ok(());
        }
        match self.rest.chars().next().ok_or(Refused)? {
            c @ ('A' | 'z') => {
                self.take()?;
                self.item(&format!("\\{c}"));
            }
            c @ ('b' | 'B') => {
                self.take()?;
                self.item(&format!("(?-u:\\{c})"));
            }
            'p' | 'P' => {
                let mut chars = Reader(self.rest);
                let class = unicode_class(&mut chars)?;
                self.rest = chars.0;
                self.item(&class);
            }
            _ => {
                let mut chars = Reader(self.rest);
                let c = escaped(&mut chars)?;
                self.rest = chars.0;
                self.literal(c);
            }
        }
        Ok(())
    }

    /// A class in brackets; its ranges are written as code points, so that nothing in it means anything else.
    fn class(&mut self) -> Translated<()> {
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
        Ok(())
    }

    fn class_item(&mut self, class: &mut String) -> Translated<()> {
        if let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|after| after.split_once(":]")) {
            // Any other name the regex crate takes for a class inside the class.
            if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                return Err(Refused);
            }
            let _ = write!(class, "[:{name}:]");
            self.rest = rest;
            return Ok(());
        }
        let mut chars = Reader(self.rest);
        if chars.peek() == Some('\\') {
            let mut after = chars;
            after.next();
            if let Some(perl) = after.peek().and_then(perl_class) {
                after.next();
                // A negated class inside a class needs brackets of its own.
                let _ = if perl.starts_with('^') { write!(class, "[{perl}]") } else { write!(class, "{perl}") };
                self.rest = after.0;
                return Ok(());
            }
            if matches!(after.peek(), Some('p' | 'P')) {
                class.push_str(&unicode_class(&mut after)?);
                self.rest = after.0;
                return Ok(());
            }
        }
        let low = class_char(&mut chars)?;
        let mut high = low;
        let mut after = chars;
        if after.next() == Some('-') && after.peek().is_some_and(|c| c != ']') {
            high = class_char(&mut after)?;
            chars = after;
        }
        if high < low {
            return Err(Refused);
        }
        let _ = write!(class, "\\x{{{:x}}}-\\x{{{:x}}}", u32::from(low), u32::from(high));
        self.rest = chars.0;
        Ok(())
    }
}

fn class_char(chars: &mut Reader<'_>) -> Translated<char> {
    match chars.next().ok_or(Refused)? {
        '\\' => escaped(chars),
        c => Ok(c),
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
fn unicode_class(chars: &mut Reader<'_>) -> Translated<String> {
    let mut is_negated = chars.next() == Some('P');
    let mut name = String::new();
    match chars.next().ok_or(Refused)? {
        '{' => loop {
            match chars.next().ok_or(Refused)? {
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
    let letter = if is_negated { 'P' } else { 'p' };
    match (name.as_str(), names::is_known(&name)) {
        ("Any", _) => Ok(format!("\\{letter}{{Any}}")),
        // Only characters that Go knows: the regex crate has those of a later Unicode.
        (_, true) => Ok(format!("[{}\\p{{{name}}}&&\\p{{age=15.0}}]", if is_negated { "^" } else { "" })),
        (_, false) => Err(LeftToOpa),
    }
}

/// The character of an escape; stands behind the backslash.
fn escaped(chars: &mut Reader<'_>) -> Translated<char> {
    match chars.next().ok_or(Refused)? {
        'a' => Ok('\x07'),
        'f' => Ok('\x0c'),
        't' => Ok('\t'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        'v' => Ok('\x0b'),
        'x' => hexadecimal(chars),
        c @ '0'..='7' => {
            // A single digit other than zero would be a reference to a group, which Go does not have.
            if c != '0' && !chars.peek().is_some_and(|next| ('0'..='7').contains(&next)) {
                return Err(Refused);
            }
            let mut code = c.to_digit(8).ok_or(Refused)?;
            for _ in 0..2 {
                let Some(digit) = chars.peek().and_then(|next| next.to_digit(8)) else {
                    break;
                };
                code = code * 8 + digit;
                chars.next();
            }
            char::from_u32(code).ok_or(LeftToOpa)
        }
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(c),
        _ => Err(Refused),
    }
}

fn hexadecimal(chars: &mut Reader<'_>) -> Translated<char> {
    let digit = |c: Option<char>| c.and_then(|c| c.to_digit(16)).ok_or(Refused);
    let code = if chars.next_if_eq('{').is_some() {
        let mut code = digit(chars.next())?;
        loop {
            match chars.next() {
                Some('}') => break code,
                c => code = code * 16 + digit(c)?,
            }
            if code > u32::from(char::MAX) {
                return Err(Refused);
            }
        }
    } else {
        digit(chars.next())? * 16 + digit(chars.next())?
    };
    // Half a surrogate is a character to Go, though one that no text has.
    char::from_u32(code).ok_or(LeftToOpa)
}

/// The least and the most of a repetition.
type Counts = (u32, Option<u32>);

/// A repetition in braces at the start of `text`, and what follows; the inner None says that its counts are refused.
fn repetition(text: &str) -> Option<(Option<Counts>, &str)> {
    let (counts, rest) = text.strip_prefix('{')?.split_once('}')?;
    let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
    let is_count =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !is_count(least) || !(most.is_empty() || is_count(most)) {
        return None;
    }
    let number = |text: &str| text.parse::<u32>().ok().filter(|count| *count <= MOST_REPETITIONS);
    let counts = match (number(least), most.is_empty(), number(most)) {
        (Some(least), true, _) => Some((least, None)),
        (Some(least), false, Some(most)) if least <= most => Some((least, Some(most))),
        _ => None,
    };
    Some((counts, rest))
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
            (r"\bx\x41\101\p{^Greek}\pL", r"(?-u:\b)xAA[^\p{Greek}&&\p{age=15.0}][\p{L}&&\p{age=15.0}]"),
            (r"[x\P{Nd}]\p{^Any}", r"[\x{78}-\x{78}[^\p{Nd}&&\p{age=15.0}]]\P{Any}"),
        ] {
            assert_eq!(translated(go).as_deref(), Ok(here), "{go}");
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
            "\\",
            "[[:ALPHA:]]",
            "[[:al:]]",
            "[[::]]",
        ] {
            assert_eq!(translated(pattern), Err(Refused), "{pattern}");
        }
        for pattern in
            ["(", ")", "(a", "a)", "(?P<é>a)", "(?P<>a)", "(?<=a)", r"\x+4", r"\x{110000}", r"\x{}", "(?-)", "a{2,1}"]
        {
            assert_eq!(translated(pattern), Err(Refused), "{pattern}");
        }
    }

    #[test]
    fn repetitions_inside_of_each_other_are_multiplied_as_in_go() {
        for (pattern, is_allowed) in [
            (r"^([a-z0-9-]{1,63}\.){1,127}[a-z]{2,}$", false),
            (r"^([a-z0-9-]{1,7}\.){1,127}[a-z]{2,}$", true),
            ("(a{1,10}){1,100}", true),
            ("(a{1,10}){1,101}", false),
            ("(?:.{100}){11}", false),
            ("(a{2,}){500}", true),
            ("(a{2,}){501}", false),
            ("((a{10}){10}){10}", true),
            ("((a{10}){10}){11}", false),
            ("((a{10}|b{9}x)?){101}", false),
            ("(a{0}){1000}", true),
            ("(a{1000}){0,}", true),
            ("((a{500}){0,}){3}", false),
            ("(a{1000}){1}", true),
            ("((a{1000}){1}){2}", false),
            ("(a{1000}){1,}", true),
            ("a{1000}b{1000}", true),
            ("(a{1000}b*|c){0,1}", true),
        ] {
            assert_eq!(translated(pattern).is_ok(), is_allowed, "{pattern}");
        }
    }

    #[test]
    fn what_go_may_take_is_left_to_opa() {
        for pattern in [
            r"\p{Alphabetic}",
            r"\p{Uppercase}",
            r"\p{Emoji}",
            r"\p{IsGreek}",
            r"[\p{greek}]",
            r"\p{Letter}",
            r"\pC",
            r"\pé",
            r"\x{D800}",
            r"[\x{D800}-\x{DFFF}]",
            "a(?i)*",
            "(a){0}",
            "(?:(a)b){0,0}",
            r"a*\Q\E*",
            "(?)a",
        ] {
            assert_eq!(translated(pattern), Err(LeftToOpa), "{pattern}");
        }
    }
}
