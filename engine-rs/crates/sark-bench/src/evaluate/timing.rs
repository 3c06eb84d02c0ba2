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

/// However long one takes.
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
    let mut result = Vec::with_capacity(4096);
    let mut whole = Latencies::default();
    repeat(cases, 1, budget.mul_f64(WARM_UP), |case| engine.answer(case, &mut result).map(drop))?;
    repeat(cases, FEWEST, budget.mul_f64(WHOLE - WARM_UP), |case| {
        let began = Instant::now();
        black_box(engine.answer(black_box(case), &mut result)?);
        whole.add(began.elapsed());
        Ok(())
    })?;
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
