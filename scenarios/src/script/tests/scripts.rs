//! Whole scripts that can be run.

use fastrand::Rng;

use super::{given, steps};
use crate::script::{Effect, Run, Script, Step, Value};

fn read(text: &str) -> Script {
    match Script::read("dir/orders.sql", text) {
        Ok(script) => script,
        Err(error) => panic!("{error}: {text}"),
    }
}

fn texts(text: &str) -> Vec<String> {
    let script = read(text);
    script
        .statements()
        .iter()
        .map(|statement| statement.sql.clone())
        .collect()
}

/// As `pgbench --show-script=tpcb-like` of 15.18 prints it.
const TPCB_LIKE: &str = "-- tpcb-like: <builtin: TPC-B (sort of)>
\\set aid random(1, 100000 * :scale)
\\set bid random(1, 1 * :scale)
\\set tid random(1, 10 * :scale)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
";
const SIMPLE_UPDATE: &str = "-- simple-update: <builtin: simple update>
\\set aid random(1, 100000 * :scale)
\\set bid random(1, 1 * :scale)
\\set tid random(1, 10 * :scale)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
";
const SELECT_ONLY: &str = "-- select-only: <builtin: select only>
\\set aid random(1, 100000 * :scale)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
";

#[test]
fn the_scripts_of_pgbench_are_read() {
    use Effect::{Begins, Commits, Reads, Writes};
    let all = [
        (
            TPCB_LIKE,
            vec![Begins, Writes, Reads, Writes, Writes, Writes, Commits],
        ),
        (SIMPLE_UPDATE, vec![Begins, Writes, Reads, Writes, Commits]),
        (SELECT_ONLY, vec![Reads]),
    ];
    for (text, expected) in all {
        let script = read(text);
        script.check(&given(&[])).expect("each variable is set");
        let effects: Vec<_> = script.statements().iter().map(|s| s.effect).collect();
        assert_eq!(effects, expected);
        assert_eq!(script.writes(), expected.len() > 1);
        assert_eq!(script.name(), "orders");
        assert_eq!(script.file(), "dir/orders.sql");
        assert_eq!(script.text(), text);
        assert_eq!(
            steps(&script, &given(&[("scale", "3")])).len(),
            expected.len()
        );
    }
    let script = read(TPCB_LIKE);
    let insert = &script.statements()[5];
    assert_eq!((insert.line, insert.column), (11, 1));
    assert_eq!(insert.variables, ["tid", "bid", "aid", "delta"]);
    assert!(
        insert
            .sql
            .ends_with("VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)"),
        "{}",
        insert.sql
    );
    let update = &script.statements()[1];
    assert_eq!(update.variables, ["delta", "aid"]);
    assert!(update.parameters_allowed);
    assert!(!script.statements()[0].parameters_allowed);
}

