//! Load close to what a pool can do, and a fault, as a user runs it, on a real server.

use reports::{Data, Record, run::Kind};

use super::{
    command::{alone, experiment, is_accepted, json, says},
    server::kinds,
};

#[test]
fn a_small_run_measures_the_capacity_and_says_who_comes_back() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = experiment("near-capacity", "3", folder.path(), kind);
    command.args(["--utilisation", "0.4", "--retries", "1"]);
    let output = command.output().expect("it ends");
    let said = says(&output);
    assert!(is_accepted(output.status.code()), "{said}");
    assert!(said.contains("NEAR CAPACITY"), "{said}");
    assert!(said.contains("40 % with 1 retry: "), "no progress: {said}");

    let record = Record::load(&folder.path().join("record.json")).expect("a record");
    let Data::NearCapacity(data) = &record.data else {
        panic!("{}", record.data.command());
    };
    // Ten connections, 50 ms each: 200 a second, less what a busy machine takes.
    let capacity = data.capacity.as_ref().and_then(|c| c.per_s());
    let capacity = capacity.expect("it was measured");
    assert!((100.0..=200.5).contains(&capacity), "{capacity}");
    assert_eq!(data.trials.len(), record.run.arms.len());
    for trial in &data.trials {
        let rate = f64::from(trial.load.rate_per_s);
        assert!((rate - 0.4 * capacity).abs() < 1.0, "{rate} of {capacity}");
        let operations = &trial.injection.operations;
        assert!(operations.kinds.chars().all(|c| c == Kind::Hold.letter()));
        let last = trial.so_far.last().expect("it was looked at");
        let n = operations.outcomes.len() as u64;
        // Those that came in the last moments may not be in it.
        assert!(
            last.tries + 50 > n && last.tries <= 2 * n,
            "{last:?} of {n}"
        );
        let ledger = trial.injection.ledger.expect("answers were checked");
        assert_eq!(ledger.wrong_reads(), 0, "{ledger:?}");
    }
    let arms: Vec<&str> = record.run.arms.iter().map(|arm| &*arm.name).collect();
    assert_eq!(arms[..3], ["bare", "careful", "seawall"]);

    let verdict = json(&folder.path().join("verdict.json"));
    let rows = verdict["near_capacity"].as_array().expect("rows");
    assert_eq!(rows.len(), arms.len());
    assert!(folder.path().join("plots/goodput.svg").is_file());
}
