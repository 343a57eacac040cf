//! Runs the command of `--setup`: whatever fills a database, with the variables that every
//! client of PostgreSQL reads.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use seawall::clock;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::super::{Endpoint, EnvironmentError, last_lines};

/// Longest time for all of it.
const FILLING: Duration = Duration::from_secs(600);
/// How long what it printed is waited for when it has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Most bytes that are kept of what it prints.
const KEPT: usize = 1 << 14;

/// Variables that would lead its clients elsewhere.
const ELSEWHERE: [&str; 4] = ["PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS"];

/// Runs a command that fills a database, and waits for its end. `bin` is the folder of the
/// server's own programs, if it is known.
///
/// Cancel safe: it is killed, with its children.
///
/// # Errors
/// Its exit status and its last lines, without the password.
pub(super) async fn run(
    command: &str,
    database: &Endpoint,
    bin: Option<&Path>,
) -> Result<(), EnvironmentError> {
    let failed = |reason: String| EnvironmentError::NotFilled {
        reason: format!("--setup: {}", hidden(reason, database)),
    };
    let mut sh = tokio::process::Command::new("/bin/sh");
    sh.args(["-c", command])
        .envs(variables(database))
        .env("PATH", path(bin))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for name in ELSEWHERE {
        sh.env_remove(name);
    }
    let mut child = sh.spawn().map_err(|error| failed(error.to_string()))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    let group = group.and_then(Pid::from_raw).map(Group);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let printed = tokio::spawn(async { tokio::join!(last_bytes(stdout), last_bytes(stderr)) });
    // Not reaped until its group was killed: until then its number means nobody else.
    let ended = ended(group.as_ref());
    let in_time = clock::timeout_at(clock::now() + FILLING, ended).await;
    drop(group);
    let status = child.wait().await;
    let printed = clock::timeout_at(clock::now() + LAST_WORDS, printed).await;
    if in_time.is_err() {
        return Err(failed(format!(
            "not done after {} s, and killed",
            FILLING.as_secs()
        )));
    }
    let status: ExitStatus = status.map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let printed = match printed {
        Ok(Ok((stdout, stderr))) => [stdout, stderr].concat(),
        _ => String::new(),
    };
    let words = last_lines(&printed);
    Err(failed(match words.is_empty() {
        true => format!("{status}, and it printed nothing"),
        false => format!(
            "{status}; its last lines:\n    {}",
            words.replace('\n', "\n    ")
        ),
    }))
}

/// The processes of a command. They end with it.
#[derive(Debug)]
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // Most have ended by themselves.
        let _gone = kill_process_group(self.0, Signal::KILL);
    }
}

/// Waits for the end of a child without reaping it.
async fn ended(group: Option<&Group>) {
    let Some(Group(pid)) = group else {
        return;
    };
    let pid = *pid;
    let waiting = tokio::task::spawn_blocking(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(
            waitid(WaitId::Pid(pid), options),
            Err(rustix::io::Errno::INTR)
        ) {}
    });
    // A thread that cannot be had is no reason to kill it.
    let _waited = waiting.await;
}

/// The last of what is printed.
async fn last_bytes(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        let mut buffer = [0; 4_096];
        while let Ok(len @ 1..) = from.read(&mut buffer).await {
            kept.extend_from_slice(&buffer[..len]);
            if kept.len() > 2 * KEPT {
                kept.drain(..kept.len() - KEPT);
            }
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

fn variables(database: &Endpoint) -> [(&'static str, String); 6] {
    let Endpoint {
        host,
        port,
        user,
        password,
        database: name,
    } = database;
    let password = password.expose();
    let (of_user, of_password, of_name) = (encoded(user), encoded(password), encoded(name));
    let of_host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.clone()
    };
    let url = format!("postgresql://{of_user}:{of_password}@{of_host}:{port}/{of_name}");
    [
        ("PGHOST", host.clone()),
        ("PGPORT", port.to_string()),
        ("PGUSER", user.clone()),
        ("PGPASSWORD", password.to_owned()),
        ("PGDATABASE", name.clone()),
        ("DATABASE_URL", url),
    ]
}

/// PATH, with the server's own programs first.
fn path(bin: Option<&Path>) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = bin.map(PathBuf::from).into_iter();
    // A folder with a `:` in its name cannot be named there.
    env::join_paths(folders.chain(env::split_paths(&path))).unwrap_or(path)
}

/// As a part of a URL.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// A text without the password of a database, however it is written.
fn hidden(text: String, database: &Endpoint) -> String {
    let password = database.password.expose();
    if password.is_empty() {
        return text;
    }
    let text = text.replace(&encoded(password), "(hidden)");
    text.replace(password, "(hidden)")
}

#[cfg(test)]
mod tests {
    use seawall::config::Secret;

    use super::*;

    fn database() -> Endpoint {
        Endpoint {
            host: "::1".to_owned(),
            port: 5433,
            user: "app".to_owned(),
            password: Secret::new("hunter 2/ä"),
            database: "seawall_0badcafe_before".to_owned(),
        }
    }

    async fn fails(command: &str) -> String {
        let error = run(command, &database(), Some(Path::new("/opt/pg"))).await;
        error.expect_err(command).to_string()
    }

    #[tokio::test]
    async fn it_has_what_clients_read_and_no_password_is_shown() {
        let error = fails(
            "echo $PGHOST $PGPORT $PGUSER $PGDATABASE >&2; echo $PGPASSWORD $DATABASE_URL >&2; \
             echo $PATH; cat; exit 3",
        )
        .await;
        for part in [
            "--setup: exit status: 3; its last lines:",
            "/opt/pg:",
            "::1 5433 app seawall_0badcafe_before",
            "(hidden) postgresql://app:(hidden)@[::1]:5433/seawall_0badcafe_before",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains("hunter"), "{error}");
        assert!(fails("exit 1").await.contains("it printed nothing"));
        run("exit 0", &database(), None).await.expect("it succeeds");
    }

    #[tokio::test]
    async fn much_output_is_bounded_and_its_end_is_kept() {
        let error = fails("yes | head -c 3000000; echo the end >&2; kill -9 $$").await;
        assert!(
            error.contains("signal: 9") && error.contains("the end"),
            "{error}"
        );
        assert!(error.len() < 1_000, "{}", error.len());
    }

    #[tokio::test]
    async fn its_children_go_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pid");
        let child = |file: &Path| {
            let read = std::fs::read_to_string(file).ok()?;
            read.trim().parse::<i32>().ok().and_then(Pid::from_raw)
        };
        let start = format!(
            "sleep 100 & echo $! > {0}.new; mv {0}.new {0}",
            file.display()
        );
        let gone = |pid: Pid| async move {
            let deadline = clock::now() + Duration::from_secs(10);
            let id = pid.as_raw_nonzero().get().unsigned_abs();
            while super::super::super::process::is_alive(id) {
                assert!(clock::now() < deadline, "it is still there");
                clock::sleep(Duration::from_millis(5)).await;
            }
        };
        run(&start, &database(), None).await.expect("it succeeds");
        gone(child(&file).expect("it was started")).await;

        std::fs::remove_file(&file).expect("removed");
        let waits = format!("{start}; wait");
        let database = database();
        tokio::select! {
            done = run(&waits, &database, None) => panic!("{done:?}"),
            () = async {
                while child(&file).is_none() {
                    clock::sleep(Duration::from_millis(5)).await;
                }
            } => {}
        }
        gone(child(&file).expect("it was started")).await;
    }
}
