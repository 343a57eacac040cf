//! [`Examples`]: the last error of each class, without anything that a caller typed.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use tokio_postgres::error::DbError;

use crate::{
    clock::Instant,
    error::{AcquireStage, Error, ErrorClass},
};

/// An error as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) class: ErrorClass,
    /// What the server said, if it did.
    pub(crate) sqlstate: Option<String>,
    /// Which table and constraint it was about, if the server said so.
    pub(crate) text: String,
    pub(crate) at: Instant,
}

/// The last error of each class.
#[derive(Debug, Default)]
pub(crate) struct Examples(Mutex<[Option<Example>; ErrorClass::ALL.len()]>);

impl Examples {
    /// Keeps an error in place of the last of its class. The server's message stays out of it:
    /// it may hold what a caller typed.
    pub(super) fn keep(&self, error: &Error, at: Instant) {
        let class = error.class();
        let example = Example {
            class,
            sqlstate: error.sqlstate().map(|state| state.code().to_owned()),
            text: text(error),
            at,
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept[class as usize] = Some(example);
    }

    /// All that there are.
    pub(crate) fn all(&self) -> Vec<Example> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().flatten().cloned().collect()
    }
}

/// An error in our own words.
fn text(error: &Error) -> String {
    let (what, source) = match error {
        Error::Connect(source) => ("connecting failed", Some(source)),
        Error::StartupRefused(source) => ("a startup option is refused", Some(source)),
        Error::Statement(source) => ("statement failed", Some(source)),
        Error::Unreadable(source) => ("the answer cannot be read", Some(source)),
        Error::AcquireTimeout { stage, .. } => match stage {
            AcquireStage::WaitingForSlot => ("no connection in time: all were in use", None),
            AcquireStage::Connecting => ("no connection in time: the server did not answer", None),
        },
        Error::CircuitOpen { .. } => ("the circuit is open", None),
        // Ours hold numbers and types only.
        other => return other.to_string(),
    };
    let mut text = what.to_owned();
    let said = source.and_then(tokio_postgres::Error::as_db_error);
    let named = |of: fn(&DbError) -> Option<&str>| said.and_then(of);
    for (what, name) in [
        ("table", named(DbError::table)),
        ("column", named(DbError::column)),
        ("constraint", named(DbError::constraint)),
    ] {
        if let Some(name) = name {
            // Writing to a string cannot fail.
            let _ = write!(text, ", {what} {name}");
        }
    }
    text
}