#[test]
fn statements_are_cut_as_pgbench_cuts_them() {
    for (text, expected) in [
        ("SELECT 1", vec!["SELECT 1"]),
        (
            "SELECT\n  1\n;;\n;SELECT 2;",
            vec!["SELECT\n  1", "SELECT 2"],
        ),
        (
            "SELECT 1 \\set x 2\nSELECT 2;",
            vec!["SELECT 1", "SELECT 2"],
        ),
        (
            "SELECT 1\n\\sleep 1\n;SELECT 2",
            vec!["SELECT 1", "SELECT 2"],
        ),
        ("SELECT (1; 2);SELECT 3;", vec!["SELECT (1; 2)", "SELECT 3"]),
        ("SELECT 1 \\; SELECT 2;", vec!["SELECT 1 ; SELECT 2"]),
        (
            "SELECT 1 AS a \\gset\nSELECT :a",
            vec!["SELECT 1 AS a", "SELECT $1"],
        ),
        (
            "SELECT ':a', \":a\", $$:a$$, E':a\\'', /* :a */ 1 -- :a",
            vec!["SELECT ':a', \":a\", $$:a$$, E':a\\'', /* :a */ 1"],
        ),
        ("SELECT 1 -- one\n, 2;", vec!["SELECT 1 \n, 2"]),
        (
            "/* x */ -- y\n/*+ SeqScan(t) */ SELECT 1",
            vec!["/*+ SeqScan(t) */ SELECT 1"],
        ),
        (
            "SELECT a[1\\:b], c::int, d:::e, f := 1, g[1:2]",
            vec!["SELECT a[1:b], c::int, d:::e, f := 1, g[1:2]"],
        ),
        (
            "\\set a 1\nSELECT :a+:b+:a::int",
            vec!["SELECT $1+$2+$1::int"],
        ),
        ("SELECT 1 LIMIT:n", vec!["SELECT 1 LIMIT $1"]),
        ("SELECT 'a':n'b'", vec!["SELECT 'a' $1 'b'"]),
        ("SELECT :größe", vec!["SELECT $1"]),
        (
            "-- @param 1 = 2\n-- @param 2 = 3\nSELECT $2, $1, :x, '$3'",
            vec!["SELECT $1, $2, $3, '$3'"],
        ),
        ("SELECT 1;\\", vec!["SELECT 1"]),
        (
            "SELECT 1;\r\n\\set x 1\r\nSELECT :x;\r\n",
            vec!["SELECT 1", "SELECT $1"],
        ),
    ] {
        assert_eq!(texts(text), expected, "{text}");
    }
}

#[test]
fn effects_are_those_of_the_words() {
    use Effect::{Reads, Savepoint, Session, Writes};
    for (sql, expected) in [
        ("select 1", Reads),
        ("(SELECT 1) UNION (SELECT 2)", Reads),
        ("VALUES (1)", Reads),
        ("TABLE t", Reads),
        ("SHOW work_mem", Reads),
        ("SELECT \"into\", 'for update' FROM t", Reads),
        ("SELECT * INTO u FROM t", Writes),
        ("SELECT * FROM t FOR UPDATE", Writes),
        ("SELECT * FROM t FOR NO KEY UPDATE", Writes),
        ("SELECT * FROM t FOR SHARE SKIP LOCKED", Writes),
        ("SELECT * FROM t FOR KEY SHARE", Writes),
        ("SELECT substring(a FOR 3) FROM t", Reads),
        ("SELECT nextval('s')", Writes),
        ("WITH x AS (SELECT 1) SELECT * FROM x", Reads),
        (
            "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
            Writes,
        ),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", Writes),
        ("WITH x AS (SELECT 'delete') SELECT * INTO y FROM x", Writes),
        ("WITH x AS (SELECT 1) MERGE INTO t USING x ON true", Writes),
        ("EXPLAIN DELETE FROM t", Reads),
        ("EXPLAIN VERBOSE SELECT 1", Reads),
        ("EXPLAIN ANALYZE SELECT 1", Reads),
        ("EXPLAIN ANALYZE DELETE FROM t", Writes),
        ("EXPLAIN ANALYZE VERBOSE DELETE FROM t", Writes),
        ("EXPLAIN (ANALYZE) UPDATE t SET a = 1", Writes),
        ("EXPLAIN (BUFFERS, ANALYZE on) UPDATE t SET a = 1", Writes),
        ("EXPLAIN (ANALYZE off) UPDATE t SET a = 1", Reads),
        ("EXPLAIN (COSTS off) UPDATE t SET a = 1", Reads),
        ("EXPLAIN (SELECT 1)", Reads),
        ("INSERT INTO t VALUES (1)", Writes),
        (
            "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE",
            Writes,
        ),
        ("TRUNCATE t", Writes),
        ("ANALYZE t", Writes),
        ("CREATE TABLE t (a int)", Writes),
        ("CREATE TEMP TABLE t (a int)", Writes),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", Writes),
        ("CREATE UNIQUE INDEX i ON t (a)", Writes),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1", Writes),
        ("DROP SEQUENCE s", Writes),
        ("ALTER TABLE t ADD b int", Writes),
        ("SET search_path = x", Session),
        ("SET LOCAL work_mem = 64", Session),
        ("RESET ALL", Session),
        ("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; COMMIT", Reads),
        ("BEGIN; LOCK TABLE t; COMMIT", Writes),
        ("BEGIN; SAVEPOINT a; COMMIT", Savepoint),
        ("BEGIN; RELEASE a; COMMIT", Savepoint),
        ("BEGIN; ROLLBACK TO a; COMMIT", Savepoint),
        ("-- @effect writes\nSELECT f()", Writes),
        ("-- @effect reads\nSELECT f()", Reads),
        ("-- @effect reads\nCALL p()", Reads),
        ("CALL -- @effect writes\n p()", Writes),
        ("-- @effect writes\nDO $$ BEGIN END $$", Writes),
        ("-- @effect writes\nGRANT SELECT ON t TO u", Writes),
        ("-- @effect reads\nFROBNICATE", Reads),
        ("SELECT 1 \\; UPDATE t SET a = 1", Writes),
        ("BEGIN \\; SELECT 1 \\; COMMIT", Reads),
        ("SET a = 1 \\; SELECT 1", Reads),
    ] {
        let script = read(sql);
        let statements = script.statements();
        let index = usize::from(statements.len() > 1);
        assert_eq!(statements[index].effect, expected, "{sql}");
        assert_eq!(statements[index].writes, expected == Writes, "{sql}");
        assert_eq!(script.writes(), expected == Writes, "{sql}");
    }
}

