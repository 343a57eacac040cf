//! What is left of a run that was killed in the middle of a step.

use std::{
    io::{BufRead as _, BufReader},
    process::Command,
    time::Duration,
};

use reports::{
    Data, Record,
    record::{INTERVALS, Interval, Intervals},
    run::{Ended, Outcome},
};

use super::{
    command::{alone, binary, experiment},
    server::kinds,
};

/// Operations that the killed step must have done before.
const DONE: u64 = 900;

fn known(interval: &Interval) -> u64 {
    let all = [interval.ok(), interval.not_ok()];
    all.iter().flatten().map(|histogram| histogram.len()).sum()
}

#[test]
fn a_run_that_is_killed_leaves_what_was_measured_until_the_last_second() {
    let _alone = alone();
    let out = tempfile::tempdir().expect("a folder");
    let kind = kinds()[0];
    // What is left of it is looked for here, and nobody else's.
    let temporary = tempfile::tempdir().expect("a folder");
    let mut child = experiment("steady", "7", out.path(), kind)
        .env("TMPDIR", temporary.path())
        .spawn()
        .expect("it runs");
    let stderr = child.stderr.take().expect("piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let second = lines.find(|line| line.starts_with("turn 2 of 4: "));
    let second = second.expect("a second turn");
    let arm = second.rsplit(' ').next().expect("an arm");
    let path = out.path().join(INTERVALS);
    let mut seen = 0;
    for _ in 0..200 {
        let all = Intervals::load(&path).expect("a log, whenever it is read");
        seen = all.arms.get(arm).map_or(0, known);
        if seen >= DONE {
            break;
        }
        // Not for the run to come to something, but for its file to be looked at again.
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert!(seen >= DONE, "{arm} did {seen} operations");
    child.kill().expect("killed");
    child.wait().expect("it ended");
    let mut reap = Command::new(binary());
    let reap = reap.arg("reap").env("TMPDIR", temporary.path());
    let reaped = reap.output().expect("reap");
    assert!(reaped.status.success(), "{reaped:?}");

    let record = Record::load(&out.path().join("record.json")).expect("a record");
    assert!(
        matches!(record.run.ended, Ended::Failed { .. }),
        "{:?}",
        record.run.ended
    );
    let Data::Steady(data) = &record.data else {
        panic!("data of another experiment");
    };
    let [first] = &data.stretches[..] else {
        panic!("{} turns were over", data.stretches.len());
    };
    let mut operations = Interval::default();
    let told = first.operations.outcomes.chars();
    for (letter, us) in told.zip(&first.operations.latencies_us) {
        operations.record(Outcome::from_letter(letter).expect("known"), *us);
    }
    let all = Intervals::load(&path).expect("a log");
    let of_first = &all.arms[&first.arm];
    assert_eq!(
        of_first.ok(),
        operations.ok(),
        "all of the turn that was over"
    );
    assert_eq!(of_first.not_ok(), operations.not_ok());
    assert!(
        known(&all.arms[arm]) >= seen,
        "and what was done of the next"
    );
}
