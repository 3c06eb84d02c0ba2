//! What OPA's builtins take and give, of which kinds: OPA refuses to load a call that cannot be right.

use std::{collections::HashMap, sync::LazyLock};

use crate::kinds::{Kinds, Type};

/// Operands and result of a builtin, as OPA declares them.
#[derive(Debug)]
pub(crate) struct Signature {
    pub operands: Box<[Type]>,
    pub result: Type,
}

/// Written from OPA itself by `make signatures`.
const DECLARED: &str = include_str!("signatures.txt");

static BY_NAME: LazyLock<HashMap<&'static str, Signature>> = LazyLock::new(|| DECLARED.lines().filter_map(signature).collect());

/// The signature of the builtin `name`; None where OPA declares none.
pub(crate) fn of(name: &str) -> Option<&'static Signature> {
    BY_NAME.get(name)
}

/// `name: TYPE TYPE -> TYPE`
fn signature(line: &'static str) -> Option<(&'static str, Signature)> {
    let (name, declared) = line.split_once(':')?;
    let (operands, result) = declared.split_once("->")?;
    let operands: Option<Box<[Type]>> = operands.split_whitespace().map(alternatives).collect();
    Some((name, Signature { operands: operands?, result: alternatives(result.trim())? }))
}

/// `array<string>|set<string>|null`
fn alternatives(text: &str) -> Option<Type> {
    text.split('|').map(alternative).try_fold(Type::NONE, |all, one| Some(all.or(one?)))
}

fn alternative(text: &str) -> Option<Type> {
    let Some((own, elements)) = text.strip_suffix('>').and_then(|text| text.split_once('<')) else {
        return Kinds::named(text).map(Type::of_kinds);
    };
    let elements = elements.split(',').map(Kinds::named).try_fold(Kinds::NONE, |all, one| Some(all.or(one?)))?;
    Some(Type { own: Kinds::named(own)?, elements })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::{arity, every_own};

    #[test]
    fn every_line_is_understood() {
        assert!(DECLARED.lines().count() > 190);
        assert_eq!(BY_NAME.len(), DECLARED.lines().count());
    }

    #[test]
    fn builtins_of_our_own_take_as_many_operands_as_opa_says() {
        for own in every_own() {
            if let Some(signature) = of(own.name) {
                assert_eq!(arity(own.name).map(usize::from), Some(signature.operands.len()), "{}", own.name);
            }
        }
    }

    #[test]
    fn elements_are_known_where_opa_tells_them() {
        let concat = of("concat").unwrap();
        assert_eq!(concat.operands[1], Type { own: Kinds::ARRAY.or(Kinds::SET), elements: Kinds::STRING });
        assert_eq!(of("count").unwrap().operands[0].elements, Kinds::ANY);
        assert_eq!(of("lower").unwrap().result, Type { own: Kinds::STRING, elements: Kinds::NONE });
    }
}
