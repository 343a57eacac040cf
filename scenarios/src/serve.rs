//! `scenarios serve`: server, proxy, load and dashboard together, with a button for each
//! fault, for demonstrations and for looking.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reports::run::{ARM_SEAWALL, Mix};
use seawall::{
    clock::{self, Instant},
    config::Secret,
    monitor::{Action, Actions, Monitor, MonitorError, NotBegun, Settings},
};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    environment::Wanted,
    faults::{
        Kind, kind,
        plan::Plan,
        schedule::{Draw, draw},
    },
    load::{
        arrivals::{Arrivals, max_in_flight},
        client::Client,
        operation::Operation,
        setup::{Setup, shipped},
    },
    stage::{Interrupt, Label, Place, RunError, Setting, Stage, Stop},
};

/// How long a fault lasts.
const LENGTH: Duration = Duration::from_secs(5);
/// Longest wait of an operation.
const DEADLINE: Duration = Duration::from_millis(500);
/// Longest wait for operations that are under way at the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is served.
#[derive(Debug, Clone)]
pub struct Served {
    /// The server.
    pub wanted: Wanted,
    /// Where the dashboard is.
    pub monitoring: SocketAddr,
    /// Where the metrics are.
    pub metrics: SocketAddr,
    /// What who looks has to know; empty for nothing.
    pub token: Secret,
    /// For how long; `None` until it is stopped.
    pub length: Option<Duration>,
    /// Operations a second.
    pub rate_per_s: u32,
    /// Draws what is random.
    pub seed: u64,
}

/// Why nothing is served any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Server, proxy or tables could not be had.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The dashboard could not be served.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// The load could not be begun.
    #[error("the load: {0}")]
    Load(String),
}

/// Serves until the time is over or the user wants to stop, and takes everything down.
/// `ready` is told where it can be seen, once it can.
///
/// Not cancel safe: raise the interrupt instead.
///
/// # Errors
/// [`ServeError`]; what was there already is taken down again.
pub async fn serve(
    served: &Served,
    interrupt: &Interrupt,
    ready: impl FnOnce(SocketAddr, SocketAddr),
) -> Result<(), ServeError> {
    let folder = tempfile::tempdir().map_err(|error| ServeError::Load(error.to_string()))?;
    let place = Place {
        wanted: served.wanted.clone(),
        toxiproxy: None,
        folder: folder.path().to_owned(),
    };
    let label = Label {
        arguments: Vec::new(),
        seed: served.seed,
        size: "default",
        thresholds: Vec::new(),
    };
    let setting = setting(served.seed);
    let stage = Stage::set("serve", setting, &label, &place, interrupt, &|_| {}).await?;
    let shown = show(&stage, served, ready).await;
    stage.strike().await;
    shown
}

/// The engine as it is shipped, and every fault once.
fn setting(seed: u64) -> Setting {
    let setup = Setup::engine(shipped(DEADLINE));
    Setting {
        arms: vec![setup.arm(ARM_SEAWALL, "the engine as we would ship it")],
        plan: None,
        scripts: None,
        schedule: draw(
            seed,
            &Draw {
                plan: Plan::of(kind::ALL),
                arms: vec![ARM_SEAWALL.to_owned()],
                side_by_side: true,
                phase: Duration::ZERO..=Duration::ZERO,
                length: LENGTH..=LENGTH,
                deadline: DEADLINE,
            },
        ),
    }
}

