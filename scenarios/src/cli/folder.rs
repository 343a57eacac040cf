//! The folder of a run: made, emptied, and pointed at.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::flags::{CliError, OutputArgs};

impl OutputArgs {
    /// Makes the folder of a run. Without `--out` it is a new one, which no other run has,
    /// however many begin in the same second; with it, what an earlier run left there is
    /// removed.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn folder(&self, command: &str, seed: u64, utc: &str) -> Result<PathBuf, CliError> {
        let out = |folder: &Path, reason| CliError::Out {
            path: folder.display().to_string(),
            reason,
        };
        let folder = match &self.out {
            Some(folder) => {
                fs::create_dir_all(folder).map_err(|e| out(folder, e))?;
                remove_old_results(folder).map_err(|e| out(folder, e))?;
                folder.clone()
            }
            None => {
                let label: String = utc.chars().filter(|c| !matches!(c, ':' | '-')).collect();
                let name = format!("{label}-{command}-{seed}");
                let runs = Path::new(RUNS);
                new_folder(runs, &name).map_err(|e| out(&runs.join(name), e))?
            }
        };
        fs::canonicalize(&folder).map_err(|e| out(&folder, e))
    }

    /// Ends what [`folder`](Self::folder) began: with a record in it `latest` points at
    /// the folder, without anything in it the folder goes.
    pub fn conclude(&self, folder: &Path) {
        let results = ["record.json", "verdict.json"];
        if !results.iter().any(|name| folder.join(name).is_file()) {
            let events = folder.join("events.jsonl");
            if fs::metadata(&events).is_ok_and(|events| events.len() == 0) {
                // It says nothing, so it is not missed.
                let _unless_gone = fs::remove_file(&events);
            }
            // Fails, as it should, unless there is nothing in it.
            let _only_if_empty = fs::remove_dir(folder);
        } else if self.out.is_none() {
            point_latest_at(folder);
        }
    }
}

/// Where the runs are, if the user does not say.
const RUNS: &str = "reports/runs";
/// Runs of one command and seed that may begin in one second.
const SAME_SECOND: u32 = 1_000;

/// Takes a folder by making it: of two that want one, the second gets another.
fn new_folder(runs: &Path, name: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(runs)?;
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for n in 1..=SAME_SECOND {
        let folder = match n {
            1 => runs.join(name),
            n => runs.join(format!("{name}-{n}")),
        };
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

/// What a run writes. An old verdict must not outlive the start of a new run, or a
/// crash would be read as the result of the last one.
const RESULTS: [&str; 7] = [
    "verdict.json",
    "measures.json",
    "record.json",
    "events.jsonl",
    "junit.xml",
    "report.html",
    "report.md",
];

fn remove_old_results(folder: &Path) -> io::Result<()> {
    for name in RESULTS {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// `latest` beside the runs points at the newest. A convenience: where links
/// cannot be made, there is none.
fn point_latest_at(folder: &Path) {
    let (Some(runs), Some(name)) = (folder.parent(), folder.file_name()) else {
        return;
    };
    let latest = runs.join("latest");
    if latest.is_symlink() && fs::remove_file(&latest).is_err() {
        return;
    }
    if let Err(error) = std::os::unix::fs::symlink(name, &latest) {
        tracing::debug!(%error, "no link to the latest run");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn runs_that_begin_together_have_folders_of_their_own() {
        let runs = tempfile::tempdir().expect("a folder");
        let make = || new_folder(runs.path(), "20260102T030405Z-x-7").expect("made");
        let folders: BTreeSet<PathBuf> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            let made = threads.into_iter().map(|thread| thread.join());
            made.map(|folder| folder.expect("no panic")).collect()
        });
        assert_eq!(folders.len(), 8);
        assert!(folders.contains(&runs.path().join("20260102T030405Z-x-7")));
        assert!(folders.contains(&runs.path().join("20260102T030405Z-x-7-8")));
    }
}
