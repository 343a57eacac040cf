//! A batch of an import, by one of the pipeline's strategies.

use reports::run::Outcome;
use seawall::pipeline::{self, Strategy};

use super::{client::Client, workload::Workload};

/// Rows of a batch.
pub(super) const ROWS: i64 = 10;
/// A batch in which a query is refused comes every so many.
const MISTAKEN: i64 = 5;

/// What brings a row in. Two of each batch take a while, so that more often than not a fault
/// meets one that is under way.
pub(super) fn statement(workload: &Workload, seq: i64) -> &str {
    if seq % (ROWS / 2) == ROWS / 2 - 1 {
        &workload.slow_write
    } else {
        &workload.write
    }
}

/// Sends a batch, and returns what was said of each of its rows. Now and then one of
/// its queries is refused by the server, and what that means for the others is the
/// strategy's. Also returns how many [contradictions](super::beside::Told::contradicted) there
/// were.
pub(super) async fn batch(
    client: &Client,
    pipeline: &mut seawall::Pipeline,
    strategy: Strategy,
    number: i32,
    seqs: std::ops::Range<i64>,
) -> (Vec<Outcome>, u64) {
    let mistaken = (seqs.start / ROWS) % MISTAKEN == MISTAKEN - 1;
    let middle = usize::try_from(ROWS / 2).unwrap_or(0);
    let mut added = Vec::new();
    let mut refused = false;
    for seq in seqs {
        let workload = &client.workload;
        if mistaken && added.len() == middle {
            refused = pipeline
                .add(&workload.again, &[&client.number()])
                .await
                .is_ok();
        }
        let write = statement(workload, seq);
        let done = pipeline.add(write, &[&workload.run, &number, &seq]).await;
        added.push(done.is_ok());
    }
    let mut results = pipeline.flush().await.into_iter();
    let (mut outcomes, mut contradicted) = (Vec::new(), 0);
    for (i, added) in added.into_iter().enumerate() {
        if refused && i == middle {
            let result = results.next();
            contradicted += u64::from(result.is_none_or(|result| result.success()));
        }
        let result = if added { results.next() } else { None };
        contradicted += u64::from(added && result.is_none());
        let rows = result
            .as_ref()
            .and_then(pipeline::QueryResult::rows_affected);
        contradicted += u64::from(rows.is_some_and(|rows| rows != 1));
        outcomes.push(match result.as_ref().map(pipeline::QueryResult::outcome) {
            Some(pipeline::Outcome::Ok) => {
                let may_be = !refused || may_be_done(strategy, i >= middle);
                contradicted += u64::from(!may_be);
                Outcome::Ok
            }
            Some(pipeline::Outcome::Unknown(_)) => Outcome::Unknown,
            Some(_) => Outcome::Failed,
            // Not added, or nothing is said of it: no promise may hang on that.
            None => Outcome::NotSent,
        });
    }
    (outcomes, contradicted + results.count() as u64)
}

/// Whether a query of a batch in which another one is refused may be done, before that one or
/// behind it.
fn may_be_done(strategy: Strategy, behind: bool) -> bool {
    match strategy {
        Strategy::Transactional => false,
        Strategy::Sequential => !behind,
        _ => true,
    }
}
