//! The floor: a server that reads a request and answers fixed bytes. No server in front of a decision can be faster.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
};

use crate::{arguments::FloorOptions, message, poller::Poller};

/// What is answered.
pub(crate) const BODY: &str =
    r#"{"result":{"allow":true,"filtered_parameters":{"query":"search_documents-0"},"reason":"granted to developer"}}"#;
const LISTENER: usize = usize::MAX - 1;
const READ_BYTES: usize = 16 * 1024;

/// Serve until the process is ended. The address is printed when connections are taken.
pub(crate) fn serve(options: &FloorOptions) -> Result<(), String> {
    let place = format!("{}:{}", options.host, options.port);
    let listener = TcpListener::bind(&place).map_err(|error| format!("{place}: {error}"))?;
    run(&listener).map_err(|error| format!("{place}: {error}"))
}

fn run(listener: &TcpListener) -> io::Result<()> {
    let mut poller = Poller::new()?;
    poller.watch(listener, LISTENER)?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len());
    let mut connections: HashMap<usize, Connection> = HashMap::new();
    let mut accepted = 0;
    loop {
        for token in poller.wait(None)? {
            if token == LISTENER {
                let (socket, _) = listener.accept()?;
                socket.set_nodelay(true)?;
                poller.watch(&socket, accepted)?;
                connections.insert(accepted, Connection { socket, received: Vec::with_capacity(READ_BYTES) });
                accepted += 1;
            } else if let Some(connection) = connections.get_mut(&token)
                && !connection.serve(answer.as_bytes())
            {
                connections.remove(&token);
            }
        }
    }
}

struct Connection {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Answer what has arrived; false when the connection is over.
    fn serve(&mut self, answer: &[u8]) -> bool {
        let mut bytes = [0; READ_BYTES];
        match self.socket.read(&mut bytes) {
            Ok(length @ 1..) => self.received.extend_from_slice(bytes.get(..length).unwrap_or_default()),
            _ => return false,
        }
        loop {
            let length = match message::first(&self.received) {
                Ok(Some(request)) => request.length(),
                Ok(None) => return true,
                Err(_) => return false,
            };
            self.received.drain(..length);
            if self.socket.write_all(answer).is_err() {
                return false;
            }
        }
    }
}
