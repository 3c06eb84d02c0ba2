//! Which parts of a document are built when it is read: what nobody looks at is only checked.

use std::{collections::BTreeMap, sync::Arc};

use regorus::{Value, value::Object};

/// Most members of an object that are picked out: a blank of them is copied for each object, however few of them it has.
const MOST: usize = 24;

/// What is built of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Projection {
    /// All of it.
    #[default]
    Whole,
    /// Of an object some members, of anything else all.
    Members(Members),
}

/// Members of an object, and what is built of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members {
    picked: Vec<(Value, Projection)>,
    /// All of them, undefined: what is filled in later keeps the compact form that copies of it have.
    blank: Arc<Object>,
}

/// Paths on the way to a projection.
#[derive(Debug, Default)]
struct Tree {
    is_whole: bool,
    members: BTreeMap<Arc<str>, Tree>,
}

impl Projection {
    /// All that `paths` lead to.
    pub(crate) fn of<'p>(paths: impl IntoIterator<Item = impl IntoIterator<Item = &'p str>>) -> Self {
        let mut root = Tree::default();
        for path in paths {
            let end = path.into_iter().fold(&mut root, |tree, name| tree.members.entry(name.into()).or_default());
            end.is_whole = true;
        }
        root.into_projection()
    }

    /// Whether nothing is left out.
    pub(crate) const fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }
}

impl Tree {
    fn into_projection(self) -> Projection {
        if self.is_whole || self.members.len() > MOST {
            return Projection::Whole;
        }
        let picked: Vec<_> =
            self.members.into_iter().map(|(name, tree)| (Value::String(name), tree.into_projection())).collect();
        let blank: BTreeMap<_, _> = picked.iter().map(|(name, _)| (name.clone(), Value::Undefined)).collect();
        match Value::from(blank) {
            Value::Object(blank) => Projection::Members(Members { picked, blank }),
            _ => Projection::Whole,
        }
    }
}

impl Members {
    /// The member `name`, as a key, and what is built of it.
    pub(super) fn find(&self, name: &str) -> Option<&(Value, Projection)> {
        self.picked.iter().find(|(picked, _)| matches!(picked, Value::String(picked) if **picked == *name))
    }

    /// An object whose members are undefined, which nobody can tell from missing ones.
    pub(super) fn blank(&self) -> Object {
        (*self.blank).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(projection: &Projection) -> String {
        match projection {
            Projection::Whole => "*".to_owned(),
            Projection::Members(members) => {
                let all = members.picked.iter().map(|(name, inner)| format!("{}{}", name.as_string().unwrap(), named(inner)));
                format!("({})", all.collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn it_holds_what_paths_lead_to() {
        for (paths, expected) in [
            (&[][..], "()"),
            (&[""], "*"),
            (&["b", "a"], "(a* b*)"),
            (&["a.b", "a.c.d", "e"], "(a(b* c(d*)) e*)"),
            (&["a.b", "a"], "(a*)"),
            (&["a", "a.b"], "(a*)"),
            (&["a.b", ""], "*"),
        ] {
            let split = paths.iter().map(|path| path.split('.').filter(|name| !name.is_empty()));
            assert_eq!(named(&Projection::of(split)), expected, "{paths:?}");
        }
    }

    #[test]
    fn many_members_are_not_picked_out() {
        let names = |count: usize| (0..count).map(|number| format!("m{number:03}")).collect::<Vec<_>>();
        let of = |names: &[String]| Projection::of(names.iter().map(|name| ["x", name.as_str()]));
        assert_ne!(named(&of(&names(MOST))), "(x*)");
        assert_eq!(named(&of(&names(MOST + 1))), "(x*)");
    }
}
