//! The sweep as a user runs it, on a real server.

use std::{path::Path, process::Command};

use reports::{
    Data, Record,
    experiments::breaker_sweep::{self, Alarm, ProbeMode},
};
use scenarios::environment::Kind;
use serde_json::Value;

use super::{
    command::{self, alone, experiment, is_accepted, json, left_by, says},
    server::kinds,
};

fn command(out: &Path, kind: Kind) -> Command {
    experiment("breaker-sweep", "3", out, kind)
}

fn claim<'a>(verdict: &'a Value, id: &str) -> &'a Value {
    let claims = verdict["claims"].as_array().expect("claims");
    let of_id = claims.iter().find(|claim| claim["id"] == id);
    of_id.unwrap_or_else(|| panic!("{id} is missing"))
}

#[test]
fn a_quick_sweep_measures_the_guide_s_weeks_and_says_what_to_ship() {
    let kind = kinds()[0];
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let child = command(folder.path(), kind).spawn().expect("it runs");
    let runner = child.id();
    let output = child.wait_with_output().expect("it ends");
    let said = says(&output);
    let code = output.status.code();
    // Whether a claim about time holds is for this machine and moment to say.
    assert!(is_accepted(code), "{code:?}: {said}");
    assert!(!left_by(runner, kind), "something of it is still there");
    let verdict = json(&folder.path().join("verdict.json"));
    assert_eq!(verdict["exit_code"], code.expect("a code"));
    assert_eq!(verdict["command"], "breaker-sweep");

    let weeks = verdict["sweep"]["weeks"].as_array().expect("weeks");
    assert_eq!(weeks.len(), 3);
    for (week, expected) in weeks.iter().zip([0.25, 0.5, 2.0 / 3.0]) {
        let number = &week["week"];
        let claim = claim(&verdict, &format!("recovery-week{number}"));
        assert_eq!(claim["source"], "guide");
        assert_eq!(claim["gating"], false);
        assert!(claim["n"].as_u64() >= Some(6), "{claim}");
        assert!(claim["low"].is_number(), "{claim}");
        assert_eq!(claim["band_high"], 0.5, "30 s, divided by 60");
        let found = week["expected"].as_f64().expect("a number");
        assert!((found - expected).abs() < 1e-3, "{week}");
        assert!(week["low"].as_f64() <= week["high"].as_f64(), "{week}");
    }
    // A server that is well opens no breaker: a count, so no matter of the machine.
    let cells = verdict["sweep"]["cells"].as_array().expect("cells");
    for cell in cells {
        assert_eq!(cell["false_opens"], 0, "{cell}");
    }
    assert_eq!(claim(&verdict, "false-opens")["verdict"], "holds");
    let toml = &verdict["sweep"]["recommended"]["toml"];
    let toml = toml.as_str().expect("a block");
    seawall::PoolConfig::from_toml(toml).expect("the engine takes it");

    recorded(folder.path());
    for file in [
        "report.html",
        "report.md",
        "junit.xml",
        "events.jsonl",
        "plots/recovery.svg",
        "plots/heatmap.png",
        "plots/front.svg",
    ] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    assert!(said.contains("divided by 60"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// A record of this experiment.
fn data(record: &Record) -> &breaker_sweep::Data {
    match &record.data {
        Data::BreakerSweep(data) => data,
        other => panic!("{}", other.command()),
    }
}

/// What a passive breaker's wait is made of: it is out until its own half-open.
fn recorded(folder: &Path) {
    let record = Record::load(&folder.join("record.json")).expect("a record");
    let sweep = data(&record);
    let [searched, fresh] = sweep.stretches.as_slice() else {
        panic!("{} stretches", sweep.stretches.len());
    };
    assert_eq!((searched.outages.len(), fresh.outages.len()), (6, 6));
    assert_eq!(
        (searched.runs.len(), fresh.runs.len()),
        (sweep.cells.len(), 2)
    );
    for stretch in &sweep.stretches {
        let kinds: Vec<Alarm> = stretch.alarms.iter().map(|span| span.kind).collect();
        assert_eq!(kinds, Alarm::ALL);
        for run in &stretch.runs {
            let scheduled = stretch.ended_us * u64::from(sweep.load.rate_per_s) / 1_000_000;
            let counted = run.operations.outcomes.len() as u64;
            assert!(
                counted.abs_diff(scheduled) <= 8,
                "{counted} of {scheduled}: some were skipped"
            );
            // Six conflicts and six deadlocks, forty violations.
            assert!(run.alarms[&Alarm::Constraint] > 20, "{:?}", run.alarms);
            assert!(run.alarms[&Alarm::Conflict] > 3, "{:?}", run.alarms);
            assert!(run.alarms[&Alarm::Saturation] > 8, "{:?}", run.alarms);
        }
    }
    let passive = |cell: &&breaker_sweep::Cell| cell.probe == ProbeMode::Passive;
    for cell in sweep.cells.iter().filter(passive) {
        let run = searched.runs.iter().find(|run| run.arm == cell.arm);
        let run = run.expect("every cell was run");
        assert!(
            run.breaker
                .iter()
                .any(|change| change.reason.contains("half-open")),
            "{}: {:?}",
            cell.arm,
            run.breaker
        );
    }
}

/// With a deadline below the stall, the stall is what it looks like to a caller: a
/// server that does not answer. So false opens are counted where there are some.
#[test]
fn a_sweep_that_is_interrupted_takes_everything_down_and_keeps_what_it_measured() {
    let kind = kinds()[0];
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = command(folder.path(), kind);
    // A stall of 200 ms then holds up more calls in a row than any cell bears.
    command.args(["--deadline-ms", "50"]);
    // The second outage is under way.
    let second = |line: &String| line.starts_with("reset:");
    let record = command::interrupted(command, folder.path(), kind, second);
    let verdict = json(&folder.path().join("verdict.json"));
    let cells = verdict["sweep"]["cells"].as_array().expect("cells");
    for cell in cells.iter().filter(|cell| cell["failure_threshold"] == 3) {
        assert!(cell["false_opens"].as_u64() > Some(0), "{cell}");
    }
    let stretches = &data(&record).stretches;
    assert_eq!(stretches.len(), 1);
    assert_eq!(stretches[0].outages.len(), 1, "the first outage");
}
