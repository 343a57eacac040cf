//! A scenario on an environment, into a record.
//!
//! The order is always: server, proxy, tables; then for each entry of the plan
//! load, steady state, faults, recovery, ledger; then everything is taken down in
//! reverse. However it ends - done, interrupted, failed - faults are rolled back,
//! server and proxy are gone, and the record holds what was measured.

mod events;
mod injection;
mod interrupt;
mod nemesis;
mod sweep;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use engine::clock;
use reports::Record;
use reports::record::{
    self, Arm, Ended, Event, Fault, Planned, RecordError, SCHEMA, Settings, Skipped, What,
};

pub use self::{
    events::Events,
    interrupt::{Interrupt, Interrupted},
};
use crate::{
    environment::{Environment, EnvironmentError, Wanted, chain},
    faults::{
        kind,
        sessions::{Sessions, SessionsError},
        toxics::{Toxics, ToxicsError},
    },
    load::{
        arrivals::Arrivals,
        client::Setup,
        worker::Panicked,
        workload::{Workload, WorkloadError},
    },
};

/// What is to be found out, and how.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The command that it belongs to.
    pub command: String,
    /// Everything random comes from it.
    pub seed: u64,
    /// The load, and the definitions of the measures.
    pub settings: Settings,
    /// The configurations under test.
    pub arms: Vec<(Arm, Setup)>,
    /// The fault plan as the user gave it, if not the usual one.
    pub plan: Option<String>,
    /// What is done, and when.
    pub schedule: Vec<Planned>,
    /// Longest wait for the load to be served before a fault.
    pub steady_patience: Duration,
    /// The grid, if breaker settings are swept. Nothing is carried out yet in it.
    pub sweep: Option<record::Sweep>,
}

impl Scenario {
    /// Whether a disk is to be filled.
    #[must_use]
    pub fn fills_disk(&self) -> bool {
        let mut steps = self.schedule.iter().flat_map(|planned| &planned.faults);
        steps.any(|step| step.kind == Fault::DiskFull)
    }
}

/// Where it is to be found out.
#[derive(Debug, Clone)]
pub struct Place {
    /// The server.
    pub wanted: Wanted,
    /// The API of a Toxiproxy of the user's, instead of the embedded one.
    pub toxiproxy: Option<SocketAddr>,
    /// The folder for the record. Must exist.
    pub folder: PathBuf,
}

