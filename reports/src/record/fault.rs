//! Faults: the kinds there are, how each is called, and how a plan holds them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// New connections are refused and the old ones are closed.
    Refused,
    /// Connections are reset (RST) at the first byte.
    Reset,
    /// Every connection is reset at once, idle or not.
    ResetIdle,
    /// Bytes vanish; sockets that were caught stay dead after it.
    Blackhole,
    /// Each chunk of bytes comes later.
    Latency,
    /// The link passes so many bytes a second and no more.
    Bandwidth,
    /// Bytes come in small pieces, with a pause after each.
    Slicer,
    /// The end of a connection comes late.
    SlowClose,
    /// Bytes vanish; connections are closed after a silence, or when it ends.
    Timeout,
    /// Connections are closed after so many bytes.
    LimitData,
    /// The server is killed (SIGKILL), started again, and does crash recovery.
    Crash,
    /// The server shuts down in order (SIGINT) and is started again.
    FastRestart,
    /// The server shuts down at once (SIGQUIT), and does crash recovery.
    ImmediateRestart,
    /// The whole server is stopped (SIGSTOP) and later goes on.
    Pause,
    /// The postmaster alone is stopped: sessions live, new ones cannot be had.
    PausePostmaster,
    /// The server's network is taken away.
    Disconnect,
    /// Sessions are ended with `pg_terminate_backend`.
    Terminate,
    /// Strangers take every connection that the server allows.
    MaxConnections,
    /// Strangers take turns with an exclusive lock on the load's tables.
    LockStorm,
    /// A stranger's open transaction holds a lock on what the load writes to.
    IdleInTransaction,
    /// Every statement of the load takes long on the server.
    SlowStatements,
    /// The server takes no writes (`default_transaction_read_only`).
    ReadOnly,
    /// The disk that the load writes to is full.
    DiskFull,
}

/// How a fault is spoken of.
struct Words {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    during: &'static str,
    gone: &'static str,
}

impl Fault {
    /// All kinds, those of the network first.
    pub const ALL: [Self; 23] = [
        Self::Refused,
        Self::Reset,
        Self::ResetIdle,
        Self::Blackhole,
        Self::Latency,
        Self::Bandwidth,
        Self::Slicer,
        Self::SlowClose,
        Self::Timeout,
        Self::LimitData,
        Self::Crash,
        Self::FastRestart,
        Self::ImmediateRestart,
        Self::Pause,
        Self::PausePostmaster,
        Self::Disconnect,
        Self::Terminate,
        Self::MaxConnections,
        Self::LockStorm,
        Self::IdleInTransaction,
        Self::SlowStatements,
        Self::ReadOnly,
        Self::DiskFull,
    ];

