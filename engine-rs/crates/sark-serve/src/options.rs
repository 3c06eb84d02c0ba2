//! Settings of the server, checked once.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hyper::header::HeaderName;
use thiserror::Error;

use crate::subject::SubjectRule;

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ConfigurationError(pub String);

/// Settings of the server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Address to bind; port 0 takes a free one.
    pub address: SocketAddr,
    /// Threads that serve.
    pub workers: usize,
    /// Largest body accepted.
    pub max_body_bytes: usize,
    /// Largest request head accepted.
    pub max_header_bytes: usize,
    /// Longest wait for a request head.
    pub header_timeout: Duration,
    /// Longest wait for a body.
    pub body_timeout: Duration,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Most jobs that wait to be taken.
    pub baseline_queue: usize,
    /// Longest wait for the answer to a job.
    pub baseline_timeout: Duration,
    /// Where the subject of a request is found.
    pub subject: SubjectRule,
}

/// A smaller limit would refuse ordinary clients.
const MIN_HEADER_BYTES: usize = 1024;
/// A larger one is a mistake.
const MAX_HEADER_BYTES: usize = 1 << 20;
const MAX_WORKERS: usize = 64;

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
        if !(1..=MAX_WORKERS).contains(&self.workers) {
            return wrong(format!("workers must be 1 to {MAX_WORKERS}, not {}", self.workers));
        }
        if !(MIN_HEADER_BYTES..=MAX_HEADER_BYTES).contains(&self.max_header_bytes) {
            let given = self.max_header_bytes;
            return wrong(format!("max_header_bytes must be {MIN_HEADER_BYTES} to {MAX_HEADER_BYTES}, not {given}"));
        }
        for (name, value) in [
            ("max_body_bytes", self.max_body_bytes),
            ("max_connections", self.max_connections),
            ("baseline_queue", self.baseline_queue),
        ] {
            if value == 0 {
                return wrong(format!("{name} must be at least 1"));
            }
        }
        Ok(self)
    }
}

pub(crate) fn header_name(name: &str) -> Result<HeaderName, ConfigurationError> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        ConfigurationError(format!("subject_header must be the name of an HTTP header such as X-Subject, not {name:?}"))
    })
}
