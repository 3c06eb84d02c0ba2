//! Where the server listens: TCP, a Unix-domain socket, or both.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    task::{Context, Poll},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::{options::UnixSocket, stream::Stream};

const BACKLOG: i32 = 1024;

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A listening socket that one thread waits on.
#[derive(Debug)]
pub(crate) enum Listening {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Listening {
    pub(crate) fn begin(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Self::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Listener::Unix(listener) => Self::Unix(tokio::net::UnixListener::from_std(listener)?),
        })
    }

    pub(crate) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        match self {
            Self::Tcp(listener) => listener.poll_accept(context).map_ok(|(stream, _)| Stream::Tcp(stream)),
            Self::Unix(listener) => listener.poll_accept(context).map_ok(|(stream, _)| Stream::Unix(stream)),
        }
    }

    /// Stop listening, and take in everybody who has come before.
    pub(crate) fn last(self, mut take_in: impl FnMut(Stream)) {
        let _ = match self {
            Self::Tcp(listener) => listener.into_std().map(|listener| {
                while let Ok((stream, _)) = listener.accept() {
                    let adopted = stream.set_nonblocking(true).and_then(|()| tokio::net::TcpStream::from_std(stream));
                    if let Ok(stream) = adopted {
                        take_in(Stream::Tcp(stream));
                    }
                }
            }),
            Self::Unix(listener) => listener.into_std().map(|listener| {
                while let Ok((stream, _)) = listener.accept() {
                    let adopted = stream.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(stream));
                    if let Ok(stream) = adopted {
                        take_in(Stream::Unix(stream));
                    }
                }
            }),
        };
    }
}

/// One TCP listener per worker on one address.
pub(crate) fn tcp(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    if workers == 1 {
        return Ok(vec![bind(address, false)?]);
    }
    if address.port() != 0 {
        // Sockets that share a port also share it with another process; this finds out whether one is there.
        drop(bind(address, false)?);
    }
    let first = bind(address, true)?;
    let shared = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..workers {
        listeners.push(bind(shared, true)?);
    }
    Ok(listeners)
}

fn bind(address: SocketAddr, share_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The file of a Unix-domain socket. It goes with us, unless another process has put its own in its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// Listen at `at`. A file that a dead process left behind is replaced; a live one is respected.
    pub(crate) fn listen(at: &UnixSocket) -> io::Result<(Self, UnixListener)> {
        let explained = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", at.path.display()));
        make_room(&at.path).map_err(explained)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(&at.path).map_err(explained)?).map_err(explained)?;
        let file = Self { identity: identity(&at.path).map_err(explained)?, path: at.path.clone() };
        // Nobody can connect before we listen, so nobody slips in under other permissions.
        fs::set_permissions(&at.path, fs::Permissions::from_mode(at.mode)).map_err(explained)?;
        socket.listen(BACKLOG).map_err(explained)?;
        Ok((file, socket.into()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // When it cannot be removed, the next one finds a dead file, and replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

fn make_room(path: &Path) -> io::Result<()> {
    let taken = |message: &str| Err(io::Error::new(io::ErrorKind::AddrInUse, message));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            taken("there is a file that is no socket; it is in use for something else")
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) => Err(error),
            Ok(_) => taken("the socket is in use: a live process listens there"),
        },
    }
}
