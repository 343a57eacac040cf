//! Load without any fault as a user runs it, on a real server.

use reports::{Data, Record};

use super::{
    command::{alone, experiment, json, says},
    server::kinds,
};

#[test]
fn a_quick_run_says_what_each_client_does_and_costs() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let output = experiment("steady", "3", folder.path(), kind).output();
    let output = output.expect("it ends");
    let said = says(&output);
    // That nothing fails where nothing is wrong is no matter of the machine's speed.
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("STEADY") && said.contains("p99.9"), "{said}");
    let verdict = json(&folder.path().join("verdict.json"));
    let arms = verdict["steady"]["arms"].as_array().expect("arms");
    assert_eq!(arms.len(), 2);
    let record = Record::load(&folder.path().join("record.json")).expect("a record");
    let Data::Steady(data) = &record.data else {
        panic!("{}", record.data.command());
    };
    assert_eq!(data.stretches.len(), 4, "two arms, twice");
    for stretch in &data.stretches {
        let counts = stretch.server.expect("it was asked");
        let n = stretch.operations.outcomes.len() as u64;
        // Each operation is a transaction; pools ask for little beside them.
        assert!(
            counts.commits >= n && counts.commits < n + 100,
            "{counts:?} of {n}"
        );
        assert!(counts.sessions > 0, "{counts:?}");
        assert_eq!(stretch.pool.is_empty(), stretch.arm == "bare");
    }
    assert!(folder.path().join("plots/latency.svg").is_file());
}
