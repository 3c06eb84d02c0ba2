//! The flags in force.

use sark_engine::assignment;

use crate::arms::Arm;

/// What the flag document says, as far as requests are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// `namespace/name` of the rollout; empty when there is none.
    pub rollout: String,
    /// Revision of the flag document; 0 when there is none.
    pub revision: u64,
    /// Share of the subjects in the new arm, 0 to 100.
    pub percentage: u8,
    /// Salt of the assignment.
    pub salt: String,
    /// The new arm evaluates in process.
    pub rust_opa: bool,
    /// The new arm keeps decisions in process.
    pub rust_cache: bool,
}

impl Flags {
    /// The arm of `subject`.
    pub fn arm(&self, subject: &[u8]) -> Arm {
        let moved = self.rust_opa || self.rust_cache;
        if moved && assignment::in_new_arm(&self.salt, subject, self.percentage) { Arm::Rust } else { Arm::Python }
    }
}
