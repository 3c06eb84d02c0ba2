//! An input on its way to whoever evaluates it.

use std::{borrow::Cow, ops::Range};

use regorus::Value;

use super::{
    Document, Parts, Projection, Shape, Spelled,
    reader::{Built, read_front, read_some},
    scan::skip_space,
};
use crate::error::{EvaluationError, EvaluationErrorKind};

/// An input: its JSON text, and its value where somebody has read that already.
#[derive(Debug)]
pub struct Input<'t> {
    text: Option<&'t [u8]>,
    projected: Option<Projected>,
}

/// What was read of an input.
#[derive(Debug, PartialEq, Eq)]
pub struct Projected {
    built: Built,
    spelled: Spelled,
}

/// What to read of an input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'p> {
    /// What the evaluation can see.
    pub projection: &'p Projection,
    /// Somebody looks at all of it before, if it was not read yet.
    pub whole: bool,
}

/// An input that was read for an evaluation.
#[derive(Debug)]
pub(crate) enum Sight<'p> {
    Whole(Document),
    Parts(Parts, &'p Shape, Spelled),
}

/// The value of an input, as far as an evaluation can see it.
#[derive(Debug)]
pub(crate) enum Seen<'p> {
    Whole(Value),
    Parts(Parts, &'p Shape),
}

impl<'t> Input<'t> {
    /// The input of this text; None is no input.
    pub const fn of(text: Option<&'t [u8]>) -> Self {
        Self { text, projected: None }
    }

    /// An input without a text.
    pub(crate) fn of_value(Document { value, spelled }: Document) -> Self {
        Self { text: None, projected: Some(Projected { built: Built::Whole(value), spelled }) }
    }

    /// As [`Self::of`], with what was read of `text`, if it was.
    pub const fn read_before(text: Option<&'t [u8]>, projected: Option<Projected>) -> Self {
        Self { text, projected }
    }

    /// Where the input stands in `body`, and its value, found in one pass over a body that is nothing but `{"input": ...}` with an
    /// object, an array or a string. None of any other body, and when something is wrong: then [`super::input_in`] has the say.
    pub(crate) fn in_plain_body(body: &[u8], view: View<'_>) -> Option<(Range<usize>, Projected)> {
        const BEGINNING: &str = "{\"input\":";
        let text = std::str::from_utf8(body).ok()?;
        let start = skip_space(body, BEGINNING.len());
        if !text.starts_with(BEGINNING) || !matches!(body.get(start), Some(b'{' | b'[' | b'"')) {
            return None;
        }
        let (built, spelled, end) = read_front(text, start, view.wanted())?;
        // What follows the body's closing brace is not looked at.
        (body.get(skip_space(body, end)) == Some(&b'}')).then_some((start..end, Projected { built, spelled }))
    }

    /// Bytes of the text.
    pub(crate) fn length(&self) -> usize {
        self.text.map_or(0, <[u8]>::len)
    }

    /// What is to be seen of its value, undefined when there is none. What was read before for somebody who sees something else is
    /// read anew.
    pub(crate) fn read(self, view: View<'_>) -> Result<Sight<'_>, EvaluationError> {
        let foreign = || EvaluationError::failed(EvaluationErrorKind::Evaluation, "the input was read for another question");
        let was_read = self.projected.is_some();
        if let Some(sight) = self.projected.and_then(|projected| projected.seen_by(view)) {
            return Ok(sight);
        }
        let (built, spelled) = match self.text {
            Some(json) => read_some(json, view.wanted())?,
            None if was_read => return Err(foreign()),
            None => (Built::Whole(Value::Undefined), Spelled::default()),
        };
        Projected { built, spelled }.seen_by(view).ok_or_else(foreign)
    }
}

impl Projected {
    /// What `view` sees; None when something else was read.
    fn seen_by(self, view: View<'_>) -> Option<Sight<'_>> {
        match self.built {
            Built::Whole(value) => Some(Sight::Whole(Document { value, spelled: self.spelled })),
            Built::Parts(parts) => {
                let shape = view.projection.shape().filter(|shape| shape.is_of(&parts))?;
                Some(Sight::Parts(parts, shape, self.spelled))
            }
        }
    }
}

impl<'p> View<'p> {
    const fn wanted(&self) -> &'p Projection {
        if self.whole { &Projection::Whole } else { self.projection }
    }
}

impl From<Document> for Sight<'_> {
    fn from(document: Document) -> Self {
        Self::Whole(document)
    }
}

