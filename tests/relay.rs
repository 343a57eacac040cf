//! A relay in front of a server that forgets connections without a word: what was sent on
//! them is swallowed, and neither side is told.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use scenarios::environment::Endpoint;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
};

#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) port: u16,
    accepted: Arc<AtomicU64>,
    /// Connections with a lower number are forgotten.
    forgotten: Arc<AtomicU64>,
}

impl Relay {
    pub(crate) async fn before(endpoint: &Endpoint) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let relay = Self {
            port: listener.local_addr().expect("it has one").port(),
            accepted: Arc::default(),
            forgotten: Arc::default(),
        };
        let (this, upstream) = (relay.clone(), endpoint.address());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = this.accepted.fetch_add(1, Ordering::SeqCst);
                let (this, upstream) = (this.clone(), upstream.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(upstream).await else {
                        return;
                    };
                    client.set_nodelay(true).expect("set");
                    server.set_nodelay(true).expect("set");
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::join!(
                        this.pass(number, from_client, to_server),
                        this.pass(number, from_server, to_client)
                    );
                });
            }
        });
        relay
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Forgets the connections that there are.
    pub(crate) fn forget(&self) {
        self.forgotten.store(self.accepted(), Ordering::SeqCst);
    }

    /// Swallows everything, also of connections to come.
    pub(crate) fn freeze(&self) {
        self.forgotten.store(u64::MAX, Ordering::SeqCst);
    }

    async fn pass(&self, number: u64, mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf) {
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut bytes).await {
            let forgotten = || number < self.forgotten.load(Ordering::SeqCst);
            if !forgotten() && to.write_all(&bytes[..n]).await.is_err() {
                return;
            }
            if forgotten() {
                // Neither passed on nor closed, whatever comes.
                while let Ok(1..) = from.read(&mut bytes).await {}
                std::future::pending::<()>().await;
            }
        }
        let _gone = to.shutdown().await;
    }
}
