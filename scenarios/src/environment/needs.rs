//! What a fault needs of the place where it is done.

use std::fmt;

/// What it takes to do a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The proxy of every run.
    Proxy,
    /// A toxic that Toxiproxy itself does not have.
    EmbeddedProxy,
    /// Sessions with the server.
    Sessions,
    /// A server that was started here.
    OwnServer,
    /// A server that was started here, all of whose processes can be stopped.
    OwnProcesses,
    /// A server that was started here, since a parameter of it is set.
    OwnParameters,
    /// A container, whose network can be taken away.
    Container,
    /// A small disk that can be filled safely.
    SmallDisk,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "nothing: the proxy does it",
            Self::EmbeddedProxy => "the embedded proxy",
            Self::Sessions => "nothing: sessions with the server do it",
            Self::OwnServer | Self::OwnProcesses | Self::OwnParameters => {
                "a server that was started here"
            }
            Self::Container => "a container",
            Self::SmallDisk => "a container, or a local server and root (a tmpfs of 64 MB)",
        })
    }
}
