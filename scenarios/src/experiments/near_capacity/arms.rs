//! Who is put to the test.

use std::time::Duration;

use reports::run::{ARM_BARE, ARM_CAREFUL, ARM_SEAWALL, Arm};
use seawall::{
    PoolConfig,
    config::{WaitOrder, WhenOpen},
};

use crate::{
    flags::Size,
    load::setup::{BARE, CAREFUL, SESSIONS, Setup, shipped},
};

/// A configuration of the engine beside the one that is shipped: its name, what it is, and
/// what is other.
type Variant = (&'static str, &'static str, fn(&mut PoolConfig));

/// They show which part of the engine does it. One that is what is shipped is left out.
const VARIANTS: [Variant; 3] = [
    (
        "refuses",
        "the engine, where callers are refused at once while the circuit is open",
        |config| config.circuit_breaker_when_open = WhenOpen::Refuse,
    ),
    (
        "waits",
        "the engine, where callers wait for the circuit to close, and who came first is served first",
        |config| {
            config.circuit_breaker_when_open = WhenOpen::Wait;
            config.circuit_breaker_wait_order = WaitOrder::FirstCome;
        },
    ),
    (
        "newest-first",
        "the engine, where callers wait for the circuit to close, and who came last is served first",
        |config| {
            config.circuit_breaker_when_open = WhenOpen::Wait;
            config.circuit_breaker_wait_order = WaitOrder::NewestFirst;
        },
    ),
];

/// All arms. `config` is that of `seawall`, if it is not the one that is shipped.
pub(super) fn arms(config: Option<PoolConfig>, deadline: Duration) -> Vec<(Arm, Setup)> {
    let about = match config {
        None => "the engine as we would ship it: deadlines, eviction, breaker with an active probe",
        Some(_) => "the engine with the configuration of --config",
    };
    let config = config.unwrap_or_else(|| shipped(deadline));
    let max_connections = config.max_connections;
    let mut arms = vec![
        Setup::Bare { max_connections }.arm(ARM_BARE, BARE),
        Setup::Careful {
            max_connections,
            deadline,
        }
        .arm(ARM_CAREFUL, CAREFUL),
        Setup::engine(config.clone()).arm(ARM_SEAWALL, about),
    ];
    arms.extend(VARIANTS.into_iter().filter_map(|(name, about, change)| {
        let mut variant = config.clone();
        change(&mut variant);
        (variant != config).then(|| Setup::engine(variant).arm(name, about))
    }));
    arms
}

/// Which arms are under load at once. Those of the engine have no more connections under way
/// than their pool may have, and the bare pool makes none as long as it has its own: neither
/// takes anything from its neighbours that sleep on the server. The careful pool is alone: it
/// makes a new connection for each that its callers hung up on, up to a thousand a second,
/// and no server has time for others beside that. In a full run every arm is alone.
pub(super) fn groups(arms: &[(Arm, Setup)], size: Size) -> Vec<Vec<String>> {
    let name = |(arm, _): &(Arm, Setup)| arm.name.clone();
    let all = arms.iter().map(|(_, setup)| setup.max_connections());
    let fit = all.fold(0, u32::saturating_add) <= SESSIONS;
    if size == Size::Full || !fit {
        return arms.iter().map(|arm| vec![name(arm)]).collect();
    }
    let is_alone = |(_, setup): &&(Arm, Setup)| matches!(setup, Setup::Careful { .. });
    let alone = arms.iter().filter(is_alone).map(|arm| vec![name(arm)]);
    let together = arms.iter().filter(|arm| !is_alone(arm)).map(name);
    alone.chain([together.collect()]).collect()
}
