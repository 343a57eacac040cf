//! The fault proxy alone.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

use super::{command, fails};

/// A proxy that was started as `sh -c` says, its API's address, and its log.
fn proxy(prepared: &str, args: &[&str]) -> (std::process::Child, String) {
    let mut child = Command::new("sh")
        .args(["-c", &format!("{prepared} exec \"$@\"")])
        .args(["sh", env!("CARGO_BIN_EXE_scenarios"), "fault-proxy"])
        .args(["--listen", "localhost:0"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let stdout = child.stdout.take().expect("piped");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on http://");
    let address = address.map(str::to_owned);
    (child, address.unwrap_or_else(|| panic!("{line}")))
}

/// Ends a proxy and returns its log.
fn log_of(mut child: std::process::Child) -> String {
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.expect("kill").success());
    let mut log = String::new();
    let stderr = child.stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut log).expect("read");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{log}");
    log
}

#[test]
fn the_proxy_has_as_many_open_files_as_it_may() {
    let (child, _) = proxy("ulimit -Sn 64;", &[]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("limits");
    log_of(child);
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let line = line.expect("a limit");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[3], words[4], "{line}");
}

#[test]
fn the_proxy_begins_with_toxiproxys_file_and_says_which_upstream_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("toxiproxy.json");
    let text = r#"[{"name":"db","listen":"127.0.0.1:0","upstream":"127.0.0.1:1"}]"#;
    fs::write(&file, text).expect("written");
    let config = file.to_str().expect("UTF-8");
    let (child, address) = proxy("", &["--config", config]);
    let mut api = TcpStream::connect(address).expect("connected");
    api.write_all(b"GET /proxies/db HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("asked");
    let mut answer = String::new();
    api.read_to_string(&mut answer).expect("answered");
    let listen = answer.split("\"listen\":\"").nth(1).expect("an address");
    let listen = listen.split('"').next().expect("an end");
    let mut client = TcpStream::connect(listen).expect("connected");
    let mut nothing = Vec::new();
    client.read_to_end(&mut nothing).unwrap_or(0);
    assert!(nothing.is_empty());
    let log = log_of(child);
    assert!(
        log.contains("upstream") && log.contains("127.0.0.1:1"),
        "{log}"
    );

    fs::write(&file, r#"[{"name":"db"}]"#).expect("written");
    fails(
        &["fault-proxy", "--config", config, "--listen", "localhost:0"],
        64,
        &["--config: ", "toxiproxy.json", "missing required field"],
    );
    fails(
        &["fault-proxy", "--config", "/nowhere.json"],
        64,
        &["/nowhere.json"],
    );
}

#[test]
fn the_proxy_runs_alone_until_it_is_told_to_stop() {
    let (mut command, _folder) = command(&["fault-proxy", "--listen", "localhost:0", "--metrics"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
    let stdout = child.stdout.take().expect("piped");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on http://");
    let address = address.unwrap_or_else(|| panic!("{line}"));
    let mut api = TcpStream::connect(address).expect("connected");
    api.write_all(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("asked");
    let mut answer = String::new();
    api.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.expect("kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
}
