//! Renderers on fixed records, compared with files in `tests/snapshots`.
//! `UPDATE_SNAPSHOTS=1 cargo test -p reports` writes them anew: read the diff.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::{
    Record, Report, Verdict,
    claim::Decision,
    experiments::{
        batch_sweep::{How, Mode, Size},
        breaker_sweep::ProbeMode,
    },
    judge,
    plot::Plot,
    run::{Ended, Outcome, Skipped},
    synthetic::{self, Fault, failures, swept_batches},
};

fn complete() -> Record {
    synthetic::record(7, 1, &["bare", "careful", "seawall"])
}

fn interrupted() -> Record {
    let mut record = synthetic::interrupted_after(3, complete());
    record.run.skipped.push(Skipped {
        fault: Fault::Crash.name().to_owned(),
        reason: "the server is not ours to kill".to_owned(),
    });
    record
}

fn compare(name: &str, found: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "snapshots", name]
        .iter()
        .collect();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(
        expected == found,
        "{name} differs; UPDATE_SNAPSHOTS=1 writes it anew. Found:\n{found}"
    );
}

/// The page, with pictures of nothing.
fn page(report: &Report<'_>) -> String {
    let nothing = |_: &Plot| "<svg width=\"9\" viewBox=\"0 0 9 9\"></svg>".to_owned();
    html(&report.document(), &nothing)
}

/// ASCII, and the letters of small pictures.
fn is_plain(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii() || ('▁'..='█').contains(&c))
}

/// A line for each element, so that a difference can be read.
fn lines(page: &str) -> String {
    page.replace("><", ">\n<")
}

fn all(name: &str, record: &Record, folder: &str) {
    let report = judge(record);
    compare(&format!("{name}.json"), &report.verdict.to_json().unwrap());
    let text = terminal(&report.document(), Path::new(folder), false, 100);
    compare(&format!("{name}.txt"), &text);
    compare(&format!("{name}.md"), &markdown(&report.document()));
    compare(&format!("{name}.xml"), &junit(&report.verdict).unwrap());
    compare(&format!("{name}.html"), &lines(&page(&report)));
}

#[test]
fn a_complete_run_looks_as_it_did() {
    all("complete", &complete(), "reports/runs/latest");
}

#[test]
fn an_interrupted_run_looks_as_it_did() {
    all("interrupted", &interrupted(), "reports/runs/latest");
}

#[test]
fn the_terminal_gets_ascii_and_small_pictures() {
    for record in [
        complete(),
        interrupted(),
        synthetic::record(3, 2, &["bare", "guide", "seawall"]),
    ] {
        let report = judge(&record);
        let plain = terminal(&report.document(), Path::new("out"), false, 100);
        assert!(is_plain(&plain), "{plain}");
        let colored = terminal(&report.document(), Path::new("out"), true, 100);
        assert!(colored.contains("\u{1b}[32mholds"));
        let stripped = ["0", "1", "2", "31", "32", "33"]
            .iter()
            .fold(colored, |text, code| {
                text.replace(&format!("\u{1b}[{code}m"), "")
            });
        assert_eq!(stripped.replace(' ', ""), plain.replace(' ', ""));
    }
}

#[test]
fn text_from_outside_stays_text() {
    let mut record = complete();
    record.run.arms[0].about = "<b>|*x*".to_owned();
    record.run.ended = Ended::Failed {
        reason: "<i>a|b".to_owned(),
    };
    let report = judge(&record);
    let page = page(&report);
    assert!(!page.contains("<i>a") && page.contains("&lt;i&gt;a|b"));
    assert!(!page.contains("<b>|") && page.contains("&lt;b&gt;|*x*"));
    let text = markdown(&report.document());
    assert!(text.contains("\\<i\\>a\\|b"), "{text}");
}

#[test]
fn the_headline_follows_the_exit_code() {
    let say = |change: &dyn Fn(&mut Record)| {
        let mut record = complete();
        change(&mut record);
        let report = judge(&record);
        let headline = report.document().headline;
        (headline.mood, headline.sentence)
    };
    assert_eq!(
        say(&|_| {}),
        (
            Decision::Holds,
            "All 38 claims about seawall hold".to_owned()
        )
    );
    let lost = say(&|record| failures(record).injections[2].ledger.as_mut().unwrap().lost = 1);
    assert_eq!(
        lost,
        (
            Decision::Refuted,
            "Data were lost, duplicated or made up. 1 of 38 claims refuted: seawall no-loss"
                .to_owned()
        )
    );
    let few = say(&|record| failures(record).injections.truncate(17));
    assert_eq!(few.0, Decision::Inconclusive);
    assert!(
        few.1
            .starts_with("1 of 35 claims inconclusive: seawall recovery"),
        "{}",
        few.1
    );
    let unsteady = say(&|record| {
        failures(record).injections.clear();
        record.run.ended = Ended::NoSteadyState {
            reason: "expected x, saw y".to_owned(),
        };
    });
    assert!(
        unsteady
            .1
            .ends_with("expected x, saw y; 0 of 18 injections carried out")
    );
}

