//! What every run recorded, whatever its experiment.
//!
//! - `head`: what was run, where, with which arms, and how it ended ([`Run`])
//! - `plan`: what was to be done, as drawn from the seed ([`Planned`])
//! - `load`: the operations that arms were given ([`Load`], [`Operations`])
//! - `injection`: what one fault did to one arm ([`Injection`])
//! - `script`: the user's own scripts ([`Script`])
//! - `event`: the lines of `events.jsonl` ([`Event`])
//!
//! What only one experiment records is its own data, in [`crate::experiments`];
//! [`crate::record`] puts the two together and knows the file.
//!
//! Times are microseconds: on the run's clock (zero when the environment was ready)
//! where the field says so, else on the injection's own clock (zero at its first
//! scheduled operation).

mod contradiction;
mod event;
mod head;
mod injection;
mod load;
mod plan;
mod script;

pub(crate) use self::load::scheduled_us;
pub use self::{
    contradiction::Contradiction,
    event::{ArmThroughput, Event, What},
    head::{
        ARM_BARE, ARM_CAREFUL, ARM_GUIDE, ARM_SEAWALL, Arm, Content, Ended, Environment, Run,
        Skipped, UserTable,
    },
    injection::{Attempts, BreakerState, Injection, Ledger, SessionCount, Transition},
    load::{
        Answer, Beside, Call, CallKind, Callers, Import, Kind, Load, MOST_SCRIPTS, Mix, Operations,
        Outcome,
    },
    plan::{Planned, Span, Step, Stream},
    script::{Plans, Script, ScriptStatement},
};
