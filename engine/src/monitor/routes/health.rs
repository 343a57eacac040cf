//! `/healthz` and `/readyz`: for machines that ask whether the process, or a pool, is up.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{extract::State, http::StatusCode};

use super::App;
use crate::{clock, status::HealthState};

/// For how long an answer is given again: whoever asks needs no token.
const KEPT: Duration = Duration::from_millis(500);

pub(super) async fn up() -> &'static str {
    "ok\n"
}

/// 200, unless there are pools and none of them is up.
pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    let now = clock::now();
    let mut kept = app.ready.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh = |at| now.saturating_duration_since(at) < KEPT;
    let ready = match *kept {
        Some((at, ready)) if fresh(at) => ready,
        _ => {
            let ready = is_ready(&app);
            *kept = Some((now, ready));
            ready
        }
    };
    if ready {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "every pool is down\n")
    }
}

fn is_ready(app: &App) -> bool {
    let pools = app.pools.all();
    let mut states = pools
        .iter()
        .map(|shown| shown.pool.comprehensive_status().health.state);
    pools.is_empty() || states.any(|state| state != HealthState::Down)
}
