//! PostgreSQL from this machine's own binaries, in a temporary folder.
//!
//! `postgres` is our own child, not `pg_ctl`'s, so that it can be killed, stopped
//! and waited for, and so that it dies with us: it is spawned through `setpriv
//! --pdeathsig` (part of util-linux; without it, only a normal end cleans up). What
//! stays nevertheless, `scenarios reap` finds by the lease in the folder.

mod home;
mod postmaster;

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Signal, kill_process};
use seawall::clock;
use tokio::sync::Mutex;

pub(super) use self::home::{LEASE, PREFIX, unprivileged_user};
use self::{home::Home, postmaster::Postmaster};
use super::{
    Endpoint, Environment, EnvironmentError, START, Shutdown, Wanted, free_port, last_lines,
    password,
};

const STOP: Duration = Duration::from_secs(5);
const START_ATTEMPTS: u32 = 3;

/// The folder of `initdb` and `postgres`.
#[derive(Debug, Clone)]
pub(super) struct Binaries(PathBuf);

impl fmt::Display for Binaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())
    }
}

/// Looks for the binaries: `--pg-bin`, else PATH, else where packages put them,
/// the newest version first.
pub(super) fn find(wanted: &Wanted) -> Result<Binaries, EnvironmentError> {
    let (folders, looked) = match &wanted.pg_bin {
        Some(folder) => (vec![folder.clone()], folder.display().to_string()),
        None => (
            usual_folders(),
            "PATH or /usr/lib/postgresql/*/bin".to_owned(),
        ),
    };
    let mut broken = None;
    for binaries in folders.iter().filter_map(|folder| binaries_in(folder)) {
        match runs(&binaries) {
            Ok(()) => return Ok(binaries),
            // An older one may run. The newest that does not is the one to tell of.
            Err(reason) => {
                tracing::warn!(reason, "passing over a PostgreSQL that does not run");
                broken.get_or_insert(EnvironmentError::BrokenBinaries {
                    folder: binaries.to_string(),
                    reason,
                });
            }
        }
    }
    Err(broken.unwrap_or(EnvironmentError::NoBinaries { looked }))
}

/// Asks both programs for their version: a package that is half there has files that do
/// not run.
fn runs(binaries: &Binaries) -> Result<(), String> {
    for program in ["initdb", "postgres"] {
        let path = binaries.0.join(program);
        let said = std::process::Command::new(&path).arg("--version").output();
        let said = said.map_err(|error| format!("{}: {error}", path.display()))?;
        if !said.status.success() {
            let words = last_lines(&String::from_utf8_lossy(&said.stderr));
            return Err(format!("{}: {}: {words}", path.display(), said.status));
        }
    }
    Ok(())
}

fn usual_folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    // Debian and its kin; Red Hat and its kin.
    for (parent, bin) in [("/usr/lib/postgresql", "bin"), ("/usr", "bin")] {
        let Ok(entries) = fs::read_dir(parent) else {
            continue;
        };
        let mut versions: Vec<(u32, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let version = name.strip_prefix("pgsql-").unwrap_or(&name).parse().ok()?;
                Some((version, entry.path().join(bin)))
            })
            .collect();
        versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        folders.extend(versions.into_iter().map(|(_, folder)| folder));
    }
    folders
}

/// The folder where `initdb` really is, if `postgres` is beside it.
fn binaries_in(folder: &Path) -> Option<Binaries> {
    let initdb = fs::canonicalize(folder.join("initdb")).ok()?;
    let real = initdb.parent()?;
    real.join("postgres")
        .is_file()
        .then(|| Binaries(real.to_owned()))
}

