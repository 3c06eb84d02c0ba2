//! One connection: requests in, answers out in their order, and the limits on both.

use std::{future::poll_fn, pin::pin, rc::Rc, task::Poll, time::Duration};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    bodies::Held,
    containing,
    deadlines::Watch,
    reply::{Delivery, Problem, Reply, status},
    serving::{Place, Thread},
    stream::Stream,
    wire::{Arrival, Incoming, Length, Missing, Request},
};

/// Answers are sent at the latest when there are so many bytes of them.
const SEND_BYTES: usize = 64 << 10;
/// So many answers in a row without waiting, then the other connections of the thread have their turn.
const TURN: u32 = 8;
/// How long a client may go on sending after its last answer. Closing at once could take the answer away from it.
const PARTING: Duration = Duration::from_millis(500);
const PARTING_BYTES: usize = 4 << 20;
/// While draining, an idle connection is asked for one more request for so long.
const LAST_CHANCE: Duration = Duration::from_millis(250);
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The client is gone, or has had its time.
struct Gone;

/// Why waiting for bytes ended.
enum Waited {
    Arrived,
    Gone,
    Late,
    /// It is time to drain, and this connection did not know yet.
    Draining,
}

/// What the current deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Request,
    Head,
    Body,
    Other,
}

/// The way to the client.
struct Line {
    thread: Rc<Thread>,
    stream: Stream,
    outgoing: Vec<u8>,
    watch: Rc<Watch>,
    /// The stream may hold bytes that tokio has forgotten.
    is_doubtful: bool,
}

/// A connection.
pub(crate) struct Connection {
    line: Line,
    incoming: Incoming,
    /// Of the memory for bodies.
    held: Held,
    phase: Phase,
    drains: bool,
    in_a_row: u32,
}

impl Connection {
    pub(crate) fn new(thread: Rc<Thread>, stream: Stream) -> Self {
        let watch = thread.clock.watch();
        let asker = thread.shared.log.get().map(|_| stream.peer());
        let held = thread.shared.bodies.held();
        let line = Line { thread, stream, outgoing: Vec::new(), watch, is_doubtful: false };
        Self { line, incoming: Incoming::from_client(asker), held, phase: Phase::Other, drains: false, in_a_row: 0 }
    }

    /// Serve until either side has had enough.
    pub(crate) async fn run(mut self, place: Place) {
        if self.serve().await.is_ok() {
            self.line.part().await;
        }
        drop(place);
    }

    /// Answer requests; Ok when the last answer has been sent.
    async fn serve(&mut self) -> Result<(), Gone> {
        loop {
            let thread = Rc::clone(&self.line.thread);
            match self.incoming.look(&thread.rule) {
                Err(problem) => return self.refuse(&problem).await,
                Ok(Arrival::Missing(missing)) => {
                    if let Err(problem) = self.read(missing).await? {
                        return self.refuse(&problem).await;
                    }
                }
                Ok(Arrival::Request(request)) => {
                    let (reply, waited) = self.line.ask(&thread, &request).await?;
                    let (keep_alive, is_old) = (request.head.keep_alive, request.head.is_old);
                    let without_body = request.head.method == "HEAD";
                    let size = request.size();
                    self.incoming.consume(size);
                    // What a connection gives back is not refused.
                    let _ = self.hold();
                    // Once draining, the last answer of a connection is the one behind which nothing has come.
                    self.look_around();
                    if waited {
                        self.incoming.begins_anew();
                    }
                    let is_last = reply.closes || !keep_alive || (self.drains && self.incoming.is_empty());
                    reply.write(&mut self.line.outgoing, &thread.clock.opening(), Delivery { is_last, is_old, without_body });
                    if is_last {
                        return self.line.flush().await;
                    }
                    self.phase = Phase::Other;
                    self.give_way().await?;
                }
            }
        }
    }

    /// Once draining, take in what has arrived: nothing is left behind because it was not looked at yet.
    fn look_around(&mut self) {
        self.drains = self.line.thread.drains();
        if self.drains {
            // What waits there already came before.
            let waits = !self.incoming.is_empty();
            // Nothing there, or gone: both show when more is waited for.
            let _ = self.line.stream.read_now(self.incoming.buffer());
            if !waits {
                self.incoming.arrived();
            }
        }
    }