#[test]
fn several_statements_as_one_are_told_by_what_they_do_together() {
    let script = read("BEGIN \\; UPDATE t SET a = 1;\nSELECT 1 \\; COMMIT;");
    let seen: Vec<_> = script
        .statements()
        .iter()
        .map(|s| (s.effect, s.writes, s.parts))
        .collect();
    assert_eq!(
        seen,
        [(Effect::Begins, true, 2), (Effect::Commits, false, 2)]
    );
    assert!(script.writes());
    assert!(script.statements().iter().all(|s| !s.parameters_allowed));
}

#[test]
fn branches_are_taken_by_their_conditions() {
    let script = read(
        "\\if :n = 1\nSELECT 'one';\n\\elif :n = 2\n\\if :m\nSELECT 'two m';\n\\else\n\
         SELECT 'two';\n\\endif\n\\elif :n / 0 = 1\n\\else\nSELECT 'many';\n\\endif\nSELECT 'end';",
    );
    for (n, m, expected) in [
        ("1", "0", vec!["SELECT 'one'", "SELECT 'end'"]),
        ("2", "0", vec!["SELECT 'two'", "SELECT 'end'"]),
        ("2", "null", vec!["SELECT 'two'", "SELECT 'end'"]),
        ("2", "0.5", vec!["SELECT 'two m'", "SELECT 'end'"]),
        ("2", "true", vec!["SELECT 'two m'", "SELECT 'end'"]),
    ] {
        assert_eq!(
            steps(&script, &given(&[("n", n), ("m", m)])),
            expected,
            "{n} {m}"
        );
    }
    let error = Run::new(&script, &given(&[("n", "3"), ("m", "0")]))
        .next(&mut Rng::with_seed(1))
        .expect_err("it divides by zero");
    assert_eq!(
        error.to_string(),
        "dir/orders.sql:9:10: division by zero, allowed: a divisor \
                                   other than 0"
    );
    let other = read("\\if null\nSELECT 1;\n\\else\nSELECT 2;\n\\endif");
    assert_eq!(steps(&other, &given(&[])), ["SELECT 2"]);
}

#[test]
fn sleeps_and_pipelines_are_steps() {
    let script = read(
        "\\sleep 2\n\\sleep 3 ms\n\\sleep 4us\n\\sleep :t us\n\\sleep -1 s\n\\startpipeline\n\
         SELECT 1;\n\\syncpipeline\nSELECT 2\n\\endpipeline",
    );
    let expected = [
        "sleep 2s",
        "sleep 3ms",
        "sleep 4µs",
        "sleep 7µs",
        "sleep 0ns",
        "start",
        "SELECT 1",
        "sync",
        "SELECT 2",
        "end",
    ];
    assert_eq!(steps(&script, &given(&[("t", "7.9")])), expected);
    let error = Run::new(&read("\\sleep :t\nSELECT 1"), &given(&[("t", "x")]))
        .next(&mut Rng::with_seed(1))
        .expect_err("no time");
    assert_eq!((error.line, error.column), (1, 8));
}