    /// The name on the command line, in a plan and on disk.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().name
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// What it is, for a reader who has never seen it.
    #[must_use]
    pub fn about(self) -> &'static str {
        self.words().about
    }

    /// Its name, to begin a sentence with.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.words().title
    }

    /// What happens under it, as a clause.
    #[must_use]
    pub fn during(self) -> &'static str {
        self.words().during
    }

    /// What it means that it is gone, as a clause.
    #[must_use]
    pub fn gone(self) -> &'static str {
        self.words().gone
    }

    fn words(self) -> Words {
        let words = |name, title, about, during, gone| Words {
            name,
            title,
            about,
            during,
            gone,
        };
        match self {
            Self::Refused => words(
                "refused",
                "Connections refused",
                "connections refused",
                "new connections are refused, old ones closed",
                "connections are accepted",
            ),
            Self::Reset => words(
                "reset",
                "Connections reset",
                "connections reset",
                "connections are reset at the first byte",
                "connections are left alone",
            ),
            Self::ResetIdle => words(
                "reset-idle",
                "All connections reset",
                "every connection reset at once, idle or not",
                "every connection is reset at once, idle or not",
                "connections are left alone",
            ),
            Self::Blackhole => words(
                "blackhole",
                "Blackhole",
                "packets vanish, old sockets stay dead",
                "packets vanish, and old sockets stay dead",
                "the network is back",
            ),
            Self::Latency => words(
                "latency",
                "Slow answers",
                "answers come late",
                "every answer is held back",
                "answers are fast",
            ),
            Self::Bandwidth => words(
                "bandwidth",
                "Narrow link",
                "few bytes a second",
                "the link passes few bytes a second",
                "the link is wide again",
            ),
            Self::Slicer => words(
                "slicer",
                "Dripping link",
                "bytes come in small pieces",
                "bytes come in small pieces, with pauses",
                "bytes flow again",
            ),
            Self::SlowClose => words(
                "slow-close",
                "Slow close",
                "the end of a connection comes late",
                "the end of each connection comes late",
                "connections end at once",
            ),
            Self::Timeout => words(
                "timeout",
                "Silence",
                "bytes vanish, connections are closed after it",
                "bytes vanish, and connections are closed later",
                "bytes arrive again",
            ),
            Self::LimitData => words(
                "limit-data",
                "Connections cut",
                "connections closed after so many bytes",
                "each connection is closed after so many bytes",
                "connections are left alone",
            ),
            Self::Crash => words(
                "crash",
                "Server crash",
                "server killed, crash recovery",
                "the server is down: killed, then started again",
                "the server's process is back",
            ),
            Self::FastRestart => words(
                "fast-restart",
                "Fast restart",
                "server shut down in order, then started",
                "the server is down: shut down, then started again",
                "the server's process is back",
            ),
            Self::ImmediateRestart => words(
                "immediate-restart",
                "Immediate restart",
                "server shut down at once, crash recovery",
                "the server is down: shut down at once, then started",
                "the server's process is back",
            ),
            Self::Pause => words(
                "pause",
                "Server paused",
                "server stopped, then continued",
                "the server's processes are stopped",
                "the server goes on",
            ),
            Self::PausePostmaster => words(
                "pause-postmaster",
                "Postmaster paused",
                "no new sessions, old ones live",
                "the postmaster is stopped: no new sessions",
                "the postmaster goes on",
            ),
            Self::Disconnect => words(
                "disconnect",
                "Network unplugged",
                "the server's network is taken away",
                "the server has no network",
                "the network is back",
            ),
            Self::Terminate => words(
                "terminate",
                "Sessions terminated",
                "pg_terminate_backend, again and again",
                "sessions are terminated, again and again",
                "sessions are left alone",
            ),
            Self::MaxConnections => words(
                "max-connections",
                "No connection left",
                "strangers hold every connection",
                "strangers hold every connection",
                "the strangers are gone",
            ),
            Self::LockStorm => words(
                "lock-storm",
                "Lock storm",
                "strangers take turns with an exclusive lock",
                "strangers take turns with an exclusive lock",
                "the locks are free",
            ),
            Self::IdleInTransaction => words(
                "idle-in-transaction",
                "Idle in transaction",
                "an open transaction blocks every write",
                "an idle transaction blocks every write",
                "the transaction is gone",
            ),
            Self::SlowStatements => words(
                "slow-statements",
                "Slow statements",
                "every statement takes long",
                "every statement takes long on the server",
                "statements are fast",
            ),
            Self::ReadOnly => words(
                "read-only",
                "Read-only server",
                "the server takes no writes",
                "the server takes no writes",
                "the server takes writes",
            ),
            Self::DiskFull => words(
                "disk-full",
                "Disk full",
                "no space left for what the load writes",
                "there is no space left for writes",
                "there is space",
            ),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One fault of an entry of the plan, as drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    pub kind: Fault,
    /// When: so long after the load was seen to be steady.
    pub phase_us: u64,
    /// How long it lasts, from when a probe saw it.
    pub length_us: u64,
    /// The direction that a fault of the network acts on, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// The share of connections that a fault of the network hits, 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<f64>,
    /// What else there is to know of it, by name; the unit stands last in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, u32>,
}

impl Step {
    /// A parameter; 0 for one that it does not have.
    #[must_use]
    pub fn parameter(&self, name: &str) -> u32 {
        self.parameters.get(name).copied().unwrap_or(0)
    }
}

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// From the client to the server.
    Upstream,
    /// From the server to the client.
    Downstream,
}

impl Stream {
    /// Its name in Toxiproxy's API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

/// One entry of the plan: faults that belong together, done to arms under load.
/// Drawn from the seed, the same for the same seed and flags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// What it is called. Entries of one name are comparable: the same faults, for
    /// other arms or another time.
    pub name: String,
    /// What is done. Never empty; they may overlap.
    pub faults: Vec<Step>,
    /// The arms that are under load while it is done.
    pub arms: Vec<String>,
}

impl Planned {
    /// How long the load runs in steady state before the first of its faults.
    #[must_use]
    pub fn phase_us(&self) -> u64 {
        self.faults.iter().map(|f| f.phase_us).min().unwrap_or(0)
    }

    /// From the first of its faults to the end of the last.
    #[must_use]
    pub fn length_us(&self) -> u64 {
        let ends = self.faults.iter().map(|f| f.phase_us + f.length_us);
        ends.max().unwrap_or(0).saturating_sub(self.phase_us())
    }

    /// The fault, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<Fault> {
        match self.faults.as_slice() {
            [step] => Some(step.kind),
            _ => None,
        }
    }
}

/// When a fault of an injection was in effect, on the injection's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// What was done.
    pub kind: Fault,
    /// A direct probe saw it in effect.
    pub effective_us: u64,
    /// A direct probe saw it gone.
    pub cleared_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_one_kind_and_the_one_on_disk() {
        for fault in Fault::ALL {
            assert_eq!(Fault::from_name(fault.name()), Some(fault));
            let on_disk = serde_json::to_string(&fault).unwrap();
            assert_eq!(on_disk, format!("\"{fault}\""));
        }
        assert_eq!(Fault::from_name("Crash"), None);
    }

    #[test]
    fn an_entry_lasts_from_its_first_fault_to_the_end_of_its_last() {
        let step = |phase_us, length_us| Step {
            kind: Fault::Crash,
            phase_us,
            length_us,
            stream: None,
            toxicity: None,
            parameters: BTreeMap::new(),
        };
        let planned = |faults| Planned {
            name: String::new(),
            faults,
            arms: Vec::new(),
        };
        let both = planned(vec![step(300, 1_000), step(100, 50)]);
        assert_eq!((both.phase_us(), both.length_us()), (100, 1_200));
        assert_eq!(both.only(), None);
        assert_eq!(planned(vec![step(1, 2)]).only(), Some(Fault::Crash));
    }
}