async fn show(
    stage: &Stage<'_>,
    served: &Served,
    ready: impl FnOnce(SocketAddr, SocketAddr),
) -> Result<(), ServeError> {
    let not_begun = |stop: Stop| ServeError::Load(stop.to_string());
    let client = Arc::new(stage.proxied(ARM_SEAWALL).await.map_err(not_begun)?);
    let Some(pool) = client.engine() else {
        return Err(ServeError::Load("no pool of the engine".to_owned()));
    };
    let monitor = Monitor::start(
        Settings {
            dashboard: Some(served.monitoring),
            metrics: Some(served.metrics),
            token: served.token.clone(),
        },
        &tokio::runtime::Handle::current(),
    )?;
    monitor.add(Arc::downgrade(&pool.watched()));
    let (wanted, asked) = mpsc::channel(1);
    let buttons = Arc::new(Buttons {
        kinds: stage.doable(),
        running: Mutex::default(),
        wanted,
    });
    monitor.offer(buttons.clone());
    if let (Some(dashboard), Some(metrics)) = (monitor.dashboard(), monitor.metrics()) {
        ready(dashboard, metrics);
    }
    let end = served.length.map(|length| clock::now() + length);
    let load = load(client.clone(), served.rate_per_s, served.seed);
    tokio::select! {
        biased;
        () = stage.interrupt.raised() => {}
        () = until(end) => {}
        () = load => {}
        () = faults(stage, &buttons, asked) => {}
    }
    buttons.undo(stage).await;
    Ok(())
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => clock::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Arrivals at a rate, whatever becomes of those before.
async fn load(client: Arc<Client>, rate_per_s: u32, seed: u64) {
    let arrivals = Arrivals {
        rate_per_s,
        write_share: 0.2,
        mix: Mix::default(),
    };
    let most = max_in_flight(rate_per_s, DEADLINE) as usize;
    let start = clock::now();
    let mut under_way = JoinSet::new();
    let first = seed & 0xffff;
    for i in 0_u64.. {
        clock::sleep_until(start + arrivals.due(i)).await;
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= most {
            continue;
        }
        let client = client.clone();
        let operation = Operation {
            seq: i64::try_from(first + i).unwrap_or(i64::MAX),
            kind: arrivals.kind(i),
            caller: 0,
        };
        under_way.spawn(async move {
            let done = client.run(operation, || {});
            // What became of it, the dashboard shows.
            let _outcome = clock::timeout_at(clock::now() + PATIENCE, done).await;
        });
    }
}

/// Does the faults that are asked for, one at a time.
async fn faults(stage: &Stage<'_>, buttons: &Buttons, mut asked: mpsc::Receiver<usize>) {
    while let Some(planned) = asked.recv().await {
        if let Err(stop) = stage.fault(planned).await {
            let fault = &stage.run.schedule[planned].name;
            tracing::warn!(fault, %stop, "the fault was not carried out to its end");
        }
        buttons.end();
    }
}

/// A button for each fault.
struct Buttons {
    /// Entries of the schedule, and what they are.
    kinds: Vec<(usize, &'static Kind)>,
    running: Mutex<Option<usize>>,
    wanted: mpsc::Sender<usize>,
}

impl Buttons {
    fn running(&self) -> Option<usize> {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Takes back what was begun and not ended.
    async fn undo(&self, stage: &Stage<'_>) {
        if let Some(planned) = self.running() {
            stage.take_back(planned).await;
        }
    }
}

impl Actions for Buttons {
    fn all(&self) -> Vec<Action> {
        let running = self.running();
        let all = self.kinds.iter();
        all.map(|(planned, kind)| Action {
            name: kind.name.to_owned(),
            title: kind.title.to_owned(),
            about: kind.about.to_owned(),
            running: running == Some(*planned),
        })
        .collect()
    }

    fn begin(&self, name: &str) -> Result<(), NotBegun> {
        let known = self.kinds.iter().find(|(_, kind)| kind.name == name);
        let (planned, _) = known.ok_or(NotBegun::Unknown)?;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_some() {
            let text = "another one is under way: it ends by itself".to_owned();
            return Err(NotBegun::NotNow(text));
        }
        let sent = self.wanted.try_send(*planned);
        sent.map_err(|error| NotBegun::NotNow(error.to_string()))?;
        *running = Some(*planned);
        Ok(())
    }
}
