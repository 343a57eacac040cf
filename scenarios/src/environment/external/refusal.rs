//! Whether a server that is already there may be experimented on: a decision from
//! facts, without a server.
//!
//! An experiment cuts connections, writes and waits; somebody's production must not
//! be near it. The name of a host proves nothing, since a tunnel makes any server one
//! of this machine. So whoever uses the server, copies it or keeps much in it is a
//! reason to refuse, and all reasons are told at once.

/// Most bytes in a database that is taken for one to try things on: a database made
/// by hand or by a test suite has megabytes, one that serves people soon has more.
pub(super) const MAX_BYTES: i64 = 1 << 30;

/// Most sessions, replicas or slots that are told one by one.
pub(super) const SHOWN: i64 = 10;

/// The table that says that a database may be experimented on.
pub(super) const MARKER: &str = "seawall_marker";

/// What the catalogue says. Never a password, never the text of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) database: String,
    pub(super) server_version: String,
    pub(super) has_marker: bool,
    pub(super) in_recovery: bool,
    pub(super) bytes: i64,
    /// Whether our role may see what the sessions of others are.
    pub(super) sees_all: bool,
    pub(super) sessions: Listed<Peer>,
    pub(super) replicas: Listed<Peer>,
    pub(super) slots: Listed<String>,
}

/// The first few of some things, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed<T> {
    pub(super) first: Vec<T>,
    pub(super) total: i64,
}

/// Somebody at the other end of a session. What the role may not see is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) user: Option<String>,
    pub(super) database: Option<String>,
    pub(super) application: Option<String>,
    pub(super) address: Option<String>,
}

/// Every reason to leave the server alone; none if it may be experimented on.
/// `claimed` is the name that the user gave as that of a database of theirs.
pub(super) fn reasons(facts: &Facts, claimed: Option<&str>) -> Vec<String> {
    let mut reasons = ownership(facts, claimed);
    let database = &facts.database;
    if facts.sessions.total > 0 {
        reasons.push(format!(
            "others use it: {}",
            facts.sessions.told(Peer::told)
        ));
        if facts.sessions.first.iter().any(Peer::is_seawall) {
            reasons.push("another run of seawall seems to be using it".to_owned());
        }
        if !facts.sees_all {
            reasons.push(
                "the role may not see what all sessions are (pg_read_all_stats), so each of them counts"
                    .to_owned(),
            );
        }
    }
    if facts.in_recovery {
        reasons.push("it is a replica, or recovers".to_owned());
    }
    if facts.replicas.total > 0 {
        let replicas = facts.replicas.told(Peer::told);
        reasons.push(format!("it has replicas: {replicas}"));
    }
    if facts.slots.total > 0 {
        let slots = facts.slots.told(|slot| format!("{slot:?}"));
        reasons.push(format!("it has replication slots: {slots}"));
    }
    if facts.bytes > MAX_BYTES {
        reasons.push(format!(
            "database {database:?} has {} bytes, allowed: at most {MAX_BYTES}",
            facts.bytes
        ));
    }
    reasons
}

/// What speaks against the user's word that the database is theirs.
pub(super) fn ownership(facts: &Facts, claimed: Option<&str>) -> Vec<String> {
    let mut reasons = Vec::new();
    let Some(claimed) = claimed else {
        return reasons;
    };
    let database = &facts.database;
    if claimed != database {
        reasons.push(format!(
            "--i-own-this-database: {claimed:?}, allowed: the name of the database, {database:?}"
        ));
    }
    if !facts.has_marker {
        reasons.push(format!(
            "there is no table {MARKER} in its search path; if {database:?} is yours to break, `CREATE TABLE {MARKER} ()` says so"
        ));
    }
    reasons
}

/// Whether sessions of seawall are all that stands against it: those of a run that
/// has just ended take a moment to go.
pub(super) fn may_pass_soon(facts: &Facts, claimed: Option<&str>) -> bool {
    let sessions = &facts.sessions;
    let all_ours = sessions.first.iter().all(Peer::is_seawall)
        && usize::try_from(sessions.total) == Ok(sessions.first.len());
    let without = Facts {
        sessions: Listed::default(),
        ..facts.clone()
    };
    all_ours && reasons(&without, claimed).is_empty()
}

impl<T> Listed<T> {
    fn told(&self, tell: impl Fn(&T) -> String) -> String {
        let mut all: Vec<String> = self.first.iter().map(tell).collect();
        let shown = i64::try_from(all.len()).unwrap_or(i64::MAX);
        if self.total > shown {
            all.push(format!("and {} more", self.total - shown));
        }
        all.join("; ")
    }
}

impl Peer {
    /// An application name is no proof: it only adds to what is told.
    fn is_seawall(&self) -> bool {
        self.application
            .as_deref()
            .is_some_and(|name| name.starts_with("seawall"))
    }

