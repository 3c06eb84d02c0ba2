//! One serving thread: its listener, its connections, and the limits on them.

use std::{
    cell::RefCell,
    convert::Infallible,
    io,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hyper::{Request, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use sark_engine::Lane;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::LocalSet,
};

use crate::{
    answering::Answering,
    metrics::Refusal,
    question::{Question, Route, route},
    reply::{Problem, Reply, healthy},
    shared::Shared,
};

/// What serving threads are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Serve,
    /// Accept nothing more, finish what is under way within this time, and end.
    Drain(Duration),
}

/// Read at a time beyond the head. Room for a head that is too large to be seen whole, and so to be answered.
const READ_AHEAD_BYTES: usize = 64 << 10;
/// Wait after an accept that failed: most likely descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 68\r\n\
    Retry-After: 1\r\nConnection: close\r\n\r\n{\"code\":\"internal_error\",\"message\":\"too many connections are open\"}\n";

/// Counts a connection while it lives.
struct Slot(Arc<Shared>);

impl Slot {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let limit = shared.options.max_connections;
        let taken =
            shared.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < limit).then_some(open + 1));
        taken.is_ok().then(|| Self(Arc::clone(shared)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serve until told to drain; true when everything under way was finished in time.
pub(crate) fn serve(
    shared: &Arc<Shared>,
    lane: Lane,
    listener: std::net::TcpListener,
    orders: watch::Receiver<Order>,
) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let answering = Rc::new(Answering { shared: Arc::clone(shared), lane: RefCell::new(lane) });
    LocalSet::new().block_on(&runtime, accept(answering, listener, orders))
}

async fn accept(
    answering: Rc<Answering>,
    listener: std::net::TcpListener,
    mut orders: watch::Receiver<Order>,
) -> io::Result<bool> {
    let listener = TcpListener::from_std(listener)?;
    let graceful = GracefulShutdown::new();
    let order = loop {
        tokio::select! {
            // A dropped server drains at once.
            order = orders.wait_for(|order| *order != Order::Serve) => {
                break order.map_or(Order::Drain(Duration::ZERO), |order| *order);
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => take_in(&answering, &graceful, stream),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    };
    drop(listener);
    let limit = if let Order::Drain(limit) = order { limit } else { Duration::ZERO };
    Ok(tokio::time::timeout(limit, graceful.shutdown()).await.is_ok())
}

fn take_in(answering: &Rc<Answering>, graceful: &GracefulShutdown, stream: TcpStream) {
    let shared = &answering.shared;
    let Some(slot) = Slot::take(shared) else {
        shared.metrics().refused(Refusal::Connections);
        tokio::task::spawn_local(turn_away(stream));
        return;
    };
    // Without it a small answer waits for the client's acknowledgement of the last one.
    let _ = stream.set_nodelay(true);
    let options = &shared.options;
    let answering = Rc::clone(answering);
    let service = service_fn(move |request| {
        let answering = Rc::clone(&answering);
        async move { Ok::<_, Infallible>(respond(&answering, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_header_size(options.max_header_bytes)
        .max_buf_size(options.max_header_bytes + READ_AHEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    tokio::task::spawn_local(async move {
        // A connection that ends badly is its client's affair.
        let _ = watched.await;
        drop(slot);
    });
}

async fn turn_away(mut stream: TcpStream) {
    let _ = stream.write_all(TOO_MANY).await;
    let _ = stream.shutdown().await;
}

async fn respond(answering: &Answering, request: Request<Incoming>) -> Reply {
    let path = match route(request.method(), request.uri().path()) {
        Ok(Route::Health) => return healthy(),
        Ok(Route::Data(path)) => path,
        Err(problem) => return refuse(answering, &problem),
    };
    match Question::read(request, path, &answering.shared.options).await {
        Ok(question) => answering.answer(question).await,
        Err(problem) => refuse(answering, &problem),
    }
}

fn refuse(answering: &Answering, problem: &Problem) -> Reply {
    let reason = match problem.status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Refusal::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => Refusal::Body,
        _ => Refusal::BadRequest,
    };
    answering.shared.metrics().refused(reason);
    problem.reply()
}
