//! HTTP/1.1 as it stands on the wire: what has arrived, and where one request ends and the next begins.
//!
//! Whatever two readers could read differently is refused: two lengths, a length beside chunks, a coding that is not known.

mod chunks;
mod head;
mod incoming;
mod last_head;

pub(crate) use head::{Head, HeadRule, Length};
pub(crate) use incoming::{Arrival, Incoming, Missing, Request};
