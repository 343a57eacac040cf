//! [`CallOutcome`] and [`Cause`]: what a breaker is told of a call. Pure.

use std::fmt;

/// What an admitted call says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// The server answered.
    Success,
    /// The server did not answer, or said that it cannot.
    Failure,
    /// Nothing is known about the server: the caller went away, or a queue was full.
    Neutral,
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The class of the error, as in metrics.
    pub class: &'static str,
    /// The code that the server gave for it, if it gave one: of a database the SQLSTATE.
    pub code: Option<[u8; 5]>,
    /// One such failure is enough to open: the server said itself that it is going
    /// away, or is not there yet.
    pub decisive: bool,
}

impl Cause {
    /// Describes a failure of a class, without a code, to be counted with others.
    #[must_use]
    pub fn of(class: &'static str) -> Self {
        Self {
            class,
            code: None,
            decisive: false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class)?;
        match self.code.as_ref().map(|code| std::str::from_utf8(code)) {
            Some(Ok(code)) => write!(f, " ({code})"),
            _ => Ok(()),
        }
    }
}
