//! What an expression is made of.

use regorus::unstable::{Expr, Ref};

/// Call `see` with each expression right inside of `expr`, in the order they are written. What a comprehension keeps to itself
/// is none of them, nor is the name of a function that is called.
pub(super) fn each_child<'e>(expr: &'e Ref<Expr>, see: &mut dyn FnMut(&'e Ref<Expr>)) {
    match expr.as_ref() {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. } => {}
        Expr::Array { items, .. } | Expr::Set { items, .. } | Expr::Call { params: items, .. } => items.iter().for_each(see),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
            see(key);
            see(value);
        }),
        Expr::UnaryExpr { expr, .. } => see(expr),
        Expr::RefDot { refr, .. } => see(refr),
        Expr::RefBrack { refr, index, .. } => {
            see(refr);
            see(index);
        }
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            see(lhs);
            see(rhs);
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().for_each(&mut *see);
            see(value);
            see(collection);
        }
    }
}

/// Whether `is_so` holds of an expression right inside of `expr`, as [`each_child`] has them.
pub(super) fn any_child(expr: &Ref<Expr>, is_so: &mut dyn FnMut(&Ref<Expr>) -> bool) -> bool {
    let mut any = false;
    each_child(expr, &mut |child| any = any || is_so(child));
    any
}
