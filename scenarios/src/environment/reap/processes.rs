//! The processes of a local server, found by where they are.
//!
//! PostgreSQL's backends rewrite their command line, and their parent is gone; but
//! they never leave their folder. A folder alone does not make a server: a shell or an
//! editor of the user's may be in it too, so the program counts as well.
//!
//! A process is signalled through a descriptor that was opened before it was looked
//! at, so that a number that is given to another meanwhile cannot mislead.

use std::{collections::BTreeSet, fs, os::fd::OwnedFd, path::Path, time::Duration};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use seawall::clock;

use super::super::process::is_alive;

/// The programs that we start, or that start each other.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "setpriv"];
/// An fsync in progress is waited for by the kernel.
const END: Duration = Duration::from_secs(10);

/// The processes of `uid` that serve, or make, the cluster in `folder`.
pub(super) fn of_server(folder: &Path, uid: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| is_of_server(*pid, folder, uid))
        .collect()
}

fn is_of_server(pid: u32, folder: &Path, uid: u32) -> bool {
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}"));
    // A process of another container has folders of its own, whatever their names.
    let here = || {
        link("ns/pid")
            .is_ok_and(|theirs| fs::read_link("/proc/self/ns/pid").is_ok_and(|ours| ours == theirs))
    };
    link("cwd").is_ok_and(|cwd| cwd.starts_with(folder))
        && link("exe").is_ok_and(|exe| PROGRAMS.contains(&program(&exe).as_str()))
        && uid_of(pid) == Some(uid)
        && here()
        && is_alive(pid)
}

/// The name of a program, also of one whose file has been replaced since.
fn program(exe: &Path) -> String {
    let name = exe.file_name().unwrap_or_default().to_string_lossy();
    name.trim_end_matches(" (deleted)").to_owned()
}

/// Whom it runs as. The owner of `/proc/PID` would be root for some.
fn uid_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Kills all of them and waits until they are gone, those too that are started
/// meanwhile. Returns which there were.
///
/// Cancel safe: the rest is found the next time.
pub(super) async fn end(folder: &Path, uid: u32) -> Result<Vec<u32>, String> {
    let deadline = clock::now() + END;
    let mut ended = BTreeSet::new();
    loop {
        let there = of_server(folder, uid);
        if there.is_empty() {
            return Ok(ended.into_iter().collect());
        }
        let mut refused = None;
        for pid in &there {
            match kill(*pid, folder, uid) {
                Ok(()) => {
                    ended.insert(*pid);
                }
                Err(error) => refused = Some(error),
            }
        }
        if clock::now() >= deadline {
            let reason = refused
                .map(|error| format!(": {error}"))
                .unwrap_or_default();
            return Err(format!("processes {there:?} do not end{reason}"));
        }
        clock::sleep(Duration::from_millis(10)).await;
    }
}

fn kill(pid: u32, folder: &Path, uid: u32) -> rustix::io::Result<()> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    let opened: rustix::io::Result<OwnedFd> = pidfd_open(number, PidfdFlags::empty());
    let sent = opened.and_then(|process| {
        if is_of_server(pid, folder, uid) {
            // Ends a stopped process too.
            pidfd_send_signal(&process, Signal::KILL)
        } else {
            Ok(())
        }
    });
    match sent {
        // It ended by itself.
        Err(rustix::io::Errno::SRCH) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_program_keeps_its_name() {
        for (exe, name) in [
            ("/usr/lib/postgresql/15/bin/postgres", "postgres"),
            ("/usr/lib/postgresql/15/bin/postgres (deleted)", "postgres"),
            ("/usr/bin/bash", "bash"),
            ("/", ""),
        ] {
            assert_eq!(program(Path::new(exe)), name);
        }
    }

    #[test]
    fn a_process_that_is_no_server_is_not_one_wherever_it_is() {
        let this = std::process::id();
        let uid = uid_of(this).expect("Linux");
        let cwd = std::env::current_dir().expect("a folder");
        assert!(!is_of_server(this, &cwd, uid));
        assert!(!of_server(&cwd, uid).contains(&this));
    }
}
