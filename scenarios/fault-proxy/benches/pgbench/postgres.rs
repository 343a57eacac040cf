//! A PostgreSQL in a temporary folder, and pgbench to drive it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Outcome;

const PROGRAMS: [&str; 4] = ["initdb", "postgres", "pg_isready", "pgbench"];

/// A server starts in less than a second unless something is wrong.
const READY_TRIES: usize = 300;
const READY_RETRY: Duration = Duration::from_millis(100);

/// A running server; its drop stops it and removes its folder.
pub(crate) struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    server: Child,
}

impl Postgres {
    /// With settings of its own: `fsync=off`.
    pub(crate) fn start(settings: &[&str]) -> Outcome<Self> {
        let bin = bin()?;
        let folder = std::env::temp_dir().join(format!("seawall-bench-{}", std::process::id()));
        let data = folder.join("data");
        done(as_postgres("mkdir").arg("-m").arg("700").arg(&folder))?;
        done(as_postgres(bin.join("initdb")).arg("-D").arg(&data).args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "--no-sync",
        ]))?;
        // Free now; nobody else asks for it in the moment until it is taken.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let server = as_postgres(bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-p", &address.port().to_string()])
            .args(settings.iter().flat_map(|setting| ["-c", *setting]))
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=200",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let postgres = Self {
            bin,
            folder,
            address,
            server,
        };
        postgres.wait()?;
        done(
            postgres
                .client("pgbench", address.port())
                .args(["-i", "-q", "postgres"]),
        )?;
        Ok(postgres)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Transactions per second of one run through `port`.
    pub(crate) fn pgbench(&self, port: u16, args: &[&str]) -> Outcome<f64> {
        let output = done(
            self.client("pgbench", port)
                .arg("-n")
                .args(args)
                .arg("postgres"),
        )?;
        let rate = output
            .lines()
            .find_map(|line| line.strip_prefix("tps = "))
            .and_then(|rest| rest.split(' ').next())
            .ok_or("pgbench reported no tps")?;
        Ok(rate.parse()?)
    }

    fn client(&self, program: &str, port: u16) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string()]);
        command
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a pause between probes of another process, which tells us nothing"
    )]
    fn wait(&self) -> Outcome {
        for _ in 0..READY_TRIES {
            if done(&mut self.client("pg_isready", self.address.port())).is_ok() {
                return Ok(());
            }
            std::thread::sleep(READY_RETRY);
        }
        Err("the PostgreSQL that was started does not answer".into())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let pid = self.server.id().to_string();
        // SIGINT is its fast shutdown; what fails here has ended already.
        let _ = done(Command::new("kill").args(["-INT", &pid]));
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The folder that holds every program that is needed.
fn bin() -> Outcome<PathBuf> {
    let mut folders = Vec::new();
    if let Some(folder) = std::env::var_os("PG_BIN") {
        folders.push(PathBuf::from(folder));
    } else {
        folders.extend(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        ));
        let mut debian: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .map(|version| version.path().join("bin"))
            .collect();
        debian.sort();
        folders.extend(debian.into_iter().rev());
    }
    let has_all = |folder: &Path| PROGRAMS.iter().all(|name| folder.join(name).is_file());
    folders
        .into_iter()
        .find(|folder| has_all(folder))
        .ok_or_else(|| {
            let names = PROGRAMS.join(", ");
            format!("no folder has {names}: install postgresql, or say where it is with PG_BIN")
                .into()
        })
}

/// A command that runs as the user `postgres` if we are root, which PostgreSQL
/// refuses to be.
fn as_postgres(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let uid = Command::new("id").arg("-u").output();
    if !uid.is_ok_and(|output| output.stdout.trim_ascii() == b"0") {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--",
        ])
        .arg(program);
    command
}

/// Runs it to its end; what it printed.
fn done(command: &mut Command) -> Outcome<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed: {}", stderr.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
