//! What a run needs while it runs: set up, used, and taken down.
//!
//! The order is always: server, proxy, tables; then the experiment; then everything is
//! taken down in reverse. However it ends - done, interrupted, failed - faults are
//! rolled back, server and proxy are gone, and the record holds what was measured.
//!
//! The [`Stage`] holds it; [`Loaded`] puts arms under load on it and takes them through faults, which
//! `nemesis` carries out; [`Events`] tells what happens as it happens, and [`Interrupt`]
//! is the user's wish to stop.

mod apart;
mod capacity;
mod clients;
mod disk;
mod error;
mod events;
mod injected;
mod interrupt;
mod latencies;
mod loaded;
mod marked;
mod nemesis;
mod sessions;
mod steady;
mod steps;
mod throughput;
mod truth;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    ops::Range,
    path::PathBuf,
    sync::{Mutex, atomic::AtomicI32},
};

use reports::{
    Record,
    record::{INTERVALS, SCHEMA},
    run::{self, Arm, Ended, Event, Planned, Run, Skipped, What},
};
use seawall::clock;
use serde::Serialize;

use self::{
    apart::Apart,
    disk::{fills_disk, kinds},
    latencies::Latencies,
};
pub use self::{
    disk::wants_small_disk,
    error::{NotPrepared, RunError, Stop},
    events::{Events, micros},
    interrupt::{Interrupt, Interrupted},
    loaded::{Finished, Loaded, LoadedArm, Moments, SoFar},
};
pub(crate) use self::{steady::STEADY_SPAN, steps::Step};
use crate::{
    environment::{Environment, Needs, Wanted, chain},
    faults::{Kind, session, strangers::Sessions, toxics::Toxics},
    load::{beside, scripts::Scripts, setup::Setup, tried, workload::Workload},
};

/// Why some faults say nothing of the user's own scripts.
const NOT_USED: &str =
    "it is about the tables of the usual load, and scripts of the user's do not use them";

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

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// What it recorded, whether that could be written or not.
    pub record: Record,
    /// Files of its folder that could not be written, and why.
    pub unwritten: Vec<String>,
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
    /// The user's own scripts, if operations are to be runs of them.
    pub scripts: Option<Scripts>,
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
    /// The user's bounds on what is measured.
    pub thresholds: Vec<String>,
}

/// Flags that are recorded as they came out, whether they were typed or not.
pub const RESOLVED: [&str; 2] = ["seed", "env"];

impl Label {
    /// The arguments with what was drawn from and what was found, since the defaults may
    /// be others next time.
    fn resolved(&self, environment: &str) -> Vec<String> {
        let mut resolved = self.arguments.clone();
        for (flag, value) in RESOLVED.iter().zip([&*self.seed.to_string(), environment]) {
            resolved.extend([format!("--{flag}"), value.to_owned()]);
        }
        resolved
    }

    /// The arguments of a record without them: what they were resolved from.
    #[must_use]
    pub fn unresolved(recorded: &[String]) -> Vec<String> {
        let mut left = Vec::new();
        let mut all = recorded.iter();
        while let Some(argument) = all.next() {
            let flag = argument.strip_prefix("--");
            if flag.is_some_and(|flag| RESOLVED.contains(&flag)) {
                all.next();
            } else {
                left.push(argument.clone());
            }
        }
        left
    }
}

/// Everything that a run needs while it runs.
#[derive(Debug)]
pub struct Stage<'a> {
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) events: Events<'a>,
    latencies: Latencies,
    pub(crate) environment: Environment,
    pub(crate) toxics: Toxics,
    pub(crate) workload: Workload,
    /// What the record says beside what the experiment measures.
    pub(crate) run: Run,
    sessions: Sessions,
    setups: BTreeMap<String, Setup>,
    apart: Apart,
    /// The number of the next client.
    next_client: AtomicI32,
    /// The numbers that rows of the ledger may have: those of all clients so far, and of what
    /// runs beside them.
    clients: Mutex<BTreeSet<i32>>,
    record: PathBuf,
}

