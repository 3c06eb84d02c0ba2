//! What ordinary answers begin with, written once a second.

use std::time::SystemTime;

const BEFORE_DATE: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: ";
const BEHIND_DATE: &str = "\r\nContent-Length: ";

/// The head of an answer with status 200 and JSON, up to its length.
#[derive(Debug)]
pub(crate) struct Opening(String);

impl Opening {
    /// Of answers at `time`.
    pub(crate) fn at(time: SystemTime) -> Self {
        Self([BEFORE_DATE, &httpdate::fmt_http_date(time), BEHIND_DATE].concat())
    }

    pub(crate) fn text(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The value of the Date header, always 29 bytes.
    pub(crate) fn date(&self) -> &str {
        self.0.get(BEFORE_DATE.len()..self.0.len() - BEHIND_DATE.len()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_one_of_http() {
        let opening = Opening::at(SystemTime::now());
        assert_eq!(opening.date().len(), 29);
        assert!(opening.date().ends_with(" GMT"));
    }
}
