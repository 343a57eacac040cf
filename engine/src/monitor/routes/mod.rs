//! What there is to ask for.
//!
//! - `/`, `/page/*`: the dashboard; `/login`
//! - `/api/status`, `/api/pools`, `/api/history/{metrics}`, `/api/heatmap`, `/api/alerts`
//! - `/api/actions`: what can be done from the page
//! - `/ws`: the status, every second
//! - `/healthz`, `/readyz`: for machines
//! - on a port of its own: `/metrics`

mod actions;
mod alerts;
mod csv;
mod health;
mod history;
mod login;
mod page;
mod scrape;
mod socket;
mod span;
mod status;

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use tokio::sync::{Notify, Semaphore, watch};

use super::{
    actions::Actions,
    alerts::Alerts,
    counts::Counts,
    door::{self, Door},
    life::Over,
    pools::{Pools, Shown},
    sampler::Tick,
};
use crate::clock::{self, Wall};

/// How many look far back at once: it takes a while, and is done beside the runtime's workers.
const LOOK_BACK: usize = 2;
/// How long one may wait for that.
const LOOK_BACK_WAIT: Duration = Duration::from_secs(5);

/// What the routes of a server share.
pub(super) struct App {
    pub(super) pools: Pools,
    pub(super) counts: Arc<Counts>,
    pub(super) door: Arc<Door>,
    pub(super) over: Over,
    /// What all pages are told; nothing is made as long as nobody listens.
    pub(super) ticks: watch::Sender<Option<Tick>>,
    /// Somebody has come to listen.
    pub(super) wanted: Notify,
    alerts: Mutex<Alerts>,
    actions: OnceLock<Arc<dyn Actions>>,
    other: OnceLock<Arc<Counts>>,
    wall: Wall,
    looking_back: Arc<Semaphore>,
    /// Whether a pool is up, and when that was found.
    ready: Mutex<Option<(clock::Instant, bool)>>,
}

impl App {
    pub(super) fn new(pools: Pools, counts: Arc<Counts>, door: Door, over: Over) -> Self {
        Self {
            pools,
            counts,
            door: Arc::new(door),
            over,
            ticks: watch::Sender::new(None),
            wanted: Notify::new(),
            alerts: Mutex::default(),
            actions: OnceLock::new(),
            other: OnceLock::new(),
            wall: Wall::now(),
            looking_back: Arc::new(Semaphore::new(LOOK_BACK)),
            ready: Mutex::default(),
        }
    }

    pub(super) fn unix_ms(&self) -> u64 {
        self.wall.unix_ms(clock::now())
    }

    pub(super) fn with_alerts<T>(&self, with: impl FnOnce(&mut Alerts) -> T) -> T {
        with(&mut self.alerts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Offers actions; those of the first who does.
    pub(super) fn offer(&self, actions: Arc<dyn Actions>) {
        let _ = self.actions.set(actions);
    }

    /// Shows the counters of another server too; of the first that there is.
    pub(super) fn beside(&self, other: &Arc<Counts>) {
        let _ = self.other.set(other.clone());
    }

    pub(super) fn other_counts(&self) -> Option<&Arc<Counts>> {
        self.other.get()
    }

    /// The pool of that name, or the only one.
    fn pool(&self, id: Option<&str>) -> Result<Shown, Refusal> {
        let mut all = self.pools.all();
        let place = match id {
            Some(id) => all.iter().position(|shown| &*shown.id == id),
            None => (all.len() == 1).then_some(0),
        };
        if let Some(place) = place {
            return Ok(all.swap_remove(place));
        }
        let names: Vec<String> = all.iter().map(|shown| format!("{:?}", shown.id)).collect();
        let allowed = match names.as_slice() {
            [] => "there is none".to_owned(),
            names => format!("one of {}", names.join(", ")),
        };
        Err(match id {
            Some(id) => Refusal(
                StatusCode::NOT_FOUND,
                format!("pool: {id:?}: no such pool, {allowed}"),
            ),
            None if names.is_empty() => Refusal(StatusCode::NOT_FOUND, format!("pool: {allowed}")),
            None => Refusal(
                StatusCode::BAD_REQUEST,
                format!("pool: missing, allowed: {allowed}"),
            ),
        })
    }

    /// Does what takes a while where it holds up nobody else.
    async fn look_back<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let busy = |_| {
            let error = "too many look at the history; ask again";
            Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_owned())
        };
        let place = self.looking_back.clone().acquire_owned();
        let place = clock::timeout_at(clock::now() + LOOK_BACK_WAIT, place).await;
        let place = place.map_err(busy)?;
        let looked = tokio::task::spawn_blocking(move || {
            let _place = place;
            look()
        });
        looked.await.map_err(|error| {
            tracing::error!(%error, "the history could not be looked at");
            let error = "the history could not be looked at";
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_owned())
        })
    }
}

/// The routes of a dashboard.
pub(super) fn dashboard(app: Arc<App>) -> Router {
    let routes = Router::new()
        .route("/", get(page::index))
        .route("/page/{*file}", get(page::file))
        .route("/login", get(login::form).post(login::login))
        .route("/api/status", get(status::status))
        .route("/api/pools", get(status::pools))
        .route("/api/history/{metrics}", get(history::history))
        .route("/api/heatmap", get(history::heatmap))
        .route("/api/alerts", get(alerts::list).post(alerts::add))
        .route("/api/alerts/{name}", delete(alerts::remove))
        .route("/api/actions", get(actions::list))
        .route("/api/actions/{name}", post(actions::begin))
        .route("/ws", get(socket::open))
        .route("/healthz", get(health::up))
        .route("/readyz", get(health::ready));
    behind_door(routes, app)
}

/// The routes of metrics.
pub(super) fn metrics(app: Arc<App>) -> Router {
    let routes = Router::new()
        .route("/", get(scrape::pointer))
        .route("/metrics", get(scrape::scrape));
    behind_door(routes, app)
}

fn behind_door(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    let door = app.door.clone();
    routes
        .fallback(nothing)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(door::BODY))
        .layer(middleware::from_fn_with_state(door, door::pass))
        .with_state(app)
}

async fn nothing() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, "there is nothing here".to_owned())
}

async fn not_so() -> Refusal {
    Refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "this cannot be asked for with that method".to_owned(),
    )
}

/// An answer that says what is wrong.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = serde_json::json!({ "error": self.1 });
        (self.0, Json(error)).into_response()
    }
}
