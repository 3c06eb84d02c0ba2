//! How a case is put to the engine, which answers paths and not queries.

use sark_engine::{DecisionPath, Module};

use crate::{
    case::{Case, Row, Wanted},
    document::Document,
};

/// Package of the module that holds a query which is not one path.
const PACKAGE: &str = "conformance_query";

/// A question as the engine takes it.
#[derive(Debug)]
pub(crate) struct Question {
    pub modules: Vec<Module>,
    pub path: DecisionPath,
    pub input: Option<String>,
    /// How the rows of bindings are found in the answer.
    pub binding: Binding,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// The answer is the value of this variable, in one row.
    Variable(String),
    /// The answer is the list of rows.
    Rows,
}

impl Question {
    /// The question that `case` asks.
    pub(crate) fn of(case: &Case) -> Result<Self, String> {
        let mut modules = modules_of(case);
        let (input, input_in_rego) = match &case.input_term {
            Some(term) => match Document::from_json(term) {
                Ok(json) => (Some(json.to_string()), None),
                Err(_) => (None, Some(term.as_str())),
            },
            None => (case.input.as_ref().map(ToString::to_string), None),
        };
        if let (Some((path, variable)), None) = (path_query(&case.query), input_in_rego) {
            return Ok(Self { modules, path, input, binding: Binding::Variable(variable.to_owned()) });
        }
        modules.push(Module { name: format!("{PACKAGE}.rego"), source: query_module(case, input_in_rego) });
        let path = DecisionPath::parse(&format!("{PACKAGE}/rows")).map_err(|error| error.to_string())?;
        Ok(Self { modules, path, input, binding: Binding::Rows })
    }
}

fn modules_of(case: &Case) -> Vec<Module> {
    let named = |(number, source): (usize, &String)| Module { name: format!("test-{number}.rego"), source: source.clone() };
    case.modules.iter().enumerate().map(named).collect()
}

/// The path and the variable of a query like `data.a.b = x`.
fn path_query(query: &str) -> Option<(DecisionPath, &str)> {
    let (reference, variable) = query.split_once('=')?;
    let (reference, variable) = (reference.trim(), variable.trim());
    let (root, names) = reference.split_once('.').unwrap_or((reference, ""));
    let names: Vec<String> = if names.is_empty() { Vec::new() } else { names.split('.').map(str::to_owned).collect() };
    let is_path = root == "data" && is_variable(variable) && names.iter().all(|name| is_name(name));
    let path = DecisionPath::from_segments(names).ok()?;
    is_path.then_some((path, variable))
}

fn is_variable(text: &str) -> bool {
    is_name(text) && text != "input" && text != "data"
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// OPA reads queries as Rego v1, whatever the modules are written in.
fn query_module(case: &Case, input: Option<&str>) -> String {
    let variables: Vec<&str> = match &case.wanted {
        Wanted::Rows(rows) => rows.first().map_or_else(Vec::new, |row: &Row| row.keys().map(String::as_str).collect()),
        Wanted::Error => Vec::new(),
    };
    let row: Vec<String> = variables.iter().map(|name| format!("{name:?}: {name}")).collect();
    let with = input.map_or_else(String::new, |term| format!(" with input as {term}"));
    format!("package {PACKAGE}\n\nimport rego.v1\n\nrows contains {{{}}} if {{\n\t{}{with}\n}}\n", row.join(", "), case.query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_to_data_bound_to_a_variable_is_a_path() {
        for (query, path, variable) in
            [("data.a.b = x", "a/b", "x"), ("data = x", "", "x"), ("data.p.q=__local1", "p/q", "__local1")]
        {
            assert_eq!(path_query(query), Some((DecisionPath::parse(path).unwrap(), variable)), "{query}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for query in
            ["data.a[0] = x", "data.a = 1", "data.a = input", "x = data.a", "data.a = x; data.b = y", "data.f(1) = x", "1 / 0"]
        {
            assert_eq!(path_query(query), None, "{query}");
        }
    }
}
