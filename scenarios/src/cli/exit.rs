//! The exit codes beside those of a verdict (`reports::verdict::exit`).

use crate::{
    environment::EnvironmentError,
    flags::CliError,
    load::tried::NotTried,
    stage::{NotPrepared, RunError},
};

/// Usage or configuration.
pub const USAGE: u8 = 64;
/// Environment missing.
pub const ENVIRONMENT: u8 = 69;
/// A bug.
pub const BUG: u8 = 70;
/// Results could not be written.
pub const NOT_WRITTEN: u8 = 74;
/// Refused: the target looks like production.
pub const REFUSED: u8 = 77;
/// Stopped by the user.
pub const INTERRUPTED: u8 = 130;

/// The code for a command line that is not carried out.
#[must_use]
pub fn of_usage(error: &CliError) -> u8 {
    match error {
        CliError::Refused(_) => REFUSED,
        _ => USAGE,
    }
}

/// The code for a run that could not begin.
#[must_use]
pub fn of_run(error: &RunError) -> u8 {
    match error {
        RunError::Environment(EnvironmentError::Refused { .. }) => REFUSED,
        RunError::Environment(EnvironmentError::Invalid { .. })
        | RunError::NotPrepared(
            NotPrepared::Refused(_) | NotPrepared::Script(NotTried::Refused { .. }),
        ) => USAGE,
        RunError::Environment(EnvironmentError::Cancelled) | RunError::Interrupted(_) => {
            INTERRUPTED
        }
        RunError::Environment(_) | RunError::Toxics(_) | RunError::NotPrepared(_) => ENVIRONMENT,
        RunError::Events(_) | RunError::Latencies(_) => NOT_WRITTEN,
    }
}
