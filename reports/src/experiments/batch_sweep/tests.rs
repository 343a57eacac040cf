mod choose;
mod client;
mod loss;
mod more;
mod noise;

use proptest::prelude::*;

use super::*;
use crate::{
    Record, Verdict,
    claim::Decision,
    run::Ended,
    stats::Ratio,
    synthetic::{Spot, batches, class, guide_classes, swept_batches, usual, usual_batches},
    verdict::exit,
};

fn judge(record: &Record) -> Verdict {
    crate::judge(record).verdict
}

fn found_in(verdict: &Verdict) -> Findings {
    serde_json::from_value(verdict.findings["batches"].clone()).unwrap()
}

fn claim<'a>(verdict: &'a Verdict, arm: &str, id: &str) -> &'a Claim {
    let mut claims = verdict.claims.iter();
    claims.find(|c| c.arm == arm && c.id == id).unwrap()
}

fn reason(claim: &Claim) -> &str {
    claim.reason.as_deref().unwrap()
}

/// No more sizes than the guide's: each costs ten thousand resamples a judgement.
fn few_sizes(mut record: Record) -> Record {
    let sizes = [20, 50, 200, 500].map(Size::Fixed);
    for condition in conditions(&mut record) {
        for round in &mut condition.rounds {
            round.slices.retain(|slice| match slice.how {
                How::Bare | How::Sequential => true,
                How::Pipelined { size, .. } => sizes.contains(&size),
            });
        }
    }
    record
}

