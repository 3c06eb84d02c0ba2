//! Decision paths that were asked for, taken apart once.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use pyo3::{prelude::*, types::PyString};
use sark_engine::DecisionPath;

use crate::errors;

/// Paths that are found without a lock and without hashing their text: most programs ask for fewer.
const FIRST: usize = 8;
/// Most other paths remembered; who asks for more pays for taking them apart.
const MAX_OTHERS: usize = 1_024;

/// The paths of one engine.
#[derive(Default)]
pub(crate) struct Paths {
    /// Those that were asked for first. They stay.
    first: [OnceLock<(Box<str>, Arc<DecisionPath>)>; FIRST],
    others: Mutex<HashMap<String, Arc<DecisionPath>>>,
}

/// A path that was asked for.
pub(crate) enum Asked<'p> {
    First(&'p Arc<DecisionPath>),
    Other(Arc<DecisionPath>),
}

impl Deref for Asked<'_> {
    type Target = Arc<DecisionPath>;

    fn deref(&self) -> &Arc<DecisionPath> {
        match self {
            Self::First(path) => path,
            Self::Other(path) => path,
        }
    }
}

impl Paths {
    /// The path that a text means, and whether it was asked for before.
    pub(crate) fn get(&self, path: &Bound<'_, PyString>) -> PyResult<(Asked<'_>, bool)> {
        let text = text_of(path)?;
        for place in &self.first {
            if let Some((known, path)) = place.get() {
                if **known == *text {
                    return Ok((Asked::First(path), true));
                }
                continue;
            }
            // Should another thread take the place meanwhile, the next one is tried.
            if place.set((text.into(), taken_apart(text)?)).is_ok()
                && let Some((_, path)) = place.get()
            {
                return Ok((Asked::First(path), false));
            }
        }
        self.other(text).map(|(path, known)| (Asked::Other(path), known))
    }

    fn other(&self, text: &str) -> PyResult<(Arc<DecisionPath>, bool)> {
        let mut known = self.others.lock();
        if let Some(path) = known.get(text) {
            return Ok((Arc::clone(path), true));
        }
        let path = taken_apart(text)?;
        if known.len() < MAX_OTHERS {
            known.insert(text.to_owned(), Arc::clone(&path));
        }
        Ok((path, false))
    }
}

/// The text of a path. Not every text of Python is one of UTF-8, and PyO3's own error would be none of the engine's.
pub(crate) fn text_of<'p>(path: &'p Bound<'_, PyString>) -> PyResult<&'p str> {
    path.to_str().map_err(|_| errors::path(&"the path has half of a surrogate pair, which UTF-8 cannot hold"))
}

fn taken_apart(text: &str) -> PyResult<Arc<DecisionPath>> {
    Ok(Arc::new(DecisionPath::parse(text).map_err(|error| errors::path(&error))?))
}
