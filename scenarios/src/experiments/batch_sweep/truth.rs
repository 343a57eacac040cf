//! What the server itself counted while a known number of queries was run.
//!
//! Counters reach the server's statistics late unless a session is told to hand its own
//! over (`pg_stat_force_next_flush`, from PostgreSQL 15 on), so it is the session of the
//! load that is told, and that reads: what those two commit is known. The bare client has
//! a session of its own.

use std::time::Duration;

use reports::experiments::batch_sweep::{How, Size, Slice, Truth};
use seawall::{Pool, clock, metrics::Counter};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{
    BatchError, Queries, Until, Way,
    link::{Link, PATIENCE},
};
use crate::environment::chain;

const FLUSH: &str = "SELECT pg_stat_force_next_flush()";
/// In one statement, since each is a round trip.
const ALL: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, \
    (SELECT wal_sync FROM pg_stat_wal), \
    (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())";
/// One by one, where a server does not have all of them; from PostgreSQL 18 on the Syncs
/// of the WAL are elsewhere.
const WAL: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
const SYNCS: &str =
    "SELECT sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal' AND context = 'normal'";
const COMMITS: &str = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";

/// Queries that an automatic size is given.
const STREAM: u64 = 200;
/// Of fixed sizes: so many queries, if that is not more than [`BATCHES`] of them.
const QUERIES: u64 = 200;
const BATCHES: u64 = 20;

/// The server's counters at a moment.
struct Counters {
    wal: Option<i64>,
    fsyncs: Option<i64>,
    commits: Option<i64>,
    /// Transactions in which these were read that the next reading will find.
    own: i64,
}

/// Prepares all that [`truth`] needs: preparing is a transaction as well. Where a query at
/// a time, the first of the ways, takes more than `longest`, all batches will be left out.
///
/// # Errors
/// As [`Way::run`].
pub(super) async fn prime(
    link: &mut Link,
    queries: &mut Queries<'_>,
    ways: &[How],
    longest: Duration,
) -> Result<(), BatchError> {
    // Of each statement.
    let once = Until::queries(1, longest);
    let mut primed = Vec::new();
    let mut slow = false;
    for how in ways {
        let short = match *how {
            How::Pipelined { mode, .. } => How::Pipelined {
                mode,
                size: Size::Fixed(1),
            },
            How::Bare | How::Sequential => *how,
        };
        let batch = matches!(short, How::Pipelined { .. });
        if primed.contains(&short) || (slow && batch) {
            continue;
        }
        counters(link, short).await?;
        let mut way = Way::new(&link.pool, queries, short, 1)?;
        let slice = way.run(link, queries, once).await?;
        slow |= !batch && Duration::from_micros(slice.took_us) > longest;
        primed.push(short);
    }
    Ok(())
}

/// Runs a known number of queries one way, between two looks at the server's counters:
/// whole cycles, and no more than fit into `at_most`. Says what it counted, and how the
/// queries went.
///
/// # Errors
/// As [`Way::run`].
pub(super) async fn truth(
    link: &mut Link,
    queries: &mut Queries<'_>,
    way: &mut Way,
    at_most: Duration,
) -> Result<(Truth, Slice), BatchError> {
    let how = way.how;
    let before = counters(link, how).await?;
    let syncs = link.pool.metrics().counter(Counter::PipelineSyncs);
    let until = Until::queries(count(how), at_most);
    let slice = way.run(link, queries, until).await?;
    // There is one connection: when this has it, the pipeline has counted its Syncs.
    let after = counters(link, how).await?;
    let syncs = link.pool.metrics().counter(Counter::PipelineSyncs) - syncs;
    let between = |before: Option<i64>, after: Option<i64>, own: i64| {
        u64::try_from(after? - before? - own).ok()
    };
    let truth = Truth {
        how,
        queries: slice.queries,
        syncs: match how {
            How::Bare | How::Sequential => slice.queries,
            How::Pipelined { .. } => syncs,
        },
        commits: between(before.commits, after.commits, before.own),
        wal_bytes: between(before.wal, after.wal, 0),
        fsyncs: between(before.fsyncs, after.fsyncs, 0),
    };
    Ok((truth, slice))
}

