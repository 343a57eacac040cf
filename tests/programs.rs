//! PostgreSQL's own clients, found as the server's programs are.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use scenarios::environment::Endpoint;

/// A client program that connects to `endpoint`. It fails, and does not pass, if
/// there is none.
pub(crate) fn client(program: &str, endpoint: &Endpoint) -> Command {
    let mut command = Command::new(find(program));
    command
        .env("PGHOST", &endpoint.host)
        .env("PGPORT", endpoint.port.to_string())
        .env("PGUSER", &endpoint.user)
        .env("PGPASSWORD", endpoint.password.expose())
        .env("PGDATABASE", &endpoint.database)
        .env("PGCONNECT_TIMEOUT", "10")
        .stdin(Stdio::null());
    command
}

/// What it printed; it must succeed.
pub(crate) fn output(command: &mut Command, what: &str) -> String {
    let output = command.output().expect("it was found");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {command:?}: {stderr}");
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

/// In PATH, else where Debian puts it, the newest version first.
pub(crate) fn find(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    folders.extend(versions.into_iter().map(|(_, folder)| folder));
    folders
        .iter()
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("this test needs {program}\nhint: apt-get install postgresql"))
}
