//! Rows that were acknowledged, and are not there.

use super::*;
use crate::run::Ledger;

#[test]
fn a_row_that_is_lost_counts_for_more_than_any_speed() {
    let usual = usual_batches();
    let verdict = judge(&usual);
    let there = claim(&verdict, "seawall", "no-loss");
    assert!(there.is(Decision::Holds) && there.gating, "{there:#?}");
    assert_eq!(
        (verdict.ledger.acked, verdict.ledger.committed),
        (18_000, 18_000)
    );
    let with = |change: fn(&mut Option<Ledger>)| {
        let mut record = usual.clone();
        let conditions = &mut swept_batches(&mut record).conditions;
        let first = conditions.iter_mut().find(|c| c.ledger.is_some());
        change(&mut first.unwrap().ledger);
        judge(&record)
    };
    let lost = with(|ledger| {
        let ledger = ledger.as_mut().unwrap();
        (ledger.lost, ledger.committed) = (1, ledger.acked - 1);
    });
    assert_eq!(lost.exit_code, 4);
    // One that nobody looked at is not one that is well.
    let unknown = with(|ledger| *ledger = None);
    let unknown = claim(&unknown, "seawall", "no-loss");
    assert!(unknown.is(Decision::Inconclusive), "{unknown:#?}");
    assert!(reason(unknown).contains("of 1 condition could not be checked"));
}

#[test]
fn an_answer_with_other_rows_is_made_up() {
    let usual = usual_batches();
    let with = |change: fn(&mut Ledger)| {
        let mut record = usual.clone();
        let mut reading = conditions(&mut record)
            .iter_mut()
            .filter(|c| c.class == "joins");
        let ledger = &mut reading.next().unwrap().ledger;
        change(ledger.as_mut().unwrap());
        judge(&record)
    };
    let verdict = judge(&usual);
    let right = claim(&verdict, "seawall", "no-loss");
    assert_eq!(
        (right.n, right.observed, right.out_of),
        (21, Some(0.0), Some(21_000))
    );
    for change in [
        |ledger: &mut Ledger| ledger.foreign_reads = 2,
        |ledger: &mut Ledger| ledger.missing_reads = 2,
    ] {
        let verdict = with(change);
        let wrong = claim(&verdict, "seawall", "no-loss");
        assert!(wrong.is(Decision::Refuted), "{wrong:#?}");
        assert_eq!(
            (wrong.observed, wrong.low, wrong.high),
            (Some(2.0), Some(2.0), Some(2.0))
        );
        assert_eq!(verdict.exit_code, exit::DATA_LOST);
    }
    let wrong = with(|ledger| (ledger.foreign_reads, ledger.missing_reads) = (2, 1));
    assert_eq!(
        reason(claim(&wrong, "seawall", "no-loss")),
        "of 3000 rows that were read, 2 are not those that were asked for, and 1 were not in \
         the answer"
    );
    let idle = with(|ledger| ledger.reads = 0);
    let idle = claim(&idle, "seawall", "no-loss");
    assert!(idle.is(Decision::Inconclusive), "{idle:#?}");
    assert_eq!(reason(idle), "no answer was checked in 1 condition");
}

#[test]
fn a_row_of_another_stretch_is_no_substitute_for_one_that_is_lost() {
    let mut record = usual_batches();
    let first = &mut conditions(&mut record)[0].ledger;
    let ledger = first.as_mut().unwrap();
    (ledger.committed, ledger.lost, ledger.unexpected) = (999, 1, 1);
    let verdict = judge(&record);
    assert_eq!(verdict.exit_code, exit::DATA_LOST);
    assert_eq!(
        reason(claim(&verdict, "seawall", "no-loss")),
        "1 lost, 0 duplicate, 1 unexpected, 0 out of order, 0 wrong reads"
    );
}

#[test]
fn own_classes_of_which_no_row_is_known_claim_no_loss_of_nothing() {
    let verdict = judge(&few_sizes(batches(
        vec![class("mine", true, None)],
        8,
        7,
        0.005,
        |_, _| 5.0,
    )));
    assert!(verdict.claims.iter().all(|claim| claim.id != "no-loss"));
}
