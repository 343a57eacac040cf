//! `scenarios serve` as a user runs it: both addresses, and the button of each fault.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use seawall::clock;
use serde_json::Value;

use super::{
    command::{binary, env},
    server::kinds,
};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// It runs until this is dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) dashboard: String,
    pub(crate) metrics: String,
}

impl Serving {
    /// Starts it at addresses that are free, or at these.
    pub(crate) fn start(monitoring: &str, token: &str) -> Self {
        let mut command = Command::new(binary());
        command
            .args(["serve", "--for", "10m", "--env", env(kinds()[0])])
            .args(["--monitoring", monitoring, "--metrics", "127.0.0.1:0"])
            .env("SEAWALL_MONITORING_TOKEN", token)
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let stdout = child.stdout.take().expect("piped");
        let mut lines = BufReader::new(stdout).lines();
        let mut address = |begins: &str| {
            let line = lines.next().expect("an address").expect("text");
            let address = line.strip_prefix(begins).expect(begins).trim().to_owned();
            address.trim_end_matches('/').to_owned()
        };
        Self {
            dashboard: address("dashboard"),
            metrics: address("metrics"),
            child,
        }
    }

    /// The address alone: host and port.
    pub(crate) fn port(&self) -> &str {
        self.dashboard.strip_prefix("http://").expect("an address")
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.dashboard);
        serde_json::from_str(&got(&url)).expect("JSON")
    }

    /// The only pool.
    pub(crate) fn pool(&self) -> Value {
        self.get("/api/status")["pools"][0].clone()
    }

    /// Presses a button.
    pub(crate) fn does(&self, fault: &str) {
        let url = format!("{}/api/actions/{fault}", self.dashboard);
        let origin = self.dashboard.clone();
        let answer = blocking(move |client| client.post(url).header("Origin", origin).send());
        assert_eq!(answer.status().as_u16(), 202);
    }

    /// Ends it as a user does, and returns its exit code.
    pub(crate) async fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        // What runs in the background of a shell may not be interrupted.
        let kill = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(kill.expect("kill").success());
        let mut ended = None;
        until("it ends", || {
            ended = self.child.try_wait().expect("it is ours");
            ended.is_some()
        })
        .await;
        ended.expect("it has ended").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // A test that failed leaves no server behind.
        let pid = self.child.id().to_string();
        let _over = Command::new("kill").args(["-TERM", &pid]).status();
        let _code = self.child.wait();
    }
}

/// The client brings a runtime, which must not be in one of ours.
pub(crate) fn blocking(
    ask: impl FnOnce(reqwest::blocking::Client) -> reqwest::Result<reqwest::blocking::Response>
    + Send
    + 'static,
) -> reqwest::blocking::Response {
    let asking = std::thread::spawn(move || {
        let client = reqwest::blocking::Client::builder()
            .no_proxy()
            .timeout(PATIENCE);
        ask(client.build().expect("a client"))
    });
    asking.join().expect("no panic").expect("an answer")
}

pub(crate) fn got(url: &str) -> String {
    let url = url.to_owned();
    let answer = blocking(move |client| client.get(url).send());
    let asked = std::thread::spawn(move || {
        assert!(answer.status().is_success(), "{answer:?}");
        answer.text().expect("text")
    });
    asked.join().expect("an answer")
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) -> Duration {
    let began = clock::now();
    while !is() {
        let waited = clock::now() - began;
        assert!(waited < PATIENCE, "{what}: not within {waited:?}");
        clock::sleep(Duration::from_millis(50)).await;
    }
    clock::now() - began
}
