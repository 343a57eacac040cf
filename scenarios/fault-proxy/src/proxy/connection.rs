//! One client's connection, from dialling to the end.
//!
//! The task never waits for one thing only: whatever it does, a change of the
//! toxics reaches it, so a stalled receiver or a hung upstream delays nobody.
//!
//! Dropping the future closes both sockets.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::connections::{Fate, Member};
use super::direction::{Outcome, with_scratch};
use super::pump::Pump;
use crate::toxic::Stream;

/// Serves `client` until either side, a toxic or the API ends it.
pub(super) async fn serve(
    client: TcpStream,
    upstream: &str,
    dial_timeout: Duration,
    mut member: Member,
) {
    // A client that is gone already shows that when it is read from.
    let _ = client.set_nodelay(true);
    let server = match dial(upstream, dial_timeout, &mut member).await {
        Dialled::Connected(server) => server,
        Dialled::Failed => return,
        Dialled::Fated(fate) => return give_up(fate, client, None).await,
    };
    let connections = Arc::clone(member.connections());
    let mut pump = Pump::new(client, server);
    loop {
        let (chain, fate) = member.look();
        if fate != Fate::Alive {
            let (client, server) = pump.into_sockets();
            return give_up(fate, client, Some(server)).await;
        }
        let now = Instant::now();
        for stream in [Stream::Upstream, Stream::Downstream] {
            pump.link_mut(stream)
                .rebuild(member.hits(chain.stream(stream)), now);
        }
        tokio::select! {
            biased;
            () = member.changed() => {}
            outcome = pump.run(&connections.traffic) => {
                if outcome == Outcome::Reset {
                    let (client, server) = pump.into_sockets();
                    reset(&client);
                    reset(&server);
                }
                return;
            }
        }
    }
}

enum Dialled {
    Connected(TcpStream),
    Failed,
    Fated(Fate),
}

/// Connects to the upstream, unless a fate comes first.
async fn dial(upstream: &str, dial_timeout: Duration, member: &mut Member) -> Dialled {
    let connecting = timeout(dial_timeout, TcpStream::connect(upstream));
    tokio::pin!(connecting);
    loop {
        let (_, fate) = member.look();
        if fate != Fate::Alive {
            return Dialled::Fated(fate);
        }
        tokio::select! {
            biased;
            () = member.changed() => {}
            connected = &mut connecting => {
                let failed = match connected {
                    Ok(Ok(server)) => match server.set_nodelay(true) {
                        Ok(()) => return Dialled::Connected(server),
                        Err(error) => error.to_string(),
                    },
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => format!("no answer within {} ms", dial_timeout.as_millis()),
                };
                tracing::warn!(upstream, failed, "a client is closed: its upstream is not there");
                return Dialled::Failed;
            }
        }
    }
}

/// Ends a connection as its fate says.
async fn give_up(fate: Fate, client: TcpStream, server: Option<TcpStream>) {
    match fate {
        Fate::Caught => stay_dead(client, server).await,
        Fate::Reset => {
            reset(&client);
            server.iter().for_each(reset);
        }
        Fate::Alive | Fate::Closed => {}
    }
}

/// Makes the close of `socket` an RST.
fn reset(socket: &TcpStream) {
    // Fails only on a socket that is dead already.
    let _ = socket.set_zero_linger();
}

/// A vanished host: reads and discards what either side sends, answers
/// nothing, and passes on no end. Returns when the client has closed, which
/// frees both sockets. The server sees the connection as open until then.
async fn stay_dead(mut client: TcpStream, mut server: Option<TcpStream>) {
    std::future::poll_fn(|cx| {
        if let Some(socket) = &mut server
            && poll_discard(socket, cx).is_ready()
        {
            server = None;
        }
        poll_discard(&mut client, cx)
    })
    .await;
}

/// Ready when there is nothing more to come from `socket`.
fn poll_discard(socket: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        let read: io::Result<usize> = ready!(with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            Pin::new(&mut *socket)
                .poll_read(cx, &mut buffer)
                .map_ok(|()| buffer.filled().len())
        }));
        if !matches!(read, Ok(1..)) {
            return Poll::Ready(());
        }
    }
}
