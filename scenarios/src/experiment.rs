//! What an experiment is, and which there are.
//!
//! An experiment says *what* is to be found out. Where, an
//! [`Environment`](crate::environment) says; how operations arrive, a
//! [`load`](crate::load). A new one is a file or folder in
//! [`experiments`](crate::experiments), one in `reports`, and a line in each registry:
//! here, the one at the foot of this file.

use clap::{Args, Subcommand};
use reports::{
    Record,
    run::{Arm, Planned, Run},
};

use crate::{
    cli::{CliError, Invocation},
    environment::Endpoint,
    experiments,
    load::{client::Setup, workload::Workload},
    stage::{NotPrepared, Stage, Stop},
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

    /// The size that a record was made with.
    ///
    /// # Errors
    /// What the record says instead.
    pub fn of(run: &Run) -> Result<Self, NotRepeatable> {
        let mut all = Self::ALL.iter().copied();
        all.find(|size| size.name() == run.size)
            .ok_or_else(|| NotRepeatable {
                reason: format!("size: {}", run.size),
                allowed: "quick, default or full",
            })
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
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Everything random comes from it.
    pub seed: u64,
    /// How long the run may take.
    pub size: Size,
    /// Whether the server is started by the run, and so can be killed, paused and
    /// restarted.
    pub own_server: bool,
}

/// An experiment, and what the user should know before it begins.
pub type WithRemarks<E> = (E, Vec<String>);

/// Why an earlier run cannot be done again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}, allowed: {allowed}")]
pub struct NotRepeatable {
    /// What is in the way.
    pub reason: String,
    /// What would do.
    pub allowed: &'static str,
}

/// What every record holds of an experiment before anything is measured.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// The configurations under test, in the order they are reported in.
    pub arms: Vec<(Arm, Setup)>,
    /// The fault plan as the user gave it, if there is one.
    pub plan: Option<String>,
    /// What is done, and when.
    pub schedule: Vec<Planned>,
}

/// What an experiment records.
pub type Data<E> = <<E as Experiment>::Recorded as reports::experiment::Experiment>::Data;

/// What is to be found out, and how.
///
/// Everything of it that is random is drawn when it is planned, from the seed; nothing
/// is started before that.
pub trait Experiment: Sized + Send + Sync {
    /// Its counterpart, which judges and reports what it records.
    type Recorded: reports::experiment::Experiment;
    /// What it is, in one line of `scenarios --help`.
    const ABOUT: &'static str;
    /// Flags that only it has.
    type Options: Args;

    /// Plans it.
    ///
    /// # Errors
    /// If an option does not hold; nothing was started.
    fn plan(options: &Self::Options, frame: &Frame) -> Result<WithRemarks<Self>, CliError>;

    /// The experiment of an earlier run: the same faults at the same moments, the same
    /// load and the same arms.
    ///
    /// # Errors
    /// Why it cannot be done again, and what would do.
    fn again(run: &Run, data: &Data<Self>) -> Result<Self, NotRepeatable>;

    /// What the record of a run of it begins with.
    fn setting(&self) -> Setting;

    /// What it has recorded before anything was measured.
    fn nothing_yet(&self) -> Data<Self>;

    /// Makes what it needs on the server beside the tables of the load.
    ///
    /// # Errors
    /// If the server does not take it.
    fn prepare(
        &self,
        _direct: &Endpoint,
        _workload: &Workload,
    ) -> impl Future<Output = Result<(), NotPrepared>> + Send {
        async { Ok(()) }
    }

    /// Carries it out. What was measured is in `data`, also where this ends with an
    /// error; it saves the record after each step that counts by itself.
    ///
    /// # Errors
    /// Why it was not carried out to its end.
    fn run(
        &self,
        stage: &mut Stage<'_>,
        data: &mut Data<Self>,
    ) -> impl Future<Output = Result<(), Stop>> + Send;
}

/// One line for each experiment: its variant, its type, and its name in `reports`.
macro_rules! experiments {
    ($($variant:ident => $experiment:ty,)+) => {
        /// The commands that run an experiment.
        #[derive(Debug, Clone, Subcommand)]
        pub enum Chosen {
            $(
                #[doc = ""]
                #[command(
                    name = <<$experiment as Experiment>::Recorded as reports::experiment::Experiment>::COMMAND,
                    about = <$experiment as Experiment>::ABOUT
                )]
                $variant(Invocation<<$experiment as Experiment>::Options>),
            )+
        }

        impl Chosen {
            /// Runs what was chosen, and returns its exit code.
            ///
            /// # Errors
            /// If nothing could be measured.
            pub async fn run(&self, arguments: &[String]) -> Result<u8, crate::command::Failure> {
                match self {
                    $(Self::$variant(invocation) => {
                        crate::command::experiment::<$experiment>(invocation, arguments).await
                    })+
                }
            }
        }

        /// Name and purpose of each experiment.
        pub static ALL: &[(&str, &str)] = &[
            $((
                <<$experiment as Experiment>::Recorded as reports::experiment::Experiment>::COMMAND,
                <$experiment as Experiment>::ABOUT,
            ),)+
        ];

        /// Runs the experiment of a record again, and returns its exit code.
        ///
        /// # Errors
        /// If it cannot be done again, or nothing could be measured.
        pub async fn again(
            record: Record,
            replay: &crate::cli::Replay,
        ) -> Result<u8, crate::command::Failure> {
            match record.data {
                $(reports::Data::$variant(ref data) => {
                    let experiment = <$experiment as Experiment>::again(&record.run, data);
                    crate::command::again(experiment, &record.run, replay).await
                })+
            }
        }
    };
}

experiments! {
    FailureSim => experiments::failure_sim::FailureSim,
    BreakerSweep => experiments::breaker_sweep::BreakerSweep,
    BatchSweep => experiments::batch_sweep::BatchSweep,
}
