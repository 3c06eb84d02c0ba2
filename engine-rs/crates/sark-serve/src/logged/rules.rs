//! What is configured about the decision log.

use std::collections::BTreeMap;

use crate::{answered::QueueLimits, events::RequestResult, options::ConfigurationError};

use super::mask::Mask;

/// Settings of the decision log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Labels that every event carries.
    pub labels: BTreeMap<String, String>,
    /// What is hidden in events, in this order.
    pub masks: Vec<Mask>,
    /// Which decisions are not logged.
    pub drops: Vec<DropRule>,
    /// Whether `data.system.log.mask` and `data.system.log.drop` of the policies are asked too.
    pub asks_policies: bool,
    /// Most events a second.
    pub max_per_second: Option<f64>,
    /// Bounds of what waits.
    pub queue: QueueLimits,
}

/// Decisions that are not logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropRule {
    path: String,
    /// Also what is below the path.
    is_deep: bool,
    outcome: Option<RequestResult>,
}

impl DropRule {
    /// Decisions of `path`, with `/*` at its end those below it, and of this outcome; empty: of any.
    pub fn new(path: &str, outcome: &str) -> Result<Self, ConfigurationError> {
        let wrong = |what: String| Err(ConfigurationError(what));
        let trimmed = path.trim_matches('/');
        let (trimmed, is_deep) = match trimmed.strip_suffix('*') {
            Some(rest) => (rest.trim_end_matches('/'), true),
            None => (trimmed, false),
        };
        if trimmed.contains('*') || (trimmed.is_empty() && !is_deep) {
            return wrong(format!("a path to drop must be one such as authz/allow or authz/*, not {path:?}"));
        }
        let outcome = match outcome {
            "" => None,
            text => match RequestResult::parse(text) {
                Some(known) => Some(known),
                None => return wrong(format!("an outcome to drop must be allow, deny, undefined or error, not {text:?}")),
            },
        };
        Ok(Self { path: trimmed.to_owned(), is_deep, outcome })
    }

    pub(super) fn covers(&self, path: &str, result: RequestResult) -> bool {
        let rest = path.strip_prefix(self.path.as_str());
        let is_path =
            rest.is_some_and(|rest| rest.is_empty() || (self.is_deep && (self.path.is_empty() || rest.starts_with('/'))));
        is_path && self.outcome.is_none_or(|outcome| outcome == result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_covers_its_path_and_outcome_alone() {
        let covers = |rule: (&str, &str), path: &str, result| DropRule::new(rule.0, rule.1).unwrap().covers(path, result);
        assert!(covers(("authz/allow", ""), "authz/allow", RequestResult::Deny));
        assert!(!covers(("authz/allow", ""), "authz/allowed", RequestResult::Deny));
        assert!(!covers(("authz/allow", ""), "authz/allow/x", RequestResult::Deny));
        assert!(covers(("/authz/*", "allow"), "authz/a/b", RequestResult::Allow));
        assert!(!covers(("authz/*", "allow"), "authz/a/b", RequestResult::Deny));
        assert!(!covers(("authz/*", ""), "authzed/a", RequestResult::Deny));
        assert!(covers(("*", "allow"), "anything", RequestResult::Allow));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for (path, outcome) in [("", ""), ("/", ""), ("a*b", ""), ("a", "allowed"), ("*/a", "")] {
            assert!(DropRule::new(path, outcome).is_err(), "{path} {outcome}");
        }
    }
}
