//! What the metrics say beside what happened, as a user runs it, on a real server.

use std::process::Command;

use reports::{Data, Record};

use super::{
    command::{alone, env, experiment, is_accepted, json, says},
    planted,
    server::kinds,
};

/// Those that bring about everything that can be counted.
const FAULTS: [&str; 6] = [
    "refused",
    "blackhole",
    "terminate",
    "crash",
    "max-connections",
    "read-only",
];

#[test]
fn a_quick_run_finds_no_discrepancy_and_weighs_each_retention() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = experiment("observability", "5", folder.path(), kind);
    for fault in FAULTS {
        command.args(["--fault", fault]);
    }
    let output = command.output().expect("it ends");
    let said = says(&output);
    // That everything is seen is no matter of the machine's speed.
    assert!(is_accepted(output.status.code()), "{said}");
    let verdict = json(&folder.path().join("verdict.json"));
    let claims = verdict["claims"].as_array().expect("claims");
    for id in ["complete-visibility", "scrapes"] {
        let claim = claims.iter().find(|claim| claim["id"] == id);
        assert_eq!(claim.expect(id)["verdict"], "holds", "{said}");
    }
    let record = Record::load(&folder.path().join("record.json")).expect("a record");
    let Data::Observability(data) = &record.data else {
        panic!("{}", record.data.command());
    };
    assert_eq!(data.exams.len(), 1 + FAULTS.len());
    for exam in &data.exams {
        assert!(exam.served_again, "{}", exam.fault);
        let happened: u64 = exam.compared.iter().map(|c| c.happened).sum();
        assert!(
            happened > 500 && exam.scrapes > 5,
            "{}: {happened}",
            exam.fault
        );
    }
    let all = |what: &str| -> u64 {
        let compared = data.exams.iter().flat_map(|exam| &exam.compared);
        compared
            .filter(|c| c.what == what)
            .map(|c| c.happened)
            .sum()
    };
    // Each of them was there to be seen.
    for what in [
        "queries: ok",
        "queries: given_up",
        "queries: statement",
        "queries: circuit_open",
        "queries: timeout",
        "queries: skipped",
        "statements: other",
        "in pipelines: unknown",
        "changes of the circuit to open",
    ] {
        assert!(all(what) > 0, "{what}");
    }
    let retentions: Vec<u32> = data.memory.iter().map(|m| m.retention_minutes).collect();
    assert_eq!(retentions, [0, 15, 30, 60, 120]);
    assert!(data.memory.iter().all(|m| m.bytes <= m.bytes_most));
    assert!(folder.path().join("plots/price.svg").is_file());
}

#[test]
fn metrics_that_are_wrong_are_named() {
    let kind = kinds()[0];
    for (defect, id) in [
        ("failures-not-counted", "complete-visibility"),
        ("times-too-short", "quantiles"),
    ] {
        let _alone = alone();
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(planted::binary());
        command
            .args([
                "observability",
                "--quick",
                "--seed",
                "5",
                "--fault",
                "reset",
            ])
            .args(["--env", env(kind)])
            .arg("--out")
            .arg(folder.path())
            .env("SEAWALL_PLANTED_DEFECT", defect);
        let output = command.output().expect("it ends");
        let said = says(&output);
        assert_eq!(output.status.code(), Some(1), "{defect}: {said}");
        let verdict = json(&folder.path().join("verdict.json"));
        let claims = verdict["claims"].as_array().expect("claims");
        let claim = claims.iter().find(|c| c["id"] == id);
        assert_eq!(claim.expect("claimed")["verdict"], "refuted", "{defect}");
    }
}