#[test]
fn what_files_held_is_had_from_the_record_again() {
    let last = |change: &dyn Fn(&mut Record)| {
        let mut record = complete();
        change(&mut record);
        let text = terminal(
            &judge(&record).document(),
            Path::new("runs/of today"),
            false,
            200,
        );
        let at = text.find("\nagain ").unwrap();
        text[at + 1..].to_owned()
    };
    let again = "again    cargo run -p scenarios -- failure-sim --quick --seed 7 --env local \
                 --deadline-ms 250";
    let replay = "or       cargo run -p scenarios -- replay 'runs/of today'\n";
    assert_eq!(last(&|_| {}), format!("{again}\n"));
    let planned = last(&|record| record.run.plan = Some("[[faults]]".to_owned()));
    assert_eq!(planned, format!("{again}\n{replay}"));
    let arguments = |arguments: &'static [&str]| {
        last(&move |record| {
            let more = arguments.iter().map(|argument| (*argument).to_owned());
            record.run.arguments.extend(more);
        })
    };
    assert_eq!(
        arguments(&["--config", "my pool.toml"]),
        format!("{again} --config 'my pool.toml'\n{replay}")
    );
    assert!(arguments(&["--config=$X.toml"]).ends_with(&format!("'--config=$X.toml'\n{replay}")));
    assert!(!arguments(&["--rate", "40"]).contains("replay"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Not a record that a runner writes, but one that a report must survive.
    #[test]
    fn nonsense_is_reported_without_a_panic(
        seed in any::<u64>(),
        rate in prop::sample::select(vec![0_u32, 1, 3, 400, 5_000]),
        n in 0_usize..600,
        deadline_us in prop::sample::select(vec![0_u64, 1, 250_000, u64::MAX / 4]),
    ) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut record = synthetic::record(seed, 1, &["bare", "seawall"]);
        failures(&mut record).load.rate_per_s = rate;
        failures(&mut record).load.deadline_us = deadline_us;
        failures(&mut record).horizon_us = rng.u64(0..3_000_000);
        for injection in &mut failures(&mut record).injections {
            let ops = &mut injection.operations;
            ops.outcomes = (0..n).map(|_| Outcome::ALL[rng.usize(0..6)].letter()).collect();
            ops.kinds = "r".repeat(rng.usize(0..=n));
            ops.latencies_us = (0..rng.usize(0..=n)).map(|_| rng.u64(..) >> rng.u32(24..63)).collect();
            for time in [
                &mut injection.steady_us,
                &mut injection.injected_us,
                &mut injection.cleared_us,
                &mut injection.ready_us,
                &mut injection.ended_us,
            ] {
                *time = rng.u64(0..4_000_000);
            }
            if rng.bool() {
                injection.breaker.clear();
            }
            injection.planned = rng.usize(0..8);
        }
        let report = judge(&record);
        let json = serde_json::to_string(&report.verdict).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Verdict>(&json).unwrap(), &report.verdict);
        for plot in report.page.plots() {
            let svg = plot.svg().unwrap();
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf\""));
        }
        prop_assert!(page(&report).ends_with("</html>"));
        let said = terminal(&report.document(), Path::new("x"), true, 100);
        prop_assert!(is_plain(&said), "{}", said);
        junit(&report.verdict).unwrap();
    }
}

