//! Memory for bodies, of all requests together.
//!
//! How many requests there are and how large each may be are bounded by themselves; their product is not what a container has.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::reply::Problem;

/// A connection, or a body that was unpacked, is not counted up to here. Most requests fit, and cost nothing more.
const FREE: usize = 64 << 10;
/// What is held in all, in bodies of the largest size; their buffers take up to twice as much as is in them.
const LARGEST: usize = 64;

/// What all requests hold.
#[derive(Debug)]
pub(crate) struct Bodies {
    held: AtomicUsize,
    most: usize,
}

impl Bodies {
    /// Room for bodies of at most so many bytes each.
    pub(crate) fn of(max_body_bytes: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), most: max_body_bytes.max(FREE).saturating_mul(LARGEST) })
    }

    /// Room for nothing yet.
    pub(crate) fn held(self: &Arc<Self>) -> Held {
        Held { bodies: Arc::clone(self), bytes: 0 }
    }
}

/// What one of them holds. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    bodies: Arc<Bodies>,
    bytes: usize,
}

impl Held {
    /// Hold `size` bytes from now on, in place of what was held before; nothing changes when there is no room.
    pub(crate) fn resize(&mut self, size: usize) -> Result<(), Problem> {
        let wanted = if size > FREE { size } else { 0 };
        if wanted > self.bytes {
            let more = wanted - self.bytes;
            let before = self.bodies.held.fetch_add(more, Ordering::Relaxed);
            if before.saturating_add(more) > self.bodies.most {
                self.bodies.held.fetch_sub(more, Ordering::Relaxed);
                return Err(Problem::unavailable("too many large bodies are being read or answered; try again"));
            }
        } else if wanted < self.bytes {
            self.bodies.held.fetch_sub(self.bytes - wanted, Ordering::Relaxed);
        }
        self.bytes = wanted;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held(bodies: &Bodies) -> usize {
        bodies.held.load(Ordering::Relaxed)
    }

    #[test]
    fn small_ones_are_not_counted_and_large_ones_up_to_a_limit() {
        let bodies = Bodies::of(1 << 20);
        let mut small: Vec<Held> = (0..10_000).map(|_| bodies.held()).collect();
        assert!(small.iter_mut().all(|one| one.resize(FREE).is_ok()));
        assert_eq!(held(&bodies), 0);

        let mut large: Vec<Held> = (0..LARGEST).map(|_| bodies.held()).collect();
        assert!(large.iter_mut().all(|one| one.resize(1 << 20).is_ok()));
        let mut another = bodies.held();
        assert!(another.resize(FREE + 1).unwrap_err().message.contains("too many large bodies"));
        assert_eq!(held(&bodies), LARGEST << 20);

        drop(large.pop());
        assert!(another.resize(FREE + 1).is_ok());
    }

    #[test]
    fn small_limits_leave_room_for_buffers() {
        let mut one = Bodies::of(1).held();
        assert!(one.resize(LARGEST * FREE).is_ok());
        assert!(one.resize(LARGEST * FREE + 1).is_err());
    }

    proptest! {
        #[test]
        fn what_is_held_is_what_each_holds(steps in prop::collection::vec((0_usize..4, 0_usize..3 * FREE, any::<bool>()), 0..100)) {
            let bodies = Bodies::of(FREE / 8);
            let mut all: Vec<Held> = (0..4).map(|_| bodies.held()).collect();
            for (which, size, drops) in steps {
                if drops {
                    all[which] = bodies.held();
                } else {
                    let before = all[which].bytes;
                    let wanted = if size > FREE { size } else { 0 };
                    let expected = if all[which].resize(size).is_ok() { wanted } else { before };
                    prop_assert_eq!(all[which].bytes, expected);
                }
                prop_assert_eq!(held(&bodies), all.iter().map(|one| one.bytes).sum::<usize>());
                prop_assert!(held(&bodies) <= bodies.most);
            }
            drop(all);
            prop_assert_eq!(held(&bodies), 0);
        }
    }
}
