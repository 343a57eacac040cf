//! What the engine costs one at a time, and that nobody is paid for it.

use super::*;

/// As a version recorded it that had no bare client.
fn without_bare(mut record: Record) -> Record {
    for condition in conditions(&mut record) {
        condition.truth.retain(|truth| truth.how != How::Bare);
        for round in &mut condition.rounds {
            round.slices.retain(|slice| slice.how != How::Sequential);
            for slice in &mut round.slices {
                if slice.how == How::Bare {
                    slice.how = How::Sequential;
                }
            }
        }
    }
    record
}

/// Every query through the engine takes so much longer.
fn slower(record: &mut Record, us: u64) {
    each_slice(record, |_, slice| {
        if slice.how != How::Bare {
            slice.took_us += us * slice.queries;
        }
    });
}

#[test]
fn an_engine_that_is_slower_looks_slower_and_not_its_pipeline_better() {
    let speedup = |verdict: &Verdict| {
        let findings = found_in(verdict);
        let cell = findings.conditions[0].curves[0].cells.last().unwrap();
        cell.speedup.median.unwrap()
    };
    let mut record = exact(usual);
    let before = judge(&record);
    let holds = claim(&before, "seawall", ONE_AT_A_TIME);
    assert!(holds.is(Decision::Holds) && holds.gating, "{holds:#?}");
    assert!((holds.observed.unwrap() - 1.1).abs() < 0.02, "{holds:#?}");
    assert_eq!((holds.n, holds.band_high), (16, Some(COST_HIGH)));
    assert!(reason(holds).starts_with("most of 21: "), "{holds:#?}");
    slower(&mut record, 300);
    let after = judge(&record);
    let slow = claim(&after, "seawall", ONE_AT_A_TIME);
    assert!(slow.is(Decision::Refuted) && slow.gating, "{slow:#?}");
    // Where a query takes least, 300 us are most.
    assert!(slow.observed > Some(3.0), "{slow:#?}");
    assert!(reason(slow).contains(", 0 ms"), "{slow:#?}");
    assert_eq!(after.exit_code, exit::REFUTED);
    assert!(speedup(&after) < speedup(&before));
}

#[test]
fn one_condition_in_which_the_engine_is_dear_is_not_hidden_by_others() {
    let mut record = exact(|_, _| 5.0);
    each_slice(&mut record, |condition, slice| {
        let here = condition.class == "joins" && condition.rtt_us == 1_000;
        if here && slice.how == How::Sequential {
            slice.took_us *= 3;
        }
    });
    // Where nothing is known of another, this is known all the same.
    conditions(&mut record)[0].rounds.truncate(2);
    let verdict = judge(&record);
    let dear = claim(&verdict, "seawall", ONE_AT_A_TIME);
    assert!(dear.is(Decision::Refuted), "{dear:#?}");
    assert!(
        reason(dear).starts_with("most of 21: joins, 1 ms; the band is from "),
        "{dear:#?}"
    );
}

#[test]
fn what_is_not_known_of_the_engine_s_cost_does_not_hold() {
    let without = |change: &dyn Fn(&Condition, &mut Slice)| {
        let mut record = exact(|_, _| 5.0);
        each_slice(&mut record, |condition, slice| {
            if condition.class == "joins" && condition.rtt_us == 0 {
                change(condition, slice);
            }
        });
        let verdict = judge(&record);
        let unknown = claim(&verdict, "seawall", ONE_AT_A_TIME).clone();
        assert!(unknown.is(Decision::Inconclusive), "{unknown:#?}");
        assert_eq!(verdict.exit_code, exit::INCONCLUSIVE);
        reason(&unknown).to_owned()
    };
    let failed = without(&|_, slice| slice.failed = u64::from(slice.how == How::Sequential));
    assert_eq!(
        failed,
        "most of 21: joins, 0 ms: 16 of 32000 queries failed"
    );
    let failed = without(&|_, slice| slice.failed = u64::from(slice.how == How::Bare));
    assert!(
        failed.ends_with("16 of 32000 queries failed one at a time"),
        "{failed}"
    );
    let mut few = exact(|_, _| 5.0);
    conditions(&mut few)[3].rounds.truncate(2);
    let verdict = judge(&few);
    let said = reason(claim(&verdict, "seawall", ONE_AT_A_TIME));
    let four = "4 pairs; 6 are the fewest that can say it: run without --quick";
    assert!(said.ends_with(four), "{said}");
}

#[test]
fn a_record_without_a_bare_client_is_judged_by_what_it_has_and_says_so() {
    let old = without_bare(exact(|_, _| 5.0));
    old.check().unwrap();
    let verdict = judge(&old);
    assert_eq!(verdict.exit_code, exit::HOLDS, "{:#?}", verdict.claims);
    let throughput = claim(&verdict, "seawall", THROUGHPUT);
    assert!(throughput.is(Decision::Holds));
    assert!(
        reason(throughput).ends_with(", since the record has no bare client"),
        "{throughput:#?}"
    );
    let cost = claim(&verdict, "seawall", ONE_AT_A_TIME);
    assert!(cost.is(Decision::Inconclusive) && !cost.gating);
    assert!(reason(cost).starts_with("the record has no bare client"));
    let noise = claim(&verdict, "seawall", NOISE);
    assert_eq!(noise.n, 21);
    assert!(noise.low.is_some(), "{noise:#?}");
    let findings = found_in(&verdict);
    assert!(findings.conditions.iter().all(|c| c.bare.is_none()));
}

#[test]
fn findings_without_the_new_fields_are_read() {
    let mut findings = judge(&exact(|_, _| 5.0)).findings["batches"].clone();
    for condition in findings["conditions"].as_array_mut().unwrap() {
        let fields = condition.as_object_mut().unwrap();
        for new in ["bare", "cost", "cost_doubt"] {
            assert!(fields.remove(new).is_some(), "{new}");
        }
    }
    let read: Findings = serde_json::from_value(findings).unwrap();
    assert!(!read.has_bare());
}
