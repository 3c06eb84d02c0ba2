//! Putting documents together from what several rules give.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;

use super::{super::weights::is_collection, Failure, Outcome};

/// A document under construction. What a rule gives is one value: other rules add beside it, never inside of it.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Branch(BTreeMap<Value, Part>),
    Leaf(Value),
    Elements(BTreeSet<Value>),
}

impl Part {
    pub(super) fn empty() -> Self {
        Self::Branch(BTreeMap::new())
    }

    /// Whether any rule has given something of it.
    pub(super) fn is_given(&self) -> bool {
        match self {
            Self::Branch(fields) => !fields.is_empty(),
            Self::Elements(elements) => !elements.is_empty(),
            Self::Leaf(_) => true,
        }
    }

    /// Whether it has more than one level of what rules give.
    pub(super) fn is_nested(&self) -> bool {
        matches!(self, Self::Branch(fields) if fields.values().any(|part| !matches!(part, Self::Leaf(_))))
    }

    /// Whether it holds a value with parts.
    pub(super) fn is_collection(&self) -> bool {
        match self {
            Self::Leaf(value) => is_collection(value),
            Self::Elements(elements) => elements.iter().any(is_collection),
            Self::Branch(_) => false,
        }
    }

    /// `leaf` below `path`.
    pub(super) fn along(path: Vec<Value>, leaf: Self) -> Self {
        path.into_iter().rev().fold(leaf, |part, key| Self::Branch(BTreeMap::from([(key, part)])))
    }

    /// Add what another solution or rule gives.
    pub(super) fn merge(&mut self, other: Self) -> Outcome<()> {
        match (&mut *self, other) {
            (Self::Branch(fields), Self::Branch(others)) => {
                for (key, part) in others {
                    match fields.get_mut(&key) {
                        Some(known) => known.merge(part)?,
                        None => {
                            fields.insert(key, part);
                        }
                    }
                }
                Ok(())
            }
            (Self::Elements(elements), Self::Elements(others)) => {
                elements.extend(others);
                Ok(())
            }
            (Self::Leaf(known), Self::Leaf(value)) if *known == value => Ok(()),
            // A rule without solutions takes no room.
            (_, Self::Branch(others)) if others.is_empty() => Ok(()),
            (Self::Branch(fields), other) if fields.is_empty() => {
                *self = other;
                Ok(())
            }
            _ => Err(Failure::Conflict("object keys must be unique".to_owned())),
        }
    }

    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Branch(fields) => {
                Value::from(fields.into_iter().map(|(key, part)| (key, part.into_value())).collect::<BTreeMap<_, _>>())
            }
            Self::Leaf(value) => value,
            Self::Elements(elements) => Value::from(elements),
        }
    }
}
