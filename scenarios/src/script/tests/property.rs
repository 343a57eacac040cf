//! Any text comes to an end.

use fastrand::Rng;
use proptest::prelude::*;

use super::super::{Run, Script, Step};

/// Pieces that scripts are made of, in an order that they are not.
fn pieces() -> impl Strategy<Value = String> {
    let known = proptest::sample::select(vec![
        "\\set x ",
        "\\if ",
        "\\elif ",
        "\\else\n",
        "\\endif\n",
        "\\gset p_\n",
        "\\aset\n",
        "\\sleep ",
        "\\startpipeline\n",
        "\\endpipeline\n",
        "\\;",
        "\\\n",
        "\n",
        ";",
        "SELECT ",
        "BEGIN;",
        "COMMIT;",
        "UPDATE t SET a = :x",
        ":x",
        ":y::int",
        "$1",
        "-- @param 1 = ",
        "-- @write key = ",
        "-- @check SELECT ",
        "-- @effect reads\n",
        "random(1, 10)",
        "CASE ",
        "WHEN ",
        "THEN ",
        "END ",
        "1",
        "0",
        "2.5",
        " + ",
        " / ",
        " % ",
        " AND ",
        "NOT ",
        "IS ",
        "NULL",
        "(",
        ")",
        ",",
        "'",
        "\"",
        "$a$",
        "/*",
        "*/",
        "--",
        "permute(5, 9)",
        "~",
        "<<",
        "9223372036854775807",
        "-",
        "ä",
        "😀",
        "\r",
        "\0",
        "EXPLAIN ",
        "WITH ",
        "TRUE",
    ]);
    let any = "\\PC{0,3}".prop_map(String::from);
    let piece = prop_oneof![9 => known.prop_map(str::to_owned), 1 => any];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_text_is_read_and_run_without_a_panic(text in pieces()) {
        match Script::read("a/b.sql", &text) {
            Err(error) => {
                let lines = text.split('\n').count();
                prop_assert!(error.line >= 1 && error.line as usize <= lines, "{error}");
                let line = text.split('\n').nth(error.line as usize - 1).expect("a line");
                prop_assert!(error.column >= 1);
                prop_assert!(error.column as usize <= line.chars().count() + 1, "{error}");
                prop_assert!(error.to_string().starts_with("a/b.sql:"));
            }
            Ok(script) => {
                let _ = script.check(&Default::default());
                let mut rng = Rng::with_seed(1);
                let mut run = Run::new(&script, &Default::default());
                let mut steps = 0;
                while let Ok(Some(step)) = run.next(&mut rng) {
                    if let Step::Statement { statement, .. } = step {
                        prop_assert_eq!(run.parameters(statement).len(), statement.variables.len());
                    }
                    steps += 1;
                    prop_assert!(steps <= text.len());
                }
                let _ = run.key(&mut rng);
            }
        }
    }

    #[test]
    fn a_literal_is_one_string_whatever_it_says(text in "\\PC{0,20}") {
        let script = Script::read("q.sql", "SELECT :x, 'a':x").expect("it is read");
        let value = super::super::Value::Text(text);
        let sql = script.statements()[0].literal(&|_| Some(value.clone()));
        let mut rest = sql.as_str();
        let mut quoted = 0;
        while !rest.is_empty() {
            let (token, length) = crate::script::sql::token(rest);
            quoted += usize::from(token == crate::script::sql::Token::Quoted);
            rest = &rest[length..];
        }
        prop_assert_eq!(quoted, 3, "{}", sql);
    }
}