/// Whole batches, so that each is as long as it says. A stretch goes on to the end of its
/// cycle.
fn count(how: How) -> u64 {
    match how {
        How::Bare | How::Sequential => BATCHES,
        How::Pipelined {
            size: Size::Auto, ..
        } => STREAM,
        How::Pipelined {
            size: Size::Fixed(n),
            ..
        } => {
            let n = u64::from(n.max(1));
            QUERIES.div_ceil(n).min(BATCHES) * n
        }
    }
}

/// As the session knows them that runs queries this way.
async fn counters(link: &Link, how: How) -> Result<Counters, BatchError> {
    let by = match how {
        How::Bare => By::Bare(link.bare.client()),
        How::Sequential | How::Pipelined { .. } => By::Pool(&link.pool),
    };
    let flushed = by.ask(FLUSH).await?.is_some();
    let (counted, answered) = match by.ask(ALL).await? {
        Some(counted) => (counted, 1),
        None => {
            let each = [
                by.ask(WAL).await?,
                by.ask(SYNCS).await?,
                by.ask(COMMITS).await?,
            ];
            // What was refused was rolled back.
            let answered = each.iter().flatten().count();
            (each.map(|one| one.and_then(|found| found[0])), answered)
        }
    };
    let [wal, fsyncs, commits] = counted;
    Ok(Counters {
        // The next flush commits too.
        own: i64::try_from(answered + 1).unwrap_or(i64::MAX),
        wal,
        fsyncs: fsyncs.filter(|_| flushed),
        commits: commits.filter(|_| flushed),
    })
}

/// Whose session is asked.
enum By<'a> {
    Pool(&'a Pool),
    Bare(&'a Client),
}

impl By<'_> {
    /// Up to three numbers. `None` if this server refuses the question.
    async fn ask(&self, sql: &str) -> Result<Option<[Option<i64>; 3]>, BatchError> {
        let lost = |reason: String| Err(BatchError::Lost { reason });
        match self {
            Self::Pool(pool) => match pool.query(sql, &[]).await {
                Ok(rows) => {
                    let first = rows.first();
                    let number = |column: usize| first.and_then(|row| row.try_get(column).ok());
                    Ok(Some([0, 1, 2].map(number)))
                }
                Err(seawall::Error::Statement(error)) if error.code().is_some() => Ok(None),
                Err(error) => lost(chain(&error)),
            },
            // Not prepared, which would be a transaction as well.
            Self::Bare(client) => {
                let answer = client.simple_query(sql);
                match clock::timeout_at(clock::now() + PATIENCE, answer).await {
                    Ok(Ok(messages)) => {
                        let first = messages.iter().find_map(|message| match message {
                            SimpleQueryMessage::Row(row) => Some(row),
                            _ => None,
                        });
                        let number = |column: usize| {
                            let text = first?.try_get(column).ok().flatten()?;
                            text.parse().ok()
                        };
                        Ok(Some([0, 1, 2].map(number)))
                    }
                    Ok(Err(error)) if error.code().is_some() => Ok(None),
                    Ok(Err(error)) => lost(chain(&error)),
                    Err(clock::Elapsed) => lost("no answer in time".to_owned()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use reports::experiments::batch_sweep::Mode;

    use super::*;

    #[test]
    fn batches_are_whole() {
        let of = |n| {
            count(How::Pipelined {
                mode: Mode::Reads,
                size: Size::Fixed(n),
            })
        };
        for (size, queries) in [(1, 20), (2, 40), (20, 200), (50, 200), (500, 500)] {
            assert_eq!(of(size), queries, "batches of {size}");
        }
        assert_eq!((count(How::Bare), count(How::Sequential)), (20, 20));
    }
}
