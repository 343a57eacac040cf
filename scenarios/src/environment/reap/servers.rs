//! Local servers: a folder among the temporary ones, and the processes in it.
//!
//! The temporary folder is everybody's, so a name proves nothing: only a real folder
//! counts, of ours or of the user that we start servers as, and no link is followed on
//! the way to its lease.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, fstat, open, openat},
    io::Errno,
    process::geteuid,
};

use super::{
    super::{
        lease::{Holder, Lease, holder_of_number, read_short},
        local::{LEASE, PREFIX, unprivileged_user},
    },
    Outcome, Thing,
    found::why,
    memory, mounts, processes,
};

const KIND: &str = "server";

/// A folder of a server, opened so that it cannot be exchanged.
struct Folder {
    path: PathBuf,
    opened: OwnedFd,
    owner: u32,
}

/// What stands between a name and a folder of ours.
enum Not {
    /// Somebody else removed it.
    There,
    Ours(String),
}

/// Looks through the temporary folder and removes, unless `dry_run`, what belongs to
/// nobody.
///
/// Cancel safe: the rest is found the next time.
pub(super) async fn reap(temporary: &Path, dry_run: bool) -> io::Result<Vec<Thing>> {
    // Mounts and working folders are listed by their real path.
    let temporary = fs::canonicalize(temporary)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&temporary)? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(runner_in) {
            names.push((name, pid));
        }
    }
    names.sort();
    let mut things = Vec::new();
    for (name, pid) in names {
        let path = temporary.join(name);
        let shown = path.display().to_string();
        match Folder::open(path) {
            Err(Not::There) => {}
            Err(Not::Ours(reason)) => things.push(Thing::left_alone(KIND, shown, reason)),
            Ok(folder) => {
                let (runner, holder) = folder.holder(pid);
                let why = why(Some(runner), holder, &format!("rm -r {shown}"));
                let thing = Thing::left_alone(KIND, shown, why);
                things.push(if holder != Holder::Gone {
                    thing
                } else if dry_run {
                    folder.would_go(thing)
                } else {
                    folder.remove(thing).await
                });
            }
        }
    }
    Ok(things)
}

/// The number of the runner in the name of a folder.
fn runner_in(name: &str) -> Option<u32> {
    let (pid, random) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let plain = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    (plain && !random.is_empty()).then(|| pid.parse().ok())?
}

impl Folder {
    fn open(path: PathBuf) -> Result<Self, Not> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = open(&path, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOENT => Not::There,
            Errno::NOTDIR | Errno::LOOP => Not::Ours("it is not a folder".to_owned()),
            other => Not::Ours(format!("it cannot be looked at: {other}")),
        })?;
        let owner = fstat(&opened)
            .map_err(|error| Not::Ours(format!("it cannot be looked at: {error}")))?
            .st_uid;
        // As root, servers run as somebody else, and so does their folder belong to.
        let servers = unprivileged_user().ok().flatten().map(|(uid, _)| uid);
        if owner != geteuid().as_raw() && Some(owner) != servers {
            return Err(Not::Ours(format!(
                "it belongs to another user, number {owner}"
            )));
        }
        Ok(Self {
            path,
            opened,
            owner,
        })
    }

    /// What has become of its runner, by its lease, else by the number in its name.
    fn holder(&self, in_name: u32) -> (u32, Holder) {
        match self.lease() {
            Ok(Some(text)) => match text.parse::<Lease>() {
                Ok(lease) => (lease.pid(), lease.holder()),
                Err(_) => (in_name, Holder::Unknown("its lease is of another version")),
            },
            // Killed before it could write one.
            Ok(None) => (in_name, holder_of_number(in_name)),
            Err(_) => (in_name, Holder::Unknown("its lease cannot be read")),
        }
    }

    fn lease(&self) -> io::Result<Option<String>> {
        let text = read(&self.opened, LEASE)?;
        Ok(text.filter(|text| !text.trim().is_empty()))
    }

    /// The postmaster's lock file; empty if there is none that can be read.
    fn lock_file(&self) -> String {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.opened, "data", flags, Mode::empty())
            .ok()
            .and_then(|data| read(&data, "postmaster.pid").ok().flatten())
            .unwrap_or_default()
    }

    fn would_go(self, thing: Thing) -> Thing {
        Thing {
            outcome: Outcome::WouldRemove,
            processes: processes::of_server(&self.path, self.owner),
            mounts: mounts::below(&self.path).unwrap_or_default(),
            ..thing
        }
    }

    async fn remove(self, mut thing: Thing) -> Thing {
        let removed = async {
            let there = processes::of_server(&self.path, self.owner);
            let memory = memory::of_server(&self.lock_file(), &there);
            thing.processes = processes::end(&self.path, self.owner).await?;
            thing.mounts = mounts::unmount_below(&self.opened, &self.path)?;
            thing.memory = memory.remove(self.owner)?;
            match fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
                _ => Ok(()),
            }
        };
        thing.outcome = match removed.await {
            Ok(()) => Outcome::Removed,
            Err(reason) => Outcome::Failed(reason),
        };
        thing
    }
}

/// A short text in a folder, if it is there. Neither a link nor a pipe is read.
fn read(folder: &OwnedFd, name: &str) -> io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::InvalidData.into());
    }
    read_short(fs::File::from(file)).map(Some)
}

#[cfg(test)]
mod tests;