    /// Quoted, since a client may call itself what it likes.
    fn told(&self) -> String {
        let told = |value: &Option<String>| match value {
            Some(value) => format!("{value:?}"),
            None => "unknown".to_owned(),
        };
        let mut text = format!("user {}", told(&self.user));
        if self.database.is_some() {
            text += &format!(", database {}", told(&self.database));
        }
        text + &format!(
            ", application {}, address {}",
            told(&self.application),
            self.address
                .as_deref()
                .unwrap_or("unknown or a local socket")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Facts {
        Facts {
            database: "shop".to_owned(),
            server_version: "15.1".to_owned(),
            has_marker: false,
            in_recovery: false,
            bytes: MAX_BYTES,
            sees_all: true,
            sessions: Listed::default(),
            replicas: Listed::default(),
            slots: Listed::default(),
        }
    }

    fn peer(application: &str) -> Listed<Peer> {
        let peer = Peer {
            user: Some("app".to_owned()),
            database: Some("shop".to_owned()),
            application: Some(application.to_owned()),
            address: Some("10.0.0.5".to_owned()),
        };
        Listed {
            first: vec![peer],
            total: 1,
        }
    }

    #[test]
    fn each_fact_gives_its_reason() {
        let marked = || Facts {
            has_marker: true,
            ..quiet()
        };
        let hidden = Listed {
            first: vec![Peer::default()],
            total: 12,
        };
        let table: Vec<(&str, Facts, Option<&str>, &[&str])> = vec![
            ("quiet", quiet(), None, &[]),
            ("owned", marked(), Some("shop"), &[]),
            ("marked for nothing", marked(), None, &[]),
            (
                "another name",
                marked(),
                Some("Shop"),
                &["\"Shop\", allowed: the name of the database, \"shop\""],
            ),
            ("no name", marked(), Some(""), &["\"\", allowed"]),
            (
                "no marker",
                quiet(),
                Some("shop"),
                &["CREATE TABLE seawall_marker ()"],
            ),
            (
                "neither",
                quiet(),
                Some("x"),
                &["\"x\", allowed", "CREATE TABLE"],
            ),
            (
                "a session",
                Facts {
                    sessions: peer("billing"),
                    ..quiet()
                },
                None,
                &[
                    "others use it: user \"app\", database \"shop\", application \"billing\", address 10.0.0.5",
                ],
            ),
            (
                "a session of a client that plays tricks",
                Facts {
                    sessions: peer("x\u{1b}[2J\n"),
                    ..quiet()
                },
                None,
                &["application \"x\\u{1b}[2J\\n\""],
            ),
            (
                "another run",
                Facts {
                    sessions: peer("seawall"),
                    ..quiet()
                },
                None,
                &[
                    "others use it",
                    "another run of seawall seems to be using it",
                ],
            ),
            (
                "sessions that cannot be seen",
                Facts {
                    sessions: hidden,
                    sees_all: false,
                    ..quiet()
                },
                None,
                &[
                    "user unknown, application unknown, address unknown or a local socket; and 11 more",
                    "pg_read_all_stats",
                ],
            ),
            (
                "nobody, to a role that sees little",
                Facts {
                    sees_all: false,
                    ..quiet()
                },
                None,
                &[],
            ),
            (
                "a replica",
                Facts {
                    in_recovery: true,
                    ..quiet()
                },
                None,
                &["it is a replica"],
            ),
            (
                "replicas",
                Facts {
                    replicas: peer("walreceiver"),
                    ..quiet()
                },
                None,
                &["it has replicas: user \"app\""],
            ),
            (
                "slots",
                Facts {
                    slots: Listed {
                        first: vec!["s".to_owned()],
                        total: 2,
                    },
                    ..quiet()
                },
                None,
                &["it has replication slots: \"s\"; and 1 more"],
            ),
            (
                "large",
                Facts {
                    bytes: MAX_BYTES + 1,
                    ..quiet()
                },
                None,
                &["database \"shop\" has 1073741825 bytes, allowed: at most 1073741824"],
            ),
            (
                "owned, but large and in use",
                Facts {
                    bytes: i64::MAX,
                    sessions: peer("billing"),
                    ..marked()
                },
                Some("shop"),
                &["others use it", "9223372036854775807 bytes"],
            ),
        ];
        for (name, facts, claimed, expected) in table {
            let reasons = reasons(&facts, claimed);
            assert_eq!(reasons.len(), expected.len(), "{name}: {reasons:?}");
            for (reason, expected) in reasons.iter().zip(expected) {
                assert!(reason.contains(expected), "{name}: {reason}");
            }
        }
    }

    #[test]
    fn only_sessions_of_seawall_may_pass_soon() {
        let with = |sessions| Facts {
            sessions,
            ..quiet()
        };
        assert!(may_pass_soon(&with(peer("seawall")), None));
        assert!(!may_pass_soon(&with(peer("billing")), None));
        assert!(!may_pass_soon(&with(peer("seawall")), Some("shop")));
        let some_unseen = Listed {
            total: 2,
            ..peer("seawall")
        };
        assert!(!may_pass_soon(&with(some_unseen), None));
        let copied = Facts {
            slots: Listed {
                first: vec![],
                total: 1,
            },
            ..with(peer("seawall"))
        };
        assert!(!may_pass_soon(&copied, None));
    }
}
