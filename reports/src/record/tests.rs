use super::*;
use crate::{
    Data, Report,
    experiments::{batch_sweep, breaker_sweep, failure_sim},
    judge,
    synthetic::{self, failures, swept},
};

/// A record that the last version of schema 2 wrote, of a run that was made up.
fn old(command: &str) -> Record {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schema-2");
    Record::load(&std::path::Path::new(folder).join(format!("{command}.json"))).unwrap()
}

/// Writes a record, changed as text, and reads it again.
fn reread(
    name: &str,
    record: &Record,
    change: impl Fn(String) -> String,
) -> Result<Record, RecordError> {
    let name = format!("reports-{}-{name}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    record.save(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, change(text)).unwrap();
    let read = Record::load(&path);
    std::fs::remove_file(path).unwrap();
    read
}

fn of_each_experiment() -> [Record; 3] {
    [
        synthetic::record(7, 1, &["bare", "seawall"]),
        synthetic::sweep(2, |_, _| 100_000),
        synthetic::usual_batches(),
    ]
}

#[test]
fn what_is_written_is_what_is_read() {
    for record in of_each_experiment() {
        let name = record.run.command.clone();
        assert_eq!(reread(&name, &record, |text| text).unwrap(), record);
    }
}

#[test]
fn the_fields_of_a_run_stand_at_the_top_and_the_rest_under_data() {
    for record in of_each_experiment() {
        let json = serde_json::to_value(&record).unwrap();
        let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
        for field in [
            "schema",
            "command",
            "arguments",
            "seed",
            "schedule",
            "ended",
        ] {
            assert!(fields.iter().any(|f| *f == field), "{field} in {fields:?}");
        }
        assert_eq!(json["schema"], 3);
        assert!(json["data"].is_object());
    }
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let record = synthetic::record(7, 0, &[]);
    let refused = |name: &str, from: &str, to: &str| {
        let read = reread(name, &record, |text| text.replacen(from, to, 1));
        read.unwrap_err().to_string()
    };
    assert_eq!(
        refused("schema", r#""schema":3"#, r#""schema":9"#),
        "schema: 9, this version reads 2 and 3"
    );
    assert_eq!(
        refused("command", "failure-sim", "tea-sim"),
        format!(
            "command: tea-sim, this version knows {}",
            Data::COMMANDS.join(", ")
        )
    );
    // Read as one experiment, the data of another make no sense.
    assert!(refused("mixed", "failure-sim", "batch-sweep").ends_with("is not a record"));
    let mut mixed = record.clone();
    mixed.run.command = "batch-sweep".to_owned();
    assert_eq!(
        mixed.check().unwrap_err().to_string(),
        "command: batch-sweep, over data of failure-sim, allowed: the command that the data are of"
    );
}

#[test]
fn an_injection_that_contradicts_itself_is_refused() {
    let wrong = |change: &dyn Fn(&mut crate::run::Injection)| {
        let mut record = synthetic::record(7, 1, &["bare", "seawall"]);
        change(&mut failures(&mut record).injections[3]);
        record.check().unwrap_err().to_string()
    };
    assert_eq!(
        wrong(&|i| i.planned = 99),
        "data.injections[3].planned: 99, allowed: an index into the schedule"
    );
    wrong(&|i| i.arm = "?".to_owned());
    wrong(&|i| i.cleared_us = 0);
    wrong(&|i| i.operations.lags_us.push(0));
    wrong(&|i| i.operations.kinds.replace_range(0..1, "x"));
    wrong(&|i| i.operations.outcomes.replace_range(0..1, "x"));
}

#[test]
fn a_record_of_schema_2_is_judged_and_drawn() {
    let record = old("failure-sim");
    let Data::FailureSim(failure_sim::Data { injections, .. }) = &record.data else {
        panic!("{}", record.data.command());
    };
    assert_eq!((record.run.schema, injections.len()), (3, 3));
    assert_eq!(
        record.run.arguments.join(" "),
        "--quick --seed 7 --env local --deadline-ms 250"
    );
    let step = record.run.schedule[0].only().unwrap();
    assert_eq!(
        (&*step.title, &*step.gone),
        ("Refused", "the fault is gone")
    );
    let Report { verdict, .. } = judge(&record);
    assert_eq!(verdict.injections.len(), 3);
    assert_eq!(verdict.injections[0].recover_s, Some(0.07));

    let record = old("breaker-sweep");
    let Data::BreakerSweep(breaker_sweep::Data { cells, scale, .. }) = &record.data else {
        panic!("{}", record.data.command());
    };
    assert_eq!((cells.len(), *scale), (6, 60));
    assert_eq!(
        record.run.arguments.join(" "),
        "--quick --seed 7 --env local"
    );
    let Report { verdict, .. } = judge(&record);
    assert_eq!(
        verdict.findings["sweep"]["recommended"]["arm"],
        "3/120s-passive"
    );

    let record = old("batch-sweep");
    let Data::BatchSweep(batch_sweep::Data { classes, .. }) = &record.data else {
        panic!("{}", record.data.command());
    };
    assert_eq!(classes.len(), 3);
    assert_eq!(
        record.run.arguments.join(" "),
        "--quick --seed 7 --env local -f orders.sql"
    );
    let Report { verdict, .. } = judge(&record);
    let joins = &verdict.findings["batches"]["classes"][0];
    assert_eq!(joins["name"], "joins");
    assert_eq!(joins["recommended"]["batch"], 200);
}

#[test]
fn an_old_record_and_the_same_one_now_say_the_same() {
    let mut now = synthetic::sweep(2, |cell, planned| match cell.probe {
        breaker_sweep::ProbeMode::Passive => {
            cell.recovery_timeout_us / 60 / 7 * (planned as u64 % 7)
        }
        breaker_sweep::ProbeMode::Active => 120_000,
    });
    swept(&mut now).load.deadline_us = 500_000;
    // What was written was not checked then.
    let stretches = swept(&mut now).stretches.iter_mut();
    let runs = stretches.flat_map(|stretch| &mut stretch.runs);
    runs.for_each(|run| run.ledger = None);
    assert_eq!(judge(&old("breaker-sweep")).verdict, judge(&now).verdict);
}
