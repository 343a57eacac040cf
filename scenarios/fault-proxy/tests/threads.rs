//! The server's own threads. The only test in its program: it counts those of
//! the whole process.

#![cfg(all(test, target_os = "linux"))]

use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fault_proxy::{Options, ServeError, Server};
use tokio::time::Instant;

const ANYWHERE: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// Polls until it is done, as the plainest executor would: with no runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        match future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

fn server() -> Server {
    block_on(Server::bind(ANYWHERE.into(), Options::default())).expect("a free port")
}

/// How many threads of servers this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .expect("Linux has it")
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .filter(|name| name.starts_with("fault-proxy"))
        .count()
}

fn wait_for_none() {
    let deadline = Instant::now() + Duration::from_secs(20);
    while threads() > 0 {
        assert!(Instant::now() < deadline, "{} are left", threads());
        std::thread::yield_now();
    }
}

#[test]
fn threads_need_no_runtime_and_end_with_the_server() {
    let running = server();
    assert!(threads() >= 2, "one for the API, one that moves bytes");
    // Blocking, on the only thread there is: it answers all the same.
    std::net::TcpStream::connect(running.local_addr()).expect("accepted");
    block_on(running.shutdown());
    assert_eq!(threads(), 0, "a shutdown waits for them");

    drop(server());
    wait_for_none();

    // Dropped before it has started: nobody would stop it later.
    drop(Server::bind(ANYWHERE.into(), Options::default()));
    let mut starting = Box::pin(Server::bind(ANYWHERE.into(), Options::default()));
    let _ = starting
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    drop(starting);
    wait_for_none();

    let first = server();
    let taken: SocketAddr = first.local_addr();
    let error = block_on(Server::bind(taken, Options::default())).expect_err("it is taken");
    assert!(matches!(error, ServeError::Listen { .. }), "{error:?}");
    block_on(first.shutdown());
    wait_for_none();
}