/// Without noise worth mentioning, eight rounds.
fn exact(speedup: impl Fn(&Spot<'_>, f64) -> f64) -> Record {
    few_sizes(batches(guide_classes(), 8, 7, 0.005, speedup))
}

fn conditions(record: &mut Record) -> &mut Vec<Condition> {
    &mut swept_batches(record).conditions
}

fn each_slice(record: &mut Record, change: impl Fn(&Condition, &mut Slice)) {
    for condition in conditions(record) {
        let known = condition.clone();
        let rounds = condition.rounds.iter_mut();
        for slice in rounds.flat_map(|round| &mut round.slices) {
            change(&known, slice);
        }
    }
}

fn pipelined(mode: Mode, batch: u32) -> How {
    How::Pipelined {
        mode,
        size: Size::Fixed(batch),
    }
}

#[test]
fn a_usual_sweep_recommends_sizes_and_holds() {
    let record = usual_batches();
    record.check().unwrap();
    let verdict = judge(&record);
    assert_eq!(verdict.exit_code, exit::HOLDS, "{:#?}", verdict.claims);
    let throughput = claim(&verdict, "seawall", "throughput");
    assert!(throughput.gating && throughput.is(Decision::Holds));
    assert_eq!(
        (throughput.band_low, throughput.band_high, throughput.n),
        (Some(2.0), None, 8)
    );
    for class in guide_classes() {
        let of = claim(&verdict, "seawall", &format!("throughput-{}", class.name));
        assert!(!of.gating && of.is(Decision::Holds), "{of:#?}");
        // The worst of all is the worst of one of them.
        assert!(of.low >= throughput.low);
    }
    // Joins are work, whatever the round trip: that is where there is least to gain.
    assert!(
        reason(throughput).starts_with("least of 21: joins, 0 ms, reads, "),
        "{throughput:?}"
    );
    let findings = found_in(&verdict);
    let modes: Vec<Option<Mode>> = findings.classes.iter().map(|c| c.mode).collect();
    let (one, reads) = (Some(Mode::OneTransaction), Some(Mode::Reads));
    assert_eq!(modes, [one, one, reads, one]);
    let json = verdict.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
    assert_eq!(json, judge(&record).to_json().unwrap());
}

#[test]
fn the_guide_s_claim_is_judged_as_written() {
    let verdict = judge(&usual_batches());
    let guide = claim(&verdict, "guide", "throughput");
    assert!(guide.is(Decision::Refuted) && !guide.gating);
    assert_eq!((guide.band_low, guide.band_high), (Some(2.0), Some(10.0)));
    assert_eq!(guide.n, 21);
    let said = reason(guide);
    assert!(said.contains("faster than that in "), "{said}");
    assert!(
        said.contains("0 ms, commit on, autocommit, ")
            && said.contains("each statement waits for its own disk flush, 1.00 a query"),
        "{said}"
    );
    let joins = claim(&verdict, "guide", "throughput-joins");
    assert!(
        reason(joins).contains("faster than that in 2 (up to "),
        "{joins:?}"
    );
    assert!(reason(joins).contains("joins, 10 ms, reads, 50 a batch"));
}

#[test]
fn the_guide_s_claim_holds_where_it_holds_everywhere() {
    let holds = judge(&exact(|_, _| 5.0));
    for claim in holds.claims.iter().filter(|c| c.arm == "guide") {
        assert!(claim.is(Decision::Holds), "{claim:#?}");
        assert!(claim.low > Some(4.5) && claim.high < Some(5.5));
    }
    assert_eq!(
        reason(claim(&holds, "guide", "throughput")),
        "holds in 21 of 21 cells; the figures are the median of the cells and their range"
    );
    // One class, under one condition, is enough to refute it.
    for (wrong, said) in [
        (1.5, "fails in 1 (1.5x: "),
        (12.0, "faster than that in 1 (up to 12x: "),
    ] {
        let verdict = judge(&exact(|spot, _| {
            let here = spot.class.name == "updates" && spot.rtt_us == 1_000 && !spot.commit;
            if here { wrong } else { 5.0 }
        }));
        for id in ["throughput", "throughput-updates"] {
            let of = claim(&verdict, "guide", id);
            assert!(of.is(Decision::Refuted), "{of:#?}");
            assert!(reason(of).contains(said), "{}", reason(of));
            assert!(reason(of).contains("updates, 1 ms, commit off, autocommit, 20 a batch"));
        }
        assert!(claim(&verdict, "guide", "throughput-joins").is(Decision::Holds));
        assert!(!reason(claim(&verdict, "guide", "throughput")).contains("disk flush"));
    }
}

#[test]
fn why_autocommit_is_slow_is_said_only_if_the_server_counted_it() {
    let said = |change: &dyn Fn(&mut Truth)| {
        let mut record = exact(|spot, _| if spot.commit { 1.2 } else { 5.0 });
        let truths = conditions(&mut record).iter_mut();
        truths.flat_map(|c| &mut c.truth).for_each(change);
        let verdict = judge(&record);
        let said = reason(claim(&verdict, "guide", "throughput-updates")).to_owned();
        assert!(
            said.contains("fails in 3 (1.2x: updates, ")
                && said.contains("commit on, autocommit, 20 a batch"),
            "{said}"
        );
        said
    };
    let waits = "20 a batch: each statement waits for its own";
    assert!(said(&|_| {}).contains(&format!("{waits} disk flush, 1.00 a query")));
    let commits = said(&|truth| truth.fsyncs = None);
    assert!(
        commits.contains(&format!("{waits} commit, 1.00 a query")),
        "{commits}"
    );
    assert!(!said(&|truth| truth.fsyncs = Some(10)).contains("waits"));
    assert!(!said(&|truth| (truth.fsyncs, truth.commits) = (None, None)).contains("waits"));
    assert!(!said(&|truth| truth.queries = 0).contains("waits"));
}

#[test]
fn a_speed_up_of_nothing_is_no_curve() {
    // Of one that is as good as zero nothing is made: no share of it, and no model.
    let verdict = judge(&exact(|_, _| 1e-9));
    assert_eq!(verdict.exit_code, exit::INCONCLUSIVE);
    let json = verdict.to_json().unwrap();
    let read: Verdict = serde_json::from_str(&json).unwrap();
    let findings = found_in(&read);
    assert!(findings.classes.iter().all(|c| c.recommended.is_none()));
    let curves = findings.conditions.iter().flat_map(|c| &c.curves);
    assert!(
        curves
            .into_iter()
            .all(|c| (c.knee, c.statement_us) == (None, None))
    );
}

#[test]
fn a_recommendation_that_is_not_twice_as_fast_is_refuted() {
    let verdict = judge(&exact(|spot, _| match (&*spot.class.name, spot.rtt_us) {
        ("user-data", 10_000) => 1.7,
        _ => 4.0,
    }));
    assert_eq!(verdict.exit_code, exit::REFUTED);
    let refuted = claim(&verdict, "seawall", "throughput");
    assert!(refuted.is(Decision::Refuted), "{refuted:#?}");
    assert!(
        reason(refuted).contains("user-data, 10 ms, commit o"),
        "{refuted:?}"
    );
    assert!(refuted.high < Some(2.0) && refuted.observed < Some(1.8));
    assert!(claim(&verdict, "seawall", "throughput-user-data").is(Decision::Refuted));
    assert!(claim(&verdict, "seawall", "throughput-joins").is(Decision::Holds));
}

#[test]
fn an_interval_across_two_settles_nothing_and_says_what_would() {
    let verdict = judge(&few_sizes(batches(
        guide_classes(),
        8,
        7,
        0.2,
        |spot, _| {
            let here = spot.class.name == "joins" && spot.rtt_us == 0;
            if here { 2.3 } else { 9.0 }
        },
    )));
    assert_eq!(verdict.exit_code, exit::INCONCLUSIVE);
    let across = claim(&verdict, "seawall", "throughput");
    assert!(across.is(Decision::Inconclusive), "{across:#?}");
    let said = reason(across);
    assert!(
        said.contains(": the interval reaches across 2; about "),
        "{said}"
    );
    assert!(
        said.contains(" rounds would settle it: --full has "),
        "{said}"
    );
    let half = Ratio::of(&[1.0, 3.0, 1.0, 3.0, 1.0, 3.0]);
    assert_eq!(
        claims::unsettled(&half, 2.0, More::of(&usual_batches().run)),
        "the interval reaches across 2; not even 500 rounds would settle it"
    );
}

#[test]
fn a_cell_that_refutes_is_not_hidden_by_one_that_is_not_known() {
    let mut record = exact(|spot, _| {
        if spot.class.name == "updates" {
            1.5
        } else {
            4.0
        }
    });
    for condition in conditions(&mut record) {
        if condition.class == "joins" {
            condition.rounds.truncate(2);
        }
    }
    let verdict = judge(&record);
    assert!(claim(&verdict, "seawall", "throughput").is(Decision::Refuted));
    assert!(claim(&verdict, "seawall", "throughput-joins").is(Decision::Inconclusive));
}

#[test]
fn too_few_rounds_do_not_hold() {
    let mut record = exact(|_, _| 5.0);
    conditions(&mut record)[3].rounds.truncate(5);
    let verdict = judge(&record);
    for arm in ["seawall", "guide"] {
        let few = claim(&verdict, arm, "throughput");
        assert!(few.is(Decision::Inconclusive), "{few:#?}");
        let said = "5 rounds; 6 are the fewest that can say it: run without --quick";
        assert!(reason(few).contains(said), "{few:#?}");
    }
    assert!(claim(&verdict, "seawall", "noise").is(Decision::Inconclusive));
    assert_eq!(verdict.exit_code, exit::INCONCLUSIVE);
    // Nor does a round with one half of what it is compared with.
    let mut record = exact(|_, _| 5.0);
    for round in &mut conditions(&mut record)[3].rounds[..3] {
        round.slices.pop();
    }
    assert_eq!(judge(&record).exit_code, exit::INCONCLUSIVE);
}

#[test]
fn queries_that_failed_do_not_hold() {
    // One query, among those that the recommendation is judged by.
    let fails = |how: &dyn Fn(&Condition) -> Option<How>| {
        let mut record = exact(|_, _| 5.0);
        each_slice(&mut record, |condition, slice| {
            if Some(slice.how) == how(condition) && condition.rtt_us == 0 {
                slice.failed = 1;
            }
        });
        judge(&record)
    };
    let updates = |how| move |c: &Condition| (c.class == "updates").then_some(how);
    let shipped = usual_batch(&judge(&exact(|_, _| 5.0)), "updates");
    let verdict = fails(&updates(pipelined(Mode::OneTransaction, shipped)));
    let failed = claim(&verdict, "seawall", "throughput");
    assert!(failed.is(Decision::Inconclusive), "{failed:#?}");
    assert!(
        reason(failed).contains("8 of 16000 queries failed"),
        "{failed:?}"
    );
    assert_eq!(verdict.exit_code, exit::INCONCLUSIVE);
    assert!(claim(&verdict, "guide", "throughput-updates").is(Decision::Holds));
    // The bare client is what all are compared with.
    let verdict = fails(&updates(How::Bare));
    for arm in ["seawall", "guide"] {
        let failed = claim(&verdict, arm, "throughput-updates");
        assert!(failed.is(Decision::Inconclusive), "{failed:#?}");
        assert!(reason(failed).contains("16 of 32000 queries failed one at a time"));
    }
    let verdict = fails(&updates(pipelined(Mode::Autocommit, 20)));
    assert!(claim(&verdict, "guide", "throughput").is(Decision::Inconclusive));
    assert!(claim(&verdict, "seawall", "throughput").is(Decision::Holds));
}

fn usual_batch(verdict: &Verdict, class: &str) -> u32 {
    let findings = found_in(verdict);
    let of = findings.classes.iter().find(|c| c.name == class).unwrap();
    of.recommended.as_ref().unwrap().batch
}

#[test]
fn failed_queries_are_no_rate() {
    let mut record = exact(|_, _| 4.0);
    each_slice(&mut record, |_, slice| {
        if slice.how != How::Bare {
            slice.failed = slice.queries / 2;
        }
    });
    let verdict = judge(&record);
    let findings = found_in(&verdict);
    let cell = &findings.conditions[0].curves[0].cells[3];
    assert!(
        (cell.speedup.median.unwrap() - 2.0).abs() < 0.05,
        "{cell:?}"
    );
    assert_eq!((cell.speedup.low, cell.failed * 2), (None, cell.queries));
}

#[test]
fn what_is_missing_does_not_hold() {
    let without = |change: &dyn Fn(&mut Record)| {
        let mut record = exact(|_, _| 5.0);
        change(&mut record);
        let verdict = judge(&record);
        assert_eq!(verdict.exit_code, exit::INCONCLUSIVE);
        let gating = claim(&verdict, "seawall", "throughput").clone();
        assert!(gating.is(Decision::Inconclusive));
        let guide = claim(&verdict, "guide", "throughput").clone();
        assert!(guide.is(Decision::Inconclusive), "{guide:#?}");
        (gating, guide)
    };
    let (gating, guide) = without(&|record| conditions(record).clear());
    assert!(reason(&gating).contains("no size can be recommended"));
    assert_eq!(reason(&guide), "no condition was measured");
    let (gating, guide) = without(&|record| {
        conditions(record).retain(|c| c.class != "updates");
    });
    assert!(reason(&gating).contains("updates: no size can be recommended"));
    assert_eq!(
        reason(&guide),
        "holds in 15 of 15 cells; the figures are the median of the cells and their range; \
         updates was not measured"
    );
    let (gating, guide) = without(&|record| {
        let condition = &mut conditions(record)[0];
        for round in &mut condition.rounds {
            round.slices.retain(|slice| slice.how == How::Bare);
        }
        condition.left_out[0].how = pipelined(Mode::Autocommit, 500);
    });
    assert!(reason(&gating).contains("not measured"), "{gating:?}");
    let left_out = "the connection takes no more than 4096 requests at once";
    assert!(reason(&guide).contains(left_out), "{guide:?}");
}

#[test]
fn own_classes_decide_nothing_of_the_guide_s_with_others_or_alone() {
    let slow = |spot: &Spot<'_>, _: f64| if spot.class.name == "mine" { 1.1 } else { 5.0 };
    let mut classes = guide_classes();
    classes.push(class("mine", true, None));
    let verdict = judge(&few_sizes(batches(classes, 8, 7, 0.005, slow)));
    let mine = claim(&verdict, "seawall", "throughput-mine");
    assert!(mine.is(Decision::Refuted) && !mine.gating);
    assert_eq!(verdict.exit_code, exit::HOLDS);
    let guide: Vec<&str> = verdict
        .claims
        .iter()
        .filter(|c| c.arm == "guide")
        .map(|c| &*c.id)
        .collect();
    assert_eq!(guide.len(), 5);
    assert!(!guide.contains(&"throughput-mine"));

    // Alone they are shown the guide's number, and what gates is what we say of ourselves.
    let own = |classes| judge(&few_sizes(batches(classes, 8, 7, 0.005, slow)));
    let verdict = own(vec![class("mine", true, None)]);
    let mine = claim(&verdict, "seawall", "throughput-mine");
    assert!(mine.is(Decision::Refuted) && !mine.gating);
    let gating: Vec<&str> = verdict
        .claims
        .iter()
        .filter(|claim| claim.gating)
        .map(|claim| &*claim.id)
        .collect();
    assert_eq!(gating, [ONE_AT_A_TIME]);
    assert_eq!(verdict.exit_code, exit::HOLDS);
    assert_eq!(verdict.claims.len(), 3, "and the noise");
    // Nothing at all: still said, and not to hold.
    let verdict = own(Vec::new());
    assert_eq!(verdict.exit_code, exit::INCONCLUSIVE);
    assert!(claim(&verdict, "seawall", "throughput").is(Decision::Inconclusive));
}

#[test]
fn what_there_is_of_an_interrupted_sweep_is_judged() {
    let mut record = usual_batches();
    record.run.ended = Ended::Interrupted;
    conditions(&mut record).truncate(2);
    conditions(&mut record)[1].rounds.truncate(1);
    let rounds = &mut conditions(&mut record)[1].rounds;
    rounds.push(Round { slices: Vec::new() });
    let verdict = judge(&record);
    assert_eq!(verdict.exit_code, exit::INTERRUPTED);
    assert_eq!(usual_batch(&verdict, "small-events") % 10, 0);
    record.run.ended = Ended::Complete;
    assert_eq!(judge(&record).exit_code, exit::INCONCLUSIVE);
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    let wrong = |change: &dyn Fn(&mut Record)| {
        let mut record = usual_batches();
        change(&mut record);
        record.check().unwrap_err().to_string()
    };
    let text = wrong(&|r| conditions(r)[1].rounds[0].slices[1].took_us = 0);
    assert_eq!(text, "data.conditions[1].took_us: 0, allowed: 1 or more");
    wrong(&|r| conditions(r)[2].class = "?".to_owned());
    wrong(&|r| conditions(r)[2].rounds[0].slices[1].took_us = 0);
    wrong(&|r| conditions(r)[2].rounds[0].slices[1].failed = 2_001);
    wrong(&|r| conditions(r)[2].rounds[0].slices[1].mean_batch = f64::NAN);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_ratio_is_near_the_true_one_and_within_its_interval(
        seed in any::<u64>(),
        log in -0.5_f64..4.0,
        noise in 0.01_f64..0.4,
    ) {
        let truth = log.exp();
        let mut record = batches(vec![class("x", false, None)], 10, seed, noise, |_, _| truth);
        for condition in conditions(&mut record) {
            let ratios = measure::speedups(condition, pipelined(Mode::Reads, 100));
            let Ratio { pairs, median, low, high } = Ratio::of(&ratios);
            prop_assert_eq!(pairs.len(), 10);
            prop_assert!(low < median && median < high);
            // Four of a median's standard errors, which are a quarter more than a mean's, of
            // a slice over a mean of two.
            let off = (median.unwrap() / truth).ln().abs();
            let most = 5.0 * noise * (1.5_f64 / 10.0).sqrt() + noise * noise;
            prop_assert!(off < most, "{} {}", off, noise);
        }
    }
}

#[test]
fn intervals_miss_the_true_ratio_at_most_once_in_twenty_times() {
    let (mut covered, mut all) = (0_u32, 0_u32);
    for seed in 0..150 {
        let mut record = batches(vec![class("x", false, None)], 8, seed, 0.1, |_, _| 6.0);
        for condition in conditions(&mut record) {
            let ratios = measure::speedups(condition, pipelined(Mode::Reads, 100));
            let ratio = Ratio::of(&ratios);
            all += 1;
            covered += u32::from(ratio.low < Some(6.0) && Some(6.0) < ratio.high);
        }
    }
    let share = f64::from(covered) / f64::from(all);
    // From the smallest of eight to the greatest: all but 2 of 256 samples.
    assert!(share > 0.95, "{share} of {all}");
}
