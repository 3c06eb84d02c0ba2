//! Keys that were read before on this thread: most inputs share theirs, and a shared one costs no allocation.

use std::{cell::RefCell, sync::Arc};

/// A power of two; together with the longest key it bounds what a thread keeps.
const SLOTS: usize = 256;
const LONGEST: usize = 48;

thread_local! {
    static KEYS: RefCell<Keys> = RefCell::new(Keys { slots: vec![None; SLOTS] });
}

/// A table in which a key may stand at one place only; a newcomer takes the place over.
struct Keys {
    slots: Vec<Option<Arc<str>>>,
}

/// A string equal to `key`, the one made before if it is still there.
pub fn shared(key: &str) -> Arc<str> {
    if key.len() > LONGEST {
        return key.into();
    }
    KEYS.with_borrow_mut(|keys| match keys.slots.get_mut(slot(key.as_bytes())) {
        Some(Some(known)) if **known == *key => Arc::clone(known),
        Some(slot) => Arc::clone(slot.insert(key.into())),
        None => key.into(),
    })
}

/// Keys differ in their ends and lengths more than in their middles.
fn slot(key: &[u8]) -> usize {
    let head =
        key.first_chunk::<4>().map_or_else(|| key.first().copied().map_or(0, u32::from), |four| u32::from_le_bytes(*four));
    let tail = key.last_chunk::<4>().map_or_else(|| key.last().copied().map_or(0, u32::from), |four| u32::from_le_bytes(*four));
    #[allow(clippy::cast_possible_truncation)] // keys of one length are told apart by their bytes
    let length = key.len() as u32;
    let mixed = (head ^ tail.rotate_left(15) ^ length.rotate_left(27)).wrapping_mul(0x9E37_79B1);
    (mixed >> 24) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_share_one_string_and_others_do_not() {
        let first = shared("tenant");
        assert!(Arc::ptr_eq(&first, &shared("tenant")));
        for other in ["", "t", "tenants", "tenan", "Tenant", &"t".repeat(LONGEST + 1)] {
            assert_eq!(&*shared(other), other);
        }
    }

    #[test]
    fn a_flood_of_keys_takes_no_more_than_the_table() {
        for number in 0..10_000 {
            assert_eq!(&*shared(&format!("key-{number}")), format!("key-{number}"));
        }
        KEYS.with_borrow(|keys| assert_eq!(keys.slots.len(), SLOTS));
        assert!((0..=u8::MAX).all(|byte| slot(&[byte]) < SLOTS));
    }
}
