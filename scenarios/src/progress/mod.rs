//! What is going on, on stderr: lines that are redrawn in a terminal, plain lines
//! elsewhere. It shows the run's events and knows nothing else.
//!
//! What is shown is made by `view` (pure), which `fit` keeps within the terminal's width.
//! Nothing is coloured, so that `NO_COLOR` has nothing to forbid. Whatever else is written to
//! stderr meanwhile goes through [`Above`], or it would end up in the middle of them.

mod fit;
mod view;

use std::{
    fmt,
    io::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use reports::run::{Event, What};
use seawall::clock::{self, Instant};

use self::view::View;
use crate::faults::Kind;

/// How often the lines are redrawn.
const REDRAWN: Duration = Duration::from_millis(200);
/// How often rates are told at most where nothing is redrawn.
const RATES: Duration = Duration::from_secs(10);
/// Columns of a terminal that does not say how many it has.
const USUAL: usize = 80;

/// What is redrawn on stderr just now, if something is.
static REDRAWN_NOW: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Stderr, above the lines that are redrawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Above;

impl io::Write for Above {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let redrawn = lock(&REDRAWN_NOW).clone();
        let Some(bar) = redrawn else {
            return io::stderr().lock().write(text);
        };
        let lines = fit::wrapped(&String::from_utf8_lossy(text), width());
        bar.suspend(|| io::stderr().lock().write_all(lines.as_bytes()))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Shows a run's events. Dropping it takes the lines away.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    plain: bool,
    view: Arc<Mutex<View>>,
    /// When rates were told the last time, in a plain line.
    rates: Mutex<Option<Instant>>,
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
        let view = Arc::new(Mutex::new(View::new(clock::now())));
        if let Ok(style) = ProgressStyle::with_template("{view}") {
            let shown = view.clone();
            let lines = move |_: &ProgressState, to: &mut dyn fmt::Write| {
                let view = lock(&shown).clone();
                let lines = view.lines(clock::now(), width());
                // Whether anybody reads it is no business of the run's.
                let _unread = to.write_str(&lines.join("\n"));
            };
            bar.set_style(style.with_key("view", lines));
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(REDRAWN);
            *lock(&REDRAWN_NOW) = Some(bar.clone());
        }
        Self {
            bar,
            plain,
            view,
            rates: Mutex::default(),
        }
    }

    /// Says that a run begins: the only one, or one of several.
    pub fn begin(&self, run: Option<(usize, usize)>) {
        lock(&self.view).begin(run, clock::now());
        if let Some((number, of)) = run {
            self.line(&format!("run {number} of {of}"));
        }
    }

    /// Shows an event, if it is one for people.
    pub fn event(&self, event: &Event) {
        let now = clock::now();
        let mut view = lock(&self.view);
        view.event(event, now);
        let rates = match event.what {
            What::Throughput { .. } if self.plain && self.rates_are_due(now) => view.one_line(),
            _ => None,
        };
        drop(view);
        if let Some(text) = text(event).or(rates) {
            self.line(&text);
        }
    }

    /// Shows a text.
    pub fn say(&self, text: &str) {
        lock(&self.view).say(text);
        self.line(text);
    }

    /// Whether it is time for rates in a plain line. It is not at the start, where nothing
    /// is counted.
    fn rates_are_due(&self, now: Instant) -> bool {
        let mut last = lock(&self.rates);
        let due = last.is_some_and(|last| now >= last + RATES);
        if due || last.is_none() {
            *last = Some(now);
        }
        due
    }

    /// Writes a line where nothing is redrawn. Whether anybody reads it is no business of
    /// the run's.
    fn line(&self, text: &str) {
        if self.plain {
            let _unread = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Takes the lines away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
        lock(&REDRAWN_NOW).take();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Columns of the terminal that stderr is.
fn width() -> usize {
    rustix::termios::tcgetwinsize(io::stderr())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0)
        .unwrap_or(USUAL)
}

/// What an event says to people, if it does.
fn text(event: &Event) -> Option<String> {
    Some(match &event.what {
        What::StepStarted {
            unit, number, of, ..
        } => match &event.subject {
            Some(subject) => format!("{unit} {number} of {of}: {subject}"),
            None => format!("{unit} {number} of {of}"),
        },
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
