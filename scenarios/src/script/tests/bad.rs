//! Commands that cannot be used, where they are wrong, and what is said.

use super::given;
use crate::script::Script;

/// A script, the line and column of its error, and a part of what is said to be wrong and to be
/// allowed there.
pub(super) type Bad = (&'static str, u32, u32, &'static str, &'static str);

/// Reads scripts that cannot be read.
#[track_caller]
pub(super) fn refused(all: &[Bad]) {
    for (text, line, column, what, allowed) in all.iter().copied() {
        let error = match Script::read("q.sql", text) {
            Ok(_) => panic!("it was read: {text}"),
            Err(error) => error,
        };
        let message = error.to_string();
        assert_eq!(
            (error.line, error.column),
            (line, column),
            "{text}: {message}"
        );
        assert!(error.what.contains(what), "{text}: {message}");
        assert!(error.allowed.contains(allowed), "{text}: {message}");
        let start = format!("q.sql:{line}:{column}: ");
        assert!(
            message.starts_with(&start) && message.contains(", allowed: "),
            "{message}"
        );
    }
}

#[test]
fn each_error_of_a_command_has_its_place_and_says_what_is_allowed() {
    refused(&[
        (
            "\\sett x 1\nSELECT 1",
            1,
            1,
            "did you mean \\set?",
            "\\set, \\if",
        ),
        (
            "SELECT 1;\n  \\enfid\n",
            2,
            3,
            "did you mean \\endif?",
            "\\endif",
        ),
        (
            "\\frobnicate",
            1,
            1,
            "unknown command \\frobnicate",
            "\\gset",
        ),
        ("\\shell ls\nSELECT 1", 1, 1, "not supported", "\\sleep"),
        (
            "SELECT 1;\n\\setshell x ls",
            2,
            1,
            "not supported",
            "\\sleep",
        ),
        (
            "\\set",
            1,
            1,
            "\\set without a name",
            "\\set NAME EXPRESSION",
        ),
        (
            "\\set x\nSELECT 1",
            1,
            7,
            "without an expression",
            "numbers",
        ),
        ("\\set 1x 2", 1, 6, "\\set of 1x", "letters"),
        ("\\set x-y 2", 1, 6, "\\set of x-y", "letters"),
        ("\\set x 1 +\nSELECT 1", 1, 11, "ends too early", "numbers"),
        ("\\set x 1 2", 1, 10, "2 in an expression", "an operator"),
        ("\\set x (1\nSELECT 1", 1, 10, "ends too early", "the )"),
        ("\\set x 1)", 1, 9, ") in an expression", "an operator"),
        (
            "\\set x \\\n  1 + \\\n  @",
            3,
            3,
            "'@' in an expression",
            "numbers",
        ),
        ("\\set x foo", 1, 8, "foo is neither", ":foo"),
        (
            "\\set x randm(1, 2)",
            1,
            8,
            "did you mean random?",
            "random_zipfian",
        ),
        (
            "\\set x random_gausian(1, 2, 3)",
            1,
            8,
            "did you mean random_gaussian?",
            "abs",
        ),
        (
            "\\set x random(1)",
            1,
            8,
            "random with 1 arguments",
            "2 arguments",
        ),
        (
            "\\set x hash()",
            1,
            8,
            "hash with 0 arguments",
            "1 or 2 arguments",
        ),
        (
            "\\set x permute(1, 2, 3, 4)",
            1,
            8,
            "permute with 4 arguments",
            "2 or 3",
        ),
        ("\\set x pi(1)", 1, 8, "pi with 1 arguments", "0 arguments"),
        (
            "\\set x least()",
            1,
            8,
            "least with 0 arguments",
            "from 1 to 16",
        ),
        ("\\set x abs 1", 1, 12, "1 in an expression", "abs(..)"),
        (
            "\\set x 1 < 2 < 3",
            1,
            14,
            "< in an expression",
            "parentheses",
        ),
        ("\\set x 1 == 1", 1, 11, "= in an expression", "numbers"),
        (
            "\\set x 1 IS 1",
            1,
            13,
            "1 in an expression",
            "NULL, TRUE or FALSE",
        ),
        ("\\set x CASE END", 1, 13, "END in an expression", "WHEN"),
        ("\\set x CASE WHEN 1 THEN 2", 1, 26, "ends too early", "END"),
        (
            "\\set x 9223372036854775808",
            1,
            8,
            "bigint out of range",
            "9223372036854775807",
        ),
        (
            "\\set x 99999999999999999999",
            1,
            8,
            "bigint out of range",
            "1e20",
        ),
        ("\\set x 1e400", 1, 8, "double out of range", "1.7e308"),
        ("\\set x 5e-324", 1, 8, "double out of range", "2.3e-308"),
        (
            "\\if\nSELECT 1;\n\\endif",
            1,
            4,
            "ends too early",
            "numbers",
        ),
        (
            "\\if 1\nSELECT 1;",
            1,
            1,
            "\\if that does not end",
            "\\endif",
        ),
        (
            "SELECT 1;\n\\endif",
            2,
            1,
            "\\endif without an \\if",
            "\\endif after",
        ),
        (
            "SELECT 1;\n\\else",
            2,
            1,
            "\\else without an \\if",
            "between",
        ),
        (
            "SELECT 1;\n\\elif 1",
            2,
            1,
            "\\elif without an \\if",
            "between",
        ),
        (
            "\\if 1\n\\else\n\\else\n\\endif\nSELECT 1",
            3,
            1,
            "\\else after \\else",
            "\\endif",
        ),
        (
            "\\if 1\n\\else\n\\elif 1\n\\endif\nSELECT 1",
            3,
            1,
            "\\elif after \\else",
            "\\endif",
        ),
        (
            "\\if 1\n\\else x\n\\endif\nSELECT 1",
            2,
            7,
            "x behind \\else",
            "alone",
        ),
        (
            "\\gset\nSELECT 1",
            1,
            1,
            "follows no statement",
            "right behind",
        ),
        (
            "SELECT 1 \\gset\n\\gset",
            2,
            1,
            "follows no statement",
            "right behind",
        ),
        (
            "SELECT 1;\n\\set x 1\n\\aset",
            3,
            1,
            "\\aset that follows",
            "right behind",
        ),
        ("SELECT 1 \\gset p q", 1, 18, "q behind \\gset", "[PREFIX]"),
        ("SELECT 1 \\gset 1p", 1, 16, "the prefix 1p", "letters"),
        (
            "\\sleep\nSELECT 1",
            1,
            1,
            "\\sleep without a time",
            "NUMBER",
        ),
        ("\\sleep x\nSELECT 1", 1, 8, "\\sleep x", "NUMBER"),
        (
            "\\sleep 1 min\nSELECT 1",
            1,
            10,
            "min as a unit",
            "us, ms or s",
        ),
        ("\\sleep 1h\nSELECT 1", 1, 9, "h as a unit", "us, ms or s"),
        (
            "\\sleep 1 ms 2\nSELECT 1",
            1,
            13,
            "2 behind \\sleep",
            "NUMBER",
        ),
        ("\\startpipeline x", 1, 16, "x behind", "alone"),
        (
            "\\startpipeline\nSELECT 1;",
            1,
            1,
            "does not end",
            "\\endpipeline",
        ),
        (
            "SELECT 1;\n\\endpipeline",
            2,
            1,
            "without a pipeline",
            "\\startpipeline",
        ),
        (
            "SELECT 1;\n\\syncpipeline",
            2,
            1,
            "without a pipeline",
            "\\startpipeline",
        ),
        (
            "\\startpipeline\n\\startpipeline\nSELECT 1",
            2,
            1,
            "in a pipeline",
            "\\endpipeline",
        ),
        (
            "\\startpipeline\nSELECT 1 \\gset\n\\endpipeline",
            2,
            10,
            "in a pipeline",
            "after",
        ),
    ]);
}

#[test]
fn a_variable_that_nothing_sets_is_named_with_the_nearest() {
    let script = Script::read(
        "q.sql",
        "\\set aid 1\nSELECT 1 WHERE\n a = :adi OR b = :aid;",
    );
    let error = script
        .expect("it is read")
        .check(&given(&[("bid", "1")]))
        .expect_err("unset");
    assert_eq!(
        error.to_string(),
        "q.sql:3:6: variable adi is not set before it is used, did you mean aid?, allowed: aid, \
         bid, client_id, default_seed, random_seed, scale, or what \\set, \\gset, \\aset or -D \
         sets before"
    );
}
