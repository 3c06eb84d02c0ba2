//! Kinds of values, as OPA's compiler tells them apart.

use std::fmt;

use regorus::Value;

/// Which kinds a value may have; none at all means that there is no such value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(1 << 1);
    pub(crate) const NUMBER: Self = Self(1 << 2);
    pub(crate) const STRING: Self = Self(1 << 3);
    pub(crate) const ARRAY: Self = Self(1 << 4);
    pub(crate) const OBJECT: Self = Self(1 << 5);
    pub(crate) const SET: Self = Self(1 << 6);
    pub(crate) const ANY: Self = Self((1 << 7) - 1);
    /// Those that have elements.
    pub(crate) const COLLECTIONS: Self = Self(Self::ARRAY.0 | Self::SET.0);
    /// Those without parts.
    pub(crate) const SCALARS: Self = Self(Self::NULL.0 | Self::BOOLEAN.0 | Self::NUMBER.0 | Self::STRING.0);

    const NAMED: [(Self, &'static str); 7] = [
        (Self::NULL, "null"),
        (Self::BOOLEAN, "boolean"),
        (Self::NUMBER, "number"),
        (Self::STRING, "string"),
        (Self::ARRAY, "array"),
        (Self::OBJECT, "object"),
        (Self::SET, "set"),
    ];

    /// The kind called `name`, or any of them.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = Self::NAMED.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind);
        known.or((name == "any").then_some(Self::ANY))
    }

    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
            Value::Set(_) => Self::SET,
            Value::Undefined => Self::ANY,
        }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether a value may be of both. What has no kind at all is not there to differ.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0 || self == Self::NONE || other == Self::NONE
    }

    /// Whether it is nothing but these.
    pub(crate) fn is_within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("anything");
        }
        let mut or = "";
        for (kind, name) in Self::NAMED {
            if kind.is_within(*self) {
                write!(f, "{or}{name}")?;
                or = " or ";
            }
        }
        Ok(())
    }
}

/// Kinds of a value, and of the elements where it is an array or a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Type {
    pub own: Kinds,
    pub elements: Kinds,
}

/// Most elements of a constant that are looked at; one with more may have any.
const MOST_ELEMENTS: usize = 64;

impl Type {
    pub(crate) const ANY: Self = Self { own: Kinds::ANY, elements: Kinds::ANY };
    pub(crate) const NONE: Self = Self { own: Kinds::NONE, elements: Kinds::NONE };

    /// Of values of these kinds, whose elements may be anything.
    pub(crate) fn of_kinds(own: Kinds) -> Self {
        let has_elements = own.and(Kinds::COLLECTIONS) != Kinds::NONE;
        Self { own, elements: if has_elements { Kinds::ANY } else { Kinds::NONE } }
    }

    pub(crate) fn of(value: &Value) -> Self {
        let elements = match value {
            // An empty array is an array of whatever one asks for, also as one of several values of a rule.
            Value::Array(items) if items.is_empty() => Kinds::ANY,
            Value::Array(items) if items.len() <= MOST_ELEMENTS => items.iter().map(as_element).fold(Kinds::NONE, Kinds::or),
            Value::Set(items) if items.len() <= MOST_ELEMENTS => items.iter().map(as_element).fold(Kinds::NONE, Kinds::or),
            Value::Array(_) | Value::Set(_) => Kinds::ANY,
            _ => Kinds::NONE,
        };
        Self { own: Kinds::of(value), elements }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self { own: self.own.or(other.own), elements: self.elements.or(other.elements) }
    }

    /// Whether one value may be of both.
    pub(crate) fn meets(self, other: Self) -> bool {
        let have_elements = self.own.and(other.own).is_within(Kinds::COLLECTIONS);
        self.own.meets(other.own) && (!have_elements || self.elements.meets(other.elements))
    }
}

/// Kinds of a constant that stands in another one.
pub(crate) fn as_element(value: &Value) -> Kinds {
    if has_empty_set(value) { Kinds::ANY } else { Kinds::of(value) }
}

/// Whether an empty set stands in `value`, or is it: an element of one has no type to OPA, and neither has what it is a part of.
pub(crate) fn has_empty_set(value: &Value) -> bool {
    match value {
        Value::Set(items) => items.is_empty() || items.iter().any(has_empty_set),
        Value::Array(items) => items.iter().any(has_empty_set),
        Value::Object(fields) => fields.iter().any(|(key, value)| has_empty_set(key) || has_empty_set(value)),
        _ => false,
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.own)?;
        if self.own != Kinds::ANY && self.elements != Kinds::ANY && self.elements != Kinds::NONE {
            write!(f, " of {}", self.elements)?;
        }
        Ok(())
    }
}
