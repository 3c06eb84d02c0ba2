//! Forks: a child has all of its parent's memory, and none of its threads.

use std::sync::atomic::{AtomicU64, Ordering};

/// Forks that lie between this process and the one that the program began as.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Note that this process is the child of a fork.
///
/// For whoever embeds the server to register with `pthread_atfork(3)`: that hears of every fork, and a flag is cheaper to look at
/// with each question than the process id, which is a system call.
pub fn note_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn forks() -> u64 {
    FORKS.load(Ordering::Relaxed)
}
