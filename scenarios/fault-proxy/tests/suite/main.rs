//! The server over real sockets, as a client of Toxiproxy sees it.

#![cfg(test)]

mod absurd;
mod api;
mod blackhole;
mod integrity;
mod lifecycle;
mod rig;
mod toxics;
