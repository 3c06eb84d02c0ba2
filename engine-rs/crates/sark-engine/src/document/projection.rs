//! Which parts of a document are built when it is read: what nobody looks at is only checked.
//!
//! Parts lie side by side, without the objects around them: whoever looks at a path of the input knows the number of its part, and
//! neither keys nor objects are made for a question.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use regorus::{Rc, Value, value::Object};

/// Most members of an object that are told apart: each member of an input is looked for among them.
const MOST: usize = 24;

/// What is built of a document.
#[derive(Debug, Default)]
pub(crate) enum Projection {
    /// All of it.
    #[default]
    Whole,
    /// Of an object some parts, of anything else nothing.
    Parts(Shape),
}

/// Which parts there are, by the paths that lead to them. None lies in another.
#[derive(Debug)]
pub(crate) struct Shape {
    /// No other shape of this process has it.
    id: u64,
    root: Members,
    /// Of the parts.
    count: usize,
}

/// The members of an object on the way to parts.
#[derive(Debug)]
pub(super) struct Members {
    picked: Vec<(Arc<str>, Way)>,
    /// The parts that lie in it.
    parts: Range<usize>,
}

/// What a member leads to.
#[derive(Debug)]
pub(super) enum Way {
    /// It is the part of this number.
    Part(usize),
    Further(Members),
}

/// The parts that were built of a document, undefined where it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Of their shape.
    id: u64,
    values: Box<[Value]>,
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
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut root = Tree::default();
        for path in paths {
            let end = path.into_iter().fold(&mut root, |tree, name| tree.members.entry(name.into()).or_default());
            end.is_whole = true;
        }
        let mut count = 0;
        match root.into_way(&mut count) {
            Way::Part(_) => Self::Whole,
            Way::Further(root) => Self::Parts(Shape { id: NEXT.fetch_add(1, Ordering::Relaxed), root, count }),
        }
    }

    /// Which parts are built; None when nothing is left out.
    pub(crate) const fn shape(&self) -> Option<&Shape> {
        match self {
            Self::Whole => None,
            Self::Parts(shape) => Some(shape),
        }
    }
}

impl Tree {
    /// What it leads to when `count` parts come before it.
    fn into_way(self, count: &mut usize) -> Way {
        let first = *count;
        if self.is_whole || self.members.len() > MOST {
            *count += 1;
            return Way::Part(first);
        }
        let picked = self.members.into_iter().map(|(name, tree)| (name, tree.into_way(count))).collect();
        Way::Further(Members { picked, parts: first..*count })
    }
}

impl Shape {
    /// No other shape of this process has it.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// Whether there is no part at all.
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether `parts` are those that it tells apart.
    pub(super) const fn is_of(&self, parts: &Parts) -> bool {
        self.id == parts.id
    }

    pub(super) const fn root(&self) -> &Members {
        &self.root
    }

    /// The parts of a document that has none of them.
    pub(super) fn blank(&self) -> Parts {
        Parts { id: self.id, values: (0..self.count).map(|_| Value::Undefined).collect() }
    }

    /// The part that a path leads to or into, and how many of its keys lead to the part; None when that much of the document is
    /// not built.
    pub(crate) fn find(&self, path: &[Value]) -> Option<(usize, usize)> {
        let mut members = &self.root;
        for (depth, key) in (1..).zip(path) {
            let Value::String(name) = key else {
                return None;
            };
            match members.find(name)? {
                Way::Part(number) => return Some((*number, depth)),
                Way::Further(further) => members = further,
            }
        }
        None
    }

    /// An object in which `parts` are where they were.
    pub(crate) fn object(&self, parts: &Parts) -> Value {
        self.root.object(parts)
    }
}

impl Members {
    /// What the member `name` leads to.
    pub(super) fn find(&self, name: &str) -> Option<&Way> {
        self.picked.iter().find(|(picked, _)| **picked == *name).map(|(_, way)| way)
    }

    fn object(&self, parts: &Parts) -> Value {
        let fields = self.picked.iter().filter_map(|(name, way)| {
            let value = match way {
                Way::Part(number) => parts.get(*number).cloned().filter(|part| *part != Value::Undefined)?,
                Way::Further(members) => members.object(parts),
            };
            Some((Value::String(Arc::clone(name)), value))
        });
        Value::Object(Rc::new(Object::from(fields.collect::<BTreeMap<_, _>>())))
    }
}

impl Parts {
    /// The part of this number.
    pub(crate) fn get(&self, number: usize) -> Option<&Value> {
        self.values.get(number)
    }

    pub(super) fn set(&mut self, number: usize, value: Value) {
        if let Some(part) = self.values.get_mut(number) {
            *part = value;
        }
    }

    /// Forget the parts in `members`.
    pub(super) fn forget(&mut self, members: &Members) {
        // Nearly always nothing was there.
        let built = self.values.get_mut(members.parts.clone()).unwrap_or_default().iter_mut();
        built.filter(|part| !matches!(part, Value::Undefined)).for_each(|part| *part = Value::Undefined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(projection: &Projection) -> String {
        fn of(way: &Way) -> String {
            match way {
                Way::Part(number) => number.to_string(),
                Way::Further(members) => members_named(members),
            }
        }
        fn members_named(members: &Members) -> String {
            let all = members.picked.iter().map(|(name, way)| format!("{name}{}", of(way)));
            format!("({})", all.collect::<Vec<_>>().join(" "))
        }
        projection.shape().map_or_else(|| "*".to_owned(), |shape| members_named(shape.root()))
    }

    fn split(path: &str) -> impl Iterator<Item = &str> {
        path.split('.').filter(|name| !name.is_empty())
    }

    #[test]
    fn it_holds_what_paths_lead_to() {
        for (paths, expected) in [
            (&[][..], "()"),
            (&[""], "*"),
            (&["b", "a"], "(a0 b1)"),
            (&["a.b", "a.c.d", "e"], "(a(b0 c(d1)) e2)"),
            (&["a.b", "a"], "(a0)"),
            (&["a", "a.b"], "(a0)"),
            (&["a.b", ""], "*"),
        ] {
            assert_eq!(named(&Projection::of(paths.iter().map(|path| split(path)))), expected, "{paths:?}");
        }
    }

    #[test]
    fn many_members_are_not_told_apart() {
        let names = |count: usize| (0..count).map(|number| format!("m{number:03}")).collect::<Vec<_>>();
        let of = |names: &[String]| Projection::of(names.iter().map(|name| ["x", name.as_str()]));
        assert_ne!(named(&of(&names(MOST))), "(x0)");
        assert_eq!(named(&of(&names(MOST + 1))), "(x0)");
    }

    #[test]
    fn a_path_is_found_where_its_part_is_and_inside_of_it() {
        let projection = Projection::of(["a.b", "c", "d.e", "d.f"].map(split));
        let found = |path: &str| {
            let keys: Vec<Value> = split(path).map(|key| key.parse::<u64>().map_or_else(|_| key.into(), Value::from)).collect();
            projection.shape().unwrap().find(&keys)
        };
        for (path, place) in [("a.b", (0, 2)), ("a.b.0.x", (0, 2)), ("c", (1, 1)), ("c.0", (1, 1)), ("d.f.g", (3, 2))] {
            assert_eq!(found(path), Some(place), "{path}");
        }
        for path in ["", "a", "a.0", "a.c", "0", "x", "d"] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn shapes_are_told_apart_also_when_they_are_alike() {
        let [one, other] = [0, 1].map(|_| Projection::of(["a"].map(split)));
        assert_ne!(one.shape().unwrap().id(), other.shape().unwrap().id());
    }
}
