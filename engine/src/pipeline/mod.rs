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
//! for (grouping, data) in &records {
//!     pipeline.add("INSERT INTO events (type, data) VALUES ($1, $2)", &[grouping, data]).await?;
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
//! # How it works
//! `handle` encodes parameters as they are added, with the types that the server gave
//! for the statement, into a chunk (`queue`). A lane (`lane`) takes chunks, makes units
//! of work of them, and keeps some in flight (`flight`) on one connection. Each lane has
//! a task; where nothing goes out before a flush, whoever flushes is it. A unit is either statements of their own, each with its Sync, or one
//! transaction with one ([`wire`](crate::wire)). If a unit fails, the server skips
//! what is behind it, and `settle` says what is to be done again and how. What was
//! under way on a lost connection is sorted by what had left and what was answered;
//! a COMMIT in doubt is looked up (`resolve`). How much is kept in flight follows from
//! the rate and the round-trip time (`window`).
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
mod window;

pub use self::{
    handle::{Pipeline, Results},
    outcome::{Outcome, QueryResult},
    settings::{BatchSize, Builder, Strategy},
};
