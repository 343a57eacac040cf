//! What is going on, on stderr: a line that is redrawn in a terminal, plain lines
//! elsewhere. It shows the run's events and knows nothing else.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reports::run::{Event, What};

use crate::faults::Kind;

/// Shows a run's events.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    plain: bool,
}

impl Progress {
    /// Shows nothing if `quiet`.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let plain = !quiet && bar.is_hidden();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, plain }
    }

    /// Shows an event, if it is one for people.
    pub fn event(&self, event: &Event) {
        if let Some(text) = text(event) {
            self.say(&text);
        }
    }

    /// Shows a text. Whether anybody reads it is no business of the run's.
    pub fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
        if self.plain {
            let _unread = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn text(event: &Event) -> Option<String> {
    Some(match &event.what {
        What::LoadStarted => event.subject.clone()?,
        What::EnvironmentReady {
            environment,
            server_version,
        } => {
            format!("PostgreSQL {server_version} ({environment})")
        }
        What::FaultRequested { fault } => {
            let about = Kind::named(fault).map_or("", |kind| kind.about);
            format!("{fault}: {about}")
        }
        What::FaultCleared { fault } => format!("{fault}: over, waiting for recovery"),
        What::AlarmRaised { alarm } => format!("false alarm: {alarm}"),
        What::Recommended { arm } => format!("{arm} came out best; fresh outages confirm it"),
        What::Interrupted => "interrupted: taking everything down".to_owned(),
        What::LedgerUnread { reason } => format!("the writes could not be checked: {reason}"),
        What::NotTakenDown { reason } => format!("not taken down: {reason}"),
        _ => return None,
    })
}
