//! Serves Toxiproxy's API until the process is ended:
//! `cargo run -p fault-proxy --example serve -- 127.0.0.1:8474`

use fault_proxy::{Options, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8474".to_owned());
    let _server = Server::bind(listen.parse()?, Options::default()).await?;
    std::future::pending().await
}
