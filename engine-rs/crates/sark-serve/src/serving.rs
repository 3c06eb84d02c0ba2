//! One serving thread: it takes connections in, serves them, and ends in order.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    pin::pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use rustls::ServerConfig;
use sark_engine::Lane;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    runtime::LocalOptions,
    sync::{Notify, mpsc, watch},
};

use crate::{
    answering::{Answering, Outset},
    connection::Connection,
    containing,
    deadlines::Clock,
    inside::{Call, too_many},
    listener::{Listener, Listening},
    metrics::Refusal,
    reply::{Problem, Reply, status},
    shared::Shared,
    stream::Stream,
    tls::shake_hands,
    told::Told,
    wire::{HeadRule, Request},
};

/// What serving threads are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Serve,
    /// Take in what has come, finish what is under way within this time, and end.
    Drain(Duration),
}

/// Wait after an accept that failed: most likely descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 68\r\n\
    Retry-After: 1\r\nConnection: close\r\n\r\n{\"code\":\"internal_error\",\"message\":\"too many connections are open\"}\n";
/// How long a client that is turned away may take to read why, and how many may do so at a time.
const TURN_AWAY: Duration = Duration::from_millis(200);
const MAX_TURNED_AWAY: usize = 64;

/// One serving thread's own things.
pub(crate) struct Thread {
    pub shared: Arc<Shared>,
    pub clock: Rc<Clock>,
    pub rule: HeadRule,
    answering: Answering,
    drains: Cell<bool>,
    open: Cell<usize>,
    turned_away: Cell<usize>,
    emptied: Notify,
}

/// A connection's place among those that may be open.
pub(crate) struct Place(Rc<Thread>);

impl Place {
    fn take(thread: &Rc<Thread>) -> Option<Self> {
        let shared = &thread.shared;
        let limit = shared.options.max_connections;
        let taken =
            shared.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < limit).then_some(open + 1));
        taken.ok()?;
        thread.open.set(thread.open.get() + 1);
        Some(Self(Rc::clone(thread)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.shared.connections.fetch_sub(1, Ordering::Relaxed);
        self.0.open.set(self.0.open.get().saturating_sub(1));
        if self.0.open.get() == 0 {
            self.0.emptied.notify_waiters();
        }
    }
}

impl Thread {
    fn new(shared: &Arc<Shared>, lane: Lane) -> Self {
        let options = &shared.options;
        let limits = [options.idle_timeout, options.header_timeout, options.body_timeout, options.write_timeout];
        Self {
            clock: Rc::new(Clock::new(limits.into_iter().min().unwrap_or_default())),
            rule: HeadRule {
                max_bytes: options.max_header_bytes,
                max_body_bytes: options.max_body_bytes,
                subject: options.subject.header().map(str::to_owned),
            },
            answering: Answering::new(shared, lane),
            shared: Arc::clone(shared),
            drains: Cell::new(false),
            open: Cell::new(0),
            turned_away: Cell::new(0),
            emptied: Notify::new(),
        }
    }

    /// Whether no connection is kept for longer than it must.
    pub(crate) fn drains(&self) -> bool {
        self.drains.get()
    }

    /// Answer a request for which nobody has to be waited for, if it is one of the most common; else what is known of it.
    pub(crate) fn answer_at_once(&self, request: &Request<'_>) -> Result<Reply, Outset> {
        // Who has to show a token is looked at elsewhere.
        if self.shared.tokens.get().is_some() { Err(Outset::of(request)) } else { self.answering.at_once(request) }
    }

    /// Answer a request.
    pub(crate) async fn answer(&self, request: &Request<'_>, outset: Outset) -> Reply {
        if let Some(tokens) = self.shared.tokens.get()
            && !tokens.load().admit(request.head.authorization)
        {
            let problem = Problem::unauthorized();
            self.refused(&problem);
            return problem.reply();
        }
        match self.answering.answer(request, outset).await {
            Ok(reply) => reply,
            Err(problem) => {
                self.refused(&problem);
                problem.reply()
            }
        }
    }

    /// Count a request that never had an arm.
    pub(crate) fn refused(&self, problem: &Problem) {
        let reason = match problem.status {
            status::NOT_FOUND | status::METHOD_NOT_ALLOWED => Refusal::NotFound,
            status::TOO_LARGE | status::TOO_SLOW | status::UNAVAILABLE => Refusal::Body,
            status::UNAUTHORIZED => Refusal::Unauthorized,
            status::HEAD_TOO_LARGE => Refusal::Head,
            _ => Refusal::BadRequest,
        };
        self.shared.metrics().refused(reason);
    }

    fn take_in(self: &Rc<Self>, stream: Stream) {
        let tls = self.shared.tls.get().map(arc_swap::ArcSwapAny::load_full);
        if let Some(place) = Place::take(self) {
            stream.send_at_once();
            match (stream, tls) {
                (Stream::Tcp(stream), Some(tls)) => {
                    tokio::task::spawn_local(Rc::clone(self).secure(stream, tls, place));
                }
                (stream, _) => {
                    tokio::task::spawn_local(Connection::new(Rc::clone(self), stream).run(place));
                }
            }
            return;
        }
        self.shared.metrics().refused(Refusal::Connections);
        if tls.is_some() && matches!(stream, Stream::Tcp(_)) {
            // Why it is turned away could be said only after a handshake.
            return;
        }
        // Those who come beyond that find a closed connection: a crowd must not hold descriptors.
        if self.turned_away.get() < MAX_TURNED_AWAY {
            self.turned_away.set(self.turned_away.get() + 1);
            let thread = Rc::clone(self);
            tokio::task::spawn_local(async move {
                let _ = tokio::time::timeout(TURN_AWAY, turn_away(stream)).await;
                thread.turned_away.set(thread.turned_away.get() - 1);
            });
        }
    }

    /// Answer a question from inside the process. It has a place as a connection has.
    fn take_up(self: &Rc<Self>, call: Call) {
        let Some(place) = Place::take(self) else {
            self.shared.metrics().refused(Refusal::Connections);
            return call.tell(too_many());
        };
        let thread = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let told = match containing::unless_it_panics(pin!(thread.answering.tell(&call))).await {
                Ok(Ok(told)) => told,
                Ok(Err(problem)) => {
                    thread.refused(&problem);
                    Told::refused(&problem)
                }
                Err(problem) => Told::refused(&problem),
            };
            call.tell(told);
            drop(place);
        });
    }

    /// Serve a connection once its handshake is done; the client has as long for it as for a head.
    async fn secure(self: Rc<Self>, stream: TcpStream, tls: Arc<ServerConfig>, place: Place) {
        match tokio::time::timeout(self.shared.options.header_timeout, shake_hands(stream, tls)).await {
            Ok(Ok(stream)) => Connection::new(self, stream).run(place).await,
            _ => self.shared.metrics().refused(Refusal::Handshake),
        }
    }

    /// Serve until told to drain; the time there is for it.
    async fn take_in_all(
        self: &Rc<Self>,
        listeners: &[Listening],
        calls: &mut mpsc::Receiver<Call>,
        orders: &mut watch::Receiver<Order>,
    ) -> Duration {
        loop {
            tokio::select! {
                // A dropped server drains at once.
                order = orders.wait_for(|order| *order != Order::Serve) => {
                    return order.map_or(Duration::ZERO, |order| match *order {
                        Order::Drain(limit) => limit,
                        Order::Serve => Duration::ZERO,
                    });
                }
                accepted = accept(listeners) => match accepted {
                    Ok(stream) => self.take_in(stream),
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
                Some(call) = calls.recv() => self.take_up(call),
            }
        }
    }

    /// Take in who has come already, let everybody finish, and say whether all did within `limit`.
    async fn drain(self: &Rc<Self>, listeners: Vec<Listening>, calls: &mut mpsc::Receiver<Call>, limit: Duration) -> bool {
        calls.close();
        while let Ok(call) = calls.try_recv() {
            self.take_up(call);
        }
        for listener in listeners {
            listener.last(|stream| self.take_in(stream));
        }
        self.drains.set(true);
        self.clock.wake_all();
        let emptied = async {
            while self.open.get() > 0 {
                self.emptied.notified().await;
            }
        };
        tokio::time::timeout(limit, emptied).await.is_ok()
    }
}

