//! Starts a real PostgreSQL behind a fault proxy, drives load through the arms
//! under test, injects faults, and records what happened.
//!
//! - [`experiment`]: what an experiment is, and the registry; [`experiments`]: each
//! - [`environment`]: where: a server, from Docker, from binaries, or a URL
//! - [`load`]: how: operations, open loop, and the ledger of what was acknowledged
//! - [`script`]: a user's own transaction, in the language of pgbench's scripts
//! - [`faults`]: the plan, the faults, and a probe that looks from outside
//! - [`stage`]: an experiment on an environment, into a record
//! - [`flags`]: what several commands can be told; [`cli`], [`command`], [`progress`],
//!   [`log`], [`redact`]: the face
//!
//! An experiment says what, an environment where, a load how; none of the three knows
//! which of the others it meets. Verdicts are not made here: [`reports`] judges the
//! record.

pub mod cli;
pub mod command;
pub mod environment;
pub mod experiment;
pub mod experiments;
pub mod faults;
pub mod flags;
pub mod load;
pub mod log;
pub mod progress;
pub mod redact;
pub mod script;
pub mod serve;
pub mod stage;
