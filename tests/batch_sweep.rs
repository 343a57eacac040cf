//! The sweep of batch sizes as a user runs it, on a real server.

use std::{fs, path::Path, process::Command};

use reports::{
    Data, Record,
    experiments::batch_sweep::{self, Condition, How, Mode, Size, Truth},
    run::Ended,
};
use scenarios::environment::Kind;

use super::{
    command::{self, alone, binary, experiment, is_accepted, left_by, says},
    external,
    server::{self, kinds},
};

fn command(out: &Path, kind: Kind) -> Command {
    experiment("batch-sweep", "5", out, kind)
}

fn record(folder: &Path) -> Record {
    Record::load(&folder.join("record.json")).expect("a record")
}

/// A record of this experiment.
fn data(record: &Record) -> &batch_sweep::Data {
    match &record.data {
        Data::BatchSweep(data) => data,
        other => panic!("{}", other.command()),
    }
}

fn truth(condition: &Condition, mode: Mode, size: u32) -> &Truth {
    let size = Size::Fixed(size);
    let how = How::Pipelined { mode, size };
    let found = condition.truth.iter().find(|truth| truth.how == how);
    found.unwrap_or_else(|| panic!("{how:?} is missing: {:?}", condition.left_out))
}

/// Every way once in each round, one at a time twice, and nothing failed.
fn whole(condition: &Condition) {
    assert!(condition.rounds.len() >= 6, "{}", condition.rounds.len());
    for round in &condition.rounds {
        for truth in &condition.truth {
            let of_way = round.slices.iter().filter(|slice| slice.how == truth.how);
            let expected = 1 + usize::from(matches!(truth.how, How::Bare | How::Sequential));
            assert_eq!(of_way.count(), expected, "{:?}", truth.how);
        }
        for slice in &round.slices {
            assert_eq!(slice.failed, 0, "{}: {slice:?}", condition.class);
            assert!(
                slice.queries > 0 && slice.p50_us <= slice.p99_us,
                "{slice:?}"
            );
            if let How::Pipelined {
                size: Size::Fixed(n),
                mode,
            } = slice.how
            {
                let whole = slice.queries % u64::from(n) == 0;
                assert!(whole, "{}: {slice:?}", condition.class);
                if mode != Mode::Autocommit {
                    let error = (slice.mean_batch - f64::from(n)).abs();
                    assert!(error < 1e-9, "{slice:?}");
                }
            }
        }
    }
}

#[test]
fn a_quick_sweep_measures_every_class_and_the_server_bears_it_out() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let child = command(folder.path(), kind).spawn().expect("it runs");
    let runner = child.id();
    let output = child.wait_with_output().expect("it ends");
    let said = says(&output);
    let code = output.status.code();
    assert!(is_accepted(code), "{code:?}: {said}");
    assert!(!left_by(runner, kind), "something of it is still there");
    assert!(!said.contains("panicked"), "{said}");

    let record = record(folder.path());
    let batches = data(&record);
    assert_eq!(record.run.ended, Ended::Complete);
    // Two classes that write and two that read, at two round-trip times.
    assert_eq!(batches.conditions.len(), 2 * 2 * 2 + 2 * 2);
    for condition in &batches.conditions {
        whole(condition);
        let added = condition.rtt_us;
        let measured = condition.measured_rtt_us;
        assert!(measured >= added && measured > 0, "{measured} of {added}");
    }
    for condition in &batches.conditions {
        let ways = [How::Bare, How::Sequential];
        let alone = ways.map(|how| condition.truth.iter().any(|truth| truth.how == how));
        assert_eq!(alone, [true, true], "{}", condition.class);
        // All that was written or read is known, and right.
        let ledger = condition.ledger.expect("somebody looked");
        let all = if condition.class == "joins" || condition.class == "user-data" {
            ledger.reads
        } else {
            assert_eq!(ledger.committed, ledger.acked, "{ledger:?}");
            ledger.acked
        };
        assert!(all > 1_000, "{}: {ledger:?}", condition.class);
        let wrong = ledger.lost + ledger.duplicate + ledger.unexpected + ledger.wrong_reads();
        assert_eq!(wrong, 0, "{}: {ledger:?}", condition.class);
    }
    let events = batches.conditions.iter().filter(|condition| {
        condition.class == "small-events" && condition.synchronous_commit && condition.rtt_us == 0
    });
    for condition in events {
        commits(condition);
    }
    for condition in batches.conditions.iter().filter(|c| c.class == "joins") {
        let reads = truth(condition, Mode::Reads, 50);
        assert_eq!(reads.syncs, reads.queries / 50, "{reads:?}");
    }
}

