//! The temporary folder of a local server, and whom it belongs to.
//!
//! PostgreSQL refuses to run as root; started by root it gets the user and group
//! of `postgres`, or of `nobody`, without a shell in between.

use std::{
    ffi::CString,
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use seawall::{clock, config::Secret};
use tempfile::TempDir;

use super::{
    super::{EnvironmentError, SMALL_DISK, last_lines, lease::Lease},
    Binaries,
};

/// What the name of a server's folder begins with; the number of its runner follows.
pub(in super::super) const PREFIX: &str = "seawall-postgres-";
/// The file in it that says whose it is, if it is ever left behind.
pub(in super::super) const LEASE: &str = "lease";

const INITDB: Duration = Duration::from_secs(60);

/// The first folder on the way to `folder`, or itself, that only its owner may enter.
/// What cannot be looked at is passed over: whoever needs it will say so.
pub(super) fn closed_to_others(folder: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let mut way: Vec<&Path> = folder.ancestors().collect();
    way.reverse();
    let closed = |path: &&Path| {
        let found = fs::metadata(path);
        found.is_ok_and(|found| found.permissions().mode() & 0o001 == 0)
    };
    way.into_iter().find(closed).map(Path::to_owned)
}

/// The temporary folder: cluster, password file, log. Removed with the last owner.
#[derive(Debug, Clone)]
pub(super) struct Home {
    /// Stands before the folder, which it lies in: it has to go first.
    small_disk: Option<Arc<SmallDisk>>,
    folder: Arc<TempDir>,
    user: Option<(u32, u32)>,
}

impl Home {
    pub(super) async fn create(
        binaries: &Binaries,
        secret: &Secret,
        small_disk: bool,
    ) -> Result<Self, EnvironmentError> {
        let io = |error| EnvironmentError::failed("making a temporary folder", error);
        let user = unprivileged_user()?;
        let parent = std::env::temp_dir();
        if user.is_some()
            && let Some(closed) = closed_to_others(&parent)
        {
            let reason = format!(
                "{} is closed to the user that the server runs as; name another folder in TMPDIR, \
                 as in `TMPDIR=/tmp`",
                closed.display()
            );
            return Err(EnvironmentError::failed(
                "making a temporary folder",
                reason,
            ));
        }
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .tempdir()
            .map_err(io)?;
        // First of all: until it is there, only the number in the name tells whose
        // the folder is. Without /proc nobody could judge it.
        if let Ok(lease) = Lease::ours() {
            fs::write(folder.path().join(LEASE), lease.to_string()).map_err(io)?;
        }
        let pwfile = folder.path().join("password");
        fs::write(&pwfile, secret.expose()).map_err(io)?;
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).map_err(io)?;
            chown(&pwfile, Some(uid), Some(gid)).map_err(io)?;
        }
        let small_disk = small_disk
            .then(|| SmallDisk::mount(folder.path().join("small")).ok())
            .flatten();
        let home = Self {
            small_disk: small_disk.map(Arc::new),
            folder: Arc::new(folder),
            user,
        };
        let mut initdb = home.command(&binaries.0.join("initdb"));
        initdb
            .args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"])
            .args(["--locale=C.UTF-8", "-N", "-D"])
            .arg(home.data())
            .arg("--pwfile")
            .arg(&pwfile);
        let mut initdb = tokio::process::Command::from(initdb);
        initdb.kill_on_drop(true);
        let output = clock::timeout_at(clock::now() + INITDB, initdb.output());
        match output.await {
            Ok(Ok(output)) if output.status.success() => {}
            Ok(Ok(output)) => {
                return Err(EnvironmentError::failed("initdb", output.status)
                    .with_log(last_lines(&String::from_utf8_lossy(&output.stderr))));
            }
            Ok(Err(error)) => return Err(EnvironmentError::failed("initdb", error)),
            Err(clock::Elapsed) => {
                return Err(EnvironmentError::failed("initdb", "not done after 60 s"));
            }
        }
        fs::remove_file(&pwfile).map_err(io)?;
        Ok(home)
    }

    /// Removes the folder and says if that did not work, which a drop cannot.
    pub(super) fn remove(self) -> Result<(), EnvironmentError> {
        drop(self.small_disk);
        match Arc::try_unwrap(self.folder) {
            Ok(folder) => folder
                .close()
                .map_err(|error| EnvironmentError::failed("removing the server's folder", error)),
            // Another owner will.
            Err(_) => Ok(()),
        }
    }

    /// The small disk's folder, if there is one.
    pub(super) fn small_disk(&self) -> Option<String> {
        let disk = self.small_disk.as_ref()?;
        Some(disk.0.display().to_string())
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// A command that runs as the owner of the folder, away from our terminal's
    /// Ctrl-C.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .process_group(0);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// A file system in memory that anybody may write to. Taking it away takes root.
#[derive(Debug)]
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> std::io::Result<Self> {
        fs::create_dir(&at)?;
        let options = CString::new(format!("size={SMALL_DISK},mode=1777"))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("seawall", &at, "tmpfs", flags, options.as_c_str())?;
        Ok(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached: whoever still has a file open there does not keep it.
        if let Err(error) = unmount(&self.0, UnmountFlags::DETACH) {
            tracing::error!(%error, path = %self.0.display(), "a small disk is left mounted");
        }
    }
}

/// The user and group to become, if we are root.
pub(in super::super) fn unprivileged_user() -> Result<Option<(u32, u32)>, EnvironmentError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd")
        .map_err(|error| EnvironmentError::failed("reading /etc/passwd", error))?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| ids(&passwd, name))
        .map(Some)
        .ok_or_else(|| {
            EnvironmentError::failed(
                "finding a user to run PostgreSQL as",
                "root cannot, and there is neither postgres nor nobody",
            )
        })
}

/// User and group number of a line of passwd(5).
fn ids(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_passwd_gives_user_and_group() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:8::/:/x\npostgres:x:101:103::/:/x\n";
        assert_eq!(ids(passwd, "postgres"), Some((101, 103)));
        assert_eq!(ids(passwd, "nobody"), None);
        assert_eq!(ids("postgres:x:a:b", "postgres"), None);
    }
}
