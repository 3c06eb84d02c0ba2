//! Options of `sark-bench cache`.

use std::path::PathBuf;

use super::cell::Plan;

const MAX_ENTRIES: usize = 10_000_000;
const MAX_THREADS: usize = 128;

#[derive(Debug, PartialEq)]
pub(crate) struct CacheOptions {
    pub entries: Vec<usize>,
    pub threads: Vec<usize>,
    /// Processes per measurement, whose medians are printed.
    pub rounds: usize,
    /// Where to write the numbers as JSON.
    pub json: Option<PathBuf>,
    /// Set when a parent process wants one measurement.
    pub cell: Option<Plan>,
}

impl CacheOptions {
    /// Read them through `take`, which gives the value of an option.
    pub(crate) fn read(mut take: impl FnMut(&str) -> Option<String>) -> Result<Self, String> {
        let cell = take("--cell").map(|plan| serde_json::from_str(&plan)).transpose();
        Ok(Self {
            entries: numbers("--entries", take("--entries"), &[10_000, 1_000_000], MAX_ENTRIES)?,
            threads: numbers("--threads", take("--threads"), &[1, 2], MAX_THREADS)?,
            rounds: numbers("--rounds", take("--rounds"), &[3], 100)?.into_iter().sum(),
            json: take("--json").map(PathBuf::from),
            cell: cell.map_err(|error| format!("--cell is not a plan: {error}"))?,
        })
    }
}

fn numbers(name: &str, text: Option<String>, default: &[usize], max: usize) -> Result<Vec<usize>, String> {
    let Some(text) = text else { return Ok(default.to_vec()) };
    let number = |word: &str| word.parse().ok().filter(|number| (1..=max).contains(number));
    let wrong = || format!("{name} is {text:?}; it must be numbers from 1 to {max}, separated by commas");
    text.split(',').map(number).collect::<Option<Vec<_>>>().ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<CacheOptions, String> {
        CacheOptions::read(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn what_is_not_given_has_a_default() {
        let options = CacheOptions::read(|_| None).unwrap();
        assert_eq!((options.entries, options.threads, options.rounds), (vec![10_000, 1_000_000], vec![1, 2], 3));
        assert_eq!(read("--threads", "4,8").unwrap().threads, [4, 8]);
    }

    #[test]
    fn a_number_out_of_range_has_its_sentence() {
        for (name, value) in
            [("--entries", "0"), ("--entries", "1e6"), ("--threads", "1,"), ("--threads", "129"), ("--rounds", "-1")]
        {
            assert!(read(name, value).unwrap_err().starts_with(name), "{name} {value}");
        }
    }
}
