//! How many answers were wrong, and what was wrong with the first.

#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub errors: usize,
    pub first_error: String,
}

impl Verdicts {
    /// Count an answer with what is wrong with it.
    pub(crate) fn add(&mut self, objection: Option<String>) {
        let Some(objection) = objection else { return };
        if self.errors == 0 {
            self.first_error = objection;
        }
        self.errors += 1;
    }
}
