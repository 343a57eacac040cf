use std::{collections::BTreeMap, path::Path};

use super::*;
use crate::{
    Record,
    claim::Decision,
    experiments::breaker_sweep::ProbeMode,
    judge,
    plot::legible::is_legible,
    render,
    run::{Arm, Callers, Ended, Load, Mix},
    synthetic::{self, batches, guide_classes, sweep, usual},
    verdict::exit,
};

const SIZES: [u32; 5] = [2, 4, 8, 16, 32];

/// What a size does without any noise: the server has no use for more than eight.
fn rate(connections: u32) -> f64 {
    f64::from(connections.min(8)) * 1_000.0 + f64::from(connections)
}

/// So many rounds; `factor` of a round and a size is its noise.
fn pool(rounds: usize, factor: impl Fn(usize, u32) -> f64) -> Pool {
    let mut pool = Pool {
        load: Load {
            clients: Some(64),
            mix: Mix::default(),
            callers: Callers::default(),
            ..synthetic::load()
        },
        length_us: 300_000,
        candidates: SIZES
            .map(|connections| Candidate {
                arm: format!("{connections} connections"),
                connections,
            })
            .into(),
        most: Some(90),
        rounds: Vec::new(),
        dropped: Vec::new(),
    };
    for round in 0..rounds {
        let left = kept(&pool);
        for connections in SIZES {
            let known = pool.dropped.iter().any(|d| d.connections == connections);
            if round > 0 && !left.contains(&connections) && !known {
                pool.dropped.push(Dropped {
                    connections,
                    after: round,
                });
            }
        }
        let windows = left.into_iter().map(|connections| {
            let ok = rate(connections) * factor(round, connections) * 0.3;
            Window {
                connections,
                length_us: 300_000,
                ok: (1_u32..1_000_000)
                    .find(|n| f64::from(*n) >= ok)
                    .unwrap_or(0)
                    .into(),
                failed: 0,
                p50_us: 4_000,
                p99_us: 9_000,
                ledger: Some(ledger()),
            }
        });
        let windows = windows.collect();
        pool.rounds.push(Round { windows });
    }
    pool
}

fn ledger() -> Ledger {
    Ledger {
        sent: 40,
        acked: 40,
        committed: 40,
        ..Ledger::default()
    }
}

/// A passive breaker waits for its timeout, an active one for its probe.
fn wait_us(cell: &crate::experiments::breaker_sweep::Cell, _planned: usize) -> u64 {
    match cell.probe {
        ProbeMode::Active => 100_000,
        ProbeMode::Passive => cell.recovery_timeout_us / 120,
    }
}

/// A whole run.
fn record(seed: u64) -> Record {
    let mut record = sweep(12, wait_us);
    let mut data = data(seed, &mut record);
    let known = data.pool.candidates.iter().map(|candidate| Arm {
        name: candidate.arm.clone(),
        about: "made up".to_owned(),
        config: BTreeMap::new(),
    });
    record.run.arms.extend(known);
    record.run.command = Tune::COMMAND.to_owned();
    record.run.arguments = vec!["--budget".to_owned(), "3m".to_owned()];
    record.run.seed = seed;
    data.took_us = Some(150_000_000);
    record.data = data.into();
    record
}

fn data(seed: u64, of_breaker: &mut Record) -> Data {
    let grid = |seed, rounds| {
        let mut record = batches(guide_classes(), rounds, seed, 0.02, usual);
        synthetic::swept_batches(&mut record).clone()
    };
    let mut rng = fastrand::Rng::with_seed(seed);
    let noise: Vec<f64> = (0..400).map(|_| 0.97 + rng.f64() * 0.06).collect();
    let of = |round: usize, connections: u32| {
        noise[round * 10 + SIZES.iter().position(|n| *n == connections).unwrap()]
    };
    Data {
        budget_us: 180_000_000,
        kept_us: 8_000_000,
        took_us: None,
        spent: vec![Spent {
            part: Part::PoolSize,
            share_us: 34_000_000,
            took_us: 33_000_000,
        }],
        pool: Box::new(pool(12, of)),
        batch: Batch {
            unmeasured: Vec::new(),
            coarse: grid(seed, 3),
            refined: Some(grid(seed + 100, 12)),
        },
        breaker: Box::new(synthetic::swept(of_breaker).clone()),
    }
}