impl<'a> Stage<'a> {
    /// Starts the server, and sets proxy and tables up, in front of it and in it.
    ///
    /// # Errors
    /// If any of it cannot be had; what was there already is taken down again.
    pub(crate) async fn set(
        command: &str,
        setting: Setting,
        label: &Label,
        place: &Place,
        interrupt: &'a Interrupt,
        listener: &'a (dyn Fn(&Event) + Sync),
    ) -> Result<Self, RunError> {
        let environment = Environment::start(&place.wanted, interrupt.raised()).await?;
        let made = async {
            if interrupt.is_raised() {
                return Err(RunError::Interrupted(Interrupted));
            }
            let events = Events::create(&place.folder, listener).map_err(RunError::Events)?;
            let latencies = Latencies::create(&place.folder, events.zero());
            let latencies = latencies.map_err(RunError::Latencies)?;
            let upstream = environment.endpoint().address();
            let toxics = match place.toxiproxy {
                None => Toxics::embedded(&upstream, label.seed).await?,
                Some(api) => Toxics::of_user(api, &upstream).await?,
            };
            let tables = tokio::select! {
                biased;
                () = interrupt.raised() => return Err(RunError::Interrupted(Interrupted)),
                tables = environment.user_tables() => tables?,
            };
            Ok((events, latencies, toxics, tables))
        };
        let (events, latencies, toxics, tables) = match made.await {
            Ok(made) => made,
            Err(error) => {
                // The first error is the one to tell.
                if let Err(error) = environment.stop().await {
                    tracing::error!(error = chain(&error), "taking the server down");
                }
                return Err(error);
            }
        };
        // Not from the seed: two runs on one server must not share tables.
        let workload = Workload::new(fastrand::Rng::new().u32(..));
        let mut workload = workload.of_scripts(setting.scripts.clone());
        if let Some(disk) = environment.small_disk()
            && fills_disk(&setting.schedule, &environment).is_ok()
        {
            workload = workload.on_small_disk(disk);
        }
        if kinds(&setting.schedule).any(|kind| *kind == session::SLOW_STATEMENTS) {
            workload = workload.slowable();
        }
        let mut run = begun(command, label, &setting, &environment, &toxics);
        run.tables = tables;
        let setups = setting.arms.into_iter();
        let stage = Self {
            interrupt,
            events,
            latencies,
            sessions: Sessions::new(environment.endpoint(), &workload),
            environment,
            toxics,
            workload,
            run,
            setups: setups.map(|(arm, setup)| (arm.name, setup)).collect(),
            apart: Apart::default(),
            next_client: AtomicI32::new(beside::NUMBERS),
            clients: Mutex::default(),
            record: place.folder.join("record.json"),
        };
        let made = stage.workload.create(stage.environment.endpoint()).await;
        if let Err(error) = made {
            stage.strike().await;
            return Err(NotPrepared::from(error).into());
        }
        Ok(stage)
    }

    /// Runs the user's own scripts before anything is measured, and rolls them back.
    ///
    /// # Errors
    /// The first that cannot be measured.
    pub(crate) async fn try_scripts(&mut self) -> Result<(), NotPrepared> {
        let Some(scripts) = self.workload.scripts() else {
            return Ok(());
        };
        let tried = tried::try_all(scripts, self.environment.endpoint()).await?;
        (self.run.scripts, self.run.variables) = tried.record();
        self.workload = self.workload.clone().of_scripts(Some(tried));
        Ok(())
    }

    /// Puts the database of the user's scripts back to what it was, so that what one has
    /// written is nothing that another meets.
    ///
    /// # Errors
    /// If it cannot be made anew.
    pub(crate) async fn put_back(&self) -> Result<(), Stop> {
        self.environment.put_back().await?;
        self.workload.create(self.environment.endpoint()).await?;
        Ok(())
    }

    /// Says that the server is ready for what is to be measured.
    pub(crate) fn ready(&self) {
        let ready = What::EnvironmentReady {
            environment: self.run.environment.kind.clone(),
            server_version: self.run.environment.server_version.clone(),
        };
        self.events.all(None, clock::now(), ready);
    }

    /// Takes everything down where nothing was measured: what was half made, our proxy
    /// in the user's Toxiproxy, the server. The error that led here is the one to tell.
    pub(crate) async fn strike(self) {
        if let Err(error) = self.workload.drop(self.environment.endpoint()).await {
            tracing::warn!(error = chain(&error), "dropping half-made tables");
        }
        if let Err(error) = self.toxics.stop().await {
            tracing::warn!(error = chain(&error), "removing the proxy");
        }
        if let Err(error) = self.environment.stop().await {
            tracing::error!(error = chain(&error), "taking the server down");
        }
    }

