//! Operators on values. An operand that is undefined, or of a type the operator does not take, makes the answer undefined.

use regorus::{
    Value,
    unstable::{ArithOp, BinOp, BoolOp},
};

use super::{super::place, Failure};
use crate::{
    builtins::arithmetic::{Unreckoned, reckon},
    document,
};

pub(super) fn compare(op: &BoolOp, left: &Value, right: &Value) -> Value {
    if *left == Value::Undefined || *right == Value::Undefined {
        return Value::Undefined;
    }
    Value::Bool(match op {
        BoolOp::Eq => left == right,
        BoolOp::Ne => left != right,
        BoolOp::Lt => document::compare(left, right).is_lt(),
        BoolOp::Le => document::compare(left, right).is_le(),
        BoolOp::Gt => document::compare(left, right).is_gt(),
        BoolOp::Ge => document::compare(left, right).is_ge(),
    })
}

/// Arithmetic, and the difference of sets.
pub(super) fn arithmetic(op: &ArithOp, left: &Value, right: &Value) -> Result<Value, Failure> {
    match (op, left, right) {
        (ArithOp::Sub, Value::Set(left), Value::Set(right)) => Ok(left.difference(right).into_value()),
        _ => match reckon(op, left, right) {
            Ok(answer) => Ok(answer),
            Err(Unreckoned::Inexact) => Err(Failure::Inexact),
            Err(_) => Ok(Value::Undefined),
        },
    }
}

pub(super) fn combine(op: &BinOp, left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Set(left), Value::Set(right)) => match op {
            BinOp::Union => left.union(right),
            BinOp::Intersection => left.intersection(right),
        }
        .into_value(),
        _ => Value::Undefined,
    }
}

/// `value in collection`.
pub(super) fn member(value: &Value, collection: &Value) -> Value {
    if *value == Value::Undefined || *collection == Value::Undefined {
        return Value::Undefined;
    }
    Value::Bool(match collection {
        Value::Array(items) => items.iter().any(|item| item == value),
        Value::Set(items) => place::element_of_set(items, value).is_some(),
        Value::Object(fields) => fields.values().any(|item| item == value),
        _ => false,
    })
}

/// `key, value in collection`.
pub(super) fn member_at(key: &Value, value: &Value, collection: &Value) -> Value {
    if [key, value, collection].contains(&&Value::Undefined) {
        return Value::Undefined;
    }
    Value::Bool(place::element(collection, key) == Some(value))
}
