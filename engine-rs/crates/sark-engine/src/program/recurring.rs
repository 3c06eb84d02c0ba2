//! Texts and paths that come up again and again in policies, each kept once.
//!
//! They are copies: a text that a program shared with the syntax tree would keep the memory around it from being used again.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use regorus::Value;

use super::ir::InputId;
use crate::footprint::Footprint;

/// What was kept so far.
#[derive(Debug, Default)]
pub(crate) struct Recurring {
    texts: HashSet<Arc<str>>,
    paths: BTreeMap<Arc<[Value]>, InputId>,
    /// A path that is looked for.
    sought: Vec<Value>,
    bytes: usize,
}

impl Recurring {
    /// The value equal to `value`, shared with others when it is a text.
    pub(crate) fn value(&mut self, value: &Value) -> Value {
        let Value::String(text) = value else {
            return value.clone();
        };
        if let Some(known) = self.texts.get(&**text) {
            return Value::String(Arc::clone(known));
        }
        let copy: Arc<str> = Arc::from(&**text);
        self.texts.insert(Arc::clone(&copy));
        let copied = Value::String(copy);
        self.bytes += copied.heap();
        copied
    }

    /// The path below the input of the keys in `above`, and then `key` if there is one, with its number.
    pub(crate) fn path(&mut self, above: &[Value], key: Option<&Value>) -> (Arc<[Value]>, InputId) {
        let mut sought = std::mem::take(&mut self.sought);
        sought.clear();
        sought.extend(above.iter().chain(key).cloned());
        let path = match self.paths.get_key_value(sought.as_slice()) {
            Some((known, number)) => (Arc::clone(known), *number),
            None => self.new_path(&sought),
        };
        self.sought = sought;
        path
    }

    fn new_path(&mut self, keys: &[Value]) -> (Arc<[Value]>, InputId) {
        let path: Arc<[Value]> = keys.iter().map(|key| self.value(key)).collect();
        // It is also among the paths of the program.
        self.bytes += size_of_val(&*path) + size_of_val(&path);
        // More than fit are not told apart: `seen.rs` gives up long before.
        let number = InputId::try_from(self.paths.len()).unwrap_or(InputId::MAX);
        self.paths.insert(Arc::clone(&path), number);
        (path, number)
    }

    /// The paths in the order of their numbers.
    pub(crate) fn into_paths(self) -> Vec<Arc<[Value]>> {
        let mut paths: Vec<_> = self.paths.into_iter().collect();
        paths.sort_unstable_by_key(|(_, number)| *number);
        paths.into_iter().map(|(path, _)| path).collect()
    }
}

/// What is shared, without the means to find it again: these are there only while a program is made.
impl Footprint for Recurring {
    fn heap(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_a_copy() {
        let mut recurring = Recurring::default();
        let (first, second) = (Value::from("abc"), Value::from("abc"));
        let kept = [recurring.value(&first), recurring.value(&second)];
        assert_eq!(kept, [first.clone(), second]);
        let text = |value: &Value| match value {
            Value::String(text) => Arc::as_ptr(text),
            _ => panic!("no text"),
        };
        assert!(std::ptr::eq(text(&kept[0]), text(&kept[1])) && !std::ptr::eq(text(&kept[0]), text(&first)));
        assert_eq!(recurring.heap(), first.heap());
        assert_eq!(recurring.value(&Value::from(1_u64)), Value::from(1_u64));
    }

    #[test]
    fn equal_paths_are_one() {
        let mut recurring = Recurring::default();
        let (user, id) = (Value::from("user"), Value::from("id"));
        let (whole, number) = recurring.path(&[user.clone(), id.clone()], None);
        let (by_steps, same) = recurring.path(std::slice::from_ref(&user), Some(&id));
        assert!(Arc::ptr_eq(&whole, &by_steps));
        assert_eq!((number, same), (0, 0));
        assert_eq!(*whole, [user, id]);
        let (none, next) = recurring.path(&[], None);
        assert!(none.is_empty());
        assert_eq!((next, recurring.into_paths()), (1, vec![whole, none]));
    }
}
