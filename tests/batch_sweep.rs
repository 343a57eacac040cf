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
    server::kinds,
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
            let expected = 1 + usize::from(truth.how == How::Sequential);
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
}

#[test]
fn a_file_that_cannot_be_measured_is_a_usage_error() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("q.sql");
    for (sql, says_so) in [
        ("SELECT 1; SELECT * FROM nowhere", "statement 2"),
        ("SELECT nextval('nothing')", "statement 1"),
        // Fails when it is done again.
        ("CREATE TABLE once (i int)", "already exists"),
        ("SELECT $1", "without parameters"),
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
    let other = Command::new(binary())
        .args(["breaker-sweep", "-f"])
        .arg(&file)
        .output();
    assert_eq!(other.expect("it ends").status.code(), Some(64));
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
