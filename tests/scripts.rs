//! The user's own scripts as a load, on a real server.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use reports::{
    Data, Record,
    run::{Ended, Kind as Does, Operations, Outcome},
};
use scenarios::{
    environment::{Endpoint, Session},
    load::{
        client::Client,
        operation::Operation,
        scripts::Scripts,
        setup::{Setup, shipped},
        workload::Workload,
    },
    script::Script,
};
use seawall::clock;

use super::{
    command::{alone, experiment, is_accepted, json, says},
    external::{close, run, session},
    programs::find,
    server::{self, kinds},
};

const DEADLINE: Duration = Duration::from_secs(5);

/// Every client that a script can run through.
fn setups() -> [Setup; 3] {
    let mut engine = shipped(DEADLINE);
    engine.max_connections = 4;
    engine.min_connections = 1;
    [
        Setup::Bare { max_connections: 4 },
        Setup::Careful {
            max_connections: 4,
            deadline: DEADLINE,
        },
        Setup::engine(engine),
    ]
}

fn client(setup: &Setup, endpoint: &Endpoint, text: &str) -> Client {
    let script = Script::read("q.sql", text).expect("a script");
    let scripts = Scripts::new(vec![(script, 1)], BTreeMap::new(), 7).expect("a load");
    let workload = Workload::new(7).of_scripts(Some(scripts));
    let rng = fastrand::Rng::with_seed(7);
    Client::new(setup, endpoint, &workload, 1, rng).expect("valid")
}

async fn runs(client: &Client) -> Outcome {
    let operation = Operation {
        seq: 1,
        kind: Does::Script(0),
        caller: 3,
    };
    client.run(operation, || {}).await
}