fn tuned(record: &mut Record) -> &mut Data {
    match &mut record.data {
        crate::Data::Tune(data) => data,
        other => panic!("{}", other.command()),
    }
}

fn found(record: &mut Record) -> Findings {
    let run = record.run.clone();
    find(&run, tuned(record))
}

fn value(findings: &Findings, key: &str) -> String {
    let choice = findings.choices.iter().find(|choice| choice.key == key);
    choice.unwrap_or_else(|| panic!("{key}")).value.clone()
}

#[test]
fn the_smallest_pool_that_is_not_told_from_the_best_is_chosen() {
    let found = pool::find(&pool(12, |_, _| 1.0));
    assert_eq!((found.chosen, found.best), (Some(8), Some(32)));
    assert!(found.close.is_empty(), "{found:?}");
    // What is far behind has few windows, and what is close has all.
    let rounds: Vec<_> = found
        .sizes
        .iter()
        .map(|of| (of.connections, of.rounds))
        .collect();
    assert_eq!(rounds, [(2, 2), (4, 12), (8, 12), (16, 12), (32, 12)]);
    assert_eq!(found.sizes[0].dropped_after, Some(2));

    // It stays one of those that may be it where half of its rounds are 0.87 of the best.
    let noisy = |round: usize, connections| {
        let low = connections == 8 && round.is_multiple_of(2);
        if low { 0.87 } else { 1.0 }
    };
    let found = pool::find(&pool(12, noisy));
    assert_eq!(found.chosen, Some(8));
    assert_eq!(
        found.close,
        [16],
        "a larger one may be the first that is enough"
    );

    // All below, every time: told from the best.
    let slow = |_, connections| if connections == 8 { 0.8 } else { 1.0 };
    let found = pool::find(&pool(12, slow));
    assert_eq!((found.chosen, found.close.len()), (Some(16), 0));
}

#[test]
fn a_server_s_room_bounds_the_candidates_and_nothing_measured_chooses_nothing() {
    let mut small = pool(0, |_, _| 1.0);
    small.most = Some(8);
    assert_eq!(kept(&small), [2, 4, 8]);
    let found = pool::find(&small);
    assert_eq!((found.chosen, found.sizes.len()), (None, 0));
}

#[test]
fn the_second_run_has_the_better_half_of_the_sizes_with_the_recommended_one() {
    let mut record = record(1);
    let run = record.run.clone();
    let coarse = tuned(&mut record).batch.coarse.clone();
    let first = crate::experiments::batch_sweep::find(&run, &coarse);
    let better = better_half(&run, &coarse);
    assert_eq!(better.len(), 4);
    for class in &first.classes {
        let (_, sizes) = &better[&class.name];
        let chosen = class.recommended.as_ref().unwrap().batch;
        assert!(sizes.contains(&chosen) && sizes.len() == 4, "{sizes:?}");
        assert!(sizes.is_sorted() && !sizes.contains(&1), "{sizes:?}");
    }
}

#[test]
fn two_seeds_come_to_the_same_or_say_that_it_is_too_close() {
    let all: Vec<Findings> = (1..5).map(|seed| found(&mut record(seed))).collect();
    for (one, other) in all.iter().zip(&all[1..]) {
        assert_eq!(one.choices.len(), 7);
        for (one, other) in one.choices.iter().zip(&other.choices) {
            assert_eq!(one.key, other.key);
            let same = one.value == other.value;
            let told = one.close.contains(&other.value) || other.close.contains(&one.value);
            assert!(same || told, "{one:?}\n{other:?}");
        }
    }
    assert_eq!(value(&all[0], "max_connections"), "8");
    assert_eq!(value(&all[0], "enable_pipelining"), "true");
    assert_eq!(value(&all[0], "circuit_breaker_probe"), "\"active\"");
}

