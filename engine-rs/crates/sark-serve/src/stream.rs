//! A connected socket of either kind.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready},
    net::{TcpStream, UnixStream},
};

/// Read at a time past tokio's knowledge of what can be read.
const LOOK_BYTES: usize = 8 << 10;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Stream::Tcp($stream) => $call,
            Stream::Unix($stream) => $call,
        }
    };
}

impl Stream {
    /// Address of the client, as OPA tells it.
    pub(crate) fn peer(&self) -> Arc<str> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().map_or_else(|_| Arc::from(""), |address| address.to_string().into()),
            Self::Unix(_) => Arc::from("@"),
        }
    }

    /// Read what has arrived, also when tokio has not been told of it yet; the number of bytes, or WouldBlock.
    pub(crate) fn read_now(&self, into: &mut BytesMut) -> io::Result<usize> {
        let mut bytes = [0; LOOK_BYTES];
        let length = rustix::io::read(self, &mut bytes)?;
        into.extend_from_slice(bytes.get(..length).unwrap_or_default());
        Ok(length)
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
        either!(self, stream => stream.ready(interest).await)
    }

    fn forget_readiness(&self) {
        let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        // It fails because we say so.
        let _ = either!(self, stream => stream.try_io(Interest::READABLE, nothing));
    }

    /// Send small answers without waiting for the acknowledgement of the last one.
    pub(crate) fn send_at_once(&self) {
        if let Self::Tcp(stream) = self {
            // It fails only when the client is gone.
            let _ = stream.set_nodelay(true);
        }
    }

    /// Say that no more will be sent.
    pub(crate) fn finish(&self) {
        // It fails only when the client is gone.
        let _ = SockRef::from(self).shutdown(std::net::Shutdown::Write);
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, stream => stream.as_fd())
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
