//! Taking cases that became equal off the list, with everything else of the file kept as people wrote it.

use std::collections::BTreeMap;

use crate::{
    expected::matches,
    verdict::{Kind, Verdict},
};

/// The text of the list without cases that are equal. A pattern of which only some cases are left becomes their names; a
/// group of which none is left goes. The file is read by lines: one name a line.
pub(crate) fn pruned(list: &str, verdicts: &BTreeMap<&str, Verdict>) -> String {
    let mut text = String::new();
    for block in blocks(list) {
        let lines: Vec<String> = block.iter().flat_map(|line| kept(line, verdicts)).collect();
        let is_emptied =
            block.iter().any(|line| pattern_of(line).is_some()) && !lines.iter().any(|line| pattern_of(line).is_some());
        if !is_emptied {
            text.extend(lines.iter().map(|line| format!("{line}\n")));
        }
    }
    text
}

/// The lines of each group together; a group starts at its header.
fn blocks(list: &str) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = vec![Vec::new()];
    for line in list.lines() {
        if line.starts_with("[[") {
            blocks.push(Vec::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push(line);
        }
    }
    blocks
}

fn kept(line: &str, verdicts: &BTreeMap<&str, Verdict>) -> Vec<String> {
    let Some(pattern) = pattern_of(line) else {
        return vec![line.to_owned()];
    };
    let matched: Vec<_> = verdicts.iter().filter(|(id, _)| matches(&pattern, id)).collect();
    if matched.iter().all(|(_, verdict)| verdict.kind != Kind::Equal) {
        return vec![line.to_owned()];
    }
    let left = matched.iter().filter(|(_, verdict)| verdict.kind != Kind::Equal);
    left.map(|(id, _)| format!("  {id:?},")).collect()
}

fn pattern_of(line: &str) -> Option<String> {
    let text = line.trim().strip_suffix(',')?;
    text.starts_with('"').then(|| serde_json::from_str(text).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# A comment.

[[refused]]
reason = \"no crypto\"
cases = [
  \"v*/crypto/*\",
]

[[refused]]
reason = \"no uuid\"
cases = [
  \"v1/uuid/one\",
  \"v1/uuid/two\",
]
";

    fn pruned_when_equal(equal: &[&str]) -> String {
        let all = ["v0/crypto/x", "v1/crypto/x", "v1/crypto/y", "v1/uuid/one", "v1/uuid/two"];
        let kind = |id| if equal.contains(&id) { Kind::Equal } else { Kind::Refused };
        let verdicts = all.into_iter().map(|id| (id, Verdict { kind: kind(id), reason: String::new() })).collect();
        pruned(LIST, &verdicts)
    }

    #[test]
    fn a_list_of_which_nothing_became_equal_stays_as_it_is() {
        assert_eq!(pruned_when_equal(&[]), LIST);
    }

    #[test]
    fn a_case_that_became_equal_goes() {
        assert_eq!(pruned_when_equal(&["v1/uuid/one"]), LIST.replace("  \"v1/uuid/one\",\n", ""));
    }

    #[test]
    fn a_pattern_becomes_the_names_that_are_left() {
        let names = "  \"v0/crypto/x\",\n  \"v1/crypto/y\",\n";
        assert_eq!(pruned_when_equal(&["v1/crypto/x"]), LIST.replace("  \"v*/crypto/*\",\n", names));
    }

    #[test]
    fn a_group_of_which_no_case_is_left_goes() {
        let text = pruned_when_equal(&["v1/uuid/one", "v1/uuid/two"]);
        assert_eq!(text, LIST.split("[[refused]]\nreason = \"no uuid\"").next().unwrap());
    }
}
