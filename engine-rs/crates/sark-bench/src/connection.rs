//! One keep-alive connection of a load generator.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Instant,
};

use crate::{
    message::{self, Message},
    poller::Poller,
    questions::{Asked, Questions},
};

const READ_BYTES: usize = 16 * 1024;
const SHOWN_BYTES: usize = 300;

pub(crate) struct Connection {
    socket: TcpStream,
    received: Vec<u8>,
    asked: Asked,
    /// From when the latency of the question under way counts.
    pub since: Instant,
}

impl Connection {
    /// Connect `count` times to `authority`; `poller` tells of each by its place.
    pub(crate) fn open(authority: &str, count: usize, poller: &Poller) -> io::Result<Vec<Self>> {
        (0..count)
            .map(|token| {
                let socket = TcpStream::connect(authority)?;
                socket.set_nodelay(true)?;
                poller.watch(&socket, token)?;
                let received = Vec::with_capacity(READ_BYTES);
                Ok(Self { socket, received, asked: Asked::default(), since: Instant::now() })
            })
            .collect()
    }

    /// Ask the next question.
    pub(crate) fn ask(&mut self, questions: &mut Questions, since: Instant) -> io::Result<()> {
        self.received.clear();
        self.since = since;
        let (bytes, asked) = questions.next();
        self.asked = asked;
        self.socket.write_all(bytes)
    }

    /// Take what has arrived; true when the answer is complete.
    pub(crate) fn read(&mut self) -> io::Result<bool> {
        let mut bytes = [0; READ_BYTES];
        match self.socket.read(&mut bytes)? {
            0 => return Err(io::Error::other("the server closed the connection")),
            length => self.received.extend_from_slice(bytes.get(..length).unwrap_or_default()),
        }
        Ok(message::first(&self.received).map_err(io::Error::other)?.is_some())
    }

    /// Whether the answer that is complete is none: any status but 200.
    pub(crate) fn refused(&self) -> bool {
        !matches!(message::first(&self.received), Ok(Some(answer)) if answer.is_ok())
    }

    /// What is wrong with the answer that is complete; None when it is the right one.
    pub(crate) fn objection(&self, questions: &Questions) -> io::Result<Option<String>> {
        let Some(answer) = message::first(&self.received).map_err(io::Error::other)? else {
            return Ok(Some("no answer".to_owned()));
        };
        if !answer.is_ok() {
            return Ok(Some(shown(&answer)));
        }
        Ok(match questions.expected(&self.asked) {
            None if answer.is_decision() => None,
            None => Some(shown(&answer)),
            Some(expected) if expected.is(answer.body) => None,
            Some(expected) => Some(format!("{}; expected was {expected}", shown(&answer))),
        })
    }
}

fn shown(answer: &Message<'_>) -> String {
    let status = answer.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let text = format!("{}: {}", String::from_utf8_lossy(status), String::from_utf8_lossy(answer.body).trim_end());
    text.chars().take(SHOWN_BYTES).collect()
}
