//! `latency.hlog`: how long operations took, each second, for whoever reads it later or after
//! a crash.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reports::record::{INTERVALS, Interval, intervals};
use seawall::clock::Instant;

/// Appends an interval after the other to the file.
#[derive(Debug)]
pub(super) struct Latencies {
    zero: Instant,
    file: File,
    lost: Mutex<Option<io::Error>>,
}

impl Latencies {
    /// A new file in `folder`. `zero` is when the run's clock started.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn create(folder: &Path, zero: Instant) -> io::Result<Self> {
        let mut file = File::create(folder.join(INTERVALS))?;
        // The wall clock, for a label.
        let started_s = time::OffsetDateTime::now_utc().unix_timestamp();
        file.write_all(intervals::header(started_s).as_bytes())?;
        Ok(Self {
            zero,
            file,
            lost: Mutex::default(),
        })
    }

    /// Appends how long the operations of an arm took that ended from one moment to another.
    pub(super) fn note(&self, arm: &str, over: (Instant, Instant), interval: &Interval) {
        let (from, to) = over;
        let since = |at: Instant, zero| -> Duration { at.saturating_duration_since(zero) };
        let lines = intervals::lines(arm, since(from, self.zero), since(to, from), interval);
        // Whole lines at once: what is killed in the middle of it loses no more than one.
        let written = lines.and_then(|lines| (&self.file).write_all(&lines));
        if let Err(error) = written {
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.get_or_insert(error);
        }
    }

    /// The first error of writing, if there was one. It does not stop a run, since everything
    /// that is judged is in the record.
    pub(super) fn first_error(&self) -> Option<io::Error> {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.take()
    }
}