/// What was written, which is gone then.
async fn rows(ours: &Session) -> Vec<(i64, String)> {
    let select = "SELECT id, what FROM log ORDER BY id, what";
    let rows = ours.client.query(select, &[]).await.expect(select);
    run(ours, "TRUNCATE log").await;
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

const LANGUAGE: &str = r"
\set n random(5, 5)
SELECT :n + 2 AS seven, 'x' AS word, 1.50::numeric AS num, true AS yes, NULL::int AS none \gset got_
\if :got_seven = 7 and :got_yes and :got_none is null
INSERT INTO log VALUES (:got_seven, :got_word || :got_num::text);
\else
INSERT INTO log VALUES (-1, 'else');
\endif
\startpipeline
INSERT INTO log VALUES (:n, 'sent together');
INSERT INTO log VALUES (:n, 'sent together');
\endpipeline
BEGIN;
INSERT INTO log VALUES (100, 'rolled back');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO log VALUES (200, current_setting('transaction_isolation'));
SAVEPOINT s;
INSERT INTO log VALUES (201, 'taken back');
ROLLBACK TO SAVEPOINT s;
END;
SELECT id AS last FROM log WHERE id > :client_id ORDER BY id \aset
\sleep 1 ms
INSERT INTO log VALUES (:last + 1, 'caller ' || :client_id::int);
SELECT set_config('seawall.x', '1', false);
";

#[tokio::test(flavor = "multi_thread")]
async fn every_part_of_the_language_does_what_it_says_through_every_client() {
    let (server, _place) = server::any().await;
    let endpoint = server.endpoint();
    let ours = session(endpoint, "seawall").await;
    run(&ours, "CREATE TABLE log (id bigint, what text)").await;
    for setup in setups() {
        let client = client(&setup, endpoint, LANGUAGE);
        assert_eq!(runs(&client).await, Outcome::Ok, "{setup:?}");
        let expected = [
            (5, "sent together"),
            (5, "sent together"),
            (7, "x1.50"),
            (200, "serializable"),
            (201, "caller 3"),
        ];
        let expected = expected.map(|(id, what)| (id, what.to_owned()));
        assert_eq!(rows(&ours).await, expected, "{setup:?}");
    }
    close(endpoint, ours).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_is_told_of_a_marked_write_is_what_may_be_there() {
    let (server, _place) = server::any().await;
    let endpoint = server.endpoint();
    let ours = session(endpoint, "seawall").await;
    run(&ours, "CREATE TABLE log (id bigint UNIQUE, what text)").await;
    let marks = "-- @write key = 7\n-- @check SELECT count(*) FROM log WHERE id = :key\n";
    let write = "INSERT INTO log VALUES (7, 'here');";
    let fails = "SELECT 1 / 0;";
    let hangs = "SELECT pg_sleep(30);";
    for (text, outcome, there) in [
        (write.to_owned(), Outcome::Ok, 1),
        (format!("BEGIN; {write} END;"), Outcome::Ok, 1),
        (format!("BEGIN; {write} {fails} END;"), Outcome::Failed, 0),
        (format!("{fails} {write}"), Outcome::Failed, 0),
        // The first write is there, whatever comes behind it.
        (format!("{write} {fails}"), Outcome::Unknown, 1),
        (format!("{write} {write}"), Outcome::Unknown, 1),
        // The caller hangs up.
        (format!("BEGIN; {write} {hangs} END;"), Outcome::Unknown, 0),
        (format!("{write} {hangs}"), Outcome::Unknown, 1),
    ] {
        for setup in setups() {
            let text = format!("{marks}{text}");
            let client = client(&setup, endpoint, &text);
            let by = clock::now() + Duration::from_millis(600);
            let told = clock::timeout_at(by, runs(&client)).await;
            if let Ok(told) = told {
                assert_eq!(told, outcome, "{text} {setup:?}");
            }
            let writes = client.told().writes();
            assert_eq!(writes.len(), 1, "{text}");
            let counts = writes[0].counts;
            let expected = match outcome {
                Outcome::Ok => [1, 0, 0],
                Outcome::Unknown => [0, 1, 0],
                _ => [0, 0, 1],
            };
            let seen = [counts.acked, counts.unknown, counts.undone];
            assert_eq!(seen, expected, "{text} {setup:?}");
            // Whatever still runs on the server has to end first.
            drop(client);
            let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                       WHERE application_name LIKE 'seawall-load%'";
            run(&ours, end).await;
            assert_eq!(rows(&ours).await.len(), there, "{text} {setup:?}");
        }
    }
    close(endpoint, ours).await;
}

/// pgbench's own, as it writes them out.
fn built_in(folder: &Path, name: &str) -> String {
    let shown = Command::new(find("pgbench"))
        .arg(format!("--show-script={name}"))
        .output();
    let shown = shown.expect("pgbench");
    // It writes them to stderr.
    let text = [shown.stdout, shown.stderr].concat();
    let path = folder.join(format!("{name}.sql"));
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

fn with_pgbench(command: &mut Command, folder: &Path) {
    let setup = format!("'{}' -i -q", find("pgbench").display());
    command.args(["--setup", &setup]);
    for (name, weight) in [
        ("tpcb-like", ""),
        ("simple-update", ""),
        ("select-only", "@8"),
    ] {
        let file = built_in(folder, name) + weight;
        command.args(["-f", &file]);
    }
}

#[test]
fn pgbench_s_own_scripts_run_as_they_are() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("run");
    let mut command = experiment("steady", "5", &out, kinds()[0]);
    with_pgbench(&mut command, folder.path());
    let output = command.args(["--rate", "60"]).output().expect("it ends");
    let said = says(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let record = Record::load(&out.join("record.json")).expect("a record");
    let Data::Steady(data) = &record.data else {
        panic!("{}", record.data.command());
    };
    let effects: Vec<_> = record
        .run
        .scripts
        .iter()
        .map(|s| (s.writes, s.alone))
        .collect();
    assert_eq!(effects, [(true, false), (true, false), (false, true)]);
    for script in &record.run.scripts {
        assert!(script.tried > 0, "{script:?}");
        assert!(
            script.statements.iter().all(|s| s.rows == s.done),
            "{script:?}"
        );
    }
    let kinds = |operations: &Operations, c: char| operations.kinds.matches(c).count();
    for stretch in &data.stretches {
        let n = ['0', '1', '2'].map(|c| kinds(&stretch.operations, c));
        assert_eq!(n.iter().sum::<usize>(), stretch.operations.kinds.len());
        assert!(n[2] > 2 * (n[0] + n[1]), "8 in 10 of them: {n:?}");
        // Seven statements, five, and one.
        let statements = 7 * n[0] + 5 * n[1] + n[2];
        let sent = usize::try_from(stretch.attempts.statements).expect("few");
        assert!(sent.abs_diff(statements) <= 14, "{sent} of {statements}");
    }
    let page = fs::read_to_string(out.join("report.html")).expect("a page");
    assert!(
        page.contains("tpcb-like") && page.contains("UPDATE pgbench_accounts"),
        "{page}"
    );
}

const SHOP: &str = "CREATE TABLE orders (id int PRIMARY KEY, status text NOT NULL);\n\
    COPY orders (id, status) FROM stdin;\n1\tnew\n2\tnew\n3\tnew\n\\.\n\
    CREATE TABLE payments (key bigint NOT NULL, order_id int REFERENCES orders);\n\
    CREATE INDEX ON payments (key);\n";

fn checkout(check: &str) -> String {
    format!(
        "\\set key random(1, 1000000000000)\n\\set id random(1, 3)\nBEGIN;\n\
         SELECT status FROM orders WHERE id = :id;\n\
         INSERT INTO payments VALUES (:key, :id);\nEND;\n\
         -- @write key = :key\n-- @check {check}\n"
    )
}

/// A fault, and the ledger of a webshop's payments; its exit code.
fn failure(check: &str) -> (Option<i32>, Record, String) {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (schema, script) = (
        write("shop.sql", SHOP),
        write("checkout.sql", &checkout(check)),
    );
    let out = folder.path().join("run");
    let output = experiment("failure-sim", "3", &out, kinds()[0])
        .args(["--schema", &schema, "-f", &script, "--rate", "60"])
        .args(["--fault=reset,length_ms=600"])
        .output();
    let output = output.expect("it ends");
    let said = says(&output);
    let verdict = json(&out.join("verdict.json"));
    assert_eq!(
        verdict["exit_code"].as_i64(),
        output.status.code().map(i64::from)
    );
    let record = Record::load(&out.join("record.json")).expect(&said);
    assert_eq!(record.run.ended, Ended::Complete, "{said}");
    (output.status.code(), record, said)
}

#[test]
fn a_webshop_s_payments_are_looked_for_after_a_fault() {
    let (code, record, said) = failure("SELECT count(*) FROM payments WHERE key = :key");
    assert!(is_accepted(code), "{said}");
    let Data::FailureSim(data) = &record.data else {
        panic!("{}", record.data.command());
    };
    assert_eq!(data.injections.len(), 3);
    for injection in &data.injections {
        let ledger = injection.ledger.expect("somebody looked");
        assert!(ledger.acked > 50, "{ledger:?}");
        let wrong = ledger.lost + ledger.duplicate + ledger.unexpected;
        assert_eq!(wrong, 0, "{}: {ledger:?}", injection.arm);
        assert_eq!(
            ledger.unknown,
            ledger.unknown_committed + ledger.unknown_absent
        );
    }
}

#[test]
fn a_payment_that_is_not_there_is_lost_and_one_that_is_there_twice_is_a_duplicate() {
    let (code, record, said) =
        failure("SELECT 2 * count(*) FROM payments WHERE key = :key AND key % 3 > 0");
    assert_eq!(code, Some(4), "{said}");
    let Data::FailureSim(data) = &record.data else {
        panic!("{}", record.data.command());
    };
    for injection in &data.injections {
        let ledger = injection.ledger.expect("somebody looked");
        assert!(ledger.lost > 0 && ledger.duplicate > 0, "{ledger:?}");
    }
}
