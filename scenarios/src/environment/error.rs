//! Why there is no server, with the way to get one; and how errors are told.

/// Why there is no server to experiment with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// Neither Docker nor binaries.
    #[error("no PostgreSQL to start:\n  docker: {docker}\n  local:  {local}")]
    Nothing {
        /// Why not in a container.
        docker: String,
        /// Why not from binaries.
        local: String,
    },
    /// Docker is not there.
    #[error(
        "no Docker engine answers ({reason}); install one, e.g. `apt-get install docker.io`, and start it"
    )]
    NoDocker {
        /// What was met.
        reason: String,
    },
    /// The image is not there.
    #[error(
        "image {image} is neither here nor to be pulled ({reason}); build it from this machine's packages with `scenarios/image/build`, or name another with --image"
    )]
    NoImage {
        /// Its name.
        image: String,
        /// What the engine said.
        reason: String,
    },
    /// The binaries are not there.
    #[error(
        "no initdb and postgres in {looked}; install them, e.g. `apt-get install postgresql`, or name their folder with --pg-bin"
    )]
    NoBinaries {
        /// Where they were looked for.
        looked: String,
    },
    /// The binaries are there and do not run.
    #[error(
        "the PostgreSQL in {folder} does not run ({reason}); mend it, e.g. `apt-get install --reinstall postgresql`, or name the folder of another with --pg-bin"
    )]
    BrokenBinaries {
        /// Where they are.
        folder: String,
        /// What they said.
        reason: String,
    },
    /// Docker is there, and not for us.
    #[error(
        "the Docker engine's socket is closed to this user ({reason}); run it as root, or join the group `docker` (`usermod -aG docker $USER`, then log in again)"
    )]
    NoDockerAccess {
        /// What was met.
        reason: String,
    },
    /// A Docker context was named that there is not.
    #[error("DOCKER_CONTEXT: {name}, allowed: a context of `docker context ls`, or none")]
    NoDockerContext {
        /// Its name.
        name: String,
    },
    /// The server did not start, or a command to it failed.
    #[error("{what}: {reason}{}", tail(log))]
    Failed {
        /// What was being done.
        what: &'static str,
        /// What went wrong.
        reason: String,
        /// The last lines of the server's log.
        log: String,
    },
    /// No session could be had.
    #[error("no session at {address}: {reason}")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What was met.
        reason: String,
    },
    /// What the user wants in the database is not in it.
    #[error("{reason}")]
    NotFilled {
        /// The flag, the place, and what went wrong.
        reason: String,
    },
    /// The user did not want to wait for it any more.
    #[error("interrupted")]
    Cancelled,
    /// The environment cannot do this.
    #[error("cannot {what} a server that was not started here")]
    Cannot {
        /// What was asked.
        what: &'static str,
    },
    /// A flag is missing or cannot be read.
    #[error("{field}: {value}, allowed: {allowed}")]
    Invalid {
        /// The flag.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// The target might be somebody's production.
    #[error("refusing to experiment on {target}:{}", listed(reasons))]
    Refused {
        /// The host.
        target: String,
        /// Every reason.
        reasons: Vec<String>,
    },
}

impl EnvironmentError {
    pub(super) fn cannot(what: &'static str) -> Self {
        Self::Cannot { what }
    }

    pub(super) fn failed(what: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Failed {
            what,
            reason: reason.to_string(),
            log: String::new(),
        }
    }

    pub(super) fn with_log(self, tail: String) -> Self {
        match self {
            Self::Failed { what, reason, .. } => Self::Failed {
                what,
                reason,
                log: tail,
            },
            Self::Unreachable { address, reason } => Self::Failed {
                what: "starting PostgreSQL",
                reason: format!("no session at {address}: {reason}"),
                log: tail,
            },
            other => other,
        }
    }
}

/// One reason on the same line, several on a line each.
fn listed(reasons: &[String]) -> String {
    match reasons {
        [reason] => format!(" {reason}"),
        reasons => reasons.iter().map(|r| format!("\n  - {r}")).collect(),
    }
}

fn tail(log: &str) -> String {
    if log.is_empty() {
        return String::new();
    }
    format!(
        "\n  the server's last words:\n    {}",
        log.replace('\n', "\n    ")
    )
}

/// The last lines of a text that are worth showing.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // A transparent error says what its cause says.
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
