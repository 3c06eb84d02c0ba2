//! What a person and a machine are told.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::Serialize;

use crate::verdict::{Kind, Verdict};

/// Number of cases by kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub cases: usize,
    pub equal: usize,
    pub refused: usize,
    pub failed: usize,
    pub different: usize,
}

impl Counts {
    fn add(&mut self, kind: Kind) {
        self.cases += 1;
        match kind {
            Kind::Equal => self.equal += 1,
            Kind::Refused => self.refused += 1,
            Kind::Failed => self.failed += 1,
            Kind::Different => self.different += 1,
        }
    }
}

#[derive(Debug, Serialize)]
struct NotEqual<'v> {
    case: &'v str,
    kind: &'static str,
    reason: &'v str,
}

/// Cases counted by folder (`v0` and `v1` of one name together) and in total.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'v> {
    total: Counts,
    folders: BTreeMap<&'v str, Counts>,
    not_equal: Vec<NotEqual<'v>>,
}

impl<'v> Report<'v> {
    pub(crate) fn of(verdicts: &'v BTreeMap<&'v str, Verdict>) -> Self {
        let mut report = Self { total: Counts::default(), folders: BTreeMap::new(), not_equal: Vec::new() };
        for (id, verdict) in verdicts {
            report.total.add(verdict.kind);
            report.folders.entry(folder_of(id)).or_default().add(verdict.kind);
            if verdict.kind != Kind::Equal {
                report.not_equal.push(NotEqual { case: id, kind: verdict.kind.as_str(), reason: &verdict.reason });
            }
        }
        report
    }

    /// The table, a row a folder, as Markdown.
    pub(crate) fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let kinds = Kind::ALL.map(Kind::as_str);
        let [equal, refused, failed, different] = kinds;
        writeln!(out, "| {:<38} | {:>5} | {equal:>5} | {refused:>7} | {failed:>6} | {different:>9} |", "folder", "cases")?;
        writeln!(out, "|{:-<40}|{:->6}:|{:->6}:|{:->8}:|{:->7}:|{:->10}:|", "", "", "", "", "", "")?;
        for (folder, counts) in self.folders.iter().map(|(folder, counts)| (*folder, counts)).chain([("total", &self.total)]) {
            let Counts { cases, equal, refused, failed, different } = counts;
            writeln!(out, "| {folder:<38} | {cases:>5} | {equal:>5} | {refused:>7} | {failed:>6} | {different:>9} |")?;
        }
        Ok(())
    }
}

fn folder_of(id: &str) -> &str {
    id.split('/').nth(1).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts() -> BTreeMap<&'static str, Verdict> {
        let verdict = |kind, reason: &str| Verdict { kind, reason: reason.into() };
        BTreeMap::from([
            ("v0/sets/one", verdict(Kind::Equal, "")),
            ("v1/sets/one", verdict(Kind::Different, "OPA has 1, the engine 2")),
            ("v1/uuid/two", verdict(Kind::Refused, "no such builtin")),
            ("v1/uuid/three", verdict(Kind::Failed, "a conflict")),
        ])
    }

    #[test]
    fn both_versions_of_a_folder_share_a_row() {
        let verdicts = verdicts();
        let mut table = Vec::new();
        Report::of(&verdicts).write_table(&mut table).unwrap();
        let words = |line: &str| line.split_whitespace().filter(|word| *word != "|").map(str::to_owned).collect::<Vec<_>>();
        let table = String::from_utf8(table).unwrap();
        let rows: Vec<_> = table.lines().skip(2).map(words).collect();
        assert_eq!(
            rows,
            [["sets", "2", "1", "0", "0", "1"], ["uuid", "2", "0", "1", "1", "0"], ["total", "4", "1", "1", "1", "1"]]
        );
    }

    #[test]
    fn the_json_names_what_is_not_equal_and_why() {
        let verdicts = verdicts();
        let json = serde_json::to_value(Report::of(&verdicts)).unwrap();
        assert_eq!(json["total"], serde_json::json!({"cases": 4, "equal": 1, "refused": 1, "failed": 1, "different": 1}));
        assert_eq!(json["not_equal"].as_array().unwrap().len(), 3);
        assert_eq!(
            json["not_equal"][2],
            serde_json::json!({"case": "v1/uuid/two", "kind": "refused", "reason": "no such builtin"})
        );
    }
}
