//! What a run is drawn within: its seed and its size.

use clap::Args;

use super::{CliError, ScriptArgs};
use crate::{
    environment::{Kind, Wanted},
    load::scripts::Scripts,
};

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// About 45 s.
    Quick,
    /// About 3 minutes.
    Default,
    /// As long as the guide's own time-outs need: about half an hour.
    Full,
}

impl Size {
    /// All sizes, the shortest first.
    pub const ALL: &'static [Self] = &[Self::Quick, Self::Default, Self::Full];

    /// The size of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|size| size.name() == name)
    }

    /// As in a record.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        }
    }
}

/// What is known of a run beside an experiment's own options.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Everything random comes from it.
    pub seed: u64,
    /// How long the run may take.
    pub size: Size,
    /// Whether the server is started by the run, and so can be killed, paused and
    /// restarted.
    pub own_server: bool,
    /// The user's own scripts, if operations are to be runs of them.
    pub scripts: Option<Scripts>,
}

#[derive(Debug, Clone, Copy, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct DrawArgs {
    /// Draws everything that is random: same seed and flags, same plan
    #[arg(long, default_value = "1", value_name = "N")]
    seed: u64,
    /// About 45 s
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// As long as the guide's own time-outs need
    #[arg(long)]
    full: bool,
}

impl DrawArgs {
    /// Everything random comes from it.
    #[must_use]
    pub fn seed(self) -> u64 {
        self.seed
    }

    /// What a run on that server is drawn within.
    ///
    /// # Errors
    /// If a script cannot be used.
    pub fn frame(self, wanted: &Wanted, scripts: &ScriptArgs) -> Result<Frame, CliError> {
        Ok(Frame {
            scripts: scripts.read(self.seed)?,
            seed: self.seed,
            size: match (self.quick, self.full) {
                (true, _) => Size::Quick,
                (_, true) => Size::Full,
                _ => Size::Default,
            },
            own_server: wanted.kind != Kind::External,
        })
    }
}
