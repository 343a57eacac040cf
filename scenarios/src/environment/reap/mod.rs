//! Removes what a killed runner left, and nothing else: `scenarios reap`.
//!
//! A runner that ends, however it ends, takes down what it started; one that gets
//! SIGKILL cannot. Left are the folder of a local server with its processes (those
//! that were stopped by a fault never hear of their parent's death) and with what is
//! mounted in it, or a container with its volume; in somebody else's server, a schema, or databases.
//! Each carries the lease of its runner (`environment/lease.rs`), and only what a lease
//! says belongs to nobody is removed. What cannot be judged from here is left alone and
//! named, with the command that removes it.
//!
//! Everything is looked at afresh and one thing at a time, so that reaping twice, two
//! at once, or after an interruption does no harm.

mod containers;
mod databases;
mod found;
mod memory;
mod mounts;
mod processes;
mod schemas;
mod servers;

use std::env;

pub use self::found::{Outcome, Reaped, Thing};
use super::{EnvironmentError, Kind, Wanted, chain};

/// Looks for what is left on this machine, and in the database of `--database-url`
/// if there is one, and removes it, unless `dry_run`.
///
/// Cancel safe: what has not been removed by then is found the next time.
///
/// # Errors
/// If the database may not be touched, or does not answer; nothing was removed then.
pub async fn reap(wanted: &Wanted, dry_run: bool) -> Result<Reaped, EnvironmentError> {
    let in_database = match wanted.database_url {
        Some(_) => schemas::reap(wanted, dry_run).await?,
        None => Vec::new(),
    };
    let mut reaped = on_this_machine(wanted, dry_run).await;
    reaped.things.extend(in_database);
    Ok(reaped)
}

/// Looks for what is left and removes it, unless `dry_run`. The kind of environment
/// that is wanted says where to look.
///
/// Cancel safe: what has not been removed by then is found the next time.
pub async fn on_this_machine(wanted: &Wanted, dry_run: bool) -> Reaped {
    let mut reaped = Reaped::new(dry_run);
    if wanted.kind != Kind::Docker {
        match servers::reap(&env::temp_dir(), dry_run).await {
            Ok(things) => reaped.things.extend(things),
            Err(error) => reaped
                .unseen
                .push(format!("servers in {}: {error}", env::temp_dir().display())),
        }
    }
    if wanted.kind != Kind::Local {
        match containers::reap(dry_run).await {
            Ok(things) => reaped.things.extend(things),
            // No engine, no containers: unless it was asked for, that is as well.
            Err(error @ EnvironmentError::NoDocker { .. }) if wanted.kind != Kind::Docker => {
                reaped.remarks.push(format!("containers: {error}"));
            }
            Err(error) => reaped.unseen.push(format!("containers: {}", chain(&error))),
        }
    }
    reaped
}
