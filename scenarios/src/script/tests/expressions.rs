//! Operators and functions, against what pgbench computes.

use super::{given, golden::VALUES, value};
use crate::script::Value;

#[test]
fn expressions_have_the_values_that_pgbench_computes() {
    let variables = given(&[("default_seed", "4711")]);
    for (expression, expected) in VALUES {
        let value = value(expression, &variables).expect(expression);
        assert_eq!(value.literal(), *expected, "{expression}");
    }
}

#[test]
fn each_function_and_operator_is_in_the_table_of_pgbench() {
    let used = |word: &str| {
        VALUES
            .iter()
            .any(|(expression, _)| expression.contains(word))
    };
    for (name, ..) in crate::script::function::NAMED {
        assert!(used(&format!("{name}(")), "{name}");
    }
    for operator in [
        "OR", "AND", "NOT", "=", "<>", "!=", "<", "<=", ">", ">=", "IS NULL", "ISNULL", "NOTNULL",
        "| ", "#", "&", "<<", ">>", "~", "+", "-", "*", "/", "%", "CASE",
    ] {
        assert!(used(operator), "{operator}");
    }
}

/// Each of these is an error in pgbench 15.18, too, but for the last ones.
#[test]
fn errors_of_a_run_name_the_operator_and_what_is_allowed() {
    let variables = given(&[("text", "abc"), ("empty", ""), ("default_seed", "1")]);
    for (expression, column, what) in [
        ("1 / 0", 10, "division by zero"),
        ("1 % 0", 10, "division by zero"),
        ("1.0 % 0", 12, "division by zero"),
        ("9223372036854775807 + 1", 28, "bigint out of range"),
        ("-9223372036854775808 - 1", 29, "bigint out of range"),
        ("9223372036854775807 * 2", 28, "bigint out of range"),
        ("-9223372036854775808 / -1", 29, "bigint out of range"),
        ("1 IS NULL = FALSE", 18, "a boolean where an integer"),
        ("1 AND TRUE", 10, "an integer where a boolean"),
        ("TRUE AND 1", 13, "an integer where a boolean"),
        ("NOT 1.5", 8, "a double where a boolean"),
        ("TRUE + 1", 13, "a boolean where an integer"),
        ("TRUE + 1.0", 13, "a boolean where a number"),
        ("1 & TRUE", 10, "a boolean where an integer"),
        ("TRUE = TRUE", 13, "a boolean where an integer"),
        ("int(TRUE)", 8, "a boolean where an integer"),
        ("int(1e19)", 8, "out of the range of bigint"),
        ("int(ln(-1))", 8, "out of the range of bigint"),
        ("double(TRUE)", 8, "a boolean where a number"),
        ("sqrt(TRUE)", 8, "a boolean where a number"),
        ("permute(1, 0, 1)", 8, "permute of size 0"),
        ("permute(1, -5)", 8, "permute of size -5"),
        ("random(2, 1)", 8, "an empty range, from 2 to 1"),
        (
            "random(0, 9223372036854775807)",
            8,
            "a range that is too large",
        ),
        (
            "random(-9223372036854775807, 9223372036854775807)",
            8,
            "too large",
        ),
        ("random_gaussian(1, 10, 1.9)", 8, "parameter 1.9"),
        ("random_gaussian(2, 1, 2.0)", 8, "an empty range"),
        ("random_exponential(1, 10, 0.0)", 8, "parameter 0"),
        ("random_zipfian(1, 10, 1.0)", 8, "parameter 1"),
        ("random_zipfian(1, 10, 1000.1)", 8, "parameter 1000.1"),
        ("1 + :nosuch", 12, "variable nosuch has no value"),
        (":text + 1", 8, "variable text is \"abc\""),
        (":empty", 8, "variable empty is \"\""),
        ("- NOT 1 = 2", 8, "a boolean where an integer"),
        ("abs(TRUE)", 8, "a boolean where a number"),
        ("abs(-9223372036854775808)", 8, "bigint out of range"),
    ] {
        let error = value(expression, &variables).expect_err(expression);
        let message = error.to_string();
        assert_eq!(
            (error.line, error.column),
            (1, column),
            "{message}: {expression}"
        );
        assert!(message.contains(what), "{expression}: {message}");
        assert!(!error.allowed.is_empty(), "{expression}: {message}");
    }
}

#[test]
fn what_decides_hides_what_fails() {
    let none = given(&[]);
    for (expression, expected) in [
        ("FALSE AND 1 / 0 = 1", Value::Bool(false)),
        ("TRUE OR 1 / 0 = 1", Value::Bool(true)),
        ("CASE WHEN TRUE THEN 1 ELSE 1 / 0 END", Value::Int(1)),
        ("CASE WHEN FALSE THEN 1 / 0 END", Value::Null),
    ] {
        assert_eq!(
            value(expression, &none).expect(expression),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn text_is_what_pgbench_takes_it_for() {
    let variables = given(&[
        ("int", " 7"),
        ("signed", "-7"),
        ("double", "1.5e1"),
        ("yes", "YE"),
        ("off", "of"),
        ("null", "NuLL"),
    ]);
    for (expression, expected) in [
        (":int + 1", Value::Int(8)),
        (":signed + 1", Value::Int(-6)),
        (":double * 2", Value::Double(30.0)),
        ("NOT :yes", Value::Bool(false)),
        ("NOT :off", Value::Bool(true)),
        (":null + 1", Value::Null),
    ] {
        assert_eq!(
            value(expression, &variables).expect(expression),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn an_expression_may_not_exhaust_the_stack() {
    let none = given(&[]);
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let nested = format!("{}1", "- ".repeat(500));
    let long = format!("1{}", " + 1".repeat(100_000));
    let fits = format!("1{}", " + 1".repeat(400));
    assert!(
        value(&deep, &none)
            .expect_err("deep")
            .what
            .contains("parts")
    );
    assert!(
        value(&nested, &none)
            .expect_err("nested")
            .what
            .contains("nested too deep")
    );
    assert!(
        value(&long, &none)
            .expect_err("long")
            .what
            .contains("parts")
    );
    assert_eq!(value(&fits, &none).expect("it fits"), Value::Int(401));
}