#[test]
fn a_pool_has_the_smallest_size_of_the_classes_that_gain() {
    let findings = found(&mut record(1));
    let sizes = findings.batch.classes.iter();
    let least = sizes
        .filter_map(|c| Some(c.recommended.as_ref()?.batch))
        .min();
    assert_eq!(
        value(&findings, "pipeline_batch_size"),
        least.unwrap().to_string()
    );

    // Classes that do not gain have no say, and where none gains it is off.
    let mut slow = record(1);
    let data = tuned(&mut slow);
    let none = |_: &synthetic::Spot<'_>, batch: f64| 0.9 - batch / 1e5;
    let mut grid = batches(guide_classes(), 12, 3, 0.01, none);
    data.batch.coarse = synthetic::swept_batches(&mut grid).clone();
    data.batch.refined = None;
    let findings = found(&mut slow);
    assert_eq!(value(&findings, "enable_pipelining"), "false");
    assert!(
        !findings.toml.contains("pipeline_batch_size ="),
        "{}",
        findings.toml
    );
    assert!(
        findings.toml.contains("leave the pipeline off"),
        "{}",
        findings.toml
    );
}

#[test]
fn what_no_batches_can_be_made_of_is_not_missing_and_is_said() {
    let mut own = record(1);
    let data = tuned(&mut own);
    data.batch.coarse.classes.clear();
    data.batch.coarse.conditions.clear();
    data.batch.refined = None;
    data.batch.unmeasured.push(Unmeasured {
        script: "orders".to_owned(),
        reason: "orders.sql:1:15: \\gset".to_owned(),
    });
    let findings = found(&mut own);
    assert!(findings.missing.is_empty());
    assert!(!findings.toml.contains("enable_pipelining ="));
    let said = "# orders: not measured: orders.sql:1:15: \\gset; leave the pipeline off for it";
    assert!(findings.toml.contains(said), "{}", findings.toml);
    assert_eq!(judge(&own).verdict.exit_code, exit::HOLDS);
}

#[test]
fn each_line_of_the_file_has_its_evidence_and_what_it_would_cost() {
    let findings = found(&mut record(1));
    let table: toml_lines::Table = toml_lines::read(&findings.toml);
    let keys: Vec<&str> = table.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "max_connections",
            "enable_pipelining",
            "pipeline_batch_size",
            "circuit_breaker_failure_threshold",
            "circuit_breaker_recovery_timeout",
            "circuit_breaker_error_rate",
            "circuit_breaker_probe",
        ]
    );
    for part in ["# evidence: ", "# if it is wrong: "] {
        assert_eq!(findings.toml.matches(part).count(), keys.len(), "{part}");
    }
    assert!(findings.toml.is_ascii(), "{}", findings.toml);
}

/// The lines of a file that are no comments.
mod toml_lines {
    pub(super) type Table = Vec<(String, String)>;

    pub(super) fn read(text: &str) -> Table {
        let lines = text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'));
        let pairs = lines.map(|line| line.split_once(" = ").unwrap());
        pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }
}

