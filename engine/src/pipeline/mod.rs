//! The pipeline: many queries on the wire at once, and what became of every one.
//!
//! A query at a time costs a round trip each. A [`Pipeline`] takes queries from
//! [`add`](Pipeline::add), sends them in batches on connections of the pool without
//! waiting for answers in between, and says of each what became of it
//! ([`Outcome`]), also when the connection is lost in the middle.
//!
//! ```no_run
//! # async fn demo(pool: seawall::Pool, records: Vec<(String, String)>) -> Result<(), Box<dyn std::error::Error>> {
//! use seawall::pipeline::Strategy;
//!
//! let mut pipeline = pool.pipeline().batch_size(200).strategy(Strategy::BestEffort).start()?;
//! for (kind, data) in &records {
//!     pipeline.add("INSERT INTO events (type, data) VALUES ($1, $2)", &[kind, data]).await?;
//! }
//! let results = pipeline.flush().await;
//! let imported = results.iter().filter(|result| result.success()).count();
//! println!("imported {imported}/{} records", records.len());
//! # Ok(()) }
//! ```
//!
//! # Strategies
//! [`Strategy`] says what a failed query means for the others. What is promised in all
//! of them: results in the order of [`add`](Pipeline::add); queries of one lane never
//! reordered, whatever is done again; a query that was answered as done is done; one
//! that is [`NotSent`](Outcome::NotSent) has changed nothing.
//!
//! # Words
//! - *query*: what a caller adds; it has one [`QueryResult`]
//! - *chunk*: queries that were added one after another, encoded (`batch`); they leave the
//!   queue together
//! - *lane*: one task, or the caller's own while it flushes, that takes chunks and has them
//!   answered, over one connection at a time (`lane`)
//! - *carrier*: the connection that a lane uses at the moment
//! - *unit*: queries that go out together, either each with its Sync or as one transaction
//! - *frame*: the statements around the queries of a transaction: BEGIN, the question for its
//!   id, COMMIT
//! - *line*: the statements of a unit in the order that they go out
//!
//! # How queries flow
//! `handle` encodes parameters as they are added, with the types that the server gave for
//! the statement, into the open chunk of a lane (`queue`). The lane makes units of its
//! chunks, lines up their statements, and keeps some units in flight (`flight`) on its
//! carrier, whose transport leaves out the Syncs inside of a transaction
//! ([`wire`](crate::wire)). Answers become results (`lane/answers`), which go back to the
//! queue and from there to the caller in the order of adding.
//!
//! If a unit fails, the server skips what is behind it, and `settle` decides what is done
//! again and how (`lane/failed`). If the connection is lost, `lane/lost` sorts what was under
//! way by what had left and what was answered; a COMMIT in doubt is looked up (`resolve`).
//! `window` decides how much is kept in flight, by the rate and the round-trip time.
//!
//! # Invariants
//! - Every query that was added gets exactly one result, or is counted as dropped
//!   ([`Counter::PipelineDropped`](crate::metrics::Counter)).
//! - Behind a transaction that may fail nothing is sent that would run if it failed.
//! - Every wait ends: for a connection by the acquire timeout, for the next answer by
//!   the statement timeout, for room in the queue when one of those has.

mod batch;
mod flight;
mod handle;
mod lane;
mod outcome;
mod queue;
mod resolve;
mod settings;
mod settle;
mod unnest;
mod unread;
mod window;

pub use self::{
    handle::{Pipeline, Results},
    outcome::{Outcome, QueryResult},
    settings::{BatchSize, Builder, Strategy},
};
