//! Questions from inside the process.

use std::{
    sync::{Arc, mpsc},
    time::Instant,
};

use pyo3::{
    prelude::*,
    types::{PyBytes, PyString, PyTuple},
};
use sark_serve::{Arm, AtHand, FallbackReason, Inquiry, Origin, Server, Told};

use crate::paths::Paths;

/// Looking a decision up for a body of so many bytes takes less time than to release the GIL and take it again.
const SHORT_BODY: usize = 4_096;

/// Answers for one event loop.
#[pyclass(frozen, module = "sark_engine")]
pub(crate) struct Mailbox(Arc<sark_serve::Mailbox>);

#[pymethods]
impl Mailbox {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(Arc::new(sark_serve::Mailbox::new()?)))
    }

    /// A file descriptor that is readable while answers wait.
    #[getter]
    fn fd(&self) -> i32 {
        self.0.descriptor()
    }

    /// All answers that wait, as pairs of token and answer.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, Bound<'py, PyTuple>)>> {
        self.0.take().into_iter().map(|(token, told)| Ok((token, shown(py, &told)?))).collect()
    }
}

/// Answer a question; blocks without the GIL unless the decision is kept.
pub(crate) fn ask<'py>(
    py: Python<'py>,
    server: &Server,
    paths: &Paths,
    path: &Bound<'py, PyString>,
    body: &[u8],
    subject: Option<&str>,
) -> PyResult<Bound<'py, PyTuple>> {
    let began = Instant::now();
    let (path, known) = paths.get(path)?;
    let inquiry = Inquiry { path: &path, body, subject, began };
    let drawn = match at_hand(py, server, &inquiry, known) {
        AtHand::Told(told) => return shown(py, &told),
        AtHand::Nothing { drawn } => drawn,
    };
    let told = py.detach(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        server.send(&inquiry, drawn, move |told| drop(sender.send(told)));
        receiver.recv()
    });
    // Whoever holds the question tells in every case, at the latest when the thread ends.
    shown(py, &told.map_err(|_| pyo3::exceptions::PyRuntimeError::new_err("the question was lost"))?)
}

/// The answer to a question when it is kept; else it comes to the mailbox.
pub(crate) fn ask_later<'py>(
    py: Python<'py>,
    server: &Server,
    paths: &Paths,
    (path, body, subject): (&Bound<'py, PyString>, &[u8], Option<&str>),
    mailbox: &Mailbox,
    token: u64,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let began = Instant::now();
    let (path, known) = paths.get(path)?;
    let inquiry = Inquiry { path: &path, body, subject, began };
    match at_hand(py, server, &inquiry, known) {
        AtHand::Told(told) => shown(py, &told).map(Some),
        AtHand::Nothing { drawn } => {
            let mailbox = Arc::clone(&mailbox.0);
            server.send(&inquiry, drawn, move |told| mailbox.put(token, told));
            Ok(None)
        }
    }
}

/// What the first decision of a path depends on is worked out with it: that takes time.
fn at_hand(py: Python<'_>, server: &Server, inquiry: &Inquiry<'_>, known: bool) -> AtHand {
    if known && inquiry.body.len() <= SHORT_BODY { server.at_hand(inquiry) } else { py.detach(|| server.at_hand(inquiry)) }
}

fn shown<'py>(py: Python<'py>, told: &Told) -> PyResult<Bound<'py, PyTuple>> {
    let arm = told.arm.map_or("none", Arm::as_str);
    let origin = told.origin.map_or("", Origin::as_str);
    let fallback = told.fallback.map_or("", FallbackReason::as_str);
    (told.status(), PyBytes::new(py, told.body()), arm, origin, fallback).into_pyobject(py)
}
