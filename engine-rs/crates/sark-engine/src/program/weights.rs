//! How much values are when each part is counted wherever it stands, and how deep they nest.
//!
//! Values share their parts. Thirty rules that each give an array of twice the rule before are thirty small arrays, and a
//! document of a billion items as soon as somebody writes, compares, copies or converts it; a thousand rules that each put the
//! one before into an array need a thousand levels of a stack. So whatever is put together is weighed, and nothing heavier
//! than the limits is ever there. Few parts are counted anew each time; the weight of more is remembered by address, which keeps a
//! value: one that nothing else keeps is let go of before such values take much.

use std::collections::HashMap;

use regorus::{Rc, Value};

use super::Failure;

/// Most parts of a value. Two such are compared, and one is copied, in some ten milliseconds, and an answer of 64 MiB has about as many.
pub(crate) const MAX_PARTS: usize = 1 << 22;
/// Most levels of a value, five times those of an input. Whatever is done with a value takes less than a kilobyte of stack for
/// each level.
pub(crate) const MAX_LEVELS: usize = 500;
/// Parts that are counted anew each time: looking a weight up takes about as long.
const LIGHT: usize = 64;
/// Parts of a value that is made again and again, such as what a statement in a loop looks at: counting them takes less than keeping
/// such a value until the evaluation ends.
const REMEMBERED: usize = 512;
/// Parts that stand in the values that are kept for their weight, before those that nothing else keeps are let go of: some megabytes.
const MOST_HELD: usize = 1 << 17;
/// Bytes of a text that count as a part more.
const TEXT_BYTES: usize = 32;
/// Weights that are remembered from one evaluation to the next without giving their memory back.
const FEW: usize = 1_024;

/// What a value weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    pub parts: usize,
    pub levels: usize,
}

impl Weight {
    /// The weight of a value of few parts; None of any other.
    pub(crate) fn if_light(value: &Value) -> Option<Self> {
        let mut left = LIGHT;
        let levels = light(value, &mut left)?;
        Some(Self { parts: LIGHT - left, levels })
    }

    const fn of_text(text: &str) -> Self {
        Self { parts: 1 + text.len() / TEXT_BYTES, levels: 0 }
    }

    const fn with(self, part: Self) -> Self {
        Self {
            parts: self.parts.saturating_add(part.parts),
            levels: if part.levels < self.levels { self.levels } else { part.levels + 1 },
        }
    }

    /// A collection without its parts.
    const EMPTY: Self = Self { parts: 1, levels: 1 };
}

/// The levels of `value`, whose parts are taken from those `left`; None when they are more.
fn light(value: &Value, left: &mut usize) -> Option<usize> {
    let parts = if let Value::String(text) = value { 1 + text.len() / TEXT_BYTES } else { 1 };
    *left = left.checked_sub(parts)?;
    let mut deepest = 0;
    match value {
        Value::Array(items) if items.len() <= *left => {
            for item in items.iter() {
                deepest = deepest.max(light(item, left)?);
            }
        }
        Value::Set(items) if items.len() <= *left => {
            for item in items.iter() {
                deepest = deepest.max(light(item, left)?);
            }
        }
        Value::Object(fields) if fields.len() <= *left => {
            for (key, value) in fields.iter() {
                deepest = deepest.max(light(key, left)?).max(light(value, left)?);
            }
        }
        Value::Array(_) | Value::Set(_) | Value::Object(_) => return None,
        _ => return Some(0),
    }
    Some(deepest + 1)
}

/// Whether it has parts.
pub(crate) const fn is_collection(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Set(_) | Value::Object(_))
}

/// How many parts stand in `value` itself.
pub(crate) fn width(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Set(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    }
}

fn address(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => Some(Rc::as_ptr(items).addr()),
        Value::Set(items) => Some(Rc::as_ptr(items).addr()),
        Value::Object(fields) => Some(Rc::as_ptr(fields).addr()),
        _ => None,
    }
}

/// Whether something else has `value`, too.
fn is_kept_elsewhere(value: &Value) -> bool {
    match value {
        Value::Array(items) => Rc::strong_count(items) > 1,
        Value::Set(items) => Rc::strong_count(items) > 1,
        Value::Object(fields) => Rc::strong_count(fields) > 1,
        _ => false,
    }
}

