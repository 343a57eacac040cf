//! Faults: what there is ([`kind`]) and what is wanted ([`plan`]), drawn
//! ([`schedule`]), done through a proxy ([`toxics`]), to the server's processes
//! ([`crate::environment`]) or by sessions with it ([`sessions`]), and seen from
//! outside ([`check`], [`probe`]).

pub mod check;
pub mod kind;
pub mod plan;
pub mod probe;
pub mod schedule;
pub mod sessions;
pub mod toxics;
