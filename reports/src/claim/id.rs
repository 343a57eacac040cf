//! The names of claims, which are a contract: gates, dashboards and scripts know them.
//!
//! Here are those that more than one experiment makes, or that something else asks for.
//! What only one experiment claims, it names itself.

/// The median of recoveries is within the bound.
pub const RECOVERY: &str = "recovery";
/// So is their 95th percentile.
pub const RECOVERY_P95: &str = "recovery-p95";
/// While the circuit is open, callers are rejected at once.
pub const FAIL_FAST: &str = "fail-fast";
/// What was acknowledged is there, once. It has an exit code of its own.
pub const NO_LOSS: &str = "no-loss";
/// Under faults, an arm serves no less than `bare`.
pub const AVAILABILITY: &str = "availability";