    async fn give_way(&mut self) -> Result<(), Gone> {
        self.in_a_row += 1;
        if self.in_a_row >= TURN {
            self.in_a_row = 0;
            tokio::task::yield_now().await;
        }
        if self.line.outgoing.len() >= SEND_BYTES { self.line.flush().await } else { Ok(()) }
    }

    async fn refuse(&mut self, problem: &Problem) -> Result<(), Gone> {
        self.line.thread.refused(problem);
        self.incoming.forget();
        let _ = self.hold();
        let delivery = Delivery { is_last: true, is_old: false, without_body: false };
        problem.reply().write(&mut self.line.outgoing, &self.line.thread.clock.opening(), delivery);
        self.line.flush().await
    }

    /// Read some of what is missing.
    async fn read(&mut self, missing: Missing) -> Result<Result<(), Problem>, Gone> {
        let thread = Rc::clone(&self.line.thread);
        if let Missing::Body { head, length: Length::Chunked, .. } = missing {
            match self.incoming.unpack(head, &thread.rule) {
                Err(problem) => return Ok(Err(problem)),
                Ok(true) => return Ok(self.hold()),
                Ok(false) => {}
            }
        }
        let begins = self.begin(missing);
        self.line.flush().await?;
        if let Some(limit) = begins {
            thread.clock.arm(&self.line.watch, limit);
        }
        if self.line.recall(&mut self.incoming) {
            return Ok(self.hold());
        }
        self.in_a_row = 0;
        match self.line.wait(self.incoming.room(missing), self.drains).await {
            Waited::Arrived => {
                self.incoming.arrived();
                Ok(self.hold())
            }
            Waited::Gone => Err(Gone),
            Waited::Draining => {
                self.phase = Phase::Other;
                self.look_around();
                self.incoming.arrived();
                Ok(self.hold())
            }
            Waited::Late => self.late(missing),
        }
    }

    /// Count what has arrived among all bodies.
    fn hold(&mut self) -> Result<(), Problem> {
        self.held.resize(self.incoming.taken())
    }

    /// The limit of what is waited for, when the wait begins.
    fn begin(&mut self, missing: Missing) -> Option<Duration> {
        let options = &self.line.thread.shared.options;
        let (phase, limit) = match missing {
            Missing::All if self.drains => (Phase::Request, options.idle_timeout.min(LAST_CHANCE)),
            Missing::All => (Phase::Request, options.idle_timeout),
            Missing::Head => (Phase::Head, options.header_timeout),
            Missing::Body { .. } => (Phase::Body, options.body_timeout),
        };
        if std::mem::replace(&mut self.phase, phase) == phase {
            return None;
        }
        if matches!(missing, Missing::Body { expects_continue: true, .. }) {
            self.line.outgoing.extend_from_slice(CONTINUE);
        }
        Some(limit)
    }

    fn late(&mut self, missing: Missing) -> Result<Result<(), Problem>, Gone> {
        let options = &self.line.thread.shared.options;
        let slow = |what: &str, limit: Duration| {
            let message = format!("the {what} did not arrive within {} s", limit.as_secs_f64());
            Ok(Err(Problem::new(status::TOO_SLOW, "invalid_parameter", message)))
        };
        match missing {
            // What came at the last moment counts.
            Missing::All if self.line.stream.read_now(self.incoming.buffer()).is_ok_and(|length| length > 0) => {
                self.incoming.arrived();
                Ok(self.hold())
            }
            Missing::All => Err(Gone),
            Missing::Head => slow("request's head", options.header_timeout),
            Missing::Body { .. } => slow("body", options.body_timeout),
        }
    }
}

