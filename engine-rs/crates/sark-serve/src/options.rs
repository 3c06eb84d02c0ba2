//! Settings of the server, checked once.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use thiserror::Error;

use crate::{shadow::ShadowLimits, subject::SubjectRule};

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ConfigurationError(pub String);

/// Settings of the server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Address to bind; port 0 takes a free one.
    pub address: Option<SocketAddr>,
    /// Unix-domain socket to listen on, beside the address or instead of it.
    pub unix: Option<UnixSocket>,
    /// It is asked inside the process, and needs nothing to listen on.
    pub in_process: bool,
    /// Threads that serve.
    pub workers: usize,
    /// Largest body accepted.
    pub max_body_bytes: usize,
    /// Largest request head accepted.
    pub max_header_bytes: usize,
    /// Longest a connection may be idle.
    pub idle_timeout: Duration,
    /// Longest wait for a request head, from its first byte.
    pub header_timeout: Duration,
    /// Longest wait for a body.
    pub body_timeout: Duration,
    /// Longest wait for a client to take its answer.
    pub write_timeout: Duration,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Most jobs that wait to be taken.
    pub baseline_queue: usize,
    /// Longest wait for the answer to a job.
    pub baseline_timeout: Duration,
    /// Longest evaluation on a serving thread; beyond it the question goes to an evaluation thread.
    pub inline_evaluation: Duration,
    /// Threads for evaluations that take longer.
    pub evaluation_threads: usize,
    /// Most evaluations that wait for such a thread.
    pub evaluation_queue: usize,
    /// Writes of data are handed over; without it they are refused.
    pub writes: bool,
    /// Where the subject of a request is found.
    pub subject: SubjectRule,
    /// Bounds of what waits to be compared with the other arm.
    pub shadow: ShadowLimits,
}

/// A Unix-domain socket to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    /// Its file.
    pub path: PathBuf,
    /// Permissions of the file, as in 0o660.
    pub mode: u32,
}

/// A smaller limit would refuse ordinary clients.
const MIN_HEADER_BYTES: usize = 1024;
/// A larger one is a mistake.
const MAX_HEADER_BYTES: usize = 1 << 20;
const MAX_THREADS: usize = 64;
const MAX_MODE: u32 = 0o777;

impl ServerOptions {
    /// Parse an IP address to bind.
    pub fn address(host: &str, port: u16) -> Result<SocketAddr, ConfigurationError> {
        let ip: IpAddr = host
            .parse()
            .map_err(|_| ConfigurationError(format!("host must be an IP address such as 127.0.0.1, not {host:?}")))?;
        Ok(SocketAddr::new(ip, port))
    }

    /// Refuse settings that cannot work.
    pub fn check(self) -> Result<Self, ConfigurationError> {
        let wrong = |what: String| Err(ConfigurationError(what));
        for (name, value) in [("workers", self.workers), ("evaluation_threads", self.evaluation_threads)] {
            if !(1..=MAX_THREADS).contains(&value) {
                return wrong(format!("{name} must be 1 to {MAX_THREADS}, not {value}"));
            }
        }
        if self.address.is_none() && self.unix.is_none() && !self.in_process {
            return wrong("there must be an address or a Unix-domain socket to listen on".into());
        }
        if let Some(unix) = &self.unix {
            if !unix.path.is_absolute() {
                let given = unix.path.display();
                return wrong(format!("unix_path must be an absolute path such as /run/sark/data.sock, not {given}"));
            }
            if unix.mode > MAX_MODE {
                return wrong(format!("unix_mode must be permission bits such as 0o660, not 0o{:o}", unix.mode));
            }
        }
        if !(MIN_HEADER_BYTES..=MAX_HEADER_BYTES).contains(&self.max_header_bytes) {
            let given = self.max_header_bytes;
            return wrong(format!("max_header_bytes must be {MIN_HEADER_BYTES} to {MAX_HEADER_BYTES}, not {given}"));
        }
        for (name, value) in [
            ("max_body_bytes", self.max_body_bytes),
            ("max_connections", self.max_connections),
            ("baseline_queue", self.baseline_queue),
            ("evaluation_queue", self.evaluation_queue),
            ("shadow_queue", self.shadow.queue.requests),
            ("shadow_queue_bytes", self.shadow.queue.bytes),
            ("shadow_request_bytes", self.shadow.request_bytes),
        ] {
            if value == 0 {
                return wrong(format!("{name} must be at least 1"));
            }
        }
        Ok(self)
    }
}

/// The name of a header, in lower case.
pub(crate) fn header_name(name: &str) -> Result<String, ConfigurationError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(fits) {
        let message = format!("subject_header must be the name of an HTTP header such as X-Subject, not {name:?}");
        return Err(ConfigurationError(message));
    }
    Ok(name.to_ascii_lowercase())
}
