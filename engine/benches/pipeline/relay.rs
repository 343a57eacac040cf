//! A longer way to the server: each direction takes half a round trip.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

use seawall::clock;

use crate::Outcome;

/// Chunks on their way, at most: what a socket takes at 10 ms and 100 MB/s.
const ON_THE_WAY: usize = 1024;

/// Listens for as long as the process lives.
pub(crate) fn start(server: SocketAddr, rtt: Duration) -> Outcome<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(server) else {
                continue;
            };
            for stream in [&client, &server] {
                let _best_effort = stream.set_nodelay(true);
            }
            if let (Ok(c), Ok(s)) = (client.try_clone(), server.try_clone()) {
                pass(client, server, rtt / 2);
                pass(s, c, rtt / 2);
            }
        }
    });
    Ok(port)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a timer of tokio's has a grain of a millisecond"
)]
fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (send, receive) = mpsc::sync_channel::<(clock::Instant, Vec<u8>)>(ON_THE_WAY);
    std::thread::spawn(move || {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            if send
                .send((clock::now() + delay, bytes[..n].to_vec()))
                .is_err()
            {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        while let Ok((due, bytes)) = receive.recv() {
            std::thread::sleep(due.saturating_duration_since(clock::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _closed_already = to.shutdown(Shutdown::Both);
    });
}