#[test]
fn it_holds_what_came_in_time_and_refutes_what_did_not() {
    let claim = |record: &Record, id: &str| {
        let mut claims = judge(record).verdict.claims.into_iter();
        claims.find(|claim| claim.id == id).unwrap()
    };
    let mut whole = record(1);
    whole.check().unwrap();
    for id in [IN_BUDGET, CHOSEN, "no-loss"] {
        let claim = claim(&whole, id);
        assert!(claim.is(Decision::Holds) && claim.gating, "{claim:?}");
    }
    assert!(claim(&whole, "again-joins").is(Decision::Holds));
    assert!(!claim(&whole, "again-joins").gating);
    assert_eq!(judge(&whole).verdict.exit_code, exit::HOLDS);

    tuned(&mut whole).took_us = Some(175_000_000);
    assert!(claim(&whole, IN_BUDGET).is(Decision::Refuted));
    assert_eq!(judge(&whole).verdict.exit_code, exit::REFUTED);

    // Too little time is no finding.
    let mut short = record(1);
    tuned(&mut short).breaker.stretches.clear();
    let missing = claim(&short, CHOSEN);
    assert!(missing.is(Decision::Inconclusive), "{missing:?}");
    assert_eq!((missing.n, missing.observed), (7, Some(4.0)));
    assert_eq!(judge(&short).verdict.exit_code, exit::INCONCLUSIVE);
    assert!(
        found(&mut short)
            .toml
            .contains("# not found: circuit_breaker_probe")
    );

    let mut lost = record(1);
    let window = &mut tuned(&mut lost).pool.rounds[0].windows[0];
    window.ledger = Some(Ledger {
        lost: 1,
        committed: 39,
        ..ledger()
    });
    assert_eq!(judge(&lost).verdict.exit_code, exit::DATA_LOST);
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    for (field, wrong) in [
        (
            "data.pool.candidates[1].arm",
            (|data| data.pool.candidates[1].arm = "nobody".to_owned()) as fn(&mut Data),
        ),
        ("data.pool.rounds[1].windows[0].connections", |data| {
            data.pool.rounds[1].windows[0].connections = 7;
        }),
        ("data.batch.coarse.conditions[0].class", |data| {
            data.batch.coarse.conditions[0].class = "nobody".to_owned();
        }),
        ("data.breaker.scale", |data| data.breaker.scale = 0),
    ] {
        let mut record = record(1);
        wrong(tuned(&mut record));
        assert_eq!(record.check().unwrap_err().field, field);
    }
}

#[test]
fn a_terminal_shows_all_of_it_and_the_file_is_written() {
    let whole = record(1);
    let report = judge(&whole);
    let said = render::terminal(&report.document(), Path::new("run"), false, 100);
    for part in [
        "TUNE",
        "max_connections = 8",
        "file     run/pool.toml",
        "try it   scenarios failure-sim --config run/pool.toml",
        "All 3 claims about seawall hold",
    ] {
        assert!(said.contains(part), "{part} not in {said}");
    }
    for line in said.lines() {
        assert!(line.len() <= 110 && line.is_ascii(), "{line}");
    }
    let plots: Vec<_> = report.page.plots().collect();
    assert_eq!(plots.len(), 1);
    is_legible(plots[0]);
    let found = &report.page.finding;
    assert!(found.starts_with("Ship max_connections = 8, "), "{found}");
    let page = render::html(&report.document(), &|_| String::new());
    assert!(page.contains("What to ship") && page.contains("pool.toml"));

    let folder = std::env::temp_dir().join(format!("reports-{}-tune", std::process::id()));
    crate::write(&report, &folder).unwrap();
    let written = std::fs::read_to_string(folder.join("pool.toml")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(written.contains("\nmax_connections = 8\n"), "{written}");
}

#[test]
fn it_is_shown_whatever_was_measured() {
    let mut none = record(1);
    none.run.ended = Ended::Interrupted;
    let data = tuned(&mut none);
    data.took_us = None;
    data.pool.rounds.clear();
    data.pool.dropped.clear();
    data.batch.coarse.conditions.clear();
    data.batch.refined = None;
    data.breaker.stretches.clear();
    let report = judge(&none);
    assert!(report.page.files.is_empty());
    assert_eq!(report.page.plots().count(), 0);
    let said = render::terminal(&report.document(), Path::new("run"), false, 100);
    assert!(said.contains("nothing: no setting was found"), "{said}");
    assert!(
        said.starts_with("No setting was found; not found: max_connections, "),
        "{said}"
    );
    assert!(
        render::html(&report.document(), &|_| String::new()).contains("no pool size was measured")
    );
    assert!(render::markdown(&report.document()).contains("What to ship"));
}
