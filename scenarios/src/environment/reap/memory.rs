//! Shared memory of a local server, which outlives its processes.
//!
//! A postmaster that is killed removes neither its System V segment, which its lock
//! file names, nor its files in `/dev/shm`, which only the processes that have them
//! mapped can name: so those are asked before they are killed. Where none is left to
//! ask, these files stay (about 1 MB); a guess could take those of another cluster.

use std::{
    collections::BTreeSet, fs, os::unix::fs::MetadataExt as _, path::PathBuf, process::Command,
};

const SEGMENTS: &str = "/proc/sysvipc/shm";
const FILES: &str = "/dev/shm/PostgreSQL.";

/// What a server has in shared memory.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    files: BTreeSet<PathBuf>,
    segment: Option<Segment>,
}

/// A System V segment, by everything that tells it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    creator: u32,
    key: i64,
    id: u64,
}

/// Asks the text of the lock file, `postmaster.pid`, and the processes of a server. To
/// be done before they end.
pub(super) fn of_server(lock_file: &str, processes: &[u32]) -> Memory {
    let maps = processes
        .iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/maps")).ok());
    Memory {
        files: maps.flat_map(|maps| files_in(&maps)).collect(),
        segment: segment_in(lock_file),
    }
}

impl Memory {
    /// Removes what there is of it, if it is the server's: of `uid` and in nobody's
    /// use. Returns what was removed.
    pub(super) fn remove(&self, uid: u32) -> Result<Vec<String>, String> {
        let mut removed = Vec::new();
        for file in &self.files {
            let ours = fs::symlink_metadata(file).is_ok_and(|is| is.is_file() && is.uid() == uid);
            if ours {
                fs::remove_file(file).map_err(|error| format!("{}: {error}", file.display()))?;
                removed.push(file.display().to_string());
            }
        }
        let listed = fs::read_to_string(SEGMENTS).unwrap_or_default();
        if let Some(segment) = self.segment
            && segment.is_unused(&listed, uid)
        {
            // No crate offers shmctl(2) without unsafe; ipcrm is of the package that
            // setpriv is of.
            let id = segment.id.to_string();
            let status = Command::new("ipcrm").args(["-m", &id]).status();
            match status {
                Ok(status) if status.success() => removed.push(format!("segment {id}")),
                Ok(status) => return Err(format!("ipcrm -m {id}: {status}")),
                Err(error) => return Err(format!("ipcrm -m {id}: {error}")),
            }
        }
        Ok(removed)
    }
}

impl Segment {
    /// Whether it is listed as that of the server, and nobody is attached.
    /// proc_sysvipc(5): key, id, mode, size, creator, last, attached, owner.
    fn is_unused(self, listed: &str, uid: u32) -> bool {
        listed.lines().skip(1).any(|line| {
            let field: Vec<&str> = line.split_ascii_whitespace().take(8).collect();
            field.len() == 8
                && field[0].parse() == Ok(self.key)
                && field[1].parse() == Ok(self.id)
                && field[4].parse() == Ok(self.creator)
                && field[6] == "0"
                && field[7].parse() == Ok(uid)
        })
    }
}

fn files_in(maps: &str) -> Vec<PathBuf> {
    let paths = maps
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().nth(5));
    paths
        .filter(|path| {
            path.strip_prefix(FILES).is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            })
        })
        .map(PathBuf::from)
        .collect()
}

/// The first line is the postmaster's number, the seventh the key and the id.
fn segment_in(lock_file: &str) -> Option<Segment> {
    let mut lines = lock_file.lines();
    let creator = lines.next()?.trim().parse().ok()?;
    let mut segment = lines.nth(5)?.split_ascii_whitespace();
    Some(Segment {
        creator,
        key: segment.next()?.parse().ok()?,
        id: segment.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str =
        "17017\n/tmp/x/data\n1795633377\n55440\n/tmp/x\n127.0.0.1\n 10010762         4\nready   \n";
    const LISTED: &str = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid\n  10010762          4   600                    56 17017 18275      0   101   104\n";

    #[test]
    fn the_lock_file_names_the_segment() {
        let segment = segment_in(LOCK).expect("there is one");
        let expected = Segment {
            creator: 17_017,
            key: 10_010_762,
            id: 4,
        };
        assert_eq!(segment, expected);
        for text in [
            "",
            "17017\n",
            "x\n\n\n\n\n\n1 2\n",
            "1\n\n\n\n\n\n1\n",
            "-5\n\n\n\n\n\n1 2\n",
        ] {
            assert_eq!(segment_in(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_segment_goes_only_if_every_field_is_the_servers_and_nobody_uses_it() {
        let segment = segment_in(LOCK).expect("there is one");
        assert!(segment.is_unused(LISTED, 101));
        assert!(!segment.is_unused(LISTED, 102));
        assert!(!segment.is_unused("", 101));
        for (field, another) in [
            ("10010762", "10010763"),
            (" 4 ", " 5 "),
            (" 17017", " 17018"),
            (" 0 ", " 1 "),
        ] {
            let listed = LISTED.replace(field, another);
            assert_ne!(listed, LISTED);
            assert!(!segment.is_unused(&listed, 101), "{field}");
        }
    }

    #[test]
    fn only_files_that_postgres_makes_are_found_in_a_map() {
        let maps = "7f0-7f1 rw-s 00000000 00:19 5  /dev/shm/PostgreSQL.1286484608\n\
            7f1-7f2 rw-s 00000000 00:01 4  /SYSV0098c142 (deleted)\n\
            7f2-7f3 rw-s 00000000 00:19 6  /dev/shm/PostgreSQL.\n\
            7f3-7f4 rw-s 00000000 00:19 6  /dev/shm/PostgreSQL.1/../x\n\
            7f4-7f5 rw-s 00000000 00:19 6  /dev/shm/other\n\
            7f5-7f6 rw-p 00000000 00:00 0\n";
        assert_eq!(
            files_in(maps),
            [PathBuf::from("/dev/shm/PostgreSQL.1286484608")]
        );
    }
}