#[test]
fn a_build_server_fails_for_what_gates_only() {
    let mut record = complete();
    for injection in &mut failures(&mut record).injections {
        let ledger = injection.ledger.as_mut().unwrap();
        ledger.lost = 1;
        ledger.committed -= 1;
    }
    let xml = junit(&judge(&record).verdict).unwrap();
    assert_eq!(xml.matches("<failure").count(), 1);
    assert!(xml.contains(r#"<failure message="no write is lost, duplicated or made up, no answer wrong: 6 of 2532 writes, 6 injections: 6 lost, 0 duplicate, 0 unexpected, 0 out of order, 0 wrong reads" type="refuted"/>"#), "{xml}");
    failures(&mut record).injections.clear();
    let xml = junit(&judge(&record).verdict).unwrap();
    assert_eq!(
        (
            xml.matches("<error").count(),
            xml.matches("<failure").count()
        ),
        (15, 0)
    );
}

fn swept() -> Record {
    synthetic::sweep(12, |cell, planned| match cell.probe {
        ProbeMode::Passive => cell.recovery_timeout_us / 60 / 7 * (planned as u64 % 7),
        ProbeMode::Active => 120_000,
    })
}

#[test]
fn a_sweep_says_what_to_ship_and_by_what_times_were_divided() {
    let record = swept();
    all("sweep", &record, "runs/sweep");
    let report = judge(&record);
    let text = terminal(&report.document(), Path::new("runs/sweep"), false, 100);
    let page = page(&report);
    for text in [&text, &page] {
        assert!(text.contains("circuit_breaker_recovery_timeout = 120"));
        assert!(text.contains("divided by 60"));
    }
    let suites = junit(&report.verdict).unwrap();
    for week in 1..=3 {
        let name = format!("recovery-week{week}");
        assert!(suites.contains(&format!("name=\"{name}\"")), "{suites}");
    }
}

#[test]
fn a_sweep_without_anything_measured_is_rendered() {
    let mut record = swept();
    synthetic::swept(&mut record).stretches.clear();
    record.run.ended = Ended::Interrupted;
    let report = judge(&record);
    let text = terminal(&report.document(), Path::new("runs/sweep"), true, 100);
    assert!(text.contains("0 of 18 outages carried out"), "{text}");
    assert!(page(&report).contains("Nothing: no cell"));
    assert!(markdown(&report.document()).contains("Nothing: no cell"));
}

/// Two of the guide's classes and one of the user's own, at a few sizes.
fn few_batches() -> Record {
    let mut classes = synthetic::guide_classes().split_off(2);
    classes.push(synthetic::class("orders.sql", true, None));
    let mut record = synthetic::batches(classes, 6, 7, 0.02, synthetic::usual);
    let fixed = [20, 50, 200].map(Size::Fixed);
    let sizes = [&fixed[..], &[Size::Auto]].concat();
    let batches = swept_batches(&mut record);
    batches.conditions.retain(|c| c.rtt_us != 1_000);
    for round in batches.conditions.iter_mut().flat_map(|c| &mut c.rounds) {
        round.slices.retain(|slice| match slice.how {
            How::Bare | How::Sequential => true,
            How::Pipelined { size, .. } => sizes.contains(&size),
        });
    }
    record
}

#[test]
fn batch_sizes_look_as_they_did() {
    all("batches", &few_batches(), "runs/batches");
}

#[test]
fn batch_sizes_say_what_to_ship_and_fit_a_terminal() {
    let record = synthetic::usual_batches();
    let report = judge(&record);
    let text = terminal(&report.document(), Path::new("runs/batches"), false, 100);
    assert!(text.is_ascii());
    for line in text.lines() {
        assert!(line.len() <= 110, "{}: {line}", line.len());
    }
    let page = page(&report);
    let text_of_ticket = markdown(&report.document());
    let findings = report.verdict.findings["batches"].clone();
    let findings: crate::experiments::batch_sweep::Findings =
        serde_json::from_value(findings).unwrap();
    for class in &findings.classes {
        let recommended = class.recommended.as_ref().unwrap();
        let size = format!("pipeline_batch_size = {}\n", recommended.batch);
        for out in [&text, &page, &text_of_ticket] {
            assert!(out.contains(&size), "{size}");
            assert!(out.contains(&class.name));
        }
        assert!(text.contains(">") && text.contains("enable_pipelining = true"));
    }
    // The band is drawn, for what has one end and for what has two.
    assert!(page.contains("claimed: ≥ 2x") && page.contains("claimed: 2x to 10x"));
    // What the guide claims as written is refuted, and turns no build red.
    let suites = junit(&report.verdict).unwrap();
    assert!(!suites.contains("<failure") && !suites.contains("<error"));
    assert!(suites.contains("name=\"throughput-updates\""), "{suites}");
}

#[test]
fn a_failing_batch_size_is_marked_and_one_left_out_is_named() {
    let mut record = few_batches();
    let conditions = &mut swept_batches(&mut record).conditions;
    let way = How::Pipelined {
        mode: Mode::Reads,
        size: Size::Fixed(20),
    };
    for round in &mut conditions[0].rounds {
        let slices = round.slices.iter_mut().filter(|slice| slice.how == way);
        slices.for_each(|slice| slice.failed = 1);
    }
    let report = judge(&record);
    let text = terminal(&report.document(), Path::new("x"), false, 100);
    assert!(text.contains("*! "), "{text}");
    let left_out = "reads, 5000</b> was left out: the connection takes no more";
    assert!(page(&report).contains(left_out));
}

#[test]
fn a_sweep_of_batch_sizes_without_anything_measured_is_rendered() {
    let mut record = few_batches();
    swept_batches(&mut record).conditions.truncate(2);
    record.run.ended = Ended::Interrupted;
    let report = judge(&record);
    let text = terminal(&report.document(), Path::new("x"), true, 100);
    assert!(
        text.contains("interrupted: 2 conditions measured"),
        "{text}"
    );
    assert!(
        text.contains("\nor       cargo run -p scenarios -- replay x\n"),
        "{text}"
    );
    assert!(text.contains("updates: nothing: no size was measured"));
    let batches = swept_batches(&mut record);
    batches.conditions.clear();
    batches.classes.clear();
    let report = judge(&record);
    assert!(page(&report).contains("Nothing: no class was measured"));
    assert!(markdown(&report.document()).contains("## What to ship"));
    assert_eq!(report.page.plots().count(), 0);
}

#[test]
fn the_name_of_a_user_s_class_stays_text() {
    let classes = vec![synthetic::class("<i>a|b/../c", false, None)];
    let record = synthetic::batches(classes, 6, 7, 0.02, synthetic::usual);
    let report = judge(&record);
    let page = page(&report);
    assert!(!page.contains("<i>") && page.contains("&lt;i&gt;a|b/../c"));
    let text = markdown(&report.document());
    // What stands between fences is taken as it is.
    let prose: String = text.split("```").step_by(2).collect();
    assert!(
        prose.contains("\\<i\\>a\\|b") && !prose.contains("<i>"),
        "{text}"
    );
    let plot = report.page.plots().next().unwrap();
    assert_eq!(plot.name, "speedup--i-a-b-..-c");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Not a record that a runner writes, but one that a report must survive.
    #[test]
    fn nonsense_about_batch_sizes_is_reported_without_a_panic(seed in any::<u64>()) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut record = few_batches();
        let batches = swept_batches(&mut record);
        for condition in &mut batches.conditions {
            condition.rtt_us = rng.u64(..) >> rng.u32(1..64);
            condition.measured_rtt_us = rng.u64(..) >> rng.u32(1..64);
            condition.rounds.truncate(rng.usize(0..8));
            if rng.bool() {
                condition.class = "?".to_owned();
            }
            for slice in condition.rounds.iter_mut().flat_map(|r| &mut r.slices) {
                if rng.u8(..) < 100 {
                    slice.took_us = rng.u64(..) >> rng.u32(1..64);
                    slice.queries = rng.u64(..) >> rng.u32(20..64);
                    slice.failed = rng.u64(..=slice.queries);
                    slice.p99_us = rng.u64(..) >> rng.u32(1..64);
                    slice.mean_batch = [0.0, -1.0, f64::NAN, f64::MAX, 3.0][rng.usize(0..5)];
                }
                if let (How::Pipelined { mode, .. }, true) = (slice.how, rng.u8(..) < 30) {
                    let size = Size::Fixed([0, 1, u32::MAX][rng.usize(0..3)]);
                    slice.how = How::Pipelined { mode, size };
                }
            }
            for truth in &mut condition.truth {
                truth.queries = rng.u64(0..3);
                truth.syncs = rng.u64(..);
            }
        }
        let report = judge(&record);
        let json = serde_json::to_string(&report.verdict).unwrap();
        let read: Verdict = serde_json::from_str(&json).unwrap();
        // Numbers of this size come back to sixteen digits; what they came to, as it was.
        let decisions = |v: &Verdict| v.claims.iter().map(|c| c.verdict).collect::<Vec<_>>();
        prop_assert_eq!(decisions(&read), decisions(&report.verdict));
        for plot in report.page.plots() {
            let svg = plot.svg().unwrap();
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf\""));
        }
        prop_assert!(page(&report).ends_with("</html>"));
        let said = terminal(&report.document(), Path::new("x"), true, 100);
        prop_assert!(is_plain(&said), "{}", said);
        prop_assert!(markdown(&report.document()).contains("## Again"));
        junit(&report.verdict).unwrap();
    }
}
