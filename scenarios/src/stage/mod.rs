//! An experiment on an environment, into a record.
//!
//! The order is always: server, proxy, tables; then the experiment; then everything is
//! taken down in reverse. However it ends - done, interrupted, failed - faults are
//! rolled back, server and proxy are gone, and the record holds what was measured.
//!
//! [`carry_out`] does all of it. The [`Stage`] holds what a run needs while it runs;
//! [`Loaded`] puts arms under load on it and takes them through faults, which
//! `nemesis` carries out; [`Events`] tells what happens as it happens, and [`Interrupt`]
//! is the user's wish to stop.

mod error;
mod events;
mod interrupt;
mod loaded;
mod nemesis;

use std::{collections::BTreeMap, net::SocketAddr, ops::Range, path::PathBuf};

use reports::{
    Record,
    record::{RecordError, SCHEMA},
    run::{self, Ended, Event, Planned, Run, Skipped, What},
};
use seawall::clock;
use serde::Serialize;

pub(crate) use self::loaded::STEADY_SPAN;
pub use self::{
    error::{NotPrepared, RunError, Stop},
    events::{Events, micros},
    interrupt::{Interrupt, Interrupted},
    loaded::{Finished, Loaded, LoadedArm, Moments},
};
use crate::{
    cli::arguments::resolved,
    environment::{Environment, Wanted, chain},
    experiment::{Data, Experiment, Setting},
    faults::{Kind, kind::Needs, strangers::Sessions, toxics::Toxics},
    load::{client::Setup, workload::Workload},
};

/// Where a run takes place.
#[derive(Debug, Clone)]
pub struct Place {
    /// The server.
    pub wanted: Wanted,
    /// The API of a Toxiproxy of the user's, instead of the embedded one.
    pub toxiproxy: Option<SocketAddr>,
    /// The folder for the record. Must exist.
    pub folder: PathBuf,
}

/// What the record says of how a run came to be.
#[derive(Debug, Clone)]
pub struct Label {
    /// The arguments after the command, without secrets, seed and environment.
    pub arguments: Vec<String>,
    /// Everything random comes from it.
    pub seed: u64,
    /// `quick`, `default` or `full`.
    pub size: &'static str,
}

/// Everything that a run needs while it runs.
#[derive(Debug)]
pub struct Stage<'a> {
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) events: Events<'a>,
    pub(crate) environment: Environment,
    pub(crate) toxics: Toxics,
    pub(crate) workload: Workload,
    /// What the record says beside what the experiment measures.
    pub(crate) run: Run,
    sessions: Sessions,
    setups: BTreeMap<String, Setup>,
    record: PathBuf,
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
) -> Result<Record, RunError>
where
    reports::Data: From<Data<E>>,
{
    let environment = Environment::start(&place.wanted, interrupt.raised()).await?;
    let set = Stage::set(experiment, label, place, interrupt, listener, environment);
    let mut stage = match set.await {
        Ok(stage) => stage,
        Err((error, environment)) => {
            // The first error is the one to tell.
            if let Err(error) = environment.stop().await {
                tracing::error!(error = chain(&error), "taking the server down");
            }
            return Err(error);
        }
    };
    let mut data = experiment.nothing_yet();
    let saved = stage.save(&data);
    let ended = match saved {
        Ok(()) => experiment.run(&mut stage, &mut data).await,
        Err(error) => Err(error.into()),
    };
    stage.run.ended = ended.map_or_else(Ended::from, |()| Ended::Complete);
    stage.take_down(data).await
}

