//! `scenarios fault-proxy`: the proxy alone.

use std::{net::SocketAddr, path::Path, time::Duration};

use super::{Failure, bug, print, say};
use crate::{
    cli::{FaultProxy, exit},
    environment::chain,
    stage::Interrupt,
};

/// Serves until a signal, and then leaves nothing behind.
pub(super) async fn serve(proxy: &FaultProxy) -> Result<u8, Failure> {
    let FaultProxy {
        listen,
        metrics,
        config,
        seed,
    } = proxy;
    let interrupt = Interrupt::from_signals().map_err(|e| bug(&e))?;
    let no = |reason: &dyn std::fmt::Display| {
        let allowed = "a host and port of this machine that can be listened on";
        (
            format!("--listen: {listen}: {reason}, allowed: {allowed}"),
            exit::USAGE,
        )
    };
    let resolved = tokio::net::lookup_host(listen).await.map_err(|e| no(&e))?;
    // A name may stand for both families.
    let address = resolved.min_by_key(SocketAddr::is_ipv6);
    let address = address.ok_or_else(|| no(&"no such address"))?;
    if !address.ip().is_loopback() {
        say(&format!(
            "warning: who reaches {address} can make this process connect anywhere"
        ));
    }
    let options = fault_proxy::Options {
        seed: *seed,
        metrics: *metrics,
        ..fault_proxy::Options::default()
    };
    let server = fault_proxy::Server::bind(address, options)
        .await
        .map_err(|error| no(&chain(&error)))?;
    if let Some(config) = config {
        let populated = populate(server.local_addr(), config).await;
        if let Err(reason) = populated {
            server.shutdown().await;
            let allowed = "a start-up file of Toxiproxy's: a list of proxies, in JSON";
            let message = format!(
                "--config: {}: {reason}, allowed: {allowed}",
                config.display()
            );
            return Err((message, exit::USAGE));
        }
    }
    print(&format!("listening on http://{}\n", server.local_addr()));
    interrupt.raised().await;
    server.shutdown().await;
    Ok(0)
}

/// Longest wait for the proxies of a start-up file: each may ask a name server.
const POPULATED: Duration = Duration::from_secs(30);

/// Makes the proxies of a start-up file, through the API.
async fn populate(api: SocketAddr, config: &Path) -> Result<(), String> {
    let body = std::fs::read(config).map_err(|error| error.to_string())?;
    // The client brings a runtime that must not be dropped in ours.
    let asked = tokio::task::spawn_blocking(move || {
        let client = reqwest::blocking::Client::builder()
            .no_proxy()
            .timeout(POPULATED);
        let request = client
            .build()?
            .post(format!("http://{api}/populate"))
            .body(body);
        let response = request.send()?;
        Ok::<_, reqwest::Error>((response.status().is_success(), response.text()?))
    });
    match asked.await {
        Ok(Ok((true, _))) => Ok(()),
        Ok(Ok((false, answer))) => Err(answer.trim().to_owned()),
        Ok(Err(error)) => Err(chain(&error)),
        Err(error) => Err(error.to_string()),
    }
}
