//! The command line.

use std::path::PathBuf;

const USAGE: &str = "usage: sark-conformance --testdata DIR --expected FILE [--json FILE] [--only TEXT] [--prune]

  --testdata DIR   v1/test/cases/testdata of OPA's Go module
  --expected FILE  the list of cases that are known not to be equal
  --json FILE      write the result there too
  --only TEXT      run only cases with TEXT in their names, and print each that is not equal; the list is not looked at
  --prune          take cases that are equal now off the list";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub testdata: PathBuf,
    pub expected: PathBuf,
    pub json: Option<PathBuf>,
    pub only: Option<String>,
    pub prune: bool,
}

/// Read the arguments after the program's name.
pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut testdata, mut expected, mut json, mut only, mut prune) = (None, None, None, None, false);
    while let Some(name) = words.next() {
        if name == "--prune" {
            prune = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{name} needs a value\n{USAGE}"))?;
        let slot = match name.as_str() {
            "--testdata" => &mut testdata,
            "--expected" => &mut expected,
            "--json" => &mut json,
            "--only" => &mut only,
            _ => return Err(format!("{name} is not an option here\n{USAGE}")),
        };
        if slot.replace(value).is_some() {
            return Err(format!("{name} was given twice\n{USAGE}"));
        }
    }
    Ok(Arguments {
        testdata: testdata.ok_or_else(|| format!("--testdata is missing\n{USAGE}"))?.into(),
        expected: expected.ok_or_else(|| format!("--expected is missing\n{USAGE}"))?.into(),
        json: json.map(PathBuf::from),
        only,
        prune,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let expected = Arguments {
            testdata: "t".into(),
            expected: "e.toml".into(),
            json: Some("j.json".into()),
            only: Some("v1/sets".into()),
            prune: true,
        };
        assert_eq!(parsed("--only v1/sets --expected e.toml --json j.json --prune --testdata t"), Ok(expected));
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        for (line, sentence) in [
            ("", "--testdata is missing"),
            ("--testdata t", "--expected is missing"),
            ("--testdata", "--testdata needs a value"),
            ("--fast yes", "--fast is not an option here"),
            ("--json a --json b", "--json was given twice"),
        ] {
            assert!(parsed(line).unwrap_err().starts_with(sentence), "{line:?}");
        }
    }
}
