use proptest::prelude::*;

use super::*;
use crate::{
    experiment::Data,
    judge as judge_record,
    sample::{FAULT, PHASE, Quantity},
    synthetic,
};

fn measures() -> Vec<Measure> {
    Data::measures("failure-sim").expect("measures")
}

fn parsed(text: &str) -> Threshold {
    Threshold::parse(text, &measures()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_threshold_is_a_measure_a_place_and_a_bound() {
    let plain = parsed("recovery.p95 < 2s");
    assert_eq!(plain.measure, "recovery");
    assert_eq!(plain.statistic, Some(Statistic::Quantile(0.95)));
    assert_eq!((plain.comparison, plain.bound), (Comparison::Below, 2.0));
    for (text, measure, statistic, comparison, bound) in [
        (
            "ledger.lost == 0",
            "ledger.lost",
            None,
            Comparison::Equal,
            0.0,
        ),
        (
            "ledger.lost.max==0",
            "ledger.lost",
            Some(Statistic::Max),
            Comparison::Equal,
            0.0,
        ),
        (
            "latency.p99<=20ms",
            "latency.p99",
            None,
            Comparison::AtMost,
            0.02,
        ),
        (
            "latency.p99.max <= 20 ms",
            "latency.p99",
            Some(Statistic::Max),
            Comparison::AtMost,
            0.02,
        ),
        (
            "availability>99.5%",
            "availability",
            None,
            Comparison::Above,
            0.995,
        ),
        (
            "availability >= 0.9",
            "availability",
            None,
            Comparison::AtLeast,
            0.9,
        ),
        (
            "recovery.n >= 6",
            "recovery",
            Some(Statistic::Count),
            Comparison::AtLeast,
            6.0,
        ),
        (
            "connects < 50 connections",
            "connects",
            None,
            Comparison::Below,
            50.0,
        ),
        ("detect != 1m", "detect", None, Comparison::NotEqual, 60.0),
        (
            "  detect < 250us  ",
            "detect",
            None,
            Comparison::Below,
            250e-6,
        ),
        ("detect < 1e3ms", "detect", None, Comparison::Below, 1.0),
    ] {
        let found = parsed(text);
        assert_eq!(found.measure, measure, "{text}");
        assert_eq!(found.statistic, statistic, "{text}");
        assert_eq!(found.comparison, comparison, "{text}");
        assert!(
            (found.bound - bound).abs() < 1e-12,
            "{text}: {}",
            found.bound
        );
        assert_eq!(found.text, text.trim());
    }
    let label = |text: &str| parsed(text).labels;
    let crash = vec![("fault".to_owned(), "crash".to_owned())];
    assert_eq!(label("recovery{fault=crash}.p95 < 2s"), crash);
    assert_eq!(label("recovery.p95 {fault=crash} < 2s"), crash);
    assert_eq!(
        label("latency.p99{ fault = \"95 % with 5 retries\" , arm=bare }<2s"),
        [("fault", "95 % with 5 retries"), ("arm", "bare")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let statistic = parsed("recovery{fault=crash}.p95 < 2s").statistic;
    assert_eq!(statistic, Some(Statistic::Quantile(0.95)));
}

#[test]
fn what_is_malformed_is_named_with_its_column_and_what_is_allowed() {
    for (text, column, found, allowed) in [
        ("", 1, "nothing more", "one of amplification, availability"),
        ("recovry < 2s", 1, "\"recovry\"", "recovery"),
        ("< 2s", 1, "\"<\"", "one of amplification"),
        ("recovery.p42 < 2s", 10, "\"p42\"", "one of p50, p75"),
        ("recovery. < 2s", 10, "' '", "one of p50"),
        (
            "recovery",
            9,
            "nothing more",
            "one of <= >= == != < >, or {label=value}",
        ),
        ("recovery = 2s", 10, "\"=\"", "one of <="),
        (
            "recovery < ",
            12,
            "nothing more",
            "a number with a unit, as in 250ms or 2s",
        ),
        ("recovery < fast", 12, "\"fast\"", "a number with a unit"),
        (
            "recovery < 2",
            13,
            "nothing more",
            "the unit us, µs, ms, s, m",
        ),
        ("recovery < 2h", 13, "\"h\"", "the unit us"),
        ("recovery < 2s and more", 15, "\"and\"", "nothing more"),
        ("recovery < 2s < 3s", 15, "\"<\"", "nothing more"),
        ("recovery < inf", 12, "\"inf\"", "a number"),
        ("recovery < 1e999s", 12, "\"1e999s\"", "a number"),
        ("recovery < NaN", 12, "\"NaN\"", "a number"),
        (
            "availability > 99 percent",
            19,
            "\"percent\"",
            "the unit %, or no unit",
        ),
        (
            "connects < 5 apples",
            14,
            "\"apples\"",
            "the unit connections, or no unit",
        ),
        (
            "recovery{ < 2s",
            11,
            "\"<\"",
            "a label, as in {fault=crash}",
        ),
        ("recovery{fault} < 2s", 15, "\"}\"", "= and a value"),
        ("recovery{fault=} < 2s", 16, "\"}\"", "a value"),
        ("recovery{fault=\"\"} < 2s", 16, "\"\\\"\\\"}\"", "a value"),
        (
            "recovery{fault=\"crash} < 2s",
            16,
            "\"\\\"crash}\"",
            "a value that ends with \"",
        ),
        ("recovery{fault=crash < 2s", 22, "\"<\"", ", or }"),
        (
            "recovery{fault=a,fault=b} < 2s",
            18,
            "\"fault=b}\"",
            "each label once",
        ),
        (
            "recovery.p95{fault=a}.p50 < 2s",
            23,
            "\"p50\"",
            "one statistic",
        ),
        ("recovery{fault=a}.p42 < 2s", 19, "\"p42\"", "one of p50"),
        ("récovery < 2s", 1, "\"récovery\"", "one of"),
    ] {
        let wrong = Threshold::parse(text, &measures()).expect_err(text);
        assert_eq!(
            (wrong.column, wrong.found.as_str()),
            (column, found),
            "{text}"
        );
        assert!(wrong.allowed.contains(allowed), "{text}: {}", wrong.allowed);
        let said = wrong.to_string();
        assert!(said.contains(&format!("column {column}")), "{said}");
    }
}

proptest! {
    #[test]
    fn no_text_does_harm(text in "\\PC{0,40}") {
        let _either = Threshold::parse(&text, &measures());
    }

    #[test]
    fn pieces_in_any_order_do_no_harm(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "recovery", ".p95", "{", "}", "fault", "=", "\"", "crash", ",", "<", ">=", "2", "s",
                "%", " ", "é", "ledger.lost", "-", "1e9",
            ]),
            0..12,
        ),
    ) {
        let text = pieces.concat();
        if let Err(wrong) = Threshold::parse(&text, &measures()) {
            prop_assert!(wrong.column <= text.chars().count() + 1);
        }
    }
}

fn time() -> [Measure; 2] {
    let lost = Measure::count("ledger.lost", "lost", "writes").summed();
    [Measure::time("recovery", "until it is back"), lost]
}

fn sample(arm: &str, fault: &str, values: &[Observation]) -> Sample {
    Sample::new(&time()[0], arm, values.iter().copied()).at(FAULT, fault)
}

fn verdict(text: &str, samples: &[Sample]) -> Claim {
    let threshold = Threshold::parse(text, &time()).unwrap_or_else(|error| panic!("{error}"));
    judge(&[threshold], &time(), samples).remove(0)
}

#[test]
fn a_threshold_holds_is_broken_or_is_not_known() {
    use Observation::{AtLeast, Exact};
    let samples = [
        sample("seawall", "crash", &[Exact(1.0), Exact(3.0)]),
        sample("seawall", "pause", &[Exact(0.5), AtLeast(1.5)]),
        sample("bare", "crash", &[Exact(60.0)]),
        Sample::exact(&time()[1], "seawall", [0.0, 0.0, 1.0]),
    ];
    for (text, decision, observed) in [
        // Of all faults together, and of our arm alone.
        ("recovery.max < 4s", Decision::Inconclusive, None),
        ("recovery.max < 3s", Decision::Refuted, None),
        ("recovery.min >= 500ms", Decision::Holds, Some(0.5)),
        ("recovery.p50 <= 1s", Decision::Holds, Some(1.0)),
        ("recovery.n == 4", Decision::Holds, Some(4.0)),
        ("recovery.n == 5", Decision::Refuted, Some(4.0)),
        // Each place by itself.
        ("recovery <= 1s", Decision::Holds, Some(1.0)),
        ("recovery < 1s", Decision::Refuted, Some(1.0)),
        ("recovery{fault=pause} < 1s", Decision::Holds, Some(0.5)),
        ("recovery{fault=pause}.max < 1s", Decision::Refuted, None),
        ("recovery{arm=bare} < 2s", Decision::Refuted, Some(60.0)),
        ("recovery{arm=bare} > 59s", Decision::Holds, Some(60.0)),
        ("ledger.lost == 0", Decision::Refuted, Some(1.0)),
        ("ledger.lost == 1", Decision::Holds, Some(1.0)),
        ("ledger.lost.max != 1", Decision::Refuted, Some(1.0)),
        // Nothing there never holds.
        ("recovery{fault=other} < 2s", Decision::Inconclusive, None),
        ("recovery{fault=other}.n == 0", Decision::Inconclusive, None),
        ("recovery{nothing=x} < 2s", Decision::Inconclusive, None),
    ] {
        let claim = verdict(text, &samples);
        assert_eq!(claim.verdict, decision, "{text}: {:?}", claim.reason);
        assert_eq!(claim.observed, observed, "{text}");
        assert!(claim.gating, "{text}");
        let open = claim.is(Decision::Inconclusive);
        assert!(!open || claim.reason.is_some(), "{text}");
    }
    let reason = |text: &str| verdict(text, &samples).reason.expect("a reason");
    assert_eq!(
        reason("recovery{fault=other} < 2s"),
        "nothing was measured with fault=other, but with crash, pause"
    );
    assert_eq!(
        reason("recovery{size=9} < 2s"),
        "recovery has no label size"
    );
    assert_eq!(
        reason("recovery < 1s"),
        "broken at 1 of 2 places: seawall, crash"
    );
    assert_eq!(
        verdict("recovery < 1s", &[]).reason.expect("a reason"),
        "this run did not measure recovery"
    );
}

#[test]
fn without_our_arm_all_arms_have_to_keep_it() {
    let samples = [
        sample("a", "crash", &[Observation::Exact(1.0)]),
        sample("b", "crash", &[Observation::Exact(3.0)]),
    ];
    assert!(verdict("recovery < 2s", &samples).is(Decision::Refuted));
    assert!(verdict("recovery < 4s", &samples).is(Decision::Holds));
}

#[test]
fn a_broken_threshold_is_a_refuted_claim_of_the_run_and_an_unread_one_is_told() {
    let mut record = synthetic::record(7, 1, &["bare", "seawall"]);
    assert_eq!(judge_record(&record).verdict.exit_code, 2);
    let usual = judge_record(&record).verdict.claims.len();
    record.run.thresholds = vec!["recovery.p50 < 1us".to_owned(), "gone < 2s".to_owned()];
    let report = judge_record(&record);
    assert_eq!(report.verdict.exit_code, 1);
    let claims = &report.verdict.claims;
    assert_eq!(claims.len(), usual + 2);
    assert_eq!(
        (claims[0].id.as_str(), claims[0].verdict),
        ("threshold-1", Decision::Refuted)
    );
    assert_eq!(claims[0].source, Source::User);
    assert_eq!(
        (claims[1].id.as_str(), claims[1].verdict),
        ("threshold-2", Decision::Inconclusive)
    );
    assert!(
        claims[1]
            .reason
            .as_deref()
            .unwrap_or("")
            .contains("column 1")
    );
    record.run.thresholds = vec!["latency.p99{phase=before} < 10s".to_owned()];
    let report = judge_record(&record);
    assert!(
        report.verdict.claims[0].is(Decision::Holds),
        "{:?}",
        report.verdict.claims[0]
    );
    let phases = report.measures.samples.iter().map(|s| s.label(PHASE));
    assert!(phases.into_iter().any(|phase| phase == "before"));
    assert_eq!(report.verdict.claims[0].unit, Quantity::Seconds.unit());
}
