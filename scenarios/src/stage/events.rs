//! `events.jsonl`: what happens, as it happens, for whoever watches or reads.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

use reports::run::{Event, What};
use seawall::clock::{self, Instant};

/// Writes each event to the file at once and shows it to the listener.
pub struct Events<'a> {
    zero: Instant,
    file: Mutex<File>,
    listener: &'a (dyn Fn(&Event) + Sync),
    lost: Mutex<Option<io::Error>>,
}

impl std::fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events")
            .field("zero", &self.zero)
            .finish_non_exhaustive()
    }
}

impl<'a> Events<'a> {
    /// A new file in `folder`; the run's clock starts now.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(folder: &Path, listener: &'a (dyn Fn(&Event) + Sync)) -> io::Result<Self> {
        Ok(Self {
            zero: clock::now(),
            file: Mutex::new(File::create(folder.join("events.jsonl"))?),
            listener,
            lost: Mutex::new(None),
        })
    }

    /// When the run's clock started.
    #[must_use]
    pub fn zero(&self) -> Instant {
        self.zero
    }

    /// Microseconds on the run's clock.
    #[must_use]
    pub fn us(&self, at: Instant) -> u64 {
        micros(at, self.zero)
    }

    /// Records that something happened to all arms.
    pub fn all(&self, planned: Option<usize>, at: Instant, what: What) {
        self.write(at, planned, None, None, what);
    }

    /// Records that something happened to one arm.
    pub fn arm(&self, planned: Option<usize>, arm: &str, at: Instant, what: What) {
        self.write(at, planned, Some(arm), None, what);
    }

    /// Records that something happened to what an experiment measures just now, where
    /// that is neither a fault nor an arm.
    pub fn of(&self, subject: &str, at: Instant, what: What) {
        self.write(at, None, None, Some(subject), what);
    }

    /// The first error of writing, if there was one. It does not stop a run, since
    /// everything that is judged is in the record.
    pub fn first_error(&self) -> Option<io::Error> {
        self.lost
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn write(
        &self,
        at: Instant,
        planned: Option<usize>,
        arm: Option<&str>,
        subject: Option<&str>,
        what: What,
    ) {
        let event = &Event {
            at_us: self.us(at),
            planned,
            arm: arm.map(str::to_owned),
            subject: subject.map(str::to_owned),
            what,
        };
        let written = serde_json::to_string(event)
            .map_err(io::Error::other)
            .and_then(|line| {
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(format!("{line}\n").as_bytes())
            });
        if let Err(error) = written {
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.get_or_insert(error);
        }
        (self.listener)(event);
    }
}

/// Microseconds from `zero` to `at`; zero if `at` is earlier.
#[must_use]
pub fn micros(at: Instant, zero: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(zero).as_micros()).unwrap_or(u64::MAX)
}
