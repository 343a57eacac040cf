//! Faults of the server's processes, and of its own network.

use super::{
    kind::{Act, Kind},
    probe::{Check, Look, Met, PATIENCE},
};
use crate::environment::{Needs, Shutdown};

/// The server is killed (SIGKILL), started again, and does crash recovery.
pub static CRASH: Kind = Kind {
    name: "crash",
    title: "Server crash",
    about: "server killed, crash recovery",
    during: "the server is down: killed, then started again",
    gone: "the server's process is back",
    needs: Needs::OwnServer,
    parameters: &[],
    act: Act::Process {
        inject: |server| Box::pin(server.shut_down(Shutdown::Kill)),
        undo: |server| Box::pin(server.restart()),
        restarts: true,
    },
    // Behind Docker's port the kernel still accepts for a moment.
    check: Some(|_, _| direct(&[Met::Refused, Met::Reset])),
};

/// The server shuts down in order (SIGINT) and is started again.
pub static FAST_RESTART: Kind = Kind {
    name: "fast-restart",
    title: "Fast restart",
    about: "server shut down in order, then started",
    during: "the server is down: shut down, then started again",
    gone: "the server's process is back",
    needs: Needs::OwnServer,
    parameters: &[],
    act: Act::Process {
        inject: |server| Box::pin(server.shut_down(Shutdown::Fast)),
        undo: |server| Box::pin(server.restart()),
        restarts: true,
    },
    check: Some(|_, _| direct(&[Met::Refused, Met::Reset, Met::Starting])),
};

/// The server shuts down at once (SIGQUIT), and does crash recovery.
pub static IMMEDIATE_RESTART: Kind = Kind {
    name: "immediate-restart",
    title: "Immediate restart",
    about: "server shut down at once, crash recovery",
    during: "the server is down: shut down at once, then started",
    gone: "the server's process is back",
    needs: Needs::OwnServer,
    parameters: &[],
    act: Act::Process {
        inject: |server| Box::pin(server.shut_down(Shutdown::Immediate)),
        undo: |server| Box::pin(server.restart()),
        restarts: true,
    },
    check: Some(|_, _| direct(&[Met::Refused, Met::Reset, Met::Starting])),
};

/// The whole server is stopped (SIGSTOP) and later goes on.
pub static PAUSE: Kind = Kind {
    name: "pause",
    title: "Server paused",
    about: "server stopped, then continued",
    during: "the server's processes are stopped",
    gone: "the server goes on",
    needs: Needs::OwnProcesses,
    parameters: &[],
    act: Act::Process {
        inject: |server| Box::pin(server.pause()),
        undo: |server| Box::pin(server.resume()),
        restarts: false,
    },
    check: Some(|_, _| direct(&[Met::NoAnswer])),
};

/// The postmaster alone is stopped: sessions live, new ones cannot be had.
pub static PAUSE_POSTMASTER: Kind = Kind {
    name: "pause-postmaster",
    title: "Postmaster paused",
    about: "no new sessions, old ones live",
    during: "the postmaster is stopped: no new sessions",
    gone: "the postmaster goes on",
    needs: Needs::OwnServer,
    parameters: &[],
    act: Act::Process {
        inject: |server| Box::pin(server.pause_postmaster()),
        undo: |server| Box::pin(server.resume()),
        restarts: false,
    },
    check: Some(|_, _| direct(&[Met::NoAnswer])),
};

/// The server's network is taken away.
pub static DISCONNECT: Kind = Kind {
    name: "disconnect",
    title: "Network unplugged",
    about: "the server's network is taken away",
    during: "the server has no network",
    gone: "the network is back",
    needs: Needs::Container,
    parameters: &[],
    act: Act::Process {
        inject: |server| Box::pin(server.disconnect()),
        undo: |server| Box::pin(server.connect()),
        restarts: false,
    },
    check: Some(|_, _| direct(&[Met::Refused, Met::Reset, Met::NoAnswer])),
};

/// Begins a session with the server itself.
fn direct(in_effect: &'static [Met]) -> Check {
    Check {
        through_proxy: false,
        look: Look::Start,
        patience: PATIENCE,
        in_effect,
    }
}
