//! What a kind of fault is: its words, what can be set of it, what it needs, how it
//! is done and undone, and how a probe sees it.
//!
//! Each kind is one [`Kind`], written out in [`network`],
//! [`process`] or [`session`]; [`ALL`] lists them. A
//! plan is checked against them, and `scenarios list faults` prints them.

use std::fmt;

use futures_util::future::BoxFuture;
use reports::run::{Step, Stream};

use super::{
    network,
    probe::Check,
    process,
    session::{self, Doing, Done, SessionsError, Undoing},
};
use crate::{
    environment::{Environment, EnvironmentError, Needs},
    load::{DEADLINE_MS, workload::Workload},
};

/// All kinds, those of the network first: the order of `scenarios list faults`.
pub static ALL: &[&Kind] = &[
    &network::REFUSED,
    &network::RESET,
    &network::RESET_IDLE,
    &network::BLACKHOLE,
    &network::LATENCY,
    &network::BANDWIDTH,
    &network::SLICER,
    &network::SLOW_CLOSE,
    &network::TIMEOUT,
    &network::LIMIT_DATA,
    &process::CRASH,
    &process::FAST_RESTART,
    &process::IMMEDIATE_RESTART,
    &process::PAUSE,
    &process::PAUSE_POSTMASTER,
    &process::DISCONNECT,
    &session::TERMINATE,
    &session::MAX_CONNECTIONS,
    &session::LOCK_STORM,
    &session::IDLE_IN_TRANSACTION,
    &session::SLOW_STATEMENTS,
    &session::READ_ONLY,
    &session::DISK_FULL,
];

/// Everything that is known of one kind of fault. Two of one name are the same.
pub struct Kind {
    /// The name on the command line, in a plan and on disk.
    pub name: &'static str,
    /// Its name, to begin a sentence with.
    pub title: &'static str,
    /// What it is, for a reader who has never seen it.
    pub about: &'static str,
    /// What happens under it, as a clause.
    pub during: &'static str,
    /// What it means that it is gone, as a clause.
    pub gone: &'static str,
    /// What it takes to do it.
    pub needs: Needs,
    /// What can be set of it.
    pub parameters: &'static [&'static Parameter],
    /// How it is done and undone.
    pub(crate) act: Act,
    /// How a probe sees it. `None` for one that is seen by a session which waits for
    /// it.
    pub(crate) check: Option<fn(&Step, &Workload) -> Check>,
}

impl Kind {
    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|kind| kind.name == name)
    }

    /// The direction that it acts on if none is named; `None` if it has no direction.
    #[must_use]
    pub fn stream(&self) -> Option<Stream> {
        match &self.act {
            Act::Network(toxic) => toxic.stream,
            Act::Process { .. } | Act::Session { .. } => None,
        }
    }

    /// Whether it can hit a share of the connections only.
    #[must_use]
    pub fn has_toxicity(&self) -> bool {
        match &self.act {
            Act::Network(toxic) => toxic.has_toxicity,
            Act::Process { .. } | Act::Session { .. } => false,
        }
    }

    /// Whether the proxy does it, between client and server.
    #[must_use]
    pub fn is_of_network(&self) -> bool {
        matches!(self.act, Act::Network(_))
    }

    /// Whether it is done to the server's processes, or to its own network.
    #[must_use]
    pub fn is_of_process(&self) -> bool {
        matches!(self.act, Act::Process { .. })
    }

    /// Whether no session with the server can be had under it, so that nobody could do
    /// or undo another fault of the server.
    #[must_use]
    pub fn leaves_no_session(&self) -> bool {
        match self.act {
            Act::Network(_) => false,
            Act::Process { .. } => true,
            Act::Session { exhausts, .. } => exhausts,
        }
    }

    /// Whether the server is down meanwhile, and is started again.
    #[must_use]
    pub fn restarts(&self) -> bool {
        matches!(self.act, Act::Process { restarts: true, .. })
    }

    /// What stands in a step of this kind: the words for a reader of its record.
    #[must_use]
    pub fn step(&'static self) -> Step {
        Step {
            kind: self.name.to_owned(),
            title: self.title.to_owned(),
            during: self.during.to_owned(),
            gone: self.gone.to_owned(),
            phase_us: 0,
            length_us: 0,
            stream: self.stream(),
            toxicity: None,
            parameters: std::collections::BTreeMap::new(),
        }
    }

    /// What `scenarios list faults` says of it.
    fn listed(&self, deadline_ms: u32) -> String {
        let indent = " ".repeat(NAME_WIDTH);
        let mut lines = vec![
            format!("{self:<NAME_WIDTH$}{}", self.about),
            format!("{indent}needs {}", self.needs),
        ];
        if let Some(stream) = self.stream() {
            let about = "upstream (to the server) or downstream (back)";
            lines.push(format!("{indent}stream = \"{}\"  {about}", stream.name()));
        }
        if self.has_toxicity() {
            let about = "share of the connections that it hits, 0 to 1";
            lines.push(format!("{indent}toxicity = 1.0  {about}"));
        }
        for parameter in self.parameters {
            let Parameter {
                name,
                usual,
                least,
                most,
                about,
            } = parameter;
            let value = usual.value(deadline_ms);
            lines.push(format!(
                "{indent}{name} = {value}  {about} ({least} to {most})"
            ));
        }
        lines.join("\n") + "\n"
    }
}

