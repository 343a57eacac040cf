//! What an experiment is, and which there are.
//!
//! An experiment says *what* is to be found out. Where, an
//! [`Environment`](crate::environment) says; how operations arrive, a
//! [`load`](crate::load). A new one is a file or folder in
//! [`experiments`](crate::experiments), one in `reports`, and a line in each registry:
//! here, the one at the foot of
//! this file.

use clap::Args;
use reports::run::{Event, Run};

pub use crate::stage::Setting;
use crate::{
    environment::Endpoint,
    faults::kind,
    flags::{CliError, Frame, Size},
    load::{
        scripts::Scripts,
        setup::{NotRecorded, Setup},
        workload::Workload,
    },
    stage::{Interrupt, Label, NotPrepared, Outcome, Place, RunError, Stage, Stop},
};

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

impl From<NotRecorded> for NotRepeatable {
    fn from(not: NotRecorded) -> Self {
        Self {
            reason: not.to_string(),
            allowed: "a run of this version",
        }
    }
}

impl NotRepeatable {
    /// A record does not hold a size that there is.
    fn size(found: &str) -> Self {
        Self {
            reason: format!("size: {found}"),
            allowed: "quick, default or full",
        }
    }
}

/// The size that a record was made with.
///
/// # Errors
/// If there is no such size.
pub fn size(run: &Run) -> Result<Size, NotRepeatable> {
    Size::named(&run.size).ok_or_else(|| NotRepeatable::size(&run.size))
}

/// What a record began with: its arms, its plan and its schedule.
///
/// # Errors
/// If an arm's configuration or a fault is not one of this version.
pub fn recorded(run: &Run) -> Result<Setting, NotRepeatable> {
    let mut arms = Vec::new();
    for arm in &run.arms {
        arms.push((arm.clone(), Setup::recorded(arm)?));
    }
    for step in run.schedule.iter().flat_map(|planned| &planned.faults) {
        kind::check(step).map_err(|[field, value, _]| NotRepeatable {
            reason: format!("schedule: {}: {field}: {value}", step.kind),
            allowed: "a fault of this version",
        })?;
    }
    Ok(Setting {
        arms,
        plan: run.plan.clone(),
        schedule: run.schedule.clone(),
        scripts: scripts(run)?,
    })
}

/// The user's own scripts of a record, if it has some.
///
/// # Errors
/// If this version does not read them.
pub fn scripts(run: &Run) -> Result<Option<Scripts>, NotRepeatable> {
    Scripts::recorded(run).map_err(|error| NotRepeatable {
        reason: error.to_string(),
        allowed: "a run of this version",
    })
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

/// Carries an experiment out. Returns when everything is taken down again; the record is
/// in the folder.
///
/// Not cancel safe: raise the interrupt instead.
///
/// # Errors
/// If nothing could be measured. What goes wrong later is in [`Run::ended`].
pub async fn carry_out<E: Experiment>(
    experiment: &E,
    label: &Label,
    place: &Place,
    interrupt: &Interrupt,
    listener: &(dyn Fn(&Event) + Sync),
) -> Result<Outcome, RunError>
where
    reports::Data: From<Data<E>>,
{
    let command = <E::Recorded as reports::experiment::Experiment>::COMMAND;
    let setting = experiment.setting();
    let mut stage = Stage::set(command, setting, label, place, interrupt, listener).await?;
    let prepared = async {
        stage.try_scripts().await?;
        let direct = stage.environment.endpoint();
        experiment.prepare(direct, &stage.workload).await
    };
    let prepared = prepared.await;
    if let Err(error) = prepared {
        stage.strike().await;
        return Err(error.into());
    }
    stage.ready();
    let mut data = experiment.nothing_yet();
    stage.save(&data);
    let ended = experiment.run(&mut stage, &mut data).await;
    Ok(stage.take_down(ended, data).await)
}

/// The registry: one line for each experiment, its variant and its type. Hands them to
/// the macro `$then`, which makes of them what it needs.
macro_rules! with_experiments {
    ($then:ident) => {
        $then! {
            FailureSim => $crate::experiments::failure_sim::FailureSim,
            BreakerSweep => $crate::experiments::breaker_sweep::BreakerSweep,
            BatchSweep => $crate::experiments::batch_sweep::BatchSweep,
            NearCapacity => $crate::experiments::near_capacity::NearCapacity,
            Observability => $crate::experiments::observability::Observability,
            Steady => $crate::experiments::steady::Steady,
            Tune => $crate::experiments::tune::Tune,
        }
    };
}
pub(crate) use with_experiments;
