//! The flags in force.

use sark_engine::assignment::Rule;

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
    /// How subjects are assigned.
    pub rule: Rule,
    /// The new arm evaluates in process.
    pub rust_opa: bool,
    /// The new arm keeps decisions in process.
    pub rust_cache: bool,
    /// Share of the requests whose decisions are compared with the other arm's, 0 to 100.
    pub shadow: u8,
}

impl Flags {
    /// The arm that every subject is in, when there is only one.
    pub(crate) fn everybodys_arm(&self) -> Option<Arm> {
        let moved = self.rust_opa || self.rust_cache;
        match self.percentage {
            100.. if moved => Some(Arm::Rust),
            1.. if moved => None,
            _ => Some(Arm::Python),
        }
    }

    /// The arm of `subject`.
    pub fn arm(&self, subject: &[u8]) -> Arm {
        let moved = self.rust_opa || self.rust_cache;
        if moved && self.rule.in_new_arm(&self.salt, subject, self.percentage) { Arm::Rust } else { Arm::Python }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn where_there_is_only_one_arm_every_subject_is_in_it(percentage in 0_u8..=100, rust_opa: bool, rust_cache: bool, sark: bool, subject: Vec<u8>) {
            let rule = if sark { Rule::SarkMd5 } else { Rule::Murmur3 };
            let flags = Flags { rule, percentage, rust_opa, rust_cache, salt: "salt".into(), ..Flags::default() };
            if let Some(arm) = flags.everybodys_arm() {
                prop_assert_eq!(flags.arm(&subject), arm);
            } else {
                prop_assert!((1..100).contains(&percentage));
            }
        }
    }
}
