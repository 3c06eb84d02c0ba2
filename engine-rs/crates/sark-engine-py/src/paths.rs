//! Decision paths that were asked for, taken apart once.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use pyo3::PyResult;
use sark_engine::DecisionPath;

use crate::errors;

/// Most paths remembered; who asks for more pays for taking them apart.
const MAX_PATHS: usize = 1_024;

/// A path, checked.
pub(crate) struct Asked {
    pub path: DecisionPath,
    pub joined: String,
}

/// The paths of one engine.
#[derive(Default)]
pub(crate) struct Paths(Mutex<HashMap<String, Arc<Asked>>>);

impl Paths {
    /// The path that `text` means, and whether it was asked for before.
    pub(crate) fn get(&self, text: &str) -> PyResult<(Arc<Asked>, bool)> {
        let mut known = self.0.lock();
        if let Some(asked) = known.get(text) {
            return Ok((Arc::clone(asked), true));
        }
        let path = DecisionPath::parse(text).map_err(|error| errors::path(&error))?;
        let asked = Arc::new(Asked { joined: path.joined(), path });
        if known.len() < MAX_PATHS {
            known.insert(text.to_owned(), Arc::clone(&asked));
        }
        Ok((asked, false))
    }
}
