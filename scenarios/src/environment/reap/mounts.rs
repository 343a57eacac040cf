//! What is mounted inside a folder that is to go.
//!
//! Deleting a folder deletes what is mounted in it too, so nothing may be mounted in
//! it any more by then. The path of a mount runs through folders of the server's user,
//! who could put a link in place of one of them; so the mount is opened from the
//! folder on, without following links, and unmounted through that.

use std::{
    ffi::OsString,
    fs,
    os::{
        fd::{AsFd, AsRawFd as _},
        unix::ffi::OsStringExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat2},
    mount::{UnmountFlags, unmount},
};

const MOUNTS: &str = "/proc/self/mountinfo";

/// What is mounted below a folder, the innermost last.
pub(super) fn below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    Ok(listed(&fs::read(MOUNTS)?, folder))
}

/// Unmounts it all and returns what there was.
pub(super) fn unmount_below(opened: impl AsFd, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let seen = |error| format!("{MOUNTS}: {error}");
    let mounts = below(folder).map_err(seen)?;
    for mount in mounts.iter().rev() {
        let failed = |error| format!("unmounting {}: {error}", mount.display());
        let inside = mount.strip_prefix(folder).unwrap_or(mount);
        let target = openat2(
            &opened,
            inside,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        )
        .map_err(failed)?;
        // Detached, since our own descriptor keeps it in use; nobody else does, all
        // its processes are gone.
        let path = format!("/proc/self/fd/{}", target.as_raw_fd());
        unmount(path.as_str(), UnmountFlags::DETACH).map_err(failed)?;
    }
    match below(folder).map_err(seen)?.first() {
        Some(left) => Err(format!("{} is still mounted", left.display())),
        None => Ok(mounts),
    }
}

fn listed(mountinfo: &[u8], folder: &Path) -> Vec<PathBuf> {
    mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescaped)
        .filter(|mount| mount.starts_with(folder) && mount != folder)
        .collect()
}

/// Space, tab, line feed and backslash are written as three octal digits.
/// proc_pid_mountinfo(5).
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| behind.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() {
            &behind[3..]
        } else {
            behind
        };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_is_listed_with_its_name_unescaped() {
        let mountinfo = b"22 27 0:20 / /proc rw - proc proc rw\n\
            43 27 0:39 / /tmp/s-1 rw - tmpfs tmpfs rw\n\
            44 27 0:39 / /tmp/s-1/data/pg_wal rw shared:1 - tmpfs tmpfs rw\n\
            45 27 0:39 / /tmp/s-1/a\\040b\\134 rw - tmpfs tmpfs rw\n\
            46 27 0:39 / /tmp/s-10/data rw - tmpfs tmpfs rw\n\
            broken\n";
        assert_eq!(
            listed(mountinfo, Path::new("/tmp/s-1")),
            ["/tmp/s-1/data/pg_wal", "/tmp/s-1/a b\\"].map(PathBuf::from)
        );
    }

    #[test]
    fn a_backslash_that_escapes_nothing_stays() {
        for (field, path) in [("\\04", "\\04"), ("\\999", "\\999"), ("\\", "\\")] {
            assert_eq!(unescaped(field.as_bytes()), Path::new(path));
        }
        assert_eq!(unescaped(b"\\377").into_os_string().into_vec(), b"\xff");
    }
}
