//! A case of OPA's suite, as its YAML says it.

use std::collections::{BTreeMap, BTreeSet};

use sark_engine::RegoVersion;
use serde::Deserialize;

use crate::document::Document;

/// Bindings of a query's variables, one row a solution.
pub(crate) type Row = BTreeMap<String, Document>;

/// What OPA answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Rows(BTreeSet<Row>),
    /// An error, whatever its text.
    Error,
}

/// One question with OPA's answer.
#[derive(Debug)]
pub(crate) struct Case {
    /// `v1/folder/note`, unique.
    pub id: String,
    pub version: RegoVersion,
    pub modules: Vec<String>,
    pub data: Option<Document>,
    pub input: Option<Document>,
    /// An input as Rego writes it; may hold sets. Goes before `input`.
    pub input_term: Option<String>,
    pub query: String,
    pub wanted: Wanted,
    /// The error is one of a builtin, told only when builtin errors are strict; this engine's are not.
    pub strict: bool,
    /// Bound lists are to be compared as sets.
    pub sorted: bool,
}

/// A file of the suite.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseFile {
    pub cases: Vec<RawCase>,
}

/// A case as written. An unknown field is an error: it may change what is to be compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCase {
    pub note: String,
    query: String,
    #[serde(default)]
    modules: Option<Vec<String>>,
    data: Option<yaml_serde::Value>,
    input: Option<yaml_serde::Value>,
    input_term: Option<String>,
    want_result: Option<yaml_serde::Value>,
    /// The rows as JSON, for cases of our own: YAML's numbers end at 64 bits.
    want_json: Option<String>,
    want_error: Option<String>,
    want_error_code: Option<String>,
    #[serde(default)]
    sort_bindings: bool,
    #[serde(default)]
    strict_error: bool,
    /// Only the variables that the suite names are compared, so generated ones need no care.
    #[serde(default)]
    #[allow(dead_code, reason = "read so that no field is unknown")]
    ignore_generated_vars: bool,
}

impl RawCase {
    /// The case under the name `id`.
    pub(crate) fn into_case(self, id: String, version: RegoVersion) -> Result<Case, String> {
        let is_error = self.want_error.is_some() || self.want_error_code.is_some();
        let wanted = match (&self.want_result, &self.want_json) {
            _ if is_error => Wanted::Error,
            (Some(rows), None) => Wanted::Rows(rows_of(Document::from_yaml(rows)?, self.sort_bindings)?),
            (None, Some(rows)) => Wanted::Rows(rows_of(Document::from_json(rows)?, self.sort_bindings)?),
            _ => return Err(format!("{id} wants neither a result nor an error, or two results")),
        };
        Ok(Case {
            id,
            version,
            modules: self.modules.unwrap_or_default(),
            data: self.data.as_ref().map(Document::from_yaml).transpose()?,
            input: self.input.as_ref().map(Document::from_yaml).transpose()?,
            input_term: self.input_term,
            query: self.query.trim().to_owned(),
            wanted,
            strict: is_error && self.strict_error,
            sorted: self.sort_bindings,
        })
    }
}

fn rows_of(rows: Document, sorted: bool) -> Result<BTreeSet<Row>, String> {
    match rows {
        Document::List(rows) => rows_from(rows, sorted),
        Document::Null => Ok(BTreeSet::new()),
        other => Err(format!("{other} is no list of rows")),
    }
}

/// Rows of bindings; with `sorted`, lists count as sets.
pub(crate) fn rows_from(rows: Vec<Document>, sorted: bool) -> Result<BTreeSet<Row>, String> {
    let row = |row| match row {
        Document::Record(row) if sorted => Ok(row.into_iter().map(|(name, value)| (name, value.sorted())).collect()),
        Document::Record(row) => Ok(row),
        other => Err(format!("{other} is no row of bindings")),
    };
    rows.into_iter().map(row).collect()
}