impl<'a> Stage<'a> {
    /// Sets proxy and tables up, in front of and in a server. Gives the server back if
    /// that fails.
    async fn set<E: Experiment>(
        experiment: &E,
        label: &Label,
        place: &Place,
        interrupt: &'a Interrupt,
        listener: &'a (dyn Fn(&Event) + Sync),
        environment: Environment,
    ) -> Result<Self, (RunError, Environment)> {
        let setting = experiment.setting();
        let prepared = async {
            if interrupt.is_raised() {
                return Err(RunError::Interrupted(Interrupted));
            }
            let events = Events::create(&place.folder, listener).map_err(RunError::Events)?;
            let upstream = environment.endpoint().address();
            let toxics = match place.toxiproxy {
                None => Toxics::embedded(&upstream, label.seed).await?,
                Some(api) => Toxics::of_user(api, &upstream).await?,
            };
            // Not from the seed: two runs on one server must not share tables.
            let mut workload = Workload::new(fastrand::Rng::new().u32(..));
            if let Some(disk) = environment.small_disk()
                && fills_disk(&setting.schedule, &environment).is_ok()
            {
                workload = workload.on_small_disk(disk);
            }
            let made = async {
                let direct = environment.endpoint();
                workload.create(direct).await?;
                experiment.prepare(direct, &workload).await
            };
            if let Err(error) = made.await {
                // What was half made, and our proxy in the user's Toxiproxy. If that
                // fails too, the first error is the one to tell.
                if let Err(error) = workload.drop(environment.endpoint()).await {
                    tracing::warn!(error = chain(&error), "dropping half-made tables");
                }
                if let Err(error) = toxics.stop().await {
                    tracing::warn!(error = chain(&error), "removing the proxy");
                }
                return Err(error.into());
            }
            Ok((events, toxics, workload))
        };
        let (events, toxics, workload) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => return Err((error, environment)),
        };
        let command = <E::Recorded as reports::experiment::Experiment>::COMMAND;
        let run = begun(command, label, &setting, &environment, &toxics);
        let ready = What::EnvironmentReady {
            environment: run.environment.kind.clone(),
            server_version: run.environment.server_version.clone(),
        };
        events.all(None, clock::now(), ready);
        let setups = setting.arms.into_iter();
        Ok(Self {
            interrupt,
            events,
            sessions: Sessions::new(environment.endpoint(), &workload),
            environment,
            toxics,
            workload,
            run,
            setups: setups.map(|(arm, setup)| (arm.name, setup)).collect(),
            record: place.folder.join("record.json"),
        })
    }

    /// Writes the record as it is now.
    pub(crate) fn save<D: Serialize>(&self, data: &D) -> Result<(), RecordError> {
        reports::record::save(&self.run, data, &self.record)
    }

    /// Those entries of the schedule that can be carried out here. Why the others cannot
    /// is entered in the record, once for each name.
    pub(crate) fn possible(&mut self, planned: Range<usize>) -> Vec<usize> {
        let mut possible = Vec::new();
        for index in planned {
            let entry = &self.run.schedule[index];
            let Some(reason) = self.cannot(entry) else {
                possible.push(index);
                continue;
            };
            let fault = entry.name.clone();
            let skipped = &mut self.run.skipped;
            if !skipped.iter().any(|skipped| skipped.fault == fault) {
                skipped.push(Skipped { fault, reason });
            }
        }
        possible
    }

    /// Why an entry of the plan cannot be carried out here, if it cannot.
    fn cannot(&self, entry: &Planned) -> Option<String> {
        entry.faults.iter().find_map(|step| {
            let Some(kind) = Kind::named(&step.kind) else {
                return Some("there is no such fault in this version".to_owned());
            };
            let here = self.environment.cannot(kind.needs).map(str::to_owned);
            let here = here.or_else(|| self.toxics.cannot(kind));
            here.or_else(|| {
                let full = kind.needs == Needs::SmallDisk;
                let fills = full.then(|| fills_disk(&self.run.schedule, &self.environment));
                fills?.err().map(str::to_owned)
            })
        })
    }

    /// Waits, unless the user wants to stop.
    pub(crate) async fn until(&self, at: clock::Instant) -> Result<(), Interrupted> {
        tokio::select! {
            biased;
            () = self.interrupt.raised() => Err(Interrupted),
            () = clock::sleep_until(at) => Ok(()),
        }
    }

    /// Takes everything down, whatever fails, and then says what did.
    async fn take_down<D: Serialize>(mut self, data: D) -> Result<Record, RunError>
    where
        reports::Data: From<D>,
    {
        if self.interrupt.is_raised() {
            self.events.all(None, clock::now(), What::Interrupted);
        }
        // Tables go with a server of ours; in somebody else's they must not stay.
        let dropped = if self.environment.kind() == "external" {
            self.workload.drop(self.environment.endpoint()).await
        } else {
            Ok(())
        };
        let toxics = self.toxics.stop().await;
        let environment = self.environment.stop().await;
        let failures = [
            dropped.err().map(|e| chain(&e)),
            toxics.err().map(|e| chain(&e)),
            environment.err().map(|e| chain(&e)),
            self.events
                .first_error()
                .map(|e| format!("writing events.jsonl: {e}")),
        ];
        let failures: Vec<String> = failures.into_iter().flatten().collect();
        if !failures.is_empty() {
            let reason = failures.join("; ");
            match &mut self.run.ended {
                Ended::Failed { reason: first } => *first = format!("{first}; {reason}"),
                Ended::Complete => self.run.ended = Ended::Failed { reason },
                Ended::Interrupted | Ended::NoSteadyState { .. } => {
                    let what = What::NotTakenDown { reason };
                    self.events.all(None, clock::now(), what);
                }
            }
        }
        let ended = self.run.ended.clone();
        self.events
            .all(None, clock::now(), What::RunEnded { ended });
        reports::record::save(&self.run, &data, &self.record)?;
        Ok(Record {
            run: self.run,
            data: data.into(),
        })
    }
}

