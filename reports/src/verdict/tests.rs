use super::*;
use crate::{
    Record,
    run::Injection,
    synthetic::{self, failures},
};

fn judge(record: &Record) -> Verdict {
    crate::judge(record).verdict
}

fn complete() -> Record {
    synthetic::record(7, 1, &["bare", "careful", "seawall"])
}

fn of(arm: &str, record: &mut Record, change: impl Fn(&mut Injection)) {
    for injection in &mut failures(record).injections {
        if injection.arm == arm {
            change(injection);
        }
    }
}

#[test]
fn a_good_run_exits_with_zero_and_writes_the_promised_fields() {
    let verdict = judge(&complete());
    assert_eq!(verdict.exit_code, exit::HOLDS, "{:#?}", verdict.claims);
    let json = serde_json::to_value(&verdict).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    for (value, promised) in [
        (
            &json,
            "schema command seed exit_code environment claims injections ledger",
        ),
        (
            &json["environment"],
            "kind server_version proxy cpus profile",
        ),
        (
            &json["claims"][0],
            "id arm says source gating verdict reason unit n censored observed low high \
             band_low band_high",
        ),
        (
            &json["injections"][0],
            "fault arm detect_s fail_fast_s recover_s recover_client_s censored \
             outage_equivalent_s availability",
        ),
        (
            &json["ledger"],
            "sent acked committed unknown lost duplicate",
        ),
    ] {
        for key in promised.split_whitespace() {
            assert!(keys(value).iter().any(|k| k == key), "{key} in {value}");
        }
    }
    assert_eq!(json["claims"][0]["verdict"], "holds");
    assert_eq!(json["claims"][0]["reason"], serde_json::Value::Null);
    assert_eq!(json["injections"][0]["fault"], "refused");
    let read: Verdict = serde_json::from_value(json).unwrap();
    assert_eq!(read, verdict);
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let text = |record: &Record| serde_json::to_string(&judge(record)).unwrap();
    assert_eq!(text(&complete()), text(&complete()));
}

#[test]
fn a_censored_recovery_shows_its_bound() {
    let verdict = judge(&complete());
    let bare = verdict
        .injections
        .iter()
        .find(|e| e.arm == "bare" && e.fault == "blackhole")
        .unwrap();
    assert!(bare.censored && bare.metastable);
    assert!(bare.recover_s.is_some_and(|s| s > 2.9), "{bare:?}");
}

#[test]
fn a_lost_write_and_a_duplicate_exit_with_four() {
    for change in [
        |l: &mut Ledger| l.lost += 1,
        |l: &mut Ledger| l.duplicate += 1,
        |l: &mut Ledger| l.unexpected += 1,
    ] {
        let mut record = complete();
        change(failures(&mut record).injections[8].ledger.as_mut().unwrap());
        let verdict = judge(&record);
        assert_eq!(verdict.exit_code, exit::DATA_LOST);
        assert_eq!(
            verdict.ledger.lost + verdict.ledger.duplicate + verdict.ledger.unexpected,
            1
        );
        // A bare pool that loses a write is shown, and not ours to fail for.
        let mut record = complete();
        change(failures(&mut record).injections[7].ledger.as_mut().unwrap());
        assert_eq!(judge(&record).exit_code, exit::HOLDS);
    }
    let mut record = synthetic::record(7, 1, &["guide", "seawall", "bare"]);
    failures(&mut record).injections[0]
        .ledger
        .as_mut()
        .unwrap()
        .lost = 1;
    assert_eq!(judge(&record).exit_code, exit::DATA_LOST);
}

#[test]
fn each_exit_code_has_its_record() {
    let exits = |change: &dyn Fn(&mut Record)| {
        let mut record = complete();
        change(&mut record);
        judge(&record).exit_code
    };
    let reason = || "why".to_owned();
    let ended = |ended: Ended| exits(&|record| record.run.ended = ended.clone());
    assert_eq!(ended(Ended::Interrupted), exit::INTERRUPTED);
    assert_eq!(ended(Ended::Failed { reason: reason() }), exit::FAILED);
    assert_eq!(
        ended(Ended::NoSteadyState { reason: reason() }),
        exit::NO_STEADY_STATE
    );
    // An engine that costs so much that nobody is served any more.
    assert_eq!(
        exits(&|record| {
            record.run.ended = Ended::NoSteadyState { reason: reason() };
            let windows = failures(record).windows.iter_mut();
            let ours = windows.filter(|window| window.arm == "seawall");
            ours.for_each(|window| window.p50_us *= 10);
        }),
        exit::REFUTED
    );
    assert_eq!(
        exits(&|record| {
            of("seawall", record, |i| {
                i.operations
                    .latencies_us
                    .iter_mut()
                    .zip(i.operations.outcomes.chars())
                    .filter(|(_, outcome)| *outcome == 'r')
                    .for_each(|(latency, _)| *latency = 20_000);
            });
        }),
        exit::REFUTED
    );
    assert_eq!(
        exits(&|record| failures(record).injections.truncate(11)),
        exit::INCONCLUSIVE
    );
    assert_eq!(
        exits(&|record| failures(record).injections.clear()),
        exit::INCONCLUSIVE
    );
    assert_eq!(
        judge(&synthetic::record(7, 1, &["bare"])).exit_code,
        exit::INCONCLUSIVE,
        "nothing gates, so nothing was shown to hold"
    );
}

#[test]
fn what_interrupted_a_run_outranks_what_it_found() {
    let mut record = complete();
    failures(&mut record).injections[5]
        .ledger
        .as_mut()
        .unwrap()
        .lost = 1;
    for n in [0, 1, 3, 12] {
        let part = synthetic::interrupted_after(n, record.clone());
        let verdict = judge(&part);
        assert_eq!(verdict.exit_code, exit::INTERRUPTED);
        assert_eq!(verdict.injections.len(), n);
        serde_json::to_string(&verdict).unwrap();
    }
}
