//! The command as a user runs it, on a real server.

use std::{collections::BTreeMap, process::Command};

use reports::{Data, Record, experiments::failure_sim};
use scenarios::environment::Kind;

use super::{
    command::{self, alone, experiment, is_accepted, json},
    server::kinds,
};

/// A record of this experiment.
fn data(record: &Record) -> &failure_sim::Data {
    match &record.data {
        Data::FailureSim(data) => data,
        other => panic!("{}", other.command()),
    }
}

#[test]
fn the_first_command_shows_what_six_failures_do() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let output = experiment("failure-sim", "7", folder.path(), kind).output();
    let output = output.expect("it ends");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let verdict = json(&folder.path().join("verdict.json"));
    // Whether a claim about time holds is for this machine and moment to say; that
    // nothing is lost is not, and neither is that the code is the verdict's.
    let code = output.status.code();
    assert!(is_accepted(code), "{code:?}: {stdout}{stderr}");
    assert_eq!(verdict["exit_code"], code.expect("a code"));
    assert_eq!(verdict["ledger"]["lost"], 0);
    assert_eq!(verdict["ledger"]["duplicate"], 0);
    assert!(verdict["ledger"]["acked"].as_u64() > Some(0));
    let injections = verdict["injections"].as_array().expect("injections");
    assert_eq!(injections.len(), 18, "six faults, three arms");
    for injection in injections.iter().filter(|i| i["arm"] == "seawall") {
        assert_eq!(injection["censored"], false, "{injection}");
    }
    let mut faults = BTreeMap::new();
    for injection in injections {
        *faults.entry(injection["fault"].to_string()).or_insert(0) += 1;
    }
    assert_eq!(faults.len(), 6);

    let record = Record::load(&folder.path().join("record.json")).expect("a record");
    let data = data(&record);
    for injection in &data.injections {
        let ops = &injection.operations;
        assert_eq!(ops.kinds.len(), ops.outcomes.len());
        let scheduled = (injection.ended_us * u64::from(data.load.rate_per_s)) / 1_000_000;
        let counted = ops.outcomes.len() as u64;
        assert!(
            counted.abs_diff(scheduled) <= 8,
            "{counted} of {scheduled}: some were skipped"
        );
    }
    for file in [
        "report.html",
        "report.md",
        "junit.xml",
        "events.jsonl",
        "plots/recovery.svg",
    ] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    assert!(
        stdout.contains("CLAIMS") && stdout.contains("report.html"),
        "{stdout}"
    );
    assert!(
        stderr.contains("blackhole"),
        "progress is on stderr: {stderr}"
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// How many injections a run kept that was interrupted as soon as a line of its progress
/// began with `at`.
fn interrupted(kind: Kind, at: &str) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    let command: Command = experiment("failure-sim", "7", folder.path(), kind);
    let record = command::interrupted(command, folder.path(), kind, |line| line.starts_with(at));
    data(&record).injections.len()
}

#[test]
fn interrupted_in_a_fault_it_takes_everything_down_and_keeps_what_it_measured() {
    for kind in kinds() {
        assert_eq!(interrupted(kind, "reset:"), 3, "the first fault, all arms");
    }
}

/// Once a server that had not been killed yet was started a second time.
#[test]
fn interrupted_before_a_crash_it_takes_everything_down() {
    let kind = kinds()[0];
    assert_eq!(
        interrupted(kind, "latency: over"),
        12,
        "four faults, all arms"
    );
}
