//! Faults: drawn ([`schedule`]), done through a proxy ([`toxics`]) or to the
//! server, and looked at from outside ([`probe`]).

pub mod probe;
pub mod schedule;
pub mod toxics;
