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
        (6_000, 6_000)
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