/// Show `see` each part that stands in `value` itself, until it fails.
fn each_part<E>(value: &Value, see: &mut dyn FnMut(&Value) -> Result<(), E>) -> Result<(), E> {
    match value {
        Value::Array(items) => items.iter().try_for_each(see),
        Value::Set(items) => items.iter().try_for_each(see),
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            see(key)?;
            see(value)
        }),
        _ => Ok(()),
    }
}

/// The weights of what lives as long as this table, light values left out.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    by_address: HashMap<usize, Weight>,
    /// Parts of the heaviest.
    heaviest: usize,
}

impl Weights {
    pub(crate) fn len(&self) -> usize {
        self.by_address.len()
    }

    /// Most parts of a value that an evaluation puts together: what a program has of its own may stand in it, however large.
    pub(crate) const fn most_parts(&self) -> usize {
        MAX_PARTS.saturating_add(self.heaviest)
    }

    fn at(&self, address: usize) -> Option<Weight> {
        self.by_address.get(&address).copied()
    }

    /// Take in `value` with its parts, unless `others` know them.
    pub(crate) fn note(&mut self, value: &Value, others: Option<&Self>) -> Weight {
        if let Some(light) = Weight::if_light(value) {
            return light;
        }
        let Some(address) = address(value) else {
            return if let Value::String(text) = value { Weight::of_text(text) } else { Weight { parts: 1, levels: 0 } };
        };
        if let Some(known) = self.at(address).or_else(|| others?.at(address)) {
            return known;
        }
        let mut sum = Weight::EMPTY;
        let _: Result<(), ()> = each_part(value, &mut |part| {
            sum = sum.with(self.note(part, others));
            Ok(())
        });
        self.by_address.insert(address, sum);
        self.heaviest = self.heaviest.max(sum.parts);
        sum
    }
}

/// The weights that one thread's evaluations have found.
#[derive(Debug, Default)]
pub(crate) struct Weighed {
    /// Of values that are one for all questions.
    kept: Weights,
    /// Of values of the evaluation under way. Each is held, so that its address stays its own.
    found: HashMap<usize, (Weight, Value)>,
    /// Parts that stand in these.
    held: usize,
    /// Those that were left when values were let go of.
    left: usize,
}

impl Weighed {
    /// The weight of `value`, where `given` has those of the program's own values. A value that is beyond a limit and none of the program's is
    /// a failure.
    pub(crate) fn weigh(&mut self, value: &Value, given: &Weights) -> Result<Weight, Failure> {
        self.weigh_below(value, given, 0)
    }

    fn weigh_below(&mut self, value: &Value, given: &Weights, level: usize) -> Result<Weight, Failure> {
        if level > MAX_LEVELS {
            return Err(Failure::Depth);
        }
        if let Some(light) = Weight::if_light(value) {
            return Ok(light);
        }
        let Some(address) = address(value) else {
            return Ok(if let Value::String(text) = value { Weight::of_text(text) } else { Weight { parts: 1, levels: 0 } });
        };
        let found = || self.found.get(&address).map(|(weight, _)| *weight);
        if let Some(known) = given.at(address).or_else(|| self.kept.at(address)).or_else(found) {
            return Ok(known);
        }
        let mut sum = Weight::EMPTY;
        each_part(value, &mut |part| {
            sum = sum.with(self.weigh_below(part, given, level + 1)?);
            if sum.parts > given.most_parts() { Err(Failure::Size) } else { Ok(()) }
        })?;
        if sum.levels > MAX_LEVELS {
            return Err(Failure::Depth);
        }
        if sum.parts > REMEMBERED {
            self.hold(address, sum, value);
        }
        Ok(sum)
    }

    fn hold(&mut self, address: usize, weight: Weight, value: &Value) {
        self.found.insert(address, (weight, value.clone()));
        self.held += width(value);
        if self.held > MOST_HELD.max(2 * self.left) {
            self.found.retain(|_, (_, value)| is_kept_elsewhere(value));
            self.held = self.found.values().map(|(_, value)| width(value)).sum();
            self.left = self.held;
        }
    }

    /// Remember `value`, which is one for all questions.
    pub(crate) fn keep(&mut self, value: &Value, given: &Weights) {
        self.kept.note(value, Some(given));
    }

