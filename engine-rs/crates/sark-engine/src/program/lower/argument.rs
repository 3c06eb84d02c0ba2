//! What may stand for an argument in the head of a function: less than in any other pattern.

use regorus::unstable::{Expr as Ast, Ref};

use super::{Lower, refused, unsupported, variables::called_as_document};

/// Refuse what OPA refuses of `arg`, and leave to it what it takes for something else than it looks like.
///
/// Keys of objects and members of sets are no patterns: they may be read from the input, as they may anywhere.
pub(super) fn check(arg: &Ref<Ast>) -> Lower<()> {
    match arg.as_ref() {
        Ast::Var { span, .. } => called_as_document(span.text(), span),
        Ast::RefDot { .. } | Ast::RefBrack { .. } => {
            refused(arg.span(), "an argument is compared with what is read elsewhere: name it, and compare it in the body")
        }
        Ast::Array { items, .. } => items.iter().try_for_each(check),
        Ast::Object { fields, .. } => fields.iter().try_for_each(|(_, key, value)| {
            call_nothing(key)?;
            check(value)
        }),
        _ => call_nothing(arg),
    }
}

/// A call is refused by OPA, or evaluated to nothing.
fn call_nothing(expr: &Ref<Ast>) -> Lower<()> {
    match expr.as_ref() {
        Ast::Array { items, .. } | Ast::Set { items, .. } => items.iter().try_for_each(call_nothing),
        Ast::Object { fields, .. } => fields.iter().try_for_each(|(_, key, value)| {
            call_nothing(key)?;
            call_nothing(value)
        }),
        Ast::RefDot { refr, .. } => call_nothing(refr),
        Ast::RefBrack { refr, index, .. } => {
            call_nothing(refr)?;
            call_nothing(index)
        }
        Ast::Call { .. }
        | Ast::BinExpr { .. }
        | Ast::BoolExpr { .. }
        | Ast::ArithExpr { .. }
        | Ast::AssignExpr { .. }
        | Ast::Membership { .. } => unsupported(expr.span(), "a call in an argument of a function definition"),
        // OPA takes some of what stands for something there, and refuses the rest.
        Ast::ArrayCompr { span, .. } | Ast::SetCompr { span, .. } | Ast::ObjectCompr { span, .. } if replaces(span.text()) => {
            unsupported(span, "a replacement in an argument of a function definition")
        }
        _ => Ok(()),
    }
}

/// Whether `text` may have a `with`; one in a string only leaves more to OPA.
fn replaces(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == "with")
}