/// Makes a cluster, starts it, and waits until it takes sessions.
pub(super) async fn start(
    binaries: &Binaries,
    small_disk: bool,
) -> Result<Environment, EnvironmentError> {
    let secret = password()?;
    let home = Home::create(binaries, &secret, small_disk).await?;
    let mut attempt = 1;
    loop {
        let port = free_port()?;
        let mut server = Server {
            postmaster: None,
            home: home.clone(),
            binaries: binaries.clone(),
            port,
            paused: false,
        };
        server.restart().await?;
        let endpoint = Endpoint::loopback(port, secret.clone());
        match server.ready(&endpoint).await {
            Ok(server_version) => {
                return Ok(Environment {
                    endpoint,
                    server_version,
                    databases: None,
                    server: super::Server::Local(Local {
                        small_disk: home.small_disk(),
                        bin: binaries.0.clone(),
                        server: Mutex::new(server),
                    }),
                });
            }
            // Somebody else may have taken the port meanwhile.
            Err(_) if attempt < START_ATTEMPTS && server.port_was_taken() => attempt += 1,
            Err(error) => {
                let log = server.log_tail();
                return Err(error.with_log(log));
            }
        }
    }
}

/// A local server: whatever is done to it is done one after another.
#[derive(Debug)]
pub(super) struct Local {
    server: Mutex<Server>,
    small_disk: Option<String>,
    bin: PathBuf,
}

impl Local {
    /// The folder of the server's programs, and of its clients.
    pub(super) fn bin(&self) -> &Path {
        &self.bin
    }

    pub(super) fn small_disk(&self) -> Option<&str> {
        self.small_disk.as_deref()
    }

    pub(super) async fn restart(&self) -> Result<(), EnvironmentError> {
        self.server.lock().await.restart().await
    }

    pub(super) async fn shut_down(&self, how: Shutdown) -> Result<(), EnvironmentError> {
        self.server.lock().await.shut_down(how).await
    }

    pub(super) async fn pause(&self) -> Result<(), EnvironmentError> {
        self.server.lock().await.pause()
    }

    pub(super) async fn pause_postmaster(&self) -> Result<(), EnvironmentError> {
        self.server.lock().await.pause_postmaster()
    }

    pub(super) async fn resume(&self) -> Result<(), EnvironmentError> {
        self.server.lock().await.resume()
    }

    pub(super) async fn log_tail(&self) -> String {
        self.server.lock().await.log_tail()
    }

    pub(super) async fn stop(self) -> Result<(), EnvironmentError> {
        self.server.into_inner().stop().await
    }
}

/// A cluster, and the postmaster that serves it, if one does.
#[derive(Debug)]
struct Server {
    postmaster: Option<Postmaster>,
    home: Home,
    binaries: Binaries,
    port: u16,
    paused: bool,
}

impl Server {
    /// Starts it, unless it runs.
    async fn restart(&mut self) -> Result<(), EnvironmentError> {
        if self.running("starting PostgreSQL").is_ok() {
            return Ok(());
        }
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.home.log())
            .map_err(|error| EnvironmentError::failed("opening the server's log", error))?;
        let postgres = self.binaries.0.join("postgres");
        let mut command = match setpriv() {
            Some(setpriv) => {
                let mut command = self.home.command(&setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(postgres);
                command
            }
            None => self.home.command(&postgres),
        };
        command
            .arg("-D")
            .arg(self.home.data())
            .arg(format!("-cport={}", self.port))
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .stdout(Stdio::null())
            .stderr(log);
        self.postmaster = Some(Postmaster::spawn(command).await?);
        self.paused = false;
        Ok(())
    }

    /// Waits until it takes sessions, or has died.
    async fn ready(&self, endpoint: &Endpoint) -> Result<String, EnvironmentError> {
        let Some(postmaster) = &self.postmaster else {
            return Err(EnvironmentError::failed(
                "starting PostgreSQL",
                "not running",
            ));
        };
        tokio::select! {
            biased;
            status = postmaster.exited() => Err(EnvironmentError::failed("starting PostgreSQL", status)),
            ready = endpoint.ready(clock::now() + START) => ready,
        }
    }

    fn port_was_taken(&self) -> bool {
        // PostgreSQL says so in words only, and this decides about a retry only.
        self.log_tail().contains("could not bind")
    }

    fn log_tail(&self) -> String {
        fs::read(self.home.log())
            .map(|log| last_lines(&String::from_utf8_lossy(&log)))
            .unwrap_or_default()
    }

