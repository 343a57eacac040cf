//! Everything that a run needs while it runs: set up, used, and taken down.

use std::path::Path;

use reports::{
    Record,
    record::{self, Ended, Event, Fault, Planned, RecordError, SCHEMA, Skipped, What},
};
use seawall::clock;

use super::{
    Events, Interrupt, Interrupted, Place, RunError, Scenario, Stop, batches, injection, utc_now,
};
use crate::{
    environment::{Environment, chain},
    faults::{kind, sessions::Sessions, toxics::Toxics},
    load::{arrivals::Arrivals, workload::Workload},
};

/// Everything that a run needs while it runs.
pub(super) struct Stage<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) interrupt: &'a Interrupt,
    pub(super) folder: &'a Path,
    pub(super) events: Events<'a>,
    pub(super) environment: Environment,
    pub(super) toxics: Toxics,
    pub(super) sessions: Sessions,
    pub(super) workload: Workload,
    pub(super) record: Record,
}

impl<'a> Stage<'a> {
    /// Proxy and tables, in front of and in a server. Gives the server back if
    /// that fails.
    pub(super) async fn set(
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
            let made = async {
                let direct = environment.endpoint();
                workload.create(direct).await?;
                match &scenario.batches {
                    Some(plan) => batches::prepare(plan, direct, &workload).await,
                    None => Ok(()),
                }
            };
            if let Err(error) = made.await {
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
            batches: scenario.batches.as_ref().map(batches::nothing_yet),
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

    pub(super) async fn carry_out(&mut self) -> Result<(), Stop> {
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

    pub(super) fn save(&self) -> Result<(), RecordError> {
        self.record.save(&self.folder.join("record.json"))
    }

    /// Why an entry of the plan cannot be carried out here, if it cannot.
    pub(super) fn cannot(&self, plan: &Planned) -> Option<String> {
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

    pub(super) fn arrivals(&self) -> Arrivals {
        Arrivals {
            rate_per_s: self.scenario.settings.rate_per_s,
            write_share: self.scenario.settings.write_share,
        }
    }

    /// Waits, unless the user wants to stop.
    pub(super) async fn until(&self, at: clock::Instant) -> Result<(), Interrupted> {
        tokio::select! {
            biased;
            () = self.interrupt.raised() => Err(Interrupted),
            () = clock::sleep_until(at) => Ok(()),
        }
    }

    /// Takes everything down, whatever fails, and then says what did.
    pub(super) async fn take_down(mut self, folder: &Path) -> Result<Record, RunError> {
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

fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    }
}
