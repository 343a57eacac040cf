//! Renderers on fixed records, compared with files in `tests/snapshots`.
//! `UPDATE_SNAPSHOTS=1 cargo test -p reports` writes them anew: read the diff.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::{
    Record, Verdict,
    claim::Decision,
    judge,
    record::{Ended, Fault, Outcome, Skipped},
    synthetic,
};

fn complete() -> Record {
    synthetic::record(7, 1, &["bare", "seawall"])
}

fn interrupted() -> Record {
    let mut record = synthetic::interrupted_after(3, complete());
    record.skipped.push(Skipped {
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

fn page(record: &Record, verdict: &Verdict) -> String {
    let figures: Vec<(String, String)> = plots(record)
        .into_iter()
        .map(|plot| (plot.name, plot.title))
        .collect();
    let figures: Vec<Figure<'_>> = figures
        .iter()
        .map(|(name, title)| Figure {
            name,
            title,
            svg: "<svg width=\"9\" viewBox=\"0 0 9 9\"></svg>",
        })
        .collect();
    // A line for each element, so that a difference can be read.
    html(record, verdict, &figures).replace("><", ">\n<")
}

fn all(name: &str, record: &Record) {
    let verdict = judge(record);
    let plots = plots(record);
    let titles: Vec<(&str, &str)> = plots.iter().map(|p| (&*p.name, &*p.title)).collect();
    let dir = Path::new("reports/runs/latest");
    let json = serde_json::to_string_pretty(&verdict).unwrap();
    compare(&format!("{name}.json"), &json);
    let text = terminal(record, &verdict, dir, false);
    compare(&format!("{name}.txt"), &text);
    compare(&format!("{name}.md"), &markdown(record, &verdict, &titles));
    compare(&format!("{name}.xml"), &junit(&verdict).unwrap());
    compare(&format!("{name}.html"), &page(record, &verdict));
}

#[test]
fn a_complete_run_looks_as_it_did() {
    all("complete", &complete());
}

#[test]
fn an_interrupted_run_looks_as_it_did() {
    all("interrupted", &interrupted());
}

#[test]
fn the_terminal_gets_ascii_of_about_a_hundred_columns() {
    for record in [
        complete(),
        interrupted(),
        synthetic::record(3, 2, &["bare", "guide", "seawall"]),
    ] {
        let verdict = judge(&record);
        let plain = terminal(&record, &verdict, Path::new("out"), false);
        assert!(plain.is_ascii());
        for line in plain.lines() {
            assert!(line.len() <= 110, "{}: {line}", line.len());
        }
        let colored = terminal(&record, &verdict, Path::new("out"), true);
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
fn the_page_fetches_nothing_and_runs_nothing() {
    let record = complete();
    let verdict = judge(&record);
    let svg = plots(&record)[1].svg().unwrap();
    let figures = [Figure {
        name: "refused",
        title: "A fault",
        svg: &svg,
    }];
    let page = html(&record, &verdict, &figures);
    for forbidden in [
        "<script",
        "<link",
        "<img",
        "url(",
        "@import",
        "src=",
        "href=\"http",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
}

#[test]
fn text_from_outside_stays_text() {
    let mut record = complete();
    record.arms[0].about = "<b>|*x*".to_owned();
    record.ended = Ended::Failed {
        reason: "<i>a|b".to_owned(),
    };
    let verdict = judge(&record);
    let page = page(&record, &verdict);
    assert!(!page.contains("<i>a") && page.contains("&lt;i&gt;a|b"));
    assert!(!page.contains("<b>|") && page.contains("&lt;b&gt;|*x*"));
    let text = markdown(&record, &verdict, &[]);
    assert!(text.contains("\\<i\\>a\\|b"), "{text}");
}

#[test]
fn the_headline_follows_the_exit_code() {
    let say = |change: &dyn Fn(&mut Record)| {
        let mut record = complete();
        change(&mut record);
        let verdict = judge(&record);
        let headline = headline::headline(&record, &verdict);
        (headline.mood, headline.sentence)
    };
    assert_eq!(
        say(&|_| {}),
        (
            Decision::Holds,
            "All 4 claims about seawall hold".to_owned()
        )
    );
    let lost = say(&|record| record.injections[1].ledger.as_mut().unwrap().lost = 1);
    assert_eq!(
        lost,
        (
            Decision::Refuted,
            "Data were lost, duplicated or made up. 1 of 4 claims refuted: seawall no-loss"
                .to_owned()
        )
    );
    let few = say(&|record| record.injections.truncate(11));
    assert_eq!(few.0, Decision::Inconclusive);
    assert!(
        few.1
            .starts_with("3 of 4 claims inconclusive: seawall recovery"),
        "{}",
        few.1
    );
    let unsteady = say(&|record| {
        record.injections.clear();
        record.ended = Ended::NoSteadyState {
            reason: "expected x, saw y".to_owned(),
        };
    });
    assert!(
        unsteady
            .1
            .ends_with("expected x, saw y; 0 of 12 injections carried out")
    );
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
        record.settings.rate_per_s = rate;
        record.settings.deadline_us = deadline_us;
        record.settings.horizon_us = rng.u64(0..3_000_000);
        for injection in &mut record.injections {
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
        let verdict = judge(&record);
        let json = serde_json::to_string(&verdict).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Verdict>(&json).unwrap(), &verdict);
        for plot in plots(&record) {
            let svg = plot.svg().unwrap();
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf\""));
        }
        prop_assert!(page(&record, &verdict).ends_with("</html>"));
        prop_assert!(terminal(&record, &verdict, Path::new("x"), true).is_ascii());
        junit(&verdict).unwrap();
    }
}

#[test]
fn a_build_server_fails_for_what_gates_only() {
    let mut record = complete();
    for injection in &mut record.injections {
        let ledger = injection.ledger.as_mut().unwrap();
        ledger.lost = 1;
        ledger.committed -= 1;
    }
    let xml = junit(&judge(&record)).unwrap();
    assert_eq!(xml.matches("<failure").count(), 1);
    assert!(xml.contains(r#"<failure message="no write is lost, duplicated or made up: 6 writes, 6 injections: 6 lost, 0 duplicate, 0 unexpected, 0 out of order" type="refuted"/>"#), "{xml}");
    record.injections.clear();
    let xml = junit(&judge(&record)).unwrap();
    assert_eq!(
        (
            xml.matches("<error").count(),
            xml.matches("<failure").count()
        ),
        (4, 0)
    );
}

fn swept() -> Record {
    synthetic::sweep(12, |cell, planned| match cell.probe {
        crate::record::ProbeMode::Passive => {
            cell.recovery_timeout_us / 60 / 7 * (planned as u64 % 7)
        }
        crate::record::ProbeMode::Active => 120_000,
    })
}

#[test]
fn a_sweep_says_what_to_ship_and_by_what_times_were_divided() {
    let record = swept();
    let verdict = judge(&record);
    let text = terminal(&record, &verdict, Path::new("runs/sweep"), false);
    compare("sweep.txt", &text);
    compare("sweep.md", &markdown(&record, &verdict, &[]));
    let page = html(&record, &verdict, &[]);
    for text in [&text, &page] {
        assert!(text.contains("circuit_breaker_recovery_timeout = 120"));
        assert!(text.contains("divided by 60"));
    }
    let suites = junit(&verdict).unwrap();
    for week in 1..=3 {
        let name = format!("recovery-week{week}");
        assert!(suites.contains(&format!("name=\"{name}\"")), "{suites}");
    }
}

#[test]
fn a_sweep_without_anything_measured_is_rendered() {
    let mut record = swept();
    record.sweep.as_mut().unwrap().stretches.clear();
    record.ended = Ended::Interrupted;
    let verdict = judge(&record);
    let text = terminal(&record, &verdict, Path::new("runs/sweep"), true);
    assert!(text.contains("0 of 18 outages carried out"), "{text}");
    assert!(html(&record, &verdict, &[]).contains("Nothing: no cell"));
    assert!(markdown(&record, &verdict, &[]).contains("Nothing: no cell"));
}
