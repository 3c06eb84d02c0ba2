//! A connected socket of either kind.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use rustix::net::SendFlags;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::server::TlsStream;

/// Read at a time past tokio's knowledge of what can be read.
const LOOK_BYTES: usize = 8 << 10;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<Wire>>),
}

/// The socket below TLS.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: TcpStream,
    /// Read also when tokio has not been told that something has arrived.
    insists: bool,
}

impl Wire {
    pub(crate) const fn new(socket: TcpStream) -> Self {
        Self { socket, insists: false }
    }
}

macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Stream::Tcp($stream) => $call,
            Stream::Unix($stream) => $call,
            Stream::Tls($stream) => $call,
        }
    };
}

/// As `either`, on the socket itself.
macro_rules! socket {
    ($self:expr, $socket:ident => $call:expr) => {
        match $self {
            Stream::Tcp($socket) => $call,
            Stream::Unix($socket) => $call,
            Stream::Tls(stream) => {
                let $socket = &stream.get_ref().0.socket;
                $call
            }
        }
    };
}

impl Stream {
    /// Address of the client, as OPA tells it.
    pub(crate) fn peer(&self) -> Arc<str> {
        let address = match self {
            Self::Tcp(stream) => stream.peer_addr(),
            Self::Tls(stream) => stream.get_ref().0.socket.peer_addr(),
            Self::Unix(_) => return Arc::from("@"),
        };
        address.map_or_else(|_| Arc::from(""), |address| address.to_string().into())
    }

    /// Read what has arrived, also when tokio has not been told of it yet; the number of bytes, or WouldBlock.
    pub(crate) fn read_now(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        let mut bytes = [0; LOOK_BYTES];
        let length = match self {
            Self::Tls(stream) => unpacked_now(stream, &mut bytes)?,
            _ => rustix::io::read(&*self, &mut bytes)?,
        };
        into.extend_from_slice(bytes.get(..length).unwrap_or_default());
        Ok(length)
    }

    /// Send what the socket takes at once, past tokio's knowledge of whether it does; how much that was, none through TLS. What
    /// fails here fails again, or waits, where the rest is written.
    pub(crate) fn send_now(&self, bytes: &[u8]) -> usize {
        match self {
            Self::Tls(_) => 0,
            _ => rustix::net::send(self, bytes, SendFlags::NOSIGNAL).unwrap_or(0),
        }
    }

    /// Whether what was written may still wait to be packed and sent.
    pub(crate) const fn holds_back(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Wait until the client has closed its side. What it sends meanwhile stays unread, and tokio forgets that it came.
    pub(crate) async fn closed(&self) {
        loop {
            match self.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => self.forget_readiness(),
                _ => return,
            }
        }
    }

    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        socket!(self, socket => socket.ready(interest).await)
    }

    fn forget_readiness(&self) {
        let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        // It fails because we say so.
        let _ = socket!(self, socket => socket.try_io(Interest::READABLE, nothing));
    }

    /// Send small answers without waiting for the acknowledgement of the last one.
    pub(crate) fn send_at_once(&self) {
        if let Self::Tcp(stream) = self {
            // It fails only when the client is gone.
            let _ = stream.set_nodelay(true);
        }
    }

    /// Say that no more will be sent.
    pub(crate) fn finish(&mut self) {
        if let Self::Tls(stream) = self {
            // What does not fit into the kernel's buffer now is not worth waiting for.
            let _ = Pin::new(stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
        // It fails only when the client is gone.
        let _ = SockRef::from(&*self).shutdown(std::net::Shutdown::Write);
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        socket!(self, socket => socket.as_fd())
    }
}

/// Read through TLS what has arrived.
fn unpacked_now(stream: &mut TlsStream<Wire>, bytes: &mut [u8]) -> io::Result<usize> {
    let mut buffer = ReadBuf::new(bytes);
    stream.get_mut().0.insists = true;
    let polled = Pin::new(&mut *stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
    stream.get_mut().0.insists = false;
    match polled {
        Poll::Ready(read) => read.map(|()| buffer.filled().len()),
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if !wire.insists {
            return Pin::new(&mut wire.socket).poll_read(context, buffer);
        }
        match rustix::io::read(&wire.socket, buffer.initialize_unfilled()) {
            Ok(length) => {
                buffer.advance(length);
                Poll::Ready(Ok(()))
            }
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => Poll::Pending,
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(context))
    }
}