/// What is confirmed as one is one commit; what is not is one for each query. A little
/// more is what the server does beside it: autovacuum commits too.
fn commits(condition: &Condition) {
    for (mode, size) in [
        (Mode::Autocommit, 1),
        (Mode::Autocommit, 10),
        (Mode::OneTransaction, 1),
        (Mode::OneTransaction, 50),
        (Mode::OneTransaction, 500),
    ] {
        let truth = truth(condition, mode, size);
        let expected = match mode {
            Mode::Autocommit => truth.queries,
            _ => truth.queries / u64::from(size),
        };
        assert_eq!(truth.syncs, expected, "{truth:?}");
        // Before PostgreSQL 15 nobody can say.
        if let Some(commits) = truth.commits {
            assert!(commits >= expected && commits <= expected + 20, "{truth:?}");
        }
        if let Some(fsyncs) = truth.fsyncs {
            assert!(fsyncs <= expected + 20, "{truth:?}");
        }
        let wal = truth.wal_bytes.expect("a primary says so");
        assert!(wal > truth.queries * 100, "{truth:?}");
    }
}

#[test]
fn the_user_s_own_files_are_measured_instead() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("run");
    let (reads, writes) = (
        folder.path().join("look.sql"),
        folder.path().join("note.sql"),
    );
    fs::write(
        &reads,
        "SELECT count(*) FROM pg_class; -- one\nVALUES (';')",
    )
    .expect("written");
    fs::write(
        &writes,
        "CREATE TABLE IF NOT EXISTS notes (at timestamptz); INSERT INTO notes VALUES (now());",
    )
    .expect("written");
    let mut command = command(&out, kind);
    command.arg("-f").arg(&reads).arg("-f").arg(&writes);
    let output = command.output().expect("it ends");
    let said = says(&output);
    assert!(is_accepted(output.status.code()), "{said}");
    let record = record(&out);
    let batches = data(&record);
    assert_eq!(record.run.ended, Ended::Complete);
    let seen: Vec<_> = batches
        .classes
        .iter()
        .map(|class| (&*class.name, class.statements.len(), class.writes))
        .collect();
    assert_eq!(seen, [("look", 2, false), ("note", 2, true)]);
    assert_eq!(batches.conditions.len(), 2 + 4);
    batches.conditions.iter().for_each(whole);
    // Nobody knows what their rows must be, and the guide said nothing of them.
    assert!(batches.conditions.iter().all(|c| c.ledger.is_none()));
    let verdict = command::json(&out.join("verdict.json"));
    let claims = verdict["claims"].as_array().expect("claims");
    let gating = claims.iter().filter(|claim| claim["gating"] == true);
    let gating: Vec<_> = gating.map(|claim| &claim["id"]).collect();
    assert_eq!(gating, ["one-at-a-time"]);
    for class in ["look", "note"] {
        let id = format!("throughput-{class}");
        assert!(claims.iter().any(|claim| claim["id"] == *id), "{claims:?}");
    }
}

