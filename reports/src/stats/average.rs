//! The middle of some values.

/// The arithmetic mean; `None` without values.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The median: of an even number of values, what lies between the two in the middle.
/// `None` without values.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// Rounded to six decimals: microseconds, for seconds.
#[must_use]
pub fn micro(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_none_one_and_several() {
        assert_eq!((mean(&[]), median([])), (None, None));
        assert_eq!(
            (mean(&[1.0, 5.0]), median([5.0, 1.0])),
            (Some(3.0), Some(3.0))
        );
        assert_eq!(median([9.0, 1.0, 2.0]), Some(2.0));
    }
}