#[test]
fn columns_become_variables() {
    let script = read(
        "SELECT a, n FROM t \\gset\nSELECT :a, :n;\nSELECT a FROM t; \\aset p_\nSELECT :p_a \
         \\gset\nSELECT :a;",
    );
    script.check(&given(&[])).expect("the columns are named");
    let expected = [
        "SELECT a, n FROM t",
        "SELECT '5', NULL",
        "SELECT a FROM t",
        "SELECT '5'",
        "SELECT '5'",
    ];
    assert_eq!(steps(&script, &given(&[])), expected);
    let mut run = Run::new(&script, &given(&[]));
    run.got("q_", &[("other".to_owned(), Some("x".to_owned()))]);
    run.got("q_", &[("other".to_owned(), Some("y".to_owned()))]);
    assert_eq!(run.value("q_other"), Some(&Value::Text("y".into())));
    assert_eq!(run.value("nothing"), None);
}

#[test]
fn parameters_of_plain_sql_come_from_their_lines() {
    let early = read("SELECT $2, $1;\n-- @param 1 = 5\n-- @param 2 = $1 + 1\nSELECT $1;");
    early.check(&given(&[])).expect("the lines go to the top");
    assert_eq!(steps(&early, &given(&[])), ["SELECT 6, 5", "SELECT 5"]);
    assert_eq!(early.statements()[0].variables, ["$2", "$1"]);
    let again = read("-- @param 1 = 5\nSELECT $1;\n-- @param 1 = $1 + 1\nSELECT $1;");
    assert_eq!(steps(&again, &given(&[])), ["SELECT 5", "SELECT 6"]);
    let behind = read("SELECT $1 -- @param 1 = 7");
    assert_eq!(steps(&behind, &given(&[])), ["SELECT 7"]);
    let skipped = read("-- @param 1 = 1\n\\if false\n-- @param 1 = 2\n\\endif\nSELECT $1;");
    assert_eq!(steps(&skipped, &given(&[])), ["SELECT 1"]);
}

#[test]
fn marks_say_how_a_write_is_found() {
    let script = read(
        "-- @write key = :aid * 2\n-- @check SELECT 1 FROM t WHERE id = :key AND b = :b;\n\
         -- @rows none\n-- @author nobody\n\\set aid 21\n\\set b 1\nINSERT INTO t VALUES (:aid)",
    );
    script.check(&given(&[])).expect("each variable is set");
    assert!(script.finds_none());
    let written = script.written().expect("it has marks");
    assert_eq!(
        written.check.sql,
        "SELECT 1 FROM t WHERE id = $1 AND b = $2"
    );
    let mut run = Run::new(&script, &given(&[]));
    let mut rng = Rng::with_seed(1);
    assert!(run.key(&mut rng).is_err(), "aid has no value yet");
    while run.next(&mut rng).expect("it goes on").is_some() {}
    assert_eq!(run.key(&mut rng).expect("a key"), Some(Value::Int(42)));
    assert_eq!(
        run.parameters(&written.check),
        [Value::Int(42), Value::Int(1)]
    );
    assert_eq!(run.value("key"), Some(&Value::Int(42)));
    let plain =
        read("-- @param 1 = 9\n-- @write key = $1\n-- @check SELECT $1, :key\nDELETE FROM t");
    let mut run = Run::new(&plain, &given(&[]));
    while run.next(&mut rng).expect("it goes on").is_some() {}
    assert_eq!(run.key(&mut rng).expect("a key"), Some(Value::Int(9)));
    assert!(read("SELECT 1").written().is_none());
    assert!(!read("SELECT 1").finds_none());
}