/// Serve until told to drain; true when everything under way was finished in time.
pub(crate) fn serve(
    shared: &Arc<Shared>,
    lane: Lane,
    listeners: Vec<Listener>,
    mut calls: mpsc::Receiver<Call>,
    mut orders: watch::Receiver<Order>,
) -> io::Result<bool> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_io().enable_time().build_local(LocalOptions::default())?;
    let thread = Rc::new(Thread::new(shared, lane));
    runtime.block_on(async {
        let listeners = listeners.into_iter().map(Listening::begin).collect::<io::Result<Vec<_>>>()?;
        let counts = Arc::clone(shared);
        tokio::task::spawn_local(Rc::clone(&thread.clock).run(move |late| counts.metrics().late(late)));
        let limit = thread.take_in_all(&listeners, &mut calls, &mut orders).await;
        Ok(thread.drain(listeners, &mut calls, limit).await)
    })
}

async fn accept(listeners: &[Listening]) -> io::Result<Stream> {
    poll_fn(|context| {
        let mut accepted = listeners.iter().map(|listener| listener.poll_accept(context));
        accepted.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

async fn turn_away(mut stream: Stream) {
    let _ = stream.write_all(TOO_MANY).await;
    stream.finish();
    // Closing before the client has said all would take the answer away from it.
    stream.closed().await;
}
