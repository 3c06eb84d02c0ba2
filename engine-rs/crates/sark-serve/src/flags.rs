//! The flags in force.

use std::time::Instant;

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
    /// The last instant of their validity, past which everybody is on baseline; None when they have no end.
    pub ends: Option<Instant>,
}

impl Flags {
    /// Whether their validity is over at `now`.
    pub(crate) fn are_over(&self, now: Instant) -> bool {
        self.ends.is_some_and(|ends| now > ends)
    }

    /// What is in force past their validity: nobody in the new arm, and nothing compared.
    pub(crate) fn past_validity(&self) -> Self {
        Self { percentage: 0, shadow: 0, ends: None, ..self.clone() }
    }

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
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn validity_ends_past_its_last_instant_and_never_without_one() {
        let noon = Instant::now();
        let moment = Duration::from_nanos(1);
        let flags = Flags { percentage: 50, shadow: 5, revision: 7, rust_opa: true, ends: Some(noon), ..Flags::default() };
        assert!(!flags.are_over(noon));
        assert!(flags.are_over(noon + moment));
        let after = flags.past_validity();
        assert_eq!((after.everybodys_arm(), after.shadow, after.revision), (Some(Arm::Python), 0, 7));
        assert!(!after.are_over(noon + moment));
    }

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