impl Line {
    /// The answer to a request, and whether it was waited for. Most are there at once; before another is waited for, those before
    /// it are sent.
    async fn ask(&mut self, thread: &Thread, request: &Request<'_>) -> Result<(Reply, bool), Gone> {
        // It was counted as a request of its arm.
        let failed = |problem: Problem| problem.reply();
        let outset = match containing::contain(|| thread.answer_at_once(request)) {
            Ok(Ok(reply)) => return Ok((reply, false)),
            Ok(Err(outset)) => outset,
            Err(problem) => return Ok((failed(problem), false)),
        };
        let mut answering = pin!(thread.answer(request, outset));
        if let Poll::Ready(reply) = poll_fn(|context| Poll::Ready(containing::poll(answering.as_mut(), context))).await {
            return Ok((reply.unwrap_or_else(failed), false));
        }
        self.flush().await?;
        self.is_doubtful = true;
        tokio::select! {
            reply = containing::unless_it_panics(answering) => Ok((reply.unwrap_or_else(failed), true)),
            () = self.stream.closed() => Err(Gone),
        }
    }

    /// Send what is to be sent.
    async fn flush(&mut self) -> Result<(), Gone> {
        // Nearly always the socket takes all of it, and nothing has to be ready for a wait.
        let mut sent = if self.outgoing.is_empty() { 0 } else { self.stream.send_now(&self.outgoing) };
        let limit = self.thread.shared.options.write_timeout;
        let mut waits = false;
        while let Some(rest) = self.outgoing.get(sent..).filter(|rest| !rest.is_empty()) {
            let mut writing = pin!(self.stream.write(rest));
            let (clock, watch) = (&self.thread.clock, &self.watch);
            let written = poll_fn(|context| {
                if let Poll::Ready(written) = writing.as_mut().poll(context) {
                    return Poll::Ready(written.ok());
                }
                if !waits {
                    waits = true;
                    clock.arm(watch, limit);
                }
                watch.register(context);
                if watch.is_late() { Poll::Ready(None) } else { Poll::Pending }
            });
            sent += written.await.filter(|length| *length > 0).ok_or(Gone)?;
        }
        if self.stream.holds_back() {
            self.push_out(&mut waits, limit).await?;
        }
        if waits {
            self.watch.disarm();
        }
        self.outgoing.clear();
        self.outgoing.shrink_to(SEND_BYTES);
        Ok(())
    }

    /// Send what TLS has packed and not sent yet.
    async fn push_out(&mut self, waits: &mut bool, limit: Duration) -> Result<(), Gone> {
        let Self { thread, stream, watch, .. } = self;
        let mut flushing = pin!(stream.flush());
        let flushed = poll_fn(|context| {
            if let Poll::Ready(flushed) = flushing.as_mut().poll(context) {
                return Poll::Ready(flushed.ok());
            }
            if !std::mem::replace(waits, true) {
                thread.clock.arm(watch, limit);
            }
            watch.register(context);
            if watch.is_late() { Poll::Ready(None) } else { Poll::Pending }
        });
        flushed.await.ok_or(Gone)
    }

    /// Wait for bytes.
    async fn wait(&mut self, room: &mut BytesMut, drains: bool) -> Waited {
        let Self { thread, stream, watch, .. } = self;
        let mut reading = pin!(stream.read_buf(room));
        poll_fn(|context| {
            if let Poll::Ready(read) = reading.as_mut().poll(context) {
                return Poll::Ready(if read.is_ok_and(|length| length > 0) { Waited::Arrived } else { Waited::Gone });
            }
            watch.register(context);
            if watch.is_late() {
                Poll::Ready(Waited::Late)
            } else if thread.drains() != drains {
                Poll::Ready(Waited::Draining)
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// Read what tokio may have forgotten; true when there was something.
    fn recall(&mut self, incoming: &mut Incoming) -> bool {
        // While something was there, there may be more.
        self.is_doubtful = self.is_doubtful && self.stream.read_now(incoming.buffer()).is_ok_and(|length| length > 0);
        if self.is_doubtful {
            incoming.arrived();
        }
        self.is_doubtful
    }

    /// End so that the client can read its last answer: say that it was the last, and hear the client out for a while.
    async fn part(&mut self) {
        self.stream.finish();
        self.thread.clock.arm(&self.watch, PARTING);
        let mut rest = BytesMut::with_capacity(SEND_BYTES);
        let mut left = PARTING_BYTES;
        while left > 0 {
            rest.clear();
            match self.wait(&mut rest, self.thread.drains()).await {
                Waited::Arrived => left = left.saturating_sub(rest.len()),
                Waited::Draining => {}
                Waited::Gone | Waited::Late => return,
            }
        }
    }
}
