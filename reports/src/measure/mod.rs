//! What one fault did to one arm, in numbers: the only place where the
//! measures are defined.
//!
//! All of it is a pure function of the load and one injection, so that
//! the runner can ask it while the load still runs ([`RecoveryWatch`], [`steady`])
//! and a report can ask it again years later, and both get the same answer.
//!
//! Operation `i` is scheduled at `i / rate`, so every window of [`WINDOW_US`]
//! holds the same number of operations (give or take one). Goodput is
//! therefore computed as a *share*: of the operations scheduled in the window,
//! how many were good (ok within the deadline). Times the rate it is the
//! goodput in operations per second; as a share it does not jitter when 250 ms
//! hold 12 operations once and 13 the next time.
//!
//! Invariants: what was not seen is `None` or censored, never zero; a window
//! counts only if every operation in it is settled; nothing here looks at an
//! operation's kind.

mod baseline;
mod effect;
mod injection;
mod recovery;
mod series;
mod steady;

pub use baseline::Baseline;
pub use effect::{Effect, side_by_side};
pub(crate) use injection::stall_us;
pub use injection::{Counts, Measured, measure, measure_back};
pub use recovery::{Back, Moments, Recovery, RecoveryWatch};
pub use steady::{NotSteady, SteadyState, steady};

/// Width of a window. Short enough to show a recovery of a fraction of a
/// second, long enough to hold a hundred operations at 400 per second.
pub const WINDOW_US: u64 = 250_000;

/// How many windows in a row must be well before a state counts as reached:
/// two seconds, so that a gap between two waves of errors is not a recovery.
pub const PERSISTENCE: u64 = 8;

/// Distance between the starts that are tried: how fine a measured time is.
pub const STEP_US: u64 = 10_000;

/// What an operation that fails fast takes at most, p99.
pub const FAIL_FAST_US: u64 = 10_000;

/// Goodput counts as recovered at this share of what it was.
pub const RECOVERED_SHARE: f64 = 0.95;

/// Latency counts as recovered when its p99 is at most this many times what it
/// was ...
pub const RECOVERED_P99_FACTOR: f64 = 1.5;

/// ... or at most this. On a server that answers in 0.3 ms, the difference
/// between 1.4 and 1.6 times the baseline is made by the scheduler of the
/// operating system (a time slice of a few milliseconds), not by a recovery.
pub const RECOVERED_P99_FLOOR_US: u64 = 10_000;

/// Errors count as gone at this rate above what it was: 0.1 points.
pub const RECOVERED_ERROR_MARGIN: f64 = 0.001;

#[cfg(test)]
mod tests;
