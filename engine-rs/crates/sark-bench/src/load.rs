//! The load: each connection asks, waits for the answer, and asks again.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    arguments::LoadOptions,
    latencies::Latencies,
    message::{self, Message},
    poller::Poller,
    questions::Questions,
};

/// A server that is silent for longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 16 * 1024;
const SHOWN_BYTES: usize = 300;

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
    let questions = Questions::read(&options.bodies, &options.target)?;
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
    errors: usize,
    first_error: String,
}

struct Connection {
    socket: TcpStream,
    received: Vec<u8>,
    asked_at: Instant,
}

impl Load {
    fn start(options: &LoadOptions, questions: Questions) -> io::Result<Self> {
        let poller = Poller::new()?;
        let mut connections = Vec::with_capacity(options.connections);
        for token in 0..options.connections {
            let socket = TcpStream::connect(&options.target.authority)?;
            socket.set_nodelay(true)?;
            poller.watch(&socket, token)?;
            connections.push(Connection { socket, received: Vec::with_capacity(READ_BYTES), asked_at: Instant::now() });
        }
        Ok(Self { poller, connections, questions, latencies: Latencies::default(), errors: 0, first_error: String::new() })
    }

    /// Ask for `duration`. Answers that come later are waited for and not counted.
    fn measure(mut self, duration: Duration) -> io::Result<Summary> {
        let end = Instant::now() + duration;
        for connection in &mut self.connections {
            connection.ask(&mut self.questions)?;
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
        connection.read()?;
        let Some(answer) = message::first(&connection.received).map_err(io::Error::other)? else { return Ok(false) };
        let now = Instant::now();
        if now >= end {
            return Ok(true);
        }
        self.latencies.add(now - connection.asked_at);
        if !answer.is_decision() {
            self.errors += 1;
            if self.errors == 1 {
                self.first_error = shown(&answer);
            }
        }
        connection.ask(&mut self.questions)?;
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
            errors: self.errors,
            first_error: self.first_error,
            per_second,
            p50_us,
            p95_us,
            p99_us,
        }
    }
}

impl Connection {
    fn ask(&mut self, questions: &mut Questions) -> io::Result<()> {
        self.received.clear();
        self.asked_at = Instant::now();
        self.socket.write_all(questions.next())
    }

    fn read(&mut self) -> io::Result<()> {
        let mut bytes = [0; READ_BYTES];
        match self.socket.read(&mut bytes)? {
            0 => Err(io::Error::other("the server closed the connection")),
            length => {
                self.received.extend_from_slice(bytes.get(..length).unwrap_or_default());
                Ok(())
            }
        }
    }
}

fn shown(answer: &Message<'_>) -> String {
    let status = answer.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let text = format!("{}: {}", String::from_utf8_lossy(status), String::from_utf8_lossy(answer.body));
    text.chars().take(SHOWN_BYTES).collect()
}
