//! The Python module `sark_engine._sark_engine`. Thin: it translates, and releases the GIL around everything that takes time.

mod answered;
mod asking;
mod engine;
mod errors;
mod forks;
mod input;
mod job;
mod object_question;
mod output;
mod paths;
mod policies;
mod records;
mod server;

use mimalloc::MiMalloc;
use pyo3::prelude::*;

/// Evaluation allocates much and frees soon: 3 to 18 % faster with this allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The assignment rule: murmur3_x86_32(utf8(salt + ":" + subject), seed 0) * 10000 >> 32.
#[pyfunction]
fn bucket(salt: &str, subject: &str) -> u32 {
    sark_engine::assignment::bucket(salt, subject.as_bytes())
}

/// Revision of module sources with a base document, as Policies.revision computes it.
#[pyfunction]
fn policy_revision(py: Python<'_>, sources: Vec<String>, data: Vec<u8>) -> PyResult<String> {
    py.detach(|| sark_engine::policy_revision(sources.iter().map(String::as_str), &data))
        .map_err(|error| errors::policy(&error))
}

#[pymodule]
fn _sark_engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    forks::watch()?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("build_profile", env!("SARK_BUILD_PROFILE"))?;
    module.add("regorus_version", sark_engine::REGORUS_VERSION)?;
    module.add_class::<policies::Policies>()?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<job::BaselineJob>()?;
    module.add_class::<answered::Answered>()?;
    module.add_class::<asking::Mailbox>()?;
    module.add_class::<server::Server>()?;
    module.add_function(wrap_pyfunction!(bucket, module)?)?;
    module.add_function(wrap_pyfunction!(policy_revision, module)?)
}
