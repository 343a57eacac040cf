//! `scenarios serve`: what was typed, and what is printed.

use std::net::SocketAddr;

use super::{Failure, bug, print, say, usage};
use crate::{
    cli::{Serve, exit},
    environment::{self, chain},
    serve::{ServeError, Served},
    stage::Interrupt,
};

/// The environment variable of the dashboard's token: an argument would be seen by everybody.
const TOKEN: &str = "SEAWALL_MONITORING_TOKEN";

/// Serves until the time is over, or a signal.
pub(super) async fn serve(serve: &Serve) -> Result<u8, Failure> {
    let interrupt = Interrupt::from_signals().map_err(|e| bug(&e))?;
    let served = Served {
        wanted: environment::Wanted {
            small_disk: true,
            ..serve.fill.fill(serve.server.wanted().map_err(usage)?)
        },
        monitoring: serve.monitoring,
        metrics: serve.metrics,
        token: std::env::var(TOKEN).unwrap_or_default().into(),
        length: serve.length,
        rate_per_s: serve.rate,
        seed: serve.seed,
    };
    say("starting PostgreSQL");
    let ready = |monitoring: SocketAddr, metrics: SocketAddr| {
        print(&format!(
            "dashboard  http://{monitoring}/\nmetrics    http://{metrics}/metrics\n"
        ));
    };
    let done = crate::serve::serve(&served, &interrupt, ready).await;
    done.map(|()| 0).map_err(|error| {
        let code = match &error {
            ServeError::Run(error) => exit::of_run(error),
            ServeError::Monitor(_) => exit::USAGE,
            _ => exit::BUG,
        };
        (chain(&error), code)
    })
}
