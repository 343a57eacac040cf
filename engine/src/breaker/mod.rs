//! A circuit breaker: refuse at once while the server is gone, instead of
//! letting every caller find out by itself.
//!
//! A caller asks `handle` for a [`Permit`] and reports a [`CallOutcome`] with it. `core` lets
//! calls that go well through without a lock and counts them in `window` and `ages`;
//! everything else goes to the state machine in `machine` (pure), under the lock. Each change
//! of state goes to those who follow `events` or wait. Dropping a permit is a neutral
//! release, so that no cancelled or panicking caller can wedge half-open.
//!
//! Nothing happens under the lock but the decision. What a change of state sets off -
//! events, waking those who wait, what the pool does when it opens - happens after it
//! and in one place, whoever found the change: a caller that asks to be admitted, an
//! outcome, the check for hanging calls, the probe, or somebody who forces it.
//!
//! It is not tied to Postgres: [`Breaker::call`] protects any future, and with the
//! feature `tower` `layer::BreakerLayer` any service.

mod ages;
mod call;
mod changes;
pub mod config;
mod core;
mod events;
mod handle;
#[cfg(feature = "tower")]
pub mod layer;
mod machine;
mod outcome;
mod permit;
mod state;
mod sync;
mod ticket;
mod window;

pub(crate) use self::handle::because;
pub use self::{
    call::CallError,
    changes::HISTORY,
    config::{Backoff, Config, Jitter, Probe},
    events::{Event, Events, Transition},
    handle::{Breaker, Refused, Tick},
    outcome::{CallOutcome, Cause},
    permit::{OwnedPermit, Permit},
    state::{Evidence, Mode, Reason, State},
    window::Counts,
};

#[cfg(test)]
mod tests;
