use proptest::prelude::*;

use super::*;

fn holds(text: &str, value: Option<f64>) -> Option<bool> {
    let expression = Expression::parse(text).expect(text);
    expression.verdict(|_, _| value).holds
}

#[test]
fn and_binds_closer_than_or() {
    let value = |metric: &str, _| match metric {
        "error_rate" => Some(0.2),
        "queue_depth" => None,
        _ => Some(1.0),
    };
    for (text, expected) in [
        ("utilization_rate >= 1", Some(true)),
        ("error_rate > 0.1 or queue_depth > 0", Some(true)),
        ("error_rate > 0.5 and queue_depth > 0", Some(false)),
        ("error_rate > 0.5 or queue_depth > 0", None),
        ("error_rate>0.1 and queue_depth>0", None),
        (
            "error_rate > 0.1 or queue_depth > 0 and queue_depth > 1",
            Some(true),
        ),
        (
            "(error_rate > 0.1 OR queue_depth > 0) AND error_rate < 0.1",
            Some(false),
        ),
        ("error_rate != 0.2 or error_rate == 1e-1", Some(false)),
    ] {
        let expression = Expression::parse(text).expect(text);
        assert_eq!(expression.verdict(value).holds, expected, "{text}");
    }
}

#[test]
fn a_span_is_asked_for_as_it_is_written() {
    for (text, ms) in [
        ("error_rate > 1", PLAIN_MS),
        ("avg(error_rate, 30s) > 1", 30_000),
        ("avg( error_rate , 1.5m ) > 1", 90_000),
        ("avg(error_rate,1h)>1", 3_600_000),
    ] {
        let mut asked = 0;
        let expression = Expression::parse(text).expect(text);
        expression.verdict(|_, over_ms| {
            asked = over_ms;
            None
        });
        assert_eq!(asked, ms, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, says) in [
        ("", "column 1: the end found, a metric expected"),
        (
            "  error_rat > 1",
            "column 3: error_rat: no such metric, did you mean error_rate?",
        ),
        (
            "error_rate",
            "column 11: the end found, one of < <= > >= == != expected",
        ),
        (
            "error_rate >",
            "column 13: the end found, a number expected",
        ),
        (
            "error_rate > ten",
            "column 14: `ten` found, a number expected",
        ),
        ("error_rate >> 1", "column 12: `>>`: no such comparison"),
        (
            "error_rate > 1 und",
            "column 16: `und` found, `and`, `or` or the end expected",
        ),
        (
            "error_rate > 1 and",
            "column 19: the end found, a metric expected",
        ),
        ("(error_rate > 1", "column 16: the end found, `)` expected"),
        (
            "avg(error_rate, 30) > 1",
            "column 17: `30` found, a span in 1s..=1h, such as 30s expected",
        ),
        (
            "avg(error_rate, 2h) > 1",
            "column 17: `2h` found, a span in 1s..=1h, such as 30s expected",
        ),
        (
            "error_rate > 1;",
            "column 15: `;`: not part of an expression",
        ),
        (
            "error_rate > 1e999",
            "column 14: `1e999` found, a number expected",
        ),
    ] {
        let error = Expression::parse(text).expect_err(text).to_string();
        assert_eq!(error, format!("expression: {says}"), "{text}");
    }
    let deep = format!("{}error_rate > 1{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(Expression::parse(&deep).expect_err("deep").column, 17);
}

#[test]
fn what_is_not_a_number_is_not_known() {
    assert_eq!(holds("error_rate > 0", Some(f64::NAN)), None);
    assert_eq!(holds("error_rate != 0", None), None);
}

proptest! {
    #[test]
    fn no_text_does_harm(text in ".{0,80}") {
        let _ = Expression::parse(&text);
    }

    #[test]
    fn tokens_in_any_order_do_no_harm(
        parts in proptest::collection::vec(
            proptest::sample::select(vec!["error_rate", "avg", "(", ")", ",", "30s", ">", "1", "and", "or", "é"]),
            0..20,
        )
    ) {
        let text = parts.join(" ");
        if let Err(error) = Expression::parse(&text) {
            prop_assert!(error.column <= text.chars().count() + 1);
        }
    }
}
