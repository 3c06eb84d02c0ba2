//! The list of cases that are known not to be equal. It may shrink only.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::verdict::{Kind, Verdict};

/// Patterns of case names by what is expected of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    #[serde(default)]
    refused: Vec<Group>,
    #[serde(default)]
    failed: Vec<Group>,
    #[serde(default)]
    different: Vec<Group>,
}

/// Cases that are not equal for one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    reason: String,
    /// Names; `*` stands for any text, and then every case that matches is expected to be so.
    cases: Vec<String>,
}

impl Expected {
    /// Read the list.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let list: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for (kind, group) in list.groups() {
            if group.cases.is_empty() {
                return Err(format!("the group of {} cases {:?} is empty: remove it", kind.as_str(), group.reason));
            }
            if group.reason.trim().is_empty() {
                return Err(format!("a group of {} cases has no reason: {:?}", kind.as_str(), group.cases));
            }
        }
        Ok(list)
    }

    fn groups(&self) -> impl Iterator<Item = (Kind, &Group)> {
        let kinds = [(Kind::Refused, &self.refused), (Kind::Failed, &self.failed), (Kind::Different, &self.different)];
        kinds.into_iter().flat_map(|(kind, groups)| groups.iter().map(move |group| (kind, group)))
    }

    /// Sentences about cases that are otherwise than listed; none when all is as expected.
    pub(crate) fn surprises(&self, verdicts: &BTreeMap<&str, Verdict>) -> Vec<String> {
        let mut surprises = Vec::new();
        let mut listed: BTreeMap<&str, Kind> = BTreeMap::new();
        for (kind, group) in self.groups() {
            for pattern in &group.cases {
                let mut matched = verdicts.keys().filter(|id| matches(pattern, id)).peekable();
                if matched.peek().is_none() {
                    surprises.push(format!("{pattern} is listed as {}, and no case is called so", kind.as_str()));
                }
                for id in matched {
                    if let Some(before) = listed.insert(id, kind) {
                        surprises.push(format!("{id} is listed twice, as {} and as {}", before.as_str(), kind.as_str()));
                    }
                }
            }
        }
        surprises.extend(verdicts.iter().filter_map(|(id, verdict)| surprise(id, verdict, listed.get(id).copied())));
        surprises
    }
}

fn surprise(id: &str, verdict: &Verdict, listed: Option<Kind>) -> Option<String> {
    let (kind, reason) = (verdict.kind.as_str(), &verdict.reason);
    match listed {
        Some(expected) if expected == verdict.kind => None,
        None if verdict.kind == Kind::Equal => None,
        None => Some(format!("{id} is {kind}: {reason}")),
        Some(expected) if verdict.kind == Kind::Equal => {
            Some(format!("{id} is equal now: take it off the list of {} cases", expected.as_str()))
        }
        Some(expected) => Some(format!("{id} is listed as {} and is {kind}: {reason}", expected.as_str())),
    }
}

/// Whether `text` has the form of `pattern`, in which `*` stands for any text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(left) = text.strip_prefix(start) else {
        return false;
    };
    left.char_indices().map(|(at, _)| at).chain([left.len()]).any(|at| left.get(at..).is_some_and(|tail| matches(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [[refused]]
        reason = "no crypto"
        cases = ["v*/crypto/*"]

        [[different]]
        reason = "not yet"
        cases = ["v1/a/one"]
    "#;

    fn verdicts(pairs: &[(&'static str, Kind)]) -> BTreeMap<&'static str, Verdict> {
        pairs.iter().map(|(id, kind)| (*id, Verdict { kind: *kind, reason: "because".into() })).collect()
    }

    fn surprises(pairs: &[(&'static str, Kind)]) -> Vec<String> {
        Expected::parse(LIST).unwrap().surprises(&verdicts(pairs))
    }

    #[test]
    fn what_is_as_listed_surprises_nobody() {
        let all = [("v0/crypto/x", Kind::Refused), ("v1/a/one", Kind::Different), ("v1/a/two", Kind::Equal)];
        assert_eq!(surprises(&all), Vec::<String>::new());
    }

    #[test]
    fn a_new_refusal_or_difference_is_told() {
        let all = [
            ("v0/crypto/x", Kind::Refused),
            ("v1/a/one", Kind::Different),
            ("v1/a/two", Kind::Different),
            ("v1/b", Kind::Refused),
        ];
        assert_eq!(surprises(&all), ["v1/a/two is different: because", "v1/b is refused: because"]);
    }

    #[test]
    fn a_listed_case_that_became_equal_has_to_leave_the_list() {
        let all = [("v0/crypto/x", Kind::Refused), ("v0/crypto/y", Kind::Equal), ("v1/a/one", Kind::Equal)];
        assert_eq!(
            surprises(&all),
            [
                "v0/crypto/y is equal now: take it off the list of refused cases",
                "v1/a/one is equal now: take it off the list of different cases"
            ]
        );
    }

    #[test]
    fn a_refusal_that_became_a_difference_is_told() {
        let all = [("v0/crypto/x", Kind::Different), ("v1/a/one", Kind::Different)];
        assert_eq!(surprises(&all), ["v0/crypto/x is listed as refused and is different: because"]);
    }

    #[test]
    fn a_name_that_no_case_has_is_told() {
        assert_eq!(surprises(&[("v1/a/one", Kind::Different)]), ["v*/crypto/* is listed as refused, and no case is called so"]);
    }

    #[test]
    fn every_group_gives_a_reason_and_names_cases() {
        assert!(Expected::parse("[[refused]]\nreason = \"x\"\ncases = [\"y\"]").is_ok());
        for broken in [
            "[[refused]]\nreason = \" \"\ncases = [\"y\"]",
            "[[refused]]\nreason = \"x\"\ncases = []",
            "[[refused]]\ncases = [\"y\"]",
            "[[forgotten]]\nreason = \"x\"\ncases = [\"y\"]",
        ] {
            assert!(Expected::parse(broken).is_err(), "{broken}");
        }
    }
}
