//! The commands of a script, as a run executes them.

use super::expression::Expression;

/// A step of a script. Conditions are jumps: a number is the index of the next command.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    Statement {
        index: usize,
        got: Option<Prefix>,
    },
    Set {
        slot: usize,
        expression: Expression,
    },
    /// `\if` and `\elif`: what comes next if the condition does not hold.
    Branch {
        condition: Expression,
        otherwise: usize,
    },
    Jump(usize),
    Sleep {
        time: Time,
        micros: i64,
    },
    StartPipeline {
        at: usize,
    },
    SyncPipeline {
        at: usize,
    },
    EndPipeline {
        at: usize,
    },
}

/// `\gset` or `\aset` behind a statement.
#[derive(Debug, Clone)]
pub(crate) struct Prefix {
    pub(crate) every: bool,
    pub(crate) prefix: String,
    pub(crate) at: usize,
}

/// How long `\sleep` sleeps, in its unit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    Fixed(i64),
    Variable { slot: usize, at: usize },
}

/// What happens in a script, in the order of its text, for checks before a run.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Uses {
        slot: usize,
        at: usize,
    },
    Sets {
        slot: usize,
    },
    /// The columns of a statement become variables.
    Gets {
        statement: usize,
        prefix: Prefix,
    },
    Statement(usize),
    If,
    /// `\elif` or `\else`.
    Else,
    Endif,
    StartPipeline {
        at: usize,
    },
    SyncPipeline {
        at: usize,
    },
    EndPipeline {
        at: usize,
    },
}
