//! Decision paths that were asked for, taken apart once.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use pyo3::PyResult;
use sark_engine::DecisionPath;

use crate::errors;

/// Most paths remembered; who asks for more pays for taking them apart.
const MAX_PATHS: usize = 1_024;

/// The paths of one engine.
#[derive(Default)]
pub(crate) struct Paths(Mutex<HashMap<String, Arc<DecisionPath>>>);

impl Paths {
    /// The path that `text` means, and whether it was asked for before.
    pub(crate) fn get(&self, text: &str) -> PyResult<(Arc<DecisionPath>, bool)> {
        let mut known = self.0.lock();
        if let Some(path) = known.get(text) {
            return Ok((Arc::clone(path), true));
        }
        let path = Arc::new(DecisionPath::parse(text).map_err(|error| errors::path(&error))?);
        if known.len() < MAX_PATHS {
            known.insert(text.to_owned(), Arc::clone(&path));
        }
        Ok((path, false))
    }
}