    /// Writes the record as it is now. Where that fails the run goes on, since what it
    /// measures is not lost: the last writing is the one that counts.
    pub(crate) fn save<D: Serialize>(&self, data: &D) {
        if let Err(error) = reports::record::save(&self.run, data, &self.record) {
            tracing::warn!(error = chain(&error), "writing the record so far");
        }
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

    /// The entries of the schedule that can be carried out here, and the kind of each one's
    /// first fault.
    pub(crate) fn doable(&self) -> Vec<(usize, &'static Kind)> {
        let all = self.run.schedule.iter().enumerate();
        let doable = all.filter(|(_, entry)| self.cannot(entry).is_none());
        doable
            .filter_map(|(i, entry)| Some((i, Kind::named(&entry.faults.first()?.kind)?)))
            .collect()
    }

    /// Why an entry of the plan cannot be carried out here, if it cannot.
    fn cannot(&self, entry: &Planned) -> Option<String> {
        entry.faults.iter().find_map(|step| {
            let Some(kind) = Kind::named(&step.kind) else {
                return Some("there is no such fault in this version".to_owned());
            };
            let here = self.environment.cannot(kind.needs).map(str::to_owned);
            let here = here.or_else(|| self.toxics.cannot(kind));
            let unused = self.workload.scripts().is_some() && session::is_about_tables(kind);
            let here = here.or_else(|| unused.then(|| NOT_USED.to_owned()));
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

    /// Takes everything down, whatever fails, and then says what did. `ended` is how the
    /// experiment ended.
    pub(crate) async fn take_down<D: Serialize>(
        mut self,
        ended: Result<(), Stop>,
        data: D,
    ) -> Outcome
    where
        reports::Data: From<D>,
    {
        self.run.ended = ended.map_or_else(Ended::from, |()| Ended::Complete);
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
        let hurried = self.interrupt.is_raised();
        let differences = self
            .environment
            .compare(&mut self.run.tables, hurried)
            .await;
        let differences = match differences {
            Ok(differences) if differences.is_empty() => None,
            Ok(differences) => Some(differences.join("; ")),
            Err(error) => Some(chain(&error)),
        };
        let environment = self.environment.stop().await;
        let failures = [
            differences,
            dropped.err().map(|e| chain(&e)),
            toxics.err().map(|e| chain(&e)),
            environment.err().map(|e| chain(&e)),
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
        let events = self.events.first_error();
        let events = events.map(|error| format!("events.jsonl: {error}"));
        let latencies = self.latencies.first_error();
        let latencies = latencies.map(|error| format!("{INTERVALS}: {error}"));
        let saved = reports::record::save(&self.run, &data, &self.record);
        let record = saved.err().map(|error| chain(&error));
        Outcome {
            unwritten: record.into_iter().chain(events).chain(latencies).collect(),
            record: Record {
                run: self.run,
                data: data.into(),
            },
        }
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
    let scripts = setting.scripts.as_ref().map(Scripts::record);
    let scripts = scripts.unwrap_or_default();
    let cpus = std::thread::available_parallelism();
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    Run {
        schema: SCHEMA,
        command: command.to_owned(),
        arguments: label.resolved(environment.kind()),
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
        scripts: scripts.0,
        variables: scripts.1,
        thresholds: label.thresholds.clone(),
        schedule: setting.schedule.clone(),
        skipped: Vec::new(),
        tables: Vec::new(),
        // Until the end is reached: a crash leaves a record that says so.
        ended: Ended::Failed {
            reason: "the runner did not reach the end".to_owned(),
        },
    }
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

    #[test]
    fn what_came_out_is_recorded_behind_what_was_typed() {
        let typed = ["--fault", "crash", "--quick"].map(str::to_owned).to_vec();
        let label = Label {
            arguments: typed.clone(),
            seed: 9,
            size: "quick",
            thresholds: Vec::new(),
        };
        let resolved = label.resolved("local");
        assert_eq!(resolved[3..], ["--seed", "9", "--env", "local"]);
        assert_eq!(Label::unresolved(&resolved), typed);
    }

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
            scripts: Vec::new(),
            thresholds: Vec::new(),
            variables: BTreeMap::new(),
            schedule: Vec::new(),
            skipped: Vec::new(),
            tables: Vec::new(),
            ended: Ended::Complete,
        }
    }
}