/// Why nothing could be measured at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No server.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// No proxy.
    #[error(transparent)]
    Toxics(#[from] ToxicsError),
    /// No tables.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The record could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The events could not be written.
    #[error("writing events.jsonl")]
    Events(#[source] std::io::Error),
    /// Stopped by the user before anything was measured.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Why a plan was not carried out to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("{0}")]
    NoSteadyState(String),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Toxics(#[from] ToxicsError),
    #[error(transparent)]
    Sessions(#[from] SessionsError),
    #[error(transparent)]
    Load(#[from] Panicked),
    #[error("a bug: the runner panicked in the middle of a fault, which was taken back")]
    Panicked,
    #[error("arm {arm}")]
    Config {
        arm: String,
        #[source]
        source: engine::config::ConfigError,
    },
    #[error("{fault} was injected, and after {} s a direct probe still meets: {met}", within.as_secs())]
    NotEffective {
        fault: Fault,
        met: &'static str,
        within: Duration,
    },
    #[error("{fault} was rolled back, and after {} s a direct probe still meets: {met}; the server's last words: {log}", within.as_secs())]
    NotCleared {
        fault: Fault,
        met: &'static str,
        within: Duration,
        log: String,
    },
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Interrupted(_) => Self::Interrupted,
            Stop::NoSteadyState(reason) => Self::NoSteadyState { reason },
            other => Self::Failed {
                reason: chain(&other),
            },
        }
    }
}

/// Carries a scenario out. Returns when everything is taken down again; the
/// record is in the folder.
///
/// Not cancel safe: raise the interrupt instead.
///
/// # Errors
/// If nothing could be measured. What goes wrong later is in [`Record::ended`].
pub async fn run(
    scenario: &Scenario,
    place: &Place,
    interrupt: &Interrupt,
    listener: &(dyn Fn(&Event) + Sync),
) -> Result<Record, RunError> {
    let environment = Environment::start(&place.wanted, interrupt.raised()).await?;
    let mut stage = match Stage::set(scenario, place, interrupt, listener, environment).await {
        Ok(stage) => stage,
        Err((error, environment)) => {
            // The first error is the one to tell.
            if let Err(error) = environment.stop().await {
                tracing::error!(%error, "taking the server down");
            }
            return Err(error);
        }
    };
    let carried_out = match &scenario.sweep {
        Some(sweep) => sweep::carry_out(&mut stage, sweep).await,
        None => stage.carry_out().await,
    };
    if let Err(stop) = carried_out {
        stage.record.ended = stop.into();
    }
    stage.take_down(&place.folder).await
}

/// Everything that a run needs while it runs.
struct Stage<'a> {
    scenario: &'a Scenario,
    interrupt: &'a Interrupt,
    folder: &'a Path,
    events: Events<'a>,
    environment: Environment,
    toxics: Toxics,
    sessions: Sessions,
    workload: Workload,
    record: Record,
}

impl<'a> Stage<'a> {
    /// Proxy and tables, in front of and in a server. Gives the server back if
    /// that fails.
    async fn set(
        scenario: &'a Scenario,
        place: &'a Place,
        interrupt: &'a Interrupt,
        listener: &'a (dyn Fn(&Event) + Sync),
        environment: Environment,
    ) -> Result<Self, (RunError, Environment)> {
        let prepared = async {
            if interrupt.is_raised() {
                return Err(RunError::Interrupted(Interrupted));
            }
            let events = Events::create(&place.folder, listener).map_err(RunError::Events)?;
            let upstream = environment.endpoint().address();
            let toxics = match place.toxiproxy {
                None => Toxics::embedded(&upstream, scenario.seed).await?,
                Some(api) => Toxics::of_user(api, &upstream).await?,
            };
            // Not from the seed: two runs on one server must not share tables.
            let mut workload = Workload::new(fastrand::Rng::new().u32(..));
            if let Some(disk) = environment.small_disk()
                && let Ok(()) = fills_disk(scenario, &environment)
            {
                workload = workload.on_small_disk(disk);
            }
            if let Err(error) = workload.create(environment.endpoint()).await {
                // What was half made, and our proxy in the user's Toxiproxy. If that
                // fails too, the first error is the one to tell.
                let _dropped = workload.drop(environment.endpoint()).await;
                let _stopped = toxics.stop().await;
                return Err(error.into());
            }
            Ok((events, toxics, workload))
        };
        let (events, toxics, workload) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => return Err((error, environment)),
        };
        let (environment_is, server_version) = (
            environment.kind().to_owned(),
            environment.server_version().to_owned(),
        );
        let record = Record {
            schema: SCHEMA,
            command: scenario.command.clone(),
            seed: scenario.seed,
            started_utc: utc_now(),
            environment: record::Environment {
                kind: environment_is.clone(),
                server_version: server_version.clone(),
                proxy: toxics.version().to_owned(),
                cpus: std::thread::available_parallelism()
                    .map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
                profile: profile().to_owned(),
            },
            settings: scenario.settings.clone(),
            arms: scenario.arms.iter().map(|(arm, _)| arm.clone()).collect(),
            plan: scenario.plan.clone(),
            schedule: scenario.schedule.clone(),
            injections: Vec::new(),
            skipped: Vec::new(),
            sweep: scenario.sweep.clone(),
            // Until the end is reached: a crash leaves a record that says so.
            ended: Ended::Failed {
                reason: "the runner did not reach the end".to_owned(),
            },
        };
        let ready = What::EnvironmentReady {
            environment: environment_is,
            server_version,
        };
        events.all(None, clock::now(), ready);
        let sessions = Sessions::new(environment.endpoint(), &workload);
        Ok(Self {
            scenario,
            interrupt,
            folder: &place.folder,
            events,
            sessions,
            environment,
            toxics,
            workload,
            record,
        })
    }

    async fn carry_out(&mut self) -> Result<(), Stop> {
        self.save()?;
        for planned in 0..self.record.schedule.len() {
            let plan = &self.record.schedule[planned];
            if let Some(reason) = self.cannot(plan) {
                let fault = plan.name.clone();
                let skipped = &mut self.record.skipped;
                if !skipped.iter().any(|skipped| skipped.fault == fault) {
                    skipped.push(Skipped { fault, reason });
                }
                continue;
            }
            let injections = injection::carry_out(self, planned).await?;
            self.record.injections.extend(injections);
            self.save()?;
            if self.interrupt.is_raised() {
                return Err(Interrupted.into());
            }
        }
        self.record.ended = Ended::Complete;
        Ok(())
    }

    fn save(&self) -> Result<(), RecordError> {
        self.record.save(&self.folder.join("record.json"))
    }

    /// Why an entry of the plan cannot be carried out here, if it cannot.
    fn cannot(&self, plan: &Planned) -> Option<String> {
        plan.faults.iter().find_map(|step| {
            let fault = step.kind;
            let here = self.environment.cannot(fault).map(str::to_owned);
            let here = here.or_else(|| self.toxics.cannot(fault));
            here.or_else(|| {
                let full = fault == Fault::DiskFull;
                let fills = full.then(|| fills_disk(self.scenario, &self.environment));
                fills?.err().map(str::to_owned)
            })
        })
    }

    fn arrivals(&self) -> Arrivals {
        Arrivals {
            rate_per_s: self.scenario.settings.rate_per_s,
            write_share: self.scenario.settings.write_share,
        }
    }

    /// Waits, unless the user wants to stop.
    async fn until(&self, at: clock::Instant) -> Result<(), Interrupted> {
        tokio::select! {
            biased;
            () = self.interrupt.raised() => Err(Interrupted),
            () = clock::sleep_until(at) => Ok(()),
        }
    }

    /// Takes everything down, whatever fails, and then says what did.
    async fn take_down(mut self, folder: &Path) -> Result<Record, RunError> {
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
            match &mut self.record.ended {
                Ended::Failed { reason: first } => *first = format!("{first}; {reason}"),
                Ended::Complete => self.record.ended = Ended::Failed { reason },
                Ended::Interrupted | Ended::NoSteadyState { .. } => {
                    let what = What::NotTakenDown { reason };
                    self.events.all(None, clock::now(), what);
                }
            }
        }
        let ended = self.record.ended.clone();
        self.events
            .all(None, clock::now(), What::RunEnded { ended });
        self.record.save(&folder.join("record.json"))?;
        Ok(self.record)
    }
}

/// Whether the load's writes go to the small disk: if it is to be filled, and if
/// nothing that the run does loses what is on it.
fn fills_disk(scenario: &Scenario, environment: &Environment) -> Result<(), &'static str> {
    let mut steps = scenario.schedule.iter().flat_map(|planned| &planned.faults);
    let restarts = steps.any(|step| kind::restarts(step.kind));
    if restarts && !environment.small_disk_lasts() {
        return Err(
            "in a container, what restarts the server in the same run empties its small disk",
        );
    }
    if scenario.fills_disk() {
        Ok(())
    } else {
        Err("nothing fills it")
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

fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    }
}
