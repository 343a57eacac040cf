//! The only task that looks at the pools by itself: at all alerts every second, and, as long as
//! somebody has a page open, at all that is shown, once for all pages.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::Utf8Bytes;

use super::{
    alerts::{AlertState, Event, Severity},
    message::{self, Sent},
    routes::App,
};
use crate::clock::{self, Instant};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// What is no older need not be made anew for who comes to look.
const FRESH: Duration = Duration::from_millis(500);

/// What all pages are told at a moment.
#[derive(Debug, Clone)]
pub(super) struct Tick {
    pub(super) at: Instant,
    pub(super) text: Utf8Bytes,
}

impl Tick {
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < FRESH
    }
}

/// Looks until the server stops.
pub(super) async fn run(app: Arc<App>) {
    let mut next = clock::now();
    let (mut sent, mut seq) = (Sent::default(), 0);
    loop {
        tokio::select! {
            () = app.over.wait() => return,
            () = clock::sleep_until(next) => {
                // Behind time, what was missed is not made up for.
                next = clock::now().max(next) + EVERY;
                look(&app);
            }
            () = app.wanted.notified() => {
                let fresh = app.ticks.borrow().as_ref().is_some_and(|t| t.is_fresh(clock::now()));
                if fresh {
                    continue;
                }
            }
        }
        if app.ticks.receiver_count() > 0 {
            seq += 1;
            let text = message::write(&app, Some(seq), Some(&mut sent)).await;
            let at = clock::now();
            app.ticks.send_replace(Some(Tick { at, text }));
        }
    }
}

/// Looks at all alerts.
fn look(app: &App) {
    let pools = app.pools.all();
    let ids: Vec<&str> = pools.iter().map(|shown| &*shown.id).collect();
    let now_ms = app.unix_ms();
    let events = app.with_alerts(|alerts| {
        alerts.look(now_ms, &ids, |place, metric, over_ms| {
            // A rule with a metric that there is not was refused.
            pools[place].pool.value(metric, over_ms).ok().flatten()
        })
    });
    events.iter().for_each(tell);
}

fn tell(event: &Event) {
    let Event {
        rule,
        pool,
        from,
        to,
        ..
    } = event;
    let text = match to {
        AlertState::Firing => "alert fires",
        AlertState::Resolved => "alert is resolved",
        _ => "alert has changed",
    };
    match (event.announced, event.to, event.severity) {
        (true, AlertState::Firing, Severity::Critical) => {
            tracing::error!(rule, pool, ?from, ?to, "{text}");
        }
        (true, AlertState::Firing, Severity::Warning) => {
            tracing::warn!(rule, pool, ?from, ?to, "{text}");
        }
        (true, _, _) => tracing::info!(rule, pool, ?from, ?to, "{text}"),
        (false, _, _) => tracing::debug!(rule, pool, ?from, ?to, "{text}"),
    }
}
