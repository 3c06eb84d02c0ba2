//! The load: each connection asks, waits for the answer, and asks again.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    arguments::LoadOptions, connection::Connection, latencies::Latencies, poller::Poller, questions::Questions,
    verdicts::Verdicts,
};

/// A server that is silent for longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is printed: times in microseconds, from the first byte sent to the last byte received.
#[derive(Debug, Serialize)]
struct Summary {
    connections: usize,
    seconds: f64,
    answers: usize,
    errors: usize,
    first_error: String,
    per_second: f64,
    p50_us: f64,
    p95_us: f64,
    p99_us: f64,
}

/// Ask for as long as the options say, and print what was measured as one JSON object.
pub(crate) fn run(options: &LoadOptions) -> Result<(), String> {
    let questions = Questions::read(options)?;
    let place = &options.target.authority;
    let load = Load::start(options, questions).map_err(|error| format!("{place}: {error}"))?;
    let summary = load.measure(options.duration).map_err(|error| format!("{place}: {error}"))?;
    serde_json::to_writer(io::stdout(), &summary).map_err(|error| error.to_string())?;
    writeln!(io::stdout()).map_err(|error| error.to_string())
}

struct Load {
    poller: Poller,
    connections: Vec<Connection>,
    questions: Questions,
    latencies: Latencies,
    verdicts: Verdicts,
}

impl Load {
    fn start(options: &LoadOptions, questions: Questions) -> io::Result<Self> {
        let poller = Poller::new()?;
        let connections = Connection::open(&options.target.authority, options.connections, &poller)?;
        Ok(Self { poller, connections, questions, latencies: Latencies::default(), verdicts: Verdicts::default() })
    }

    /// Ask for `duration`. Answers that come later are waited for and not counted.
    fn measure(mut self, duration: Duration) -> io::Result<Summary> {
        let end = Instant::now() + duration;
        for connection in &mut self.connections {
            connection.ask(&mut self.questions, Instant::now())?;
        }
        let mut waiting = self.connections.len();
        while waiting > 0 {
            let ready = self.poller.wait(Some(PATIENCE))?;
            if ready.is_empty() {
                return Err(io::Error::other(format!("no answer within {} s", PATIENCE.as_secs())));
            }
            for token in ready {
                waiting -= usize::from(self.answered(token, end)?);
            }
        }
        Ok(self.summary(duration))
    }

    /// Take what has arrived on a connection and ask again; true when it was the connection's last answer.
    fn answered(&mut self, token: usize, end: Instant) -> io::Result<bool> {
        let Some(connection) = self.connections.get_mut(token) else { return Ok(false) };
        if !connection.read()? {
            return Ok(false);
        }
        let now = Instant::now();
        if now >= end {
            return Ok(true);
        }
        self.latencies.add(now - connection.since);
        self.verdicts.add(connection.objection(&self.questions)?);
        connection.ask(&mut self.questions, Instant::now())?;
        Ok(false)
    }

    fn summary(mut self, duration: Duration) -> Summary {
        let [p50_us, p95_us, p99_us] = self.latencies.percentiles([50, 95, 99]).map(|latency| latency.as_secs_f64() * 1e6);
        let answers = self.latencies.count();
        // More than 2^53 answers do not fit into a run.
        #[allow(clippy::cast_precision_loss)]
        let per_second = answers as f64 / duration.as_secs_f64();
        Summary {
            connections: self.connections.len(),
            seconds: duration.as_secs_f64(),
            answers,
            errors: self.verdicts.errors,
            first_error: self.verdicts.first_error,
            per_second,
            p50_us,
            p95_us,
            p99_us,
        }
    }
}
