//! Who answers for an entrypoint, and why.

use std::collections::BTreeMap;

use crate::{path::DecisionPath, policies::Policies};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServedBy {
    /// This engine.
    Rust,
    /// The baseline: this engine refuses the path.
    Baseline,
}

impl ServedBy {
    /// The word for people and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Baseline => "baseline",
        }
    }
}

/// How this engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// By the program compiled from the policy.
    Compiled,
    /// By walking the policy.
    Interpreter,
}

impl Tier {
    /// The word for people and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compiled => "compiled",
            Self::Interpreter => "interpreter",
        }
    }
}

/// Who answers for an entrypoint, known when the policy is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Who answers.
    pub served_by: ServedBy,
    /// How this engine answers; None when it does not.
    pub tier: Option<Tier>,
    /// Clauses that say why it is not the compiled program of this engine; empty when it is.
    pub reasons: Vec<String>,
}

impl Verdict {
    fn baseline(reasons: Vec<String>) -> Self {
        Self { served_by: ServedBy::Baseline, tier: None, reasons }
    }
}

impl Policies {
    /// Who answers for `path`. A path without a rule is answered here: it is base data or undefined.
    pub fn verdict(&self, path: &DecisionPath) -> Verdict {
        let missing = self.missing_builtins(path);
        let mut reasons: Vec<String> =
            missing.iter().map(|name| format!("the engine does not have the builtin {name}")).collect();
        reasons.extend(self.left_to_opa(path));
        if !reasons.is_empty() {
            return Verdict::baseline(reasons);
        }
        Verdict { served_by: ServedBy::Rust, tier: Some(Tier::Compiled), reasons }
    }

    /// The verdict of every rule that has a value of its own, by path as in `authz/allow`.
    ///
    /// A rule whose path cannot be asked for (too long, or with a slash in a name) is left out.
    pub fn verdicts(&self) -> BTreeMap<String, Verdict> {
        self.entrypoints()
            .filter_map(|segments| {
                let path = DecisionPath::from_segments(segments.clone()).ok()?;
                Some((path.joined().to_owned(), self.verdict(&path)))
            })
            .collect()
    }
}
