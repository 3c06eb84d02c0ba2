//! How much memory a value takes, without the place it lies in itself.
//!
//! An estimate: what is allocated is counted as asked for, with what an allocator and a reference count add. A text that several
//! values share counts for each of them, so that the sum is rather too large than too small.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem::size_of,
};

use regorus::Value;

/// What an allocation costs beside its content: two reference counts, or the allocator's rounding.
const ALLOCATION: usize = 16;
/// What a collection that values share has beside its items: reference counts and where the items are.
const COLLECTION: usize = 48;

pub(crate) trait Footprint {
    /// Bytes on the heap.
    fn heap(&self) -> usize;
}

/// Bytes of `value` with the place it lies in.
pub(crate) fn whole<T: Footprint>(value: &T) -> usize {
    size_of::<T>() + value.heap()
}

fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + ALLOCATION }
}

/// What a shared text takes: allocators give multiples of sixteen bytes.
fn shared(bytes: usize) -> usize {
    (bytes + ALLOCATION).next_multiple_of(ALLOCATION)
}

/// What a shared collection takes, without what its items take elsewhere.
fn collected(bytes: usize) -> usize {
    COLLECTION + allocated(bytes)
}

impl<T: Footprint> Footprint for [T] {
    fn heap(&self) -> usize {
        self.iter().map(Footprint::heap).sum()
    }
}

impl<T: Footprint> Footprint for Box<[T]> {
    fn heap(&self) -> usize {
        allocated(size_of::<T>() * self.len()) + self.as_ref().heap()
    }
}

impl<T: Footprint> Footprint for Vec<T> {
    fn heap(&self) -> usize {
        allocated(size_of::<T>() * self.capacity()) + self.as_slice().heap()
    }
}

impl<T: Footprint> Footprint for Box<T> {
    fn heap(&self) -> usize {
        allocated(size_of::<T>()) + self.as_ref().heap()
    }
}

impl<T: Footprint> Footprint for Option<T> {
    fn heap(&self) -> usize {
        self.as_ref().map_or(0, Footprint::heap)
    }
}

impl<A: Footprint, B: Footprint> Footprint for (A, B) {
    fn heap(&self) -> usize {
        self.0.heap() + self.1.heap()
    }
}

/// A tree's nodes are about three quarters full.
impl<K: Footprint, V: Footprint> Footprint for BTreeMap<K, V> {
    fn heap(&self) -> usize {
        let entries = allocated(self.len() * size_of::<(K, V)>() * 4 / 3);
        entries + self.iter().map(|(key, value)| key.heap() + value.heap()).sum::<usize>()
    }
}

impl<T: Footprint> Footprint for BTreeSet<T> {
    fn heap(&self) -> usize {
        allocated(self.len() * size_of::<T>() * 4 / 3) + self.iter().map(Footprint::heap).sum::<usize>()
    }
}

impl<K: Footprint, V: Footprint, S> Footprint for HashMap<K, V, S> {
    fn heap(&self) -> usize {
        let slots = allocated(self.capacity() * (size_of::<(K, V)>() + 1) * 8 / 7);
        slots + self.iter().map(|(key, value)| key.heap() + value.heap()).sum::<usize>()
    }
}

impl Footprint for String {
    fn heap(&self) -> usize {
        allocated(self.capacity())
    }
}

impl Footprint for Value {
    fn heap(&self) -> usize {
        match self {
            Self::String(text) => shared(text.len()),
            Self::Number(number) if number.as_i64().is_none() && number.is_integer() => ALLOCATION * 2,
            Self::Array(items) => collected(size_of::<Self>() * items.len()) + items.iter().map(Footprint::heap).sum::<usize>(),
            Self::Set(items) => collected(size_of::<Self>() * items.len()) + items.iter().map(Footprint::heap).sum::<usize>(),
            Self::Object(fields) => {
                let entries = collected(size_of::<(Self, Self)>() * fields.len());
                entries + fields.iter().map(|(key, value)| key.heap() + value.heap()).sum::<usize>()
            }
            _ => 0,
        }
    }
}

macro_rules! nothing_on_the_heap {
    ($($of:ty),*) => { $(impl Footprint for $of { fn heap(&self) -> usize { 0 } })* };
}

nothing_on_the_heap!(bool, u8, u32, usize, [u8; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_more_takes_more() {
        let text = |text: &str| Value::from_json_str(text).unwrap().heap();
        assert_eq!(text("1"), 0);
        assert_eq!(text(r#""abcd""#), 32);
        assert_eq!(text("[]"), COLLECTION);
        assert_eq!(text(r#"["a"]"#), COLLECTION + size_of::<Value>() + ALLOCATION + 32);
        assert!(text("[1, 2, 3]") > text("[1, 2]"));
        assert!(text(r#"{"a": {"b": "c"}}"#) > text(r#"{"a": {}}"#));
        assert_eq!(vec!["ab".to_owned()].heap(), size_of::<String>() + ALLOCATION + 2 + ALLOCATION);
        assert_eq!(whole(&7_u32), 4);
    }
}
