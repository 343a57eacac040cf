//! What to do where there were too few rounds: which flag of the command gives more.

use crate::run::{Ended, Run};

/// The fewest rounds of a run with `--full`.
pub const FULL_ROUNDS: u32 = 16;
/// The most rounds that any run takes of a condition.
pub const MOST_ROUNDS: u32 = 30;

/// What a run was, as far as another one might have more rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct More<'a> {
    size: &'a str,
    whole: bool,
}

impl<'a> More<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        Self {
            size: &run.size,
            whole: run.ended == Ended::Complete,
        }
    }

    /// Where a condition had fewer rounds than can say anything.
    pub(super) fn than_few(self) -> &'static str {
        match (self.whole, self.size) {
            (false, _) => "let it run to its end",
            (true, "quick") => "run without --quick",
            (true, "default") => "run with --full",
            (true, _) => "fewer or quicker statements in a file (-f) leave time for more",
        }
    }

    /// Where so many rounds would settle something.
    pub(super) fn for_rounds(self, rounds: usize) -> String {
        let at_most = |n: u32| u32::try_from(rounds).is_ok_and(|rounds| rounds <= n);
        if self.size == "full" || !at_most(MOST_ROUNDS) {
            "a quieter machine may need fewer".to_owned()
        } else if at_most(FULL_ROUNDS) {
            format!("--full has at least {FULL_ROUNDS}")
        } else {
            format!("--full has {FULL_ROUNDS} to {MOST_ROUNDS}")
        }
    }
}
