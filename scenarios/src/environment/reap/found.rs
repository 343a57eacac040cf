//! What was found, what became of it, and how that is told.

use std::{fmt::Write as _, path::PathBuf};

use serde_json::{Value, json};

use super::super::lease::Holder;

/// Something that a runner made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// `server`, `container`, `schema` or `database`.
    pub kind: &'static str,
    /// Its folder, its id, or its name and place.
    pub name: String,
    /// Whether it belongs to nobody, or why it cannot be told.
    pub why: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The processes that were, or would be, killed with it.
    pub processes: Vec<u32>,
    /// What was, or would be, unmounted with it.
    pub mounts: Vec<PathBuf>,
    /// The shared memory that was removed with it.
    pub memory: Vec<String>,
}

/// What became of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is gone.
    Removed,
    /// It would be removed, were this not a dry run.
    WouldRemove,
    /// It is not ours to remove.
    LeftAlone,
    /// It should have been removed, and this is why it was not.
    Failed(String),
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Reaped {
    dry_run: bool,
    /// One by one.
    pub things: Vec<Thing>,
    /// Where there was nothing to look at, and why.
    pub remarks: Vec<String>,
    /// Where it could not be looked, though there may be something.
    pub unseen: Vec<String>,
}

/// Says why a thing is removed or left alone. `remove` is the command that removes
/// it by hand.
pub(super) fn why(runner: Option<u32>, holder: Holder, remove: &str) -> String {
    let runner = runner.map_or_else(
        || "its runner".to_owned(),
        |pid| format!("its runner, pid {pid},"),
    );
    match holder {
        Holder::Alive => format!("{runner} is alive"),
        Holder::Gone => format!("{runner} is gone"),
        Holder::Unknown(reason) => format!("{reason}; if it is not in use, `{remove}` removes it"),
    }
}

impl Thing {
    /// Something that stays.
    pub(super) fn left_alone(kind: &'static str, name: String, why: String) -> Self {
        Self {
            kind,
            name,
            why,
            outcome: Outcome::LeftAlone,
            processes: Vec::new(),
            mounts: Vec::new(),
            memory: Vec::new(),
        }
    }

    fn line(&self) -> String {
        let Self {
            name,
            why,
            processes,
            mounts,
            memory,
            ..
        } = self;
        let (word, reason) = match &self.outcome {
            Outcome::Removed => ("removed", why),
            Outcome::WouldRemove => ("would remove", why),
            Outcome::LeftAlone => ("left alone", why),
            Outcome::Failed(reason) => ("not removed", reason),
        };
        let mut line = format!("{word:<13}{} {name}: {reason}", self.kind);
        if !processes.is_empty() {
            let list: Vec<String> = processes.iter().map(u32::to_string).collect();
            // Writing to a String cannot fail, here and below.
            let _infallible = write!(line, "; processes {}", list.join(", "));
        }
        for mount in mounts {
            let _infallible = write!(line, "; mount {}", mount.display());
        }
        if !memory.is_empty() {
            let _infallible = write!(line, "; shared memory {}", memory.join(", "));
        }
        line
    }

    fn json(&self) -> Value {
        let (outcome, error) = match &self.outcome {
            Outcome::Removed => ("removed", None),
            Outcome::WouldRemove => ("would-remove", None),
            Outcome::LeftAlone => ("left-alone", None),
            Outcome::Failed(reason) => ("failed", Some(reason)),
        };
        json!({
            "kind": self.kind,
            "name": self.name,
            "outcome": outcome,
            "why": self.why,
            "error": error,
            "processes": self.processes,
            "mounts": self.mounts.iter().map(|m| m.to_string_lossy()).collect::<Vec<_>>(),
            "memory": self.memory,
        })
    }
}

impl Reaped {
    pub(super) fn new(dry_run: bool) -> Self {
        Self {
            dry_run,
            ..Self::default()
        }
    }

    /// How many things would be removed.
    #[must_use]
    pub fn would_remove(&self) -> usize {
        let would = |thing: &&Thing| thing.outcome == Outcome::WouldRemove;
        self.things.iter().filter(would).count()
    }

    /// Whether everything that belongs to nobody is gone, or would go.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let failed = |thing: &Thing| matches!(thing.outcome, Outcome::Failed(_));
        self.unseen.is_empty() && !self.things.iter().any(failed)
    }

    /// A line for each thing.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines: Vec<String> = self.things.iter().map(Thing::line).collect();
        let unseen = self
            .unseen
            .iter()
            .map(|what| format!("not seen     {what}"));
        lines.extend(unseen);
        if self.things.iter().all(|t| t.outcome == Outcome::LeftAlone) && self.unseen.is_empty() {
            lines.push("nothing to reap".to_owned());
        }
        lines.extend(
            self.remarks
                .iter()
                .map(|remark| format!("not looked at {remark}")),
        );
        lines.join("\n") + "\n"
    }

    /// The same for programs.
    #[must_use]
    pub fn json(&self, exit_code: u8) -> String {
        let value = json!({
            "schema": 1,
            "command": "reap",
            "dry_run": self.dry_run,
            "exit_code": exit_code,
            "things": self.things.iter().map(Thing::json).collect::<Vec<_>>(),
            "unseen": self.unseen,
            "remarks": self.remarks,
        });
        format!("{value:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(outcome: Outcome) -> Thing {
        Thing {
            outcome,
            processes: vec![7, 8],
            mounts: vec![PathBuf::from("/tmp/x/data")],
            ..Thing::left_alone(
                "server",
                "/tmp/x".to_owned(),
                "its runner is gone".to_owned(),
            )
        }
    }

    fn reaped(outcomes: Vec<Outcome>) -> Reaped {
        Reaped {
            things: outcomes.into_iter().map(thing).collect(),
            ..Reaped::new(false)
        }
    }

    #[test]
    fn each_thing_has_its_line_and_what_failed_its_reason() {
        let text = reaped(vec![
            Outcome::Removed,
            Outcome::WouldRemove,
            Outcome::LeftAlone,
            Outcome::Failed("it is busy".to_owned()),
        ])
        .text();
        let with = "processes 7, 8; mount /tmp/x/data";
        assert_eq!(
            text,
            format!(
                "removed      server /tmp/x: its runner is gone; {with}\n\
                 would remove server /tmp/x: its runner is gone; {with}\n\
                 left alone   server /tmp/x: its runner is gone; {with}\n\
                 not removed  server /tmp/x: it is busy; {with}\n"
            )
        );
    }

    #[test]
    fn what_is_left_alone_is_nothing_to_reap_and_what_failed_is_not_complete() {
        assert_eq!(reaped(vec![]).text(), "nothing to reap\n");
        assert!(
            reaped(vec![Outcome::LeftAlone])
                .text()
                .ends_with("\nnothing to reap\n")
        );
        assert!(reaped(vec![Outcome::LeftAlone, Outcome::Removed]).is_complete());
        assert!(!reaped(vec![Outcome::Failed(String::new())]).is_complete());
        let unseen = Reaped {
            unseen: vec!["containers: no answer".to_owned()],
            ..Reaped::new(true)
        };
        assert!(!unseen.is_complete() && !unseen.text().contains("nothing"));
    }

    #[test]
    fn json_says_the_same() {
        let text = reaped(vec![Outcome::Failed("it is busy".to_owned())]).json(70);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["exit_code"], 70);
        assert_eq!(value["things"][0]["outcome"], "failed");
        assert_eq!(value["things"][0]["error"], "it is busy");
        assert_eq!(value["things"][0]["processes"], json!([7, 8]));
    }
}
