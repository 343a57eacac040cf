//! The conditions that the user asks for.

use std::ops::RangeInclusive;

use reports::experiments::near_capacity::Condition;

use crate::flags::{CliError, Size};

/// Shares of the capacity that the load may be. Far below, a fault leaves no queue; above,
/// there is no steady state before it.
const UTILISATION: RangeInclusive<f64> = 0.05..=0.99;
/// More than callers do.
const RETRIES: RangeInclusive<u32> = 0..=20;
/// More would take hours.
const MOST: usize = 10;

/// Each share of the capacity with each number of retries. A quick run that leaves both open
/// has fewer: the ends of both, at the higher load, and the most retries at the lower one.
///
/// # Errors
/// Names the flag that holds what is no such number.
pub(super) fn conditions(
    utilisation: Option<&str>,
    retries: Option<&str>,
    size: Size,
) -> Result<Vec<Condition>, CliError> {
    if utilisation.is_none() && retries.is_none() && size == Size::Quick {
        let few = [(0.8, 5), (0.95, 0), (0.95, 5)];
        return Ok(few.map(|(share, n)| Condition::new(share, n)).to_vec());
    }
    let shares = numbers(
        "--utilisation",
        utilisation.unwrap_or("0.8,0.95"),
        "1 to 10 shares of 0.05 to 0.99, each once, as 0.8,0.95",
        &UTILISATION,
    )?;
    let retries = numbers(
        "--retries",
        retries.unwrap_or("0,2,5"),
        "1 to 10 whole numbers of 0 to 20, each once, as 0,2,5",
        &RETRIES,
    )?;
    let all = shares
        .iter()
        .flat_map(|share| retries.iter().map(|n| Condition::new(*share, *n)));
    Ok(all.collect())
}

/// Numbers with commas between them.
fn numbers<T: std::str::FromStr + PartialOrd>(
    field: &'static str,
    text: &str,
    allowed: &'static str,
    range: &RangeInclusive<T>,
) -> Result<Vec<T>, CliError> {
    let wrong = || CliError::Flags {
        field,
        value: text.to_owned(),
        allowed,
    };
    let mut found = Vec::new();
    for part in text.split(',') {
        let number: T = part.trim().parse().map_err(|_| wrong())?;
        if !range.contains(&number) || found.contains(&number) {
            return Err(wrong());
        }
        found.push(number);
    }
    if found.len() > MOST {
        return Err(wrong());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(utilisation: Option<&str>, retries: Option<&str>, size: Size) -> Vec<String> {
        let conditions = conditions(utilisation, retries, size).expect("conditions");
        conditions.into_iter().map(|c| c.name).collect()
    }

    #[test]
    fn each_share_is_asked_with_each_number_of_retries() {
        let six = names(None, None, Size::Default);
        assert_eq!(six.len(), 6);
        assert_eq!(
            [&*six[0], &*six[5]],
            ["80 % without retries", "95 % with 5 retries"]
        );
        let quick = names(None, None, Size::Quick);
        let expected = [
            "80 % with 5 retries",
            "95 % without retries",
            "95 % with 5 retries",
        ];
        assert_eq!(quick, expected);
        let own = names(Some("0.905, 0.5"), Some("1"), Size::Quick);
        assert_eq!(own, ["90.5 % with 1 retry", "50 % with 1 retry"]);
        // Who names one of them gets all of the other.
        assert_eq!(names(Some("0.9"), None, Size::Quick).len(), 3);
    }

    #[test]
    fn what_is_none_is_refused_with_what_is_allowed() {
        for wrong in ["", "80", "0.8,", "0.8;0.9", "0.8,0.8", "1.0", "nan", "-0.5"] {
            let error = conditions(Some(wrong), None, Size::Quick).expect_err(wrong);
            let error = error.to_string();
            assert!(error.starts_with("--utilisation: "), "{error}");
            assert!(
                error.contains(wrong) && error.contains("0.05 to 0.99"),
                "{error}"
            );
        }
        for wrong in ["-1", "21", "2.5", "2,2", "many", "0,1,2,3,4,5,6,7,8,9,10"] {
            let error = conditions(None, Some(wrong), Size::Quick).expect_err(wrong);
            let error = error.to_string();
            assert!(error.starts_with("--retries: "), "{error}");
            assert!(
                error.contains(wrong) && error.contains("0 to 20"),
                "{error}"
            );
        }
    }
}
