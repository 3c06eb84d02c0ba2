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
