//! Timing cases, as often as a time budget allows.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    cases::Case,
    contender::{Contender, Stages},
};
use crate::latencies::Latencies;

/// Unless one alone takes longer than the budget.
const FEWEST: usize = 3;
/// Share of the budget spent before anything counts.
const WARM_UP: f64 = 0.1;
/// Share of the budget for the whole way; the rest is for its stages.
const WHOLE: f64 = 0.6;

/// The cases of one name.
#[derive(Debug, Serialize)]
pub(crate) struct CaseTimes {
    name: String,
    evaluations: usize,
    /// From the text of the input to the text of the result.
    p50_us: f64,
    p95_us: f64,
    p99_us: f64,
    mean_us: f64,
    /// Medians of the stages.
    parse_us: f64,
    evaluate_us: f64,
    serialise_us: f64,
}

/// Time the cases of each name for `budget`.
pub(crate) fn measure(engine: &mut dyn Contender, cases: &[Case], budget: Duration) -> Result<Vec<CaseTimes>, String> {
    let mut names: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        names.entry(&case.name).or_default().push(case);
    }
    names.into_iter().map(|(name, cases)| measure_one(engine, name, &cases, budget)).collect()
}

fn measure_one(engine: &mut dyn Contender, name: &str, cases: &[&Case], budget: Duration) -> Result<CaseTimes, String> {
    let mut whole = time_whole(engine, cases, budget)?;
    let mut stages: [Latencies; 3] = Default::default();
    repeat(cases, 1, budget.mul_f64(1.0 - WHOLE), |case| {
        let Stages { parse, evaluate, serialise } = engine.stages(case)?;
        for (all, one) in stages.iter_mut().zip([parse, evaluate, serialise]) {
            all.add(one);
        }
        Ok(())
    })?;
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    let [p50_us, p95_us, p99_us] = whole.percentiles([50, 95, 99]).map(micros);
    let [parse_us, evaluate_us, serialise_us] = stages.map(|mut stage| {
        let [median] = stage.percentiles([50]);
        micros(median)
    });
    let evaluations = whole.count();
    // More than 2^53 evaluations do not fit into a run.
    #[allow(clippy::cast_precision_loss)]
    let mean_us = micros(whole.total()) / evaluations as f64;
    Ok(CaseTimes { name: name.to_owned(), evaluations, p50_us, p95_us, p99_us, mean_us, parse_us, evaluate_us, serialise_us })
}

/// Time the whole way. An evaluation that alone takes longer than the budget is not repeated.
fn time_whole(engine: &mut dyn Contender, cases: &[&Case], budget: Duration) -> Result<Latencies, String> {
    let mut result = Vec::with_capacity(4096);
    let mut once = |case: &Case| {
        let began = Instant::now();
        black_box(engine.answer(black_box(case), &mut result)?);
        Ok::<_, String>(began.elapsed())
    };
    let mut whole = Latencies::default();
    let first = cases.first().map_or(Ok(Duration::ZERO), |case| once(case))?;
    if first > budget {
        whole.add(first);
        return Ok(whole);
    }
    repeat(cases, 1, budget.mul_f64(WARM_UP), |case| once(case).map(drop))?;
    repeat(cases, FEWEST, budget.mul_f64(WHOLE - WARM_UP), |case| {
        whole.add(once(case)?);
        Ok(())
    })?;
    Ok(whole)
}

/// Do `what` to one case after the other until `budget` is used up, at least `fewest` times.
fn repeat(
    cases: &[&Case],
    fewest: usize,
    budget: Duration,
    mut what: impl FnMut(&Case) -> Result<(), String>,
) -> Result<(), String> {
    let began = Instant::now();
    for (done, case) in cases.iter().cycle().enumerate() {
        if done >= fewest && began.elapsed() >= budget {
            return Ok(());
        }
        what(case)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_is_used_up_still_allows_the_fewest() {
        let cases = super::super::cases::parse_lines("{\"name\":\"a\",\"path\":\"p\",\"input\":1}\n").unwrap();
        let cases: Vec<&Case> = cases.iter().collect();
        let mut done = 0;
        repeat(&cases, FEWEST, Duration::ZERO, |_| {
            done += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(done, FEWEST);
    }

    /// Takes its time.
    struct Slow(Duration, usize);

    impl Contender for Slow {
        fn answer(&mut self, _: &Case, _: &mut Vec<u8>) -> Result<bool, String> {
            self.1 += 1;
            std::thread::sleep(self.0);
            Ok(false)
        }

        fn stages(&mut self, _: &Case) -> Result<Stages, String> {
            Err("nobody asked for stages".to_owned())
        }
    }

    #[test]
    fn what_takes_longer_than_the_budget_is_not_repeated() {
        let cases = super::super::cases::parse_lines("{\"name\":\"a\",\"path\":\"p\",\"input\":1}\n").unwrap();
        let cases: Vec<&Case> = cases.iter().collect();
        let mut slow = Slow(Duration::from_millis(2), 0);
        assert_eq!(time_whole(&mut slow, &cases, Duration::from_millis(1)).unwrap().count(), 1);
        assert_eq!(slow.1, 1);
        assert!(time_whole(&mut slow, &cases, Duration::from_secs(1)).unwrap().count() >= FEWEST);
    }

    #[test]
    fn a_case_that_fails_ends_the_measurement() {
        let cases = super::super::cases::parse_lines("{\"name\":\"a\",\"path\":\"p\",\"input\":1}\n").unwrap();
        let cases: Vec<&Case> = cases.iter().collect();
        let outcome = repeat(&cases, FEWEST, Duration::from_secs(600), |_| Err("no".to_owned()));
        assert_eq!(outcome, Err("no".to_owned()));
    }
}