/// Whatever is written to the tables of a run, some of it goes wrong on the server: an
/// event gets into another stretch, and an update is acknowledged and not done.
const SABOTAGE: &str = "
    CREATE FUNCTION misplace() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN NEW.slice := NEW.slice + 1; RETURN NEW; END';
    CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE FUNCTION sabotage() RETURNS event_trigger LANGUAGE plpgsql AS $$
        DECLARE made record; BEGIN
        FOR made IN SELECT object_identity AS name FROM pg_event_trigger_ddl_commands()
            WHERE object_type = 'table' LOOP
            IF made.name LIKE '%.events' THEN
                EXECUTE format('CREATE TRIGGER t BEFORE INSERT ON %s FOR EACH ROW
                    WHEN (NEW.number = 3) EXECUTE FUNCTION public.misplace()', made.name);
            ELSIF made.name LIKE '%.balances' THEN
                EXECUTE format('CREATE TRIGGER t BEFORE UPDATE ON %s FOR EACH ROW
                    WHEN (NEW.number = 3) EXECUTE FUNCTION public.swallow()', made.name);
            END IF;
        END LOOP; END $$;
    CREATE EVENT TRIGGER sabotage ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
        EXECUTE FUNCTION sabotage();";

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_go_wrong_on_the_server_are_found_by_what_they_say() {
    let (server, _place) = server::any().await;
    let endpoint = server.endpoint();
    let ours = external::session(endpoint, "seawall").await;
    external::run(&ours, SABOTAGE).await;
    external::close(endpoint, ours).await;
    let url = external::url(endpoint, &endpoint.user, endpoint.password.expose());
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(binary())
        .args(["batch-sweep", "--quick", "--seed", "5", "--database-url"])
        .args([&url, "--out"])
        .arg(folder.path())
        .output();
    let output = output.expect("it ends");
    assert_eq!(output.status.code(), Some(4), "{}", says(&output));
    let record = record(folder.path());
    for condition in &data(&record).conditions {
        let ledger = condition.ledger.expect("somebody looked");
        let wrong = [ledger.lost, ledger.unexpected, ledger.duplicate];
        let found = wrong.map(|rows| rows > 0);
        let expected = match &*condition.class {
            "small-events" => {
                // None is missing, if they are only counted.
                assert_eq!(ledger.lost, ledger.unexpected, "{ledger:?}");
                [true, true, false]
            }
            "updates" => [true, false, false],
            _ => [false; 3],
        };
        assert_eq!(found, expected, "{}: {ledger:?}", condition.class);
    }
}

#[test]
fn a_file_that_cannot_be_measured_is_a_usage_error() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("q.sql");
    for (sql, says_so) in [
        ("SELECT 1;\nSELECT * FROM nowhere", "q.sql:2:1: statement 2"),
        ("SELECT nextval('nothing')", "q.sql:1:1: statement 1"),
        // Fails when it is done again.
        ("CREATE TABLE once (i int)", "already exists"),
        ("SELECT $1", "q.sql:1:8: "),
        ("SELECT 1 WHERE false", "no row was found"),
    ] {
        fs::write(&file, sql).expect("written");
        let out = folder.path().join("run");
        let output = command(&out, kind).arg("-f").arg(&file).output();
        let output = output.expect("it ends");
        let said = says(&output);
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains("-f: ") && said.contains(says_so), "{said}");
        assert!(!out.join("record.json").exists(), "{said}");
    }
}

#[test]
fn a_sweep_that_is_interrupted_takes_everything_down_and_keeps_what_it_measured() {
    let kind = kinds()[0];
    let folder = tempfile::tempdir().expect("a folder");
    let command = command(folder.path(), kind);
    // The second condition has begun, so the first is in the record.
    let mut conditions = 0;
    let second = |line: &String| {
        conditions += usize::from(line.contains("round-trip time"));
        conditions == 2
    };
    let record = command::interrupted(command, folder.path(), kind, second);
    assert_eq!(record.run.ended, Ended::Interrupted);
    let batches = data(&record);
    assert!(!batches.conditions.is_empty());
    whole(&batches.conditions[0]);
}