/// What a record says before anything was measured.
fn begun(
    command: &str,
    label: &Label,
    setting: &Setting,
    environment: &Environment,
    toxics: &Toxics,
) -> Run {
    let cpus = std::thread::available_parallelism();
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    Run {
        schema: SCHEMA,
        command: command.to_owned(),
        arguments: resolved(&label.arguments, label.seed, environment.kind()),
        seed: label.seed,
        size: label.size.to_owned(),
        started_utc: utc_now(),
        environment: run::Environment {
            kind: environment.kind().to_owned(),
            server_version: environment.server_version().to_owned(),
            proxy: toxics.version().to_owned(),
            cpus: cpus.map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            profile: profile.to_owned(),
        },
        arms: setting.arms.iter().map(|(arm, _)| arm.clone()).collect(),
        plan: setting.plan.clone(),
        schedule: setting.schedule.clone(),
        skipped: Vec::new(),
        // Until the end is reached: a crash leaves a record that says so.
        ended: Ended::Failed {
            reason: "the runner did not reach the end".to_owned(),
        },
    }
}

/// Whether a disk is to be filled.
#[must_use]
pub fn wants_small_disk(schedule: &[Planned]) -> bool {
    kinds(schedule).any(|kind| kind.needs == Needs::SmallDisk)
}

/// Whether the load's writes go to the small disk: if it is to be filled, and if
/// nothing that the run does loses what is on it.
fn fills_disk(schedule: &[Planned], environment: &Environment) -> Result<(), &'static str> {
    if kinds(schedule).any(Kind::restarts) && !environment.small_disk_lasts() {
        return Err(
            "in a container, what restarts the server in the same run empties its small disk",
        );
    }
    if wants_small_disk(schedule) {
        Ok(())
    } else {
        Err("nothing fills it")
    }
}

fn kinds(schedule: &[Planned]) -> impl Iterator<Item = &'static Kind> {
    let steps = schedule.iter().flat_map(|planned| &planned.faults);
    steps.filter_map(|step| Kind::named(&step.kind))
}

/// The wall clock, for a label: nothing is computed from it.
#[must_use]
pub fn utc_now() -> String {
    let now = time::OffsetDateTime::now_utc();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second()
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a record of an experiment begins with, where nothing of it matters.
    pub(crate) fn run(command: &str) -> Run {
        Run {
            schema: SCHEMA,
            command: command.to_owned(),
            arguments: Vec::new(),
            seed: 7,
            size: "quick".to_owned(),
            started_utc: "2026-01-02T03:04:05Z".to_owned(),
            environment: run::Environment {
                kind: "local".to_owned(),
                server_version: "15.18".to_owned(),
                proxy: "embedded".to_owned(),
                cpus: 2,
                profile: "dev".to_owned(),
            },
            arms: Vec::new(),
            plan: None,
            schedule: Vec::new(),
            skipped: Vec::new(),
            ended: Ended::Complete,
        }
    }
}
