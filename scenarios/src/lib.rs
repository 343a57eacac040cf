//! Starts a real PostgreSQL behind a fault proxy, drives load through the arms
//! under test, injects faults, and records what happened.
//!
//! - [`environment`]: a server, from Docker, from binaries, or a URL
//! - [`faults`]: the plan, the faults, and a probe that looks from outside
//! - [`load`]: operations, open loop, and the ledger of what was acknowledged
//! - [`runner`]: a scenario on an environment, into a record
//! - [`catalog`]: the experiments
//! - [`progress`], [`cli`], [`redact`]: the face
//!
//! Verdicts are not made here: [`reports`] judges the record.

pub mod catalog;
pub mod cli;
pub mod environment;
pub mod faults;
pub mod load;
pub mod progress;
pub mod redact;
pub mod runner;
