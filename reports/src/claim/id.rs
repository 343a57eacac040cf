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
/// While nothing is wrong, an arm is served as those without the engine are.
pub const SERVED_BEFORE: &str = "served-before";
/// While nothing is wrong, no operation fails.
pub const NO_FAILURE: &str = "no-failure";
/// What callers have given up is stopped on the server.
pub const STOPPED: &str = "stopped";
/// At the end of every injection, load is served as before it.
pub const SERVED_AGAIN: &str = "served-again";
/// Once the circuit has closed, nobody is handed a dead connection.
pub const FRESH_CONNECTIONS: &str = "fresh-connections";
/// Who asks for one statement is told in time what became of it.
pub const IN_TIME: &str = "in-time";
/// Who waits for a connection when the circuit opens is refused at once.
pub const WAITERS_REFUSED: &str = "waiters-refused";
/// The circuit opens in a fault only.
pub const NO_FALSE_ALARM: &str = "no-false-alarm";
/// The circuit opens at the failure that its threshold says.
pub const DETECT: &str = "detect";
/// Connections tried while the server is down are bounded.
pub const ATTEMPTS: &str = "attempts";
/// The server never has more sessions of an arm than it may make.
pub const CONNECTIONS: &str = "connections";
/// Under faults, an arm serves no less than the one it is compared with.
pub const AVAILABILITY: &str = "availability";
/// In no kind of fault, an arm loses more than a pool without the engine.
pub const NO_WORSE: &str = "no-worse";
