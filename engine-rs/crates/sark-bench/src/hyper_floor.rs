//! The floor again, on hyper: what a library in the place of the data plane's own HTTP would cost before it decides anything.

use std::io::{self, Write};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    runtime::{Builder, LocalOptions},
    task::spawn_local,
};

use crate::{arguments::FloorOptions, floor::BODY};

/// Serve until the process is ended, on one thread. The address is printed when connections are taken.
pub(crate) fn serve(options: &FloorOptions) -> Result<(), String> {
    let place = format!("{}:{}", options.host, options.port);
    run(&place).map_err(|error| format!("{place}: {error}"))
}

fn run(place: &str) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener = TcpListener::bind(place).await?;
        writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            // A limit for the head, as the data plane has one, is a timer for each request.
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new());
            // A client that goes away is no failure of the floor.
            spawn_local(async move { server.serve_connection(TokioIo::new(socket), service_fn(answer)).await.ok() });
        }
    })
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    let mut response = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
