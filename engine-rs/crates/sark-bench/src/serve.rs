//! The engine behind its data plane, without Python around it: what a profiler looks at.

use std::{
    io::{self, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use sark_engine::{CacheLimits, Engine, EngineOptions, EvaluationLimits, Module, Policies};
use sark_serve::{Flags, Server, ServerOptions, ShadowLimits, SubjectRule};

use crate::{arguments::ServeOptions, evaluate::Folder};

/// Longer than a measurement, so that what is cached stays so.
const TTL: Duration = Duration::from_secs(600);

/// Serve until the process is ended. The address is printed when connections are taken.
pub(crate) fn serve(options: &ServeOptions) -> Result<(), String> {
    let folder = Folder::read(&options.policies)?;
    let modules = folder.modules.into_iter().map(|(name, source)| Module { name, source }).collect();
    let policies = Policies::compile(modules, &folder.data).map_err(|error| error.to_string())?;
    // Limits are those that the Python module has unless it is told otherwise.
    let cache = CacheLimits { max_entries: 10_000, max_bytes: 64 << 20, ttl: TTL };
    let limits = EngineOptions { cache, evaluation: EvaluationLimits::within(Duration::from_secs(1)) };
    let engine = Engine::new(Arc::new(policies), limits).map_err(|error| error.to_string())?;
    let server = Server::new(Arc::new(engine), server_options(options)?).map_err(|error| error.to_string())?;
    let rollout = "bench/engine".to_owned();
    let flags = Flags {
        rollout,
        revision: 1,
        percentage: 100,
        salt: "bench".to_owned(),
        rust_opa: true,
        rust_cache: true,
        ..Flags::default()
    };
    server.set_flags(flags).map_err(|error| error.to_string())?;
    let port = server.start().map_err(|error| format!("{}:{}: {error}", options.host, options.port))?;
    writeln!(io::stdout(), "listening on http://{}:{port}", options.host).map_err(|error| error.to_string())?;
    loop {
        thread::park();
    }
}

fn server_options(options: &ServeOptions) -> Result<ServerOptions, String> {
    let wrong = |error: sark_serve::ConfigurationError| error.to_string();
    let patience = Duration::from_secs(5);
    let settings = ServerOptions {
        address: Some(ServerOptions::address(&options.host, options.port).map_err(wrong)?),
        unix: None,
        in_process: false,
        workers: options.workers,
        max_body_bytes: 1 << 20,
        max_header_bytes: 16 << 10,
        idle_timeout: Duration::from_secs(60),
        header_timeout: patience,
        body_timeout: patience,
        write_timeout: patience,
        max_connections: 1024,
        baseline_queue: 1024,
        baseline_timeout: Duration::from_secs(10),
        inline_evaluation: Duration::from_millis(2),
        evaluation_threads: 2,
        evaluation_queue: 256,
        writes: false,
        subject: SubjectRule::new(None, ["/user/id"]).map_err(wrong)?,
        shadow: ShadowLimits::default(),
    };
    settings.check().map_err(wrong)
}
