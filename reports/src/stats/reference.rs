//! What other implementations find, written by `tests/data/stats.py`.

use serde_json::Value;

use super::{Interval, quantile::Observation};

/// The cases of one kind in a file of `tests/data`. There is at least one.
pub(super) fn cases(file: &str, kind: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).expect("JSON");
    let cases = file[kind].as_array().expect("cases").clone();
    assert!(!cases.is_empty(), "{kind}");
    cases
}

pub(super) fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("a number: {value}"))
}

pub(super) fn count(value: &Value) -> usize {
    let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
    count.unwrap_or_else(|| panic!("a count: {value}"))
}

pub(super) fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().expect("numbers");
    values.iter().map(number).collect()
}

/// Times, and whether each was seen to end.
pub(super) fn observations(case: &Value) -> Vec<Observation> {
    let ended = case["ended"].as_array().expect("whether each ended");
    let times = numbers(&case["times"]).into_iter().zip(ended);
    let of = times.map(|(at, ended)| match ended.as_bool() {
        Some(true) => Observation::Exact(at),
        _ => Observation::AtLeast(at),
    });
    of.collect()
}

/// Two numbers, or null where there is no bound.
pub(super) fn interval(value: &Value) -> Interval {
    let side = |k: usize| match &value[k] {
        Value::Null => None,
        value => Some(number(value)),
    };
    assert_eq!(value.as_array().map(Vec::len), Some(2), "{value}");
    Interval {
        low: side(0),
        high: side(1),
    }
}

/// Whether two numbers differ by a share of at most `share`.
pub(super) fn near(found: f64, expected: f64, share: f64) -> bool {
    (found - expected).abs() <= share * expected.abs()
}

/// Whether both sides of two intervals are near each other, or both open.
pub(super) fn near_interval(found: Interval, expected: Interval, share: f64) -> bool {
    let side = |found: Option<f64>, expected: Option<f64>| match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= share * (1.0 + expected.abs()),
        (found, expected) => found.is_none() && expected.is_none(),
    };
    side(found.low, expected.low) && side(found.high, expected.high)
}
