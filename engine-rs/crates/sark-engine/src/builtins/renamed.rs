//! Calls of regorus' builtins from builtins of our own.

use std::sync::LazyLock;

use regorus::{
    Source, Value,
    unstable::{BUILTINS, Expr, Ref, Span},
};

use super::BuiltinError;

/// regorus wants the place of a call for its messages. Calls from here have none.
static NOWHERE: LazyLock<Option<Span>> = LazyLock::new(|| {
    let source = Source::from_contents("<builtin>".to_owned(), " ".to_owned()).ok()?;
    Some(Span { source, line: 1, col: 1, start: 0, end: 1 })
});

/// Call regorus' builtin `name`.
pub(super) fn renamed(name: &str, operands: &[Value]) -> Result<Value, BuiltinError> {
    let (Some((call, _)), Some(nowhere)) = (BUILTINS.get(name), NOWHERE.as_ref()) else {
        return Err(BuiltinError(format!("there is no {name}")));
    };
    let place = || Ref::new(Expr::Null { span: nowhere.clone(), value: Value::Null, eidx: 0 });
    let places: Vec<Ref<Expr>> = operands.iter().map(|_| place()).collect();
    call(nowhere, &places, operands, true)
        .map_err(|error| BuiltinError(error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")))
}