impl<'p> Sight<'p> {
    /// An object with all that is seen.
    pub(crate) fn value(&self) -> Cow<'_, Value> {
        match self {
            Self::Whole(document) => Cow::Borrowed(&document.value),
            Self::Parts(parts, shape, _) => Cow::Owned(shape.object(parts)),
        }
    }

    /// Whether what is at `path` was read: names, but for what is below a part.
    pub(crate) fn holds(&self, path: &[String]) -> bool {
        let keys: Vec<Value> = path.iter().map(|name| Value::from(name.as_str())).collect();
        match self {
            Self::Whole(_) => true,
            Self::Parts(_, shape, _) => shape.find(&keys).is_some(),
        }
    }

    /// Its value, and its numbers that are spelled otherwise than the engine writes them.
    pub(crate) fn taken_apart(self) -> (Seen<'p>, Spelled) {
        match self {
            Self::Whole(Document { value, spelled }) => (Seen::Whole(value), spelled),
            Self::Parts(parts, shape, spelled) => (Seen::Parts(parts, shape), spelled),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::{input_in, parse_input};

    const WHOLE: View<'_> = View { projection: &Projection::Whole, whole: false };

    fn in_plain_body(body: &[u8]) -> Option<(Range<usize>, Projected)> {
        Input::in_plain_body(body, WHOLE)
    }

    /// What a body gives when it is read in two passes.
    fn in_two(body: &[u8]) -> Option<(Range<usize>, Projected)> {
        let place = input_in(body).ok()??;
        let Document { value, spelled } = parse_input(body.get(place.clone())).ok()?;
        Some((place, Projected { built: Built::Whole(value), spelled }))
    }

    #[test]
    fn a_plain_body_is_read_in_one_pass() {
        for body in [
            r#"{"input":{"a":[1.0,2]}}"#,
            r#"{"input": [null] } x"#,
            r#"{"input":"\u0061"}"#,
            "{\"input\":\n{}\t}{\"input\":1}",
        ] {
            let found = in_plain_body(body.as_bytes());
            assert!(found.is_some(), "{body}");
            assert_eq!(found, in_two(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn any_other_body_is_left_to_who_knows_them_all() {
        for body in [
            "",
            "{}",
            " {\"input\":{}}",
            "{ \"input\":{}}",
            r#"{"input" :{}}"#,
            r#"{"Input":{}}"#,
            r#"{"input":null}"#,
            r#"{"input":1}"#,
            r#"{"input":{},"input":{"a":1}}"#,
            r#"{"input":{},"x":1}"#,
            r#"{"input":{}"#,
            r#"{"input":{"a":1e-999}}"#,
            r#"{"input":[1,]}"#,
            r#"["input",{}]"#,
        ] {
            assert_eq!(in_plain_body(body.as_bytes()), None, "{body}");
        }
        assert_eq!(in_plain_body(b"{\"input\":\"\xff\"}"), None);
        let deep = format!("{{\"input\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
        assert_eq!(in_plain_body(deep.as_bytes()), None);
    }

    #[test]
    fn what_was_read_for_others_is_read_anew() {
        let text = br#"{"a":1,"b":2}"#;
        let [for_a, for_b, also_for_a] = ["a", "b", "a"].map(|name| Projection::of([[name]]));
        let view = |projection| View { projection, whole: false };
        let read = |first: View<'_>, second| {
            let (built, spelled) = read_some(text, first.wanted()).unwrap();
            let sight = Input::read_before(Some(text), Some(Projected { built, spelled })).read(second).unwrap();
            (sight.value().to_string(), matches!(sight, Sight::Whole(_)))
        };
        let (only_a, only_b, both) = (r#"{"a":1}"#.to_owned(), r#"{"b":2}"#.to_owned(), r#"{"a":1,"b":2}"#.to_owned());

        assert_eq!(read(view(&for_a), view(&for_a)), (only_a.clone(), false));
        assert_eq!(read(view(&for_a), view(&for_b)), (only_b, false));
        assert_eq!(read(view(&for_a), view(&also_for_a)), (only_a.clone(), false));
        assert_eq!(read(view(&for_a), WHOLE), (both.clone(), true));
        assert_eq!(read(WHOLE, view(&for_a)), (both, true));
        let (built, spelled) = read_some(text, view(&for_a).wanted()).unwrap();
        let without_text = Input::read_before(None, Some(Projected { built, spelled })).read(view(&for_b));
        assert!(without_text.is_err());
        // For who would have looked at all of it, too little is no reason to read again.
        assert_eq!(read(view(&for_a), View { whole: true, ..view(&for_a) }), (only_a, false));
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_two_do_or_nothing(
            front in r#"[ ]?\{ ?"(input|Input|x)" ?: ?"#,
            value in r#"([\[\]{}:, ]|"a"|"b\\n"|"input"|-|[0-9]{1,3}|\.|e|true|null){0,10}"#,
            behind in r#"[ ]?(\}|,"input":\{\}\}|,"x":1\})?[ x}]{0,2}"#,
        ) {
            let body = format!("{front}{value}{behind}");
            let found = in_plain_body(body.as_bytes());
            prop_assert!(found.is_none() || found == in_two(body.as_bytes()), "{body}");
        }
    }
}