#[test]
fn values_are_written_into_statements_safely() {
    let values = |name: &str| match name {
        "int" => Some(Value::Int(5)),
        "low" => Some(Value::Int(-5)),
        "text" => Some(Value::Text("a'b\\".into())),
        "double" => Some(Value::Double(0.5)),
        "bool" => Some(Value::Bool(true)),
        _ => None,
    };
    for (sql, expected) in [
        ("SELECT :int, 1-:low", "SELECT 5, 1-(-5)"),
        ("SET a = :low", "SET a = -5"),
        (
            "SELECT :text, :double, :bool",
            "SELECT 'a''b\\', '0.5', 'true'",
        ),
        ("SELECT 'x':text'y'", "SELECT 'x' 'a''b\\' 'y'"),
        ("SELECT :unknown::int", "SELECT NULL::int"),
    ] {
        assert_eq!(
            read(sql).statements()[0].literal(&values),
            expected,
            "{sql}"
        );
    }
}

#[test]
fn variables_are_found_on_each_path() {
    for (text, fits) in [
        (
            "SELECT :scale, :client_id, :random_seed, :default_seed",
            true,
        ),
        ("SELECT :given", true),
        ("\\set x hash(1)\nSELECT :x", true),
        ("\\if :given\n\\set x 1\n\\endif\nSELECT :x", true),
        ("\\if :given\n\\set x 1\n\\else\nSELECT :x;\n\\endif", false),
        (
            "\\if :given\n\\set x 1\n\\elif :x\n\\endif\nSELECT 1",
            false,
        ),
        (
            "\\if :given\n\\elif :given\n\\set x 1\n\\endif\nSELECT :x",
            true,
        ),
        (
            "\\if :given\n\\set x 1\n\\else\n\\set y 1\n\\endif\nSELECT :x, :y",
            true,
        ),
        ("SELECT :x;\n\\set x 1", false),
        ("\\set x :x + 1\nSELECT :x", false),
        ("SELECT a FROM t \\gset\nSELECT :b", false),
        ("SELECT * FROM t \\gset\nSELECT :b", true),
        ("SELECT count(*) FROM t \\gset\nSELECT :count", true),
        ("SELECT count(*) FROM t \\gset\nSELECT :b", false),
        (
            "SELECT count(*) AS \"Some\" FROM t \\gset p_\nSELECT :p_Some",
            true,
        ),
        ("SELECT a FROM t \\gset p_\nSELECT :a", false),
        ("TABLE t \\gset\nSELECT :b", true),
        ("\\sleep :x\nSELECT 1", false),
        ("-- @param 1 = :x\nSELECT $1", false),
        ("-- @write key = :x\n-- @check SELECT :key\nSELECT 1", false),
        ("-- @write key = 1\n-- @check SELECT :x\nSELECT 1", false),
        (
            "-- @write key = 1\n-- @check SELECT :key, :x\n\\set x 1\nSELECT 1",
            true,
        ),
    ] {
        let checked = read(text).check(&given(&[("given", "1")]));
        assert_eq!(checked.is_ok(), fits, "{text}: {checked:?}");
    }
}

#[test]
fn a_statement_without_the_value_of_a_variable_is_an_error() {
    let script = read("\\if false\n\\set x 1\n\\endif\nSELECT :x");
    script.check(&given(&[])).expect("a path sets it");
    let error = Run::new(&script, &given(&[]))
        .next(&mut Rng::with_seed(1))
        .expect_err("unset");
    assert!(
        error
            .to_string()
            .starts_with("dir/orders.sql:4:1: variable x has no value")
    );
}

#[test]
fn a_run_depends_on_its_generator_only() {
    let script = read(TPCB_LIKE);
    let variables = given(&[("scale", "10")]);
    assert_eq!(steps(&script, &variables), steps(&script, &variables));
    let mut run = Run::new(&script, &variables);
    let mut rng = Rng::with_seed(8);
    let Ok(Some(Step::Statement { index, .. })) = run.next(&mut rng) else {
        panic!("a statement is first");
    };
    assert_eq!(index, 0);
    let Some(Value::Int(aid)) = run.value("aid") else {
        panic!("aid is an integer");
    };
    assert!((1..=1_000_000).contains(aid));
}
