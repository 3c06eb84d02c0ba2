//! The open loop: questions are sent by the clock, whatever the answers do.
//!
//! Each latency counts from when its question was due, not from when it was sent: a server that stalls makes all
//! questions wait that were due meanwhile, and a client that asks only after an answer would never see it.

use std::{
    collections::VecDeque,
    io::{self, Write},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    arguments::PacedOptions, connection::Connection, latencies::Latencies, poller::Poller, questions::Questions,
    verdicts::Verdicts,
};

/// A server that has not answered everything so long after the last question was due cannot keep up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to sleep for the last answers before the clock is looked at again.
const LAST_ANSWERS: Duration = Duration::from_millis(10);

/// What is printed: times in microseconds, from when a question was due to the last byte of its answer.
#[derive(Debug, Serialize)]
struct Summary {
    connections: usize,
    seconds: f64,
    answers: usize,
    /// Answers that are not the right one, those with another status than 200 included.
    errors: usize,
    /// Those with another status than 200.
    refused: usize,
    first_error: String,
    /// Questions without an answer when the load gave up. Their latencies count as long as they had waited by then.
    unanswered: usize,
    /// Answers in each second since the beginning, whatever they said.
    answers_each_second: Vec<usize>,
    /// Answers a second until the last one; well below the rate when the server cannot keep up.
    per_second: f64,
    p50_us: f64,
    p95_us: f64,
    p99_us: f64,
    mean_us: f64,
    max_us: f64,
    /// How late the client itself was with a question for which a connection was free.
    late_p99_us: f64,
}

/// Ask at the rate for as long as the options say, and print what was measured as one JSON object.
pub(crate) fn run(options: &PacedOptions) -> Result<(), String> {
    let questions = Questions::read(&options.load)?;
    let place = &options.load.target.authority;
    let paced = Paced::start(options, questions).map_err(|error| format!("{place}: {error}"))?;
    let summary = paced.measure().map_err(|error| format!("{place}: {error}"))?;
    serde_json::to_writer(io::stdout(), &summary).map_err(|error| error.to_string())?;
    writeln!(io::stdout()).map_err(|error| error.to_string())
}

struct Paced {
    poller: Poller,
    connections: Vec<Connection>,
    /// Connections without a question under way, the one that has rested longest first: servers close what is idle for long.
    free: VecDeque<usize>,
    /// When questions were due that have found no free connection yet.
    due: VecDeque<Instant>,
    schedule: Schedule,
    questions: Questions,
    latencies: Latencies,
    lateness: Latencies,
    verdicts: Verdicts,
    refused: usize,
    answers_each_second: Vec<usize>,
    give_up: Option<Duration>,
    awake: Option<Duration>,
    unanswered: usize,
}

/// When questions are due.
struct Schedule {
    start: Instant,
    rate: f64,
    /// Seconds in which the rate grows evenly to what it is then.
    ramp: f64,
    next: u32,
    count: u32,
}

impl Schedule {
    fn new(rate: f64, ramp: Duration, duration: Duration, start: Instant) -> Self {
        let ramp = ramp.as_secs_f64();
        // The options bound their product. While the rate grows, half as many are asked.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = (rate * (duration.as_secs_f64() - ramp / 2.0)).round() as u32;
        Self { start, rate, ramp, next: 0, count }
    }

    /// When question `number` is due: the time at which the area below the rate is `number`.
    fn at(&self, number: u32) -> Instant {
        let number = f64::from(number);
        let in_ramp = self.rate * self.ramp / 2.0;
        let seconds =
            if number < in_ramp { (2.0 * number * self.ramp / self.rate).sqrt() } else { number / self.rate + self.ramp / 2.0 };
        self.start + Duration::from_secs_f64(seconds)
    }

    /// When the next question is due, if it is by `now`.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        if self.next >= self.count {
            return None;
        }
        let at = self.at(self.next);
        (at <= now).then(|| {
            self.next += 1;
            at
        })
    }

    /// How long there is nothing to ask, less `awake`: waking up takes as long as a question does, and makes it late.
    fn rest(&self, now: Instant, awake: Duration) -> Duration {
        if self.next >= self.count {
            return LAST_ANSWERS;
        }
        self.at(self.next).saturating_duration_since(now).saturating_sub(awake)
    }

    fn end(&self) -> Instant {
        self.at(self.count)
    }
}

impl Paced {
    fn start(options: &PacedOptions, questions: Questions) -> io::Result<Self> {
        let poller = Poller::new()?;
        let load = &options.load;
        let connections = Connection::open(&load.target.authority, load.connections, &poller)?;
        Ok(Self {
            poller,
            free: (0..connections.len()).collect(),
            connections,
            due: VecDeque::new(),
            schedule: Schedule::new(options.rate, options.ramp, load.duration, Instant::now()),
            questions,
            latencies: Latencies::default(),
            lateness: Latencies::default(),
            verdicts: Verdicts::default(),
            refused: 0,
            answers_each_second: Vec::new(),
            give_up: options.give_up,
            awake: options.awake,
            unanswered: 0,
        })
    }

