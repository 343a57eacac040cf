//! The folder of a run: made, emptied, and pointed at.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::flags::{CliError, OutputArgs};

impl OutputArgs {
    /// Makes the folder of a run, without what an earlier run left in it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn folder(&self, command: &str, seed: u64, utc: &str) -> Result<PathBuf, CliError> {
        let folder = match &self.out {
            Some(out) => out.clone(),
            None => {
                let label: String = utc.chars().filter(|c| !matches!(c, ':' | '-')).collect();
                Path::new("reports/runs").join(format!("{label}-{command}-{seed}"))
            }
        };
        let out = |reason| CliError::Out {
            path: folder.display().to_string(),
            reason,
        };
        fs::create_dir_all(&folder).map_err(out)?;
        let folder = fs::canonicalize(&folder).map_err(out)?;
        remove_old_results(&folder).map_err(out)?;
        Ok(folder)
    }

    /// Ends what [`folder`](Self::folder) began: with a record in it `latest` points at
    /// the folder, without anything in it the folder goes.
    pub fn conclude(&self, folder: &Path) {
        if !folder.join("record.json").is_file() {
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

/// What a run writes. An old verdict must not outlive the start of a new run, or a
/// crash would be read as the result of the last one.
const RESULTS: [&str; 6] = [
    "verdict.json",
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