/// Columns that a name takes in the list.
const NAME_WIDTH: usize = 20;

/// What `scenarios list faults` prints, for operations with that deadline.
#[must_use]
pub fn list(deadline_ms: u32) -> String {
    ALL.iter().map(|kind| kind.listed(deadline_ms)).collect()
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

/// How a fault is done and undone.
pub(crate) enum Act {
    /// Between client and server, by the proxy.
    Network(Toxic),
    /// To the server's processes, or to its own network. Undoing what was not done
    /// changes nothing.
    Process {
        inject: fn(&Environment) -> BoxFuture<'_, Result<(), EnvironmentError>>,
        undo: fn(&Environment) -> BoxFuture<'_, Result<(), EnvironmentError>>,
        /// Whether the server is down meanwhile, and is started again.
        restarts: bool,
    },
    /// By sessions with the server: locks, settings, strangers. Before the undoing the
    /// strangers are ended already.
    Session {
        inject: fn(Doing<'_>) -> BoxFuture<'_, Result<Done, SessionsError>>,
        undo: fn(Undoing<'_>) -> BoxFuture<'_, Result<(), SessionsError>>,
        /// Whether it takes every connection, so that no other session can be had.
        exhausts: bool,
    },
}

/// What a fault of the network is in the proxy.
pub(crate) struct Toxic {
    /// The toxic's type in Toxiproxy's API; `None`: the proxy is disabled.
    pub(crate) name: Option<&'static str>,
    /// Its attributes, and what each of them is taken from.
    pub(crate) attributes: &'static [(&'static str, &'static Parameter)],
    /// The direction that it acts on if none is named.
    pub(crate) stream: Option<Stream>,
    /// Whether it can hit a share of the connections only.
    pub(crate) has_toxicity: bool,
}

/// What can be set of a fault. Its unit stands last in its name.
#[derive(Debug)]
pub struct Parameter {
    /// The key in a plan.
    pub name: &'static str,
    /// Its value if it is not set.
    pub usual: Usual,
    /// The least value.
    pub least: u32,
    /// The greatest value.
    pub most: u32,
    /// What it is.
    pub about: &'static str,
}

impl Parameter {
    /// Its value in a step. Every step that was drawn or read holds each parameter of
    /// its kind; without it, this is the usual value for the usual deadline.
    #[must_use]
    pub fn of(&self, step: &Step) -> u32 {
        let set = step.parameters.get(self.name).copied();
        set.unwrap_or_else(|| self.usual.value(DEADLINE_MS))
    }
}

/// A value that may depend on the load.
#[derive(Debug, Clone, Copy)]
pub enum Usual {
    /// This one.
    Value(u32),
    /// This many percent of the operations' deadline, in milliseconds.
    OfDeadline(u32),
}

impl Usual {
    /// The value, for a deadline.
    #[must_use]
    pub fn value(self, deadline_ms: u32) -> u32 {
        match self {
            Self::Value(value) => value,
            Self::OfDeadline(percent) => (deadline_ms.saturating_mul(percent) / 100).max(1),
        }
    }
}

/// Checks a step that was recorded: its kind is known, and each of its parameters is
/// there, is one of that kind, and is in its range.
///
/// # Errors
/// The field, its value, and what is allowed.
pub fn check(step: &Step) -> Result<&'static Kind, [String; 3]> {
    let Some(kind) = Kind::named(&step.kind) else {
        let allowed = "one of `scenarios list faults`".to_owned();
        return Err(["kind".to_owned(), step.kind.clone(), allowed]);
    };
    let known = |name: &str| kind.parameters.iter().any(|p| p.name == name);
    if let Some((name, value)) = step.parameters.iter().find(|(name, _)| !known(name)) {
        let names: Vec<&str> = kind.parameters.iter().map(|p| p.name).collect();
        let allowed = format!("{} has {}", kind.name, names.join(", "));
        return Err([name.clone(), value.to_string(), allowed]);
    }
    for parameter in kind.parameters {
        let Parameter {
            name, least, most, ..
        } = parameter;
        let value = step.parameters.get(*name);
        if !value.is_some_and(|value| (least..=most).contains(&value)) {
            let value = value.map_or_else(|| "missing".to_owned(), u32::to_string);
            return Err([(*name).to_owned(), value, format!("{least} to {most}")]);
        }
    }
    Ok(kind)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A step with everything as usual.
    pub(crate) fn usual(kind: &'static Kind) -> Step {
        let parameters = kind.parameters.iter();
        Step {
            parameters: parameters
                .map(|p| (p.name.to_owned(), p.usual.value(500)))
                .collect(),
            ..kind.step()
        }
    }

    #[test]
    fn a_name_is_that_of_one_kind() {
        for kind in ALL {
            assert!(std::ptr::eq(Kind::named(kind.name).expect("known"), *kind));
            assert_eq!(check(&usual(kind)), Ok(*kind));
        }
        assert_eq!(Kind::named("Crash"), None);
    }

    #[test]
    fn every_kind_is_listed_with_all_that_can_be_set() {
        let text = list(500);
        for kind in ALL {
            assert!(text.contains(&format!("\n{kind:<20}")) || text.starts_with(kind.name));
            for parameter in kind.parameters {
                let value = parameter.usual.value(500);
                assert!(
                    (parameter.least..=parameter.most).contains(&value),
                    "{kind}"
                );
                assert!(text.contains(&format!("{} = {value}", parameter.name)));
            }
        }
        assert!(
            text.contains("latency_ms = 750"),
            "one and a half deadlines"
        );
    }

    #[test]
    fn what_a_step_does_not_have_and_what_it_should_not_have_is_an_error() {
        let mut step = usual(&network::LATENCY);
        step.parameters.remove("jitter_ms");
        let missing = check(&step).expect_err("jitter is missing");
        assert_eq!(missing, ["jitter_ms", "missing", "0 to 600000"]);
        step.parameters.insert("jitter_ms".to_owned(), 600_001);
        let great = check(&step).expect_err("jitter is too great");
        assert_eq!(great, ["jitter_ms", "600001", "0 to 600000"]);
        step.parameters.insert("jitter_ms".to_owned(), 0);
        step.parameters.insert("size_bytes".to_owned(), 1);
        let foreign = check(&step).expect_err("a latency has no size");
        assert_eq!(
            foreign,
            ["size_bytes", "1", "latency has latency_ms, jitter_ms"]
        );
        step.kind = "late".to_owned();
        assert_eq!(check(&step).expect_err("unknown")[1], "late");
    }

    #[test]
    fn every_attribute_of_a_toxic_is_taken_from_a_parameter_of_its_kind() {
        for kind in ALL {
            let Act::Network(toxic) = &kind.act else {
                continue;
            };
            for (attribute, parameter) in toxic.attributes {
                let own = kind.parameters.iter().any(|p| std::ptr::eq(*p, *parameter));
                assert!(own, "{kind}: {attribute}");
            }
            assert_eq!(
                toxic.attributes.len(),
                kind.parameters.len(),
                "{kind}: a parameter without effect"
            );
        }
    }
}