    /// Forget what the evaluation that has ended found.
    pub(crate) fn forget(&mut self) {
        (self.held, self.left) = (0, 0);
        if self.found.capacity() > FEW {
            self.found = HashMap::new();
        } else if !self.found.is_empty() {
            self.found.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::read_input;

    fn value(json: &str) -> Value {
        read_input(json.as_bytes()).unwrap()
    }

    /// `value` doubled so many times.
    fn doubled(value: Value, times: usize) -> Value {
        (0..times).fold(value, |inner, _| Value::from(vec![inner.clone(), inner]))
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(Value::Null, |inner, _| Value::from(vec![inner]))
    }

    fn weighed(value: &Value) -> Result<Weight, Failure> {
        Weighed::default().weigh(value, &Weights::default())
    }

    #[test]
    fn parts_and_levels_are_counted() {
        for (json, parts, levels) in
            [("1", 1, 0), ("\"abc\"", 1, 0), ("[]", 1, 1), ("[1, [2, \"x\"]]", 5, 2), (r#"{"a": [null], "b": {}}"#, 6, 2)]
        {
            assert_eq!(weighed(&value(json)), Ok(Weight { parts, levels }), "{json}");
        }
        assert_eq!(weighed(&Value::from("x".repeat(3_200))), Ok(Weight { parts: 101, levels: 0 }));
        assert_eq!(weighed(&value(&format!("[{}1]", "1,".repeat(999)))), Ok(Weight { parts: 1_001, levels: 1 }));
    }

    #[test]
    fn what_is_shared_counts_wherever_it_stands() {
        assert_eq!(weighed(&doubled(Value::Null, 20)), Ok(Weight { parts: (1 << 21) - 1, levels: 20 }));
        for times in [22, 28, 100, 400] {
            assert_eq!(weighed(&doubled(Value::Null, times)), Err(Failure::Size), "{times}");
        }
    }

    #[test]
    fn levels_end() {
        assert_eq!(weighed(&nested(MAX_LEVELS)).unwrap().levels, MAX_LEVELS);
        for levels in [MAX_LEVELS + 1, 2_000] {
            assert_eq!(weighed(&nested(levels)), Err(Failure::Depth), "{levels}");
        }
    }

    #[test]
    fn a_value_of_the_program_is_as_large_as_it_is() {
        let given_value = Value::from(vec![doubled(Value::Null, 23)]);
        let mut given = Weights::default();
        given.note(&given_value, None);
        let mut weighed = Weighed::default();
        assert_eq!(weighed.weigh(&given_value, &given).unwrap().parts, 1 << 24);
        let around = Value::from(vec![given_value.clone(), Value::Null]);
        assert_eq!(weighed.weigh(&around, &given).unwrap().parts, (1 << 24) + 2);
        let twice = Value::from(vec![given_value.clone(), given_value]);
        assert_eq!(weighed.weigh(&twice, &given), Err(Failure::Size));
    }

    #[test]
    fn what_nothing_else_keeps_is_let_go_of() {
        let given = Weights::default();
        let mut weighed = Weighed::default();
        let long = |number: usize| Value::from((0..10_000).map(|item| Value::from(item + number)).collect::<Vec<_>>());
        let kept: Vec<Value> = (0..5).map(long).collect();
        for number in 0..200 {
            assert_eq!(weighed.weigh(&long(number), &given).unwrap().parts, 10_001);
            kept.iter().for_each(|value| assert_eq!(weighed.weigh(value, &given).unwrap().parts, 10_001));
        }
        assert!(weighed.found.len() <= 15, "{}", weighed.found.len());
        let short = Value::from(vec![Value::Null; REMEMBERED - 1]);
        weighed.forget();
        assert_eq!(weighed.weigh(&short, &given).unwrap().parts, REMEMBERED);
        assert!(weighed.found.is_empty());
    }

    #[test]
    fn a_value_that_is_kept_is_counted_once() {
        let given = Weights::default();
        let kept = doubled(Value::Null, 12);
        let mut weighed = Weighed::default();
        weighed.keep(&kept, &given);
        assert_eq!(weighed.weigh(&kept, &given), super::tests::weighed(&kept));
        assert!(weighed.found.is_empty());
    }
}
