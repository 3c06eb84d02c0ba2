//! The primitives that single-flight is built on. Its concurrency test puts modelled ones in their place.

pub(super) use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
