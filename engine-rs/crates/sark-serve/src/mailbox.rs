//! Answers for an event loop inside the process: they are put here from any thread, and a descriptor says that some are here.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use crate::told::Told;

/// Answers that wait to be taken.
#[derive(Debug)]
pub struct Mailbox {
    told: Mutex<Vec<(u64, Told)>>,
    wake: OwnedFd,
}

impl Mailbox {
    /// An empty one.
    pub fn new() -> io::Result<Self> {
        Ok(Self { told: Mutex::default(), wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    /// Readable while answers wait.
    pub fn descriptor(&self) -> RawFd {
        self.wake.as_fd().as_raw_fd()
    }

    /// Put the answer to the question that is known by `token`.
    pub fn put(&self, token: u64, told: Told) {
        let mut waiting = self.told.lock();
        waiting.push((token, told));
        if waiting.len() == 1 {
            // Writing fails only when the counter is full, and then the descriptor is readable already.
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }

    /// All answers that wait.
    pub fn take(&self) -> Vec<(u64, Told)> {
        let mut waiting = self.told.lock();
        // Reading fails only when there is nothing to clear.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        std::mem::take(&mut *waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Problem;

    #[test]
    fn answers_are_taken_once_in_their_order() {
        let mailbox = Mailbox::new().unwrap();
        for token in [7, 3] {
            mailbox.put(token, Told::refused(&Problem::internal("no")));
        }
        let tokens: Vec<u64> = mailbox.take().into_iter().map(|(token, _)| token).collect();
        assert_eq!(tokens, [7, 3]);
        assert!(mailbox.take().is_empty());
    }
}
