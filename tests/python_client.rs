//! PyPI's `toxiproxy-python` against our server: `toxiproxy_python.py` drives all
//! its calls.
//!
//! It is installed once, into a virtual environment in the target folder, which
//! needs python3 with venv and pip, and the network the first time.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use fault_proxy::{Options, Server};

const PACKAGE: &str = "toxiproxy-python==0.1.1";
const HINT: &str = "hint: apt-get install python3-venv python3-pip, and let pip reach PyPI";

/// The environment's own python, with the package.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("toxiproxy-python");
    let python = folder.join("bin/python");
    let imports = Command::new(&python)
        .args(["-c", "import toxiproxy"])
        .output();
    if !imports.is_ok_and(|output| output.status.success()) {
        // Whatever was half made is made anew.
        let mut venv = Command::new("python3");
        must(venv.args(["-m", "venv", "--clear"]).arg(&folder));
        let mut pip = Command::new(&python);
        must(pip.args(["-m", "pip", "install", "--quiet", PACKAGE]));
    }
    python
}

/// Runs it to its end; it must succeed.
fn must(command: &mut Command) -> Output {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?}: {error}\n{HINT}"),
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{command:?}: {stdout}{stderr}\n{HINT}"
    );
    output
}

#[tokio::test]
async fn every_call_of_toxiproxy_python_does_what_it_says() {
    let python = python();
    let anywhere = ([127, 0, 0, 1], 0).into();
    let server = Server::bind(anywhere, Options::default())
        .await
        .expect("a free port");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("toxiproxy_python.py");
    let mut driven = Command::new(python);
    driven
        .arg(script)
        .arg(server.local_addr().port().to_string())
        // A proxy of the user's is not for loopback.
        .env("NO_PROXY", "*");
    // It blocks the test's only thread: the server has threads of its own.
    let output = must(&mut driven);
    assert_eq!(output.stdout.trim_ascii(), b"done");
    server.shutdown().await;
}
