//! What is counted, as types: a label value that does not exist here cannot be written.

use sark_engine::Outcome;

macro_rules! label_values {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The label value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value spelled `text`.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

label_values! {
    /// How a request ended.
    RequestResult {
        /// Allowed.
        Allow = "allow",
        /// Denied.
        Deny = "deny",
        /// The path has no value.
        Undefined = "undefined",
        /// No genuine decision of the arm's engine: a fallback and a fail-closed deny are errors too.
        Error = "error",
    }
}

label_values! {
    /// How an evaluation ended; an undefined decision lets nobody in and counts as deny.
    EvaluationResult {
        /// Allowed.
        Allow = "allow",
        /// Denied or undefined.
        Deny = "deny",
        /// No decision.
        Error = "error",
    }
}

label_values! {
    /// What was asked of a cache.
    CacheOperation {
        /// Look up.
        Get = "get",
        /// Keep.
        Set = "set",
        /// Forget.
        Delete = "delete",
    }
}

label_values! {
    /// What a cache said.
    CacheResult {
        /// Found.
        Hit = "hit",
        /// Not found.
        Miss = "miss",
        /// Done.
        Ok = "ok",
        /// Failed.
        Error = "error",
    }
}

label_values! {
    /// In what two decisions differ; of several differences the first of these counts.
    Difference {
        /// One arm has no value for the path.
        Undefined = "undefined",
        /// One allows and the other does not.
        Allow = "allow",
        /// What the caller may pass on differs.
        FilteredParameters = "filtered_parameters",
        /// The reason differs.
        Reason = "reason",
        /// Something else differs.
        Other = "other",
    }
}

label_values! {
    /// Why decisions are not compared.
    SkipReason {
        /// The arms do not serve the same policies, or it is not known.
        Revision = "revision",
        /// Policies were replaced between the two decisions.
        Changed = "changed",
        /// The answer can change by itself: a clock, a random number.
        Nondeterministic = "nondeterministic",
        /// The path stays on baseline at every share.
        BaselineOnly = "baseline_only",
        /// The kept decision of the baseline arm was older than what OPA says now.
        Stale = "stale",
        /// Request and answer are too large.
        TooLarge = "too_large",
        /// The request was refused, or had parameters that only OPA understands.
        Refused = "refused",
    }
}

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShadowResult {
    /// Both arms decide alike.
    Match,
    /// They do not.
    Mismatch(Difference),
    /// An arm could not decide.
    Unknown,
    /// It was not to be compared.
    Skipped(SkipReason),
    /// There was no room to do it.
    Dropped,
}

impl ShadowResult {
    /// Every label value.
    pub const LABELS: [&'static str; 5] = ["match", "mismatch", "unknown", "skipped", "dropped"];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Mismatch(_) => "mismatch",
            Self::Unknown => "unknown",
            Self::Skipped(_) => "skipped",
            Self::Dropped => "dropped",
        }
    }

    /// The result spelled `text`, whose kind or reason is spelled `detail`.
    pub fn parse(text: &str, detail: &str) -> Option<Self> {
        match text {
            "mismatch" => Difference::parse(detail).map(Self::Mismatch),
            "skipped" => SkipReason::parse(detail).map(Self::Skipped),
            _ if !detail.is_empty() => None,
            "match" => Some(Self::Match),
            "unknown" => Some(Self::Unknown),
            "dropped" => Some(Self::Dropped),
            _ => None,
        }
    }
}

impl From<Outcome> for RequestResult {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allow => Self::Allow,
            Outcome::Deny => Self::Deny,
            Outcome::Undefined => Self::Undefined,
        }
    }
}

impl From<Outcome> for EvaluationResult {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allow => Self::Allow,
            Outcome::Deny | Outcome::Undefined => Self::Deny,
        }
    }
}

impl RequestResult {
    /// The decision's meaning; None for an error.
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Allow => Some(Outcome::Allow),
            Self::Deny => Some(Outcome::Deny),
            Self::Undefined => Some(Outcome::Undefined),
            Self::Error => None,
        }
    }
}
