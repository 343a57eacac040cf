use std::path::Path;

use super::*;
use crate::{
    Record,
    claim::Decision,
    judge,
    plot::legible::is_legible,
    render,
    run::{Attempts, Operations},
    synthetic::{self, RATE_PER_S},
    verdict::exit,
};

/// Ten seconds an arm, in two turns; `outcome` and latency in microseconds of operation
/// `i` of a stretch.
fn record(of: impl Fn(&str, usize) -> (char, u64)) -> Record {
    let base = synthetic::record(7, 0, &["bare", "seawall"]);
    let stretch = |arm: &str, started_us| {
        let n = usize::try_from(5 * RATE_PER_S).unwrap();
        let each: Vec<(char, u64)> = (0..n).map(|i| of(arm, i)).collect();
        Stretch {
            arm: arm.to_owned(),
            started_us,
            steady_us: 1_000_000,
            operations: Operations {
                kinds: (0..n).map(|i| if i % 5 == 0 { 'w' } else { 'r' }).collect(),
                outcomes: each.iter().map(|(outcome, _)| outcome).collect(),
                latencies_us: each.iter().map(|(_, us)| *us).collect(),
                lags_us: vec![0; n],
                due_us: Vec::new(),
            },
            attempts: Attempts {
                statements: n as u64,
                connects: 4,
            },
            pool: [("queries".to_owned(), n as u64)].into(),
            server: Some(ServerCounts {
                commits: n as u64,
                sessions: 4,
                ..ServerCounts::default()
            }),
            ledger: Some(Ledger {
                sent: 400,
                acked: 400,
                committed: 400,
                ..Ledger::default()
            }),
        }
    };
    let turns = ["bare", "seawall", "seawall", "bare"];
    let data = Data {
        load: synthetic::load(),
        length_us: 5_000_000,
        rounds: 2,
        stretches: (0..4)
            .map(|i| stretch(turns[i], i as u64 * 5_000_000))
            .collect(),
    };
    let mut run = base.run;
    run.command = Steady::COMMAND.to_owned();
    run.arguments = vec!["--quick".to_owned()];
    run.schedule.clear();
    Record {
        run,
        data: data.into(),
    }
}

fn served() -> Record {
    record(|arm, i| ('o', if arm == "bare" { 400 } else { 300 } + i as u64 % 100))
}

fn claim(record: &Record, arm: &str, id: &str) -> Claim {
    let verdict = judge(record).verdict;
    let mut claims = verdict.claims.into_iter();
    claims.find(|c| c.arm == arm && c.id == id).unwrap()
}

#[test]
fn what_is_served_is_counted_after_the_warm_up() {
    let record = served();
    record.check().unwrap();
    let crate::Data::Steady(data) = &record.data else {
        panic!("another experiment");
    };
    let findings = find(&record.run, data);
    let ours = &findings.arms[1];
    assert_eq!((ours.arm.as_str(), ours.stretches), ("seawall", 2));
    // Four of five seconds, twice.
    assert_eq!((ours.operations, ours.good), (3_200, 3_200));
    assert_eq!(ours.goodput_per_s, Some(400.0));
    // 32 of each of 100 values: 300 to 399 us.
    let expected = [
        0.000_349, 0.000_374, 0.000_389, 0.000_394, 0.000_398, 0.000_399, 0.000_399,
    ];
    assert_eq!(ours.latency_s, expected);
    assert_eq!((ours.statements, ours.connects), (Some(1.0), 8));
    assert_eq!(ours.pool["queries"], 4_000);
    let server = ours.server.unwrap();
    assert_eq!((server.commits, server.sessions), (4_000, 4));
}

#[test]
fn one_failure_refutes_and_nothing_measured_holds_nothing() {
    let held = claim(&served(), "seawall", NO_FAILURE);
    assert!(held.is(Decision::Holds) && held.gating, "{held:?}");
    assert_eq!((held.n, held.out_of), (3_200, Some(3_200)));
    assert_eq!(judge(&served()).verdict.exit_code, exit::HOLDS);

    let failing = record(|arm, i| {
        (
            if arm == "seawall" && i == 500 {
                'f'
            } else {
                'o'
            },
            300,
        )
    });
    let refuted = claim(&failing, "seawall", NO_FAILURE);
    assert!(refuted.is(Decision::Refuted), "{refuted:?}");
    assert_eq!(refuted.reason.unwrap(), "2 failed");
    assert!(claim(&failing, "bare", NO_FAILURE).is(Decision::Holds));
    assert_eq!(judge(&failing).verdict.exit_code, exit::REFUTED);

    // What fails while it warms up is not measured.
    let warm = record(|_, i| (if i < 399 { 't' } else { 'o' }, 300));
    assert!(claim(&warm, "seawall", NO_FAILURE).is(Decision::Holds));

    let mut short = served();
    let crate::Data::Steady(data) = &mut short.data else {
        panic!("another experiment");
    };
    data.stretches[1].steady_us = 9_000_000;
    data.stretches.truncate(2);
    let nothing = claim(&short, "seawall", NO_FAILURE);
    assert!(nothing.is(Decision::Inconclusive), "{nothing:?}");
    data_lost_refutes();
}

fn data_lost_refutes() {
    let mut record = served();
    let crate::Data::Steady(data) = &mut record.data else {
        panic!("another experiment");
    };
    let ledger = data.stretches[1].ledger.as_mut().unwrap();
    ledger.lost = 1;
    ledger.committed -= 1;
    assert_eq!(judge(&record).verdict.exit_code, exit::DATA_LOST);
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    let mut record = served();
    let crate::Data::Steady(data) = &mut record.data else {
        panic!("another experiment");
    };
    data.stretches[2].operations.lags_us.pop();
    let error = record.check().unwrap_err();
    assert_eq!(error.field, "data.stretches[2].operations");
}

#[test]
fn it_is_shown_whatever_was_measured() {
    let all = served();
    let report = judge(&all);
    let said = render::terminal(&report.document(), Path::new("run"), false, 100);
    for part in [
        "no operation fails",
        "STEADY",
        "400.0/s",
        "0.35 ms",
        "All 2 claims about seawall",
    ] {
        assert!(said.contains(part), "{part} not in {said}");
    }
    let found = &report.page.finding;
    let ours = "While nothing is wrong, answered well and in time: seawall 100 % (p99 ";
    assert!(found.starts_with(ours), "{found}");
    let plots: Vec<_> = report.page.plots().collect();
    assert_eq!(plots.len(), 1);
    is_legible(plots[0]);

    let mut none = served();
    let crate::Data::Steady(data) = &mut none.data else {
        panic!("another experiment");
    };
    data.stretches.clear();
    let report = judge(&none);
    assert_eq!(report.page.plots().count(), 0);
    let said = render::terminal(&report.document(), Path::new("run"), false, 100);
    assert!(said.contains("Nothing was claimed"), "{said}");
    assert!(
        said.starts_with("No arm was measured, so that nothing can be said"),
        "{said}"
    );
}