    async fn shut_down(&mut self, how: Shutdown) -> Result<(), EnvironmentError> {
        let signal = match how {
            Shutdown::Fast => Signal::INT,
            Shutdown::Immediate => Signal::QUIT,
            Shutdown::Kill => return self.kill().await,
        };
        if let Some(postmaster) = &self.postmaster {
            postmaster.signal(signal);
            let stopped = clock::timeout_at(clock::now() + STOP, postmaster.exited()).await;
            if stopped.is_err() {
                self.kill().await?;
                return Err(EnvironmentError::failed(
                    "shutting PostgreSQL down",
                    "it took more than 5 s, and was killed",
                ));
            }
        }
        self.postmaster = None;
        self.paused = false;
        Ok(())
    }

    async fn kill(&mut self) -> Result<(), EnvironmentError> {
        if let Some(postmaster) = self.postmaster.take() {
            let children = postmaster.kill_all();
            postmaster.gone(&children, STOP).await?;
        }
        self.paused = false;
        Ok(())
    }

    fn pause_postmaster(&mut self) -> Result<(), EnvironmentError> {
        let postmaster = self.running("pausing the postmaster")?;
        postmaster.signal(Signal::STOP);
        self.paused = true;
        Ok(())
    }

    fn pause(&mut self) -> Result<(), EnvironmentError> {
        let postmaster = self.running("pausing PostgreSQL")?;
        postmaster.signal(Signal::STOP);
        for child in postmaster.children() {
            let _gone = kill_process(child, Signal::STOP);
        }
        self.paused = true;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), EnvironmentError> {
        let postmaster = self.running("resuming PostgreSQL")?;
        for child in postmaster.children() {
            let _gone = kill_process(child, Signal::CONT);
        }
        postmaster.signal(Signal::CONT);
        self.paused = false;
        Ok(())
    }

    fn running(&self, what: &'static str) -> Result<&Postmaster, EnvironmentError> {
        self.postmaster
            .as_ref()
            .filter(|postmaster| postmaster.status().is_none())
            .ok_or_else(|| {
                EnvironmentError::failed(what, "it is not running").with_log(self.log_tail())
            })
    }

    async fn stop(mut self) -> Result<(), EnvironmentError> {
        if self.paused && self.running("resuming PostgreSQL").is_ok() {
            self.resume()?;
        }
        if self.shut_down(Shutdown::Fast).await.is_err() {
            // Killed, since it did not stop.
            self.kill().await?;
        }
        self.home.remove()
    }
}

fn setpriv() -> Option<PathBuf> {
    ["/usr/bin/setpriv", "/bin/setpriv"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(folder: &Path) -> Wanted {
        Wanted {
            kind: super::super::Kind::Local,
            image: None,
            pg_bin: Some(folder.to_owned()),
            database_url: None,
            small_disk: false,
            own_database: None,
            fill: Default::default(),
        }
    }

    #[test]
    fn programs_that_do_not_run_are_named_with_what_they_said() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        for (program, script) in [
            ("initdb", "#!/bin/sh\nexit 0\n"),
            (
                "postgres",
                "#!/bin/sh\necho libpq.so.5 is missing >&2\nexit 127\n",
            ),
        ] {
            let path = folder.path().join(program);
            fs::write(&path, script).expect("written");
            let runs = fs::Permissions::from_mode(0o755);
            fs::set_permissions(&path, runs).expect("made executable");
        }
        let error = find(&in_folder(folder.path())).expect_err("it does not run");
        let error = error.to_string();
        let part = |part: &str| assert!(error.contains(part), "{error}");
        part("libpq.so.5 is missing");
        part("/postgres: ");
        part("--pg-bin");
    }

    #[test]
    fn a_folder_that_the_server_s_user_cannot_enter_is_found() {
        use std::os::unix::fs::PermissionsExt as _;
        let outer = tempfile::tempdir().expect("a folder");
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).expect("made");
        let set = |mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(outer.path(), mode).expect("set");
        };
        set(0o700);
        assert_eq!(
            home::closed_to_others(&inner),
            Some(outer.path().to_owned())
        );
        set(0o755);
        assert_eq!(home::closed_to_others(&inner), None);
    }

    #[test]
    fn a_folder_without_binaries_is_named() {
        let wanted = in_folder(Path::new("/nowhere"));
        let error = find(&wanted).expect_err("nothing there").to_string();
        assert!(
            error.starts_with("no initdb and postgres in /nowhere; install them"),
            "{error}"
        );
    }
}
