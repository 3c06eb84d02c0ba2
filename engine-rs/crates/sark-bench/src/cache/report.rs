//! The measurements as a table for people.

use std::io::{self, Write, stdout};

use super::cell::{Cell, Load};

/// Print a table in Markdown.
pub(super) fn print(cells: &[Cell]) -> io::Result<()> {
    let mut out = stdout().lock();
    let reading = cells.first().map_or(0, |cell| cell.clock_reading_ns);
    writeln!(
        out,
        "Nanoseconds of single operations, without the {reading} ns of reading the clock. MB of 10^6 bytes, resident when full."
    )?;
    writeln!(out)?;
    writeln!(out, "| entries | threads | load | cache | operation | mean | p50 | p95 | p99 | MB | found |")?;
    writeln!(out, "|---:|---:|---|---|---|---:|---:|---:|---:|---:|---:|")?;
    for cell in cells {
        let plan = &cell.plan;
        let load = match plan.load {
            Load::Steady => "steady",
            Load::Churn => "churn",
            Load::Skewed => "skewed",
        };
        for (row, timing) in cell.timings.iter().enumerate() {
            write!(out, "| {} | {} | {load} | {} | {} ", plan.entries, plan.threads, plan.cache.label(), timing.operation)?;
            write!(out, "| {:.0} | {:.0} | {:.0} | {:.0} |", timing.mean, timing.p50, timing.p95, timing.p99)?;
            match row {
                0 => writeln!(out, " {:.1} | {:.1} % |", cell.resident_mb, 100.0 * cell.hits)?,
                _ => writeln!(out, " | |")?,
            }
        }
    }
    Ok(())
}