    fn measure(mut self) -> io::Result<Summary> {
        let deadline = self.schedule.end() + self.give_up.unwrap_or(PATIENCE);
        let count = self.schedule.count as usize;
        while self.latencies.count() < count {
            let now = Instant::now();
            if now > deadline {
                let answers = self.latencies.count();
                if self.give_up.is_some() {
                    self.leave_the_rest(now);
                    break;
                }
                return Err(io::Error::other(format!(
                    "the server cannot keep up: {answers} of {count} questions were answered {} s after the last was due",
                    PATIENCE.as_secs()
                )));
            }
            while let Some(at) = self.schedule.take(now) {
                self.due.push_back(at);
            }
            self.ask_what_is_due(now)?;
            let sleep = self.awake.map_or(Duration::ZERO, |awake| self.schedule.rest(Instant::now(), awake));
            for token in self.poller.wait(Some(sleep))? {
                self.answered(token)?;
            }
        }
        Ok(self.summary())
    }

    fn ask_what_is_due(&mut self, now: Instant) -> io::Result<()> {
        while let Some(at) = self.due.front().copied()
            && let Some(token) = self.free.pop_front()
        {
            self.due.pop_front();
            if let Some(connection) = self.connections.get_mut(token) {
                connection.ask(&mut self.questions, at)?;
            }
            // A question that waited for a connection is late because of the server.
            if self.due.is_empty() {
                self.lateness.add(now - at);
            }
        }
        Ok(())
    }

    /// Count what has no answer: those under way, and those that have found no connection.
    fn leave_the_rest(&mut self, now: Instant) {
        let under_way = self.connections.iter().enumerate().filter(|(token, _)| !self.free.contains(token));
        let waiting: Vec<Instant> = under_way.map(|(_, connection)| connection.since).chain(self.due.iter().copied()).collect();
        self.unanswered = waiting.len();
        waiting.into_iter().for_each(|since| self.latencies.add(now - since));
    }

    fn answered(&mut self, token: usize) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        if connection.read()? {
            self.latencies.add(connection.since.elapsed());
            self.refused += usize::from(connection.refused());
            let second = usize::try_from(self.schedule.start.elapsed().as_secs()).unwrap_or_default();
            if self.answers_each_second.len() <= second {
                self.answers_each_second.resize(second + 1, 0);
            }
            if let Some(count) = self.answers_each_second.get_mut(second) {
                *count += 1;
            }
            self.verdicts.add(connection.objection(&self.questions)?);
            self.free.push_back(token);
        }
        Ok(())
    }

    fn summary(mut self) -> Summary {
        let micros = |latency: Duration| latency.as_secs_f64() * 1e6;
        let mean_us = micros(self.latencies.mean());
        let [p50_us, p95_us, p99_us, max_us] = self.latencies.percentiles([50, 95, 99, 100]).map(micros);
        let [late_p99_us] = self.lateness.percentiles([99]).map(micros);
        let answers = self.latencies.count() - self.unanswered;
        let seconds = self.schedule.start.elapsed().as_secs_f64();
        // More than 2^53 answers do not fit into a run.
        #[allow(clippy::cast_precision_loss)]
        let per_second = answers as f64 / seconds;
        Summary {
            connections: self.connections.len(),
            seconds,
            answers,
            errors: self.verdicts.errors,
            refused: self.refused,
            first_error: self.verdicts.first_error,
            unanswered: self.unanswered,
            answers_each_second: self.answers_each_second,
            per_second,
            p50_us,
            p95_us,
            p99_us,
            mean_us,
            max_us,
            late_p99_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sleeps_until_shortly_before_the_next_question_and_not_when_one_is_due() {
        let start = Instant::now();
        let mut schedule = Schedule::new(1000.0, Duration::ZERO, Duration::from_millis(2), start);
        let awake = Duration::from_micros(100);
        assert_eq!(schedule.rest(start, awake), Duration::ZERO);
        assert!(schedule.take(start).is_some());
        assert_eq!(schedule.rest(start, awake), Duration::from_micros(900));
        assert_eq!(schedule.rest(start + Duration::from_micros(950), awake), Duration::ZERO);
        assert_eq!(schedule.rest(start + Duration::from_millis(5), awake), Duration::ZERO);
        assert!(schedule.take(start + Duration::from_millis(5)).is_some());
        assert_eq!(schedule.rest(start + Duration::from_millis(5), awake), LAST_ANSWERS);
    }

    #[test]
    fn questions_are_due_at_even_distances_whenever_they_are_taken() {
        let start = Instant::now();
        let mut schedule = Schedule::new(1000.0, Duration::ZERO, Duration::from_millis(3), start);
        let millis = |at: Option<Instant>| at.map(|at| (at - start).as_millis());
        assert_eq!(millis(schedule.take(start)), Some(0));
        assert_eq!(millis(schedule.take(start)), None);
        let late = start + Duration::from_secs(1);
        assert_eq!(millis(schedule.take(late)), Some(1));
        assert_eq!(millis(schedule.take(late)), Some(2));
        assert_eq!(millis(schedule.take(late)), None);
    }

    #[test]
    fn a_rate_that_grows_asks_half_as_much_meanwhile() {
        let start = Instant::now();
        let schedule = Schedule::new(100.0, Duration::from_secs(10), Duration::from_secs(20), start);
        let seconds = |number| (schedule.at(number) - start).as_secs_f64();
        assert_eq!(schedule.count, 1500);
        assert!((seconds(0)).abs() < 1e-9);
        assert!((seconds(125) - 5.0).abs() < 1e-6, "a quarter of the ramp's questions in the first half of it");
        assert!((seconds(500) - 10.0).abs() < 1e-6);
        assert!((seconds(1500) - 20.0).abs() < 1e-6);
    }
}
