//! `/ws`: what pages are told, as it comes.
//!
//! A client gets the last there is, never a queue: one that takes nothing for [`TAKES`], or says
//! nothing for [`SILENT`] though it is asked, is dropped. It may say nothing itself.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use tokio::sync::watch;

use super::{App, Refusal};
use crate::{
    clock::{self, Instant},
    monitor::{
        counts::{Count, Open},
        listen::Peer,
        sampler::Tick,
    },
};

/// Most at once: half of the connections that there may be, so that questions find room.
const SOCKETS: u64 = 256;
/// How long a client may take for what it is sent.
const TAKES: Duration = Duration::from_secs(5);
/// How often it is asked whether it is there, and after how long a silence it is not.
const ASKED: Duration = Duration::from_secs(10);
const SILENT: Duration = Duration::from_secs(25);
/// The longest that a client may say: what WebSockets say for themselves has 125 bytes.
const SAYS: usize = 1_024;
/// What it may say between two times that it is asked.
const OFTEN: u32 = 64;

pub(super) async fn open(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Response> {
    let upgrade = upgrade.map_err(|rejected| {
        Refusal(rejected.status(), format!("websocket: {rejected}")).into_response()
    })?;
    let Some(open) = app.counts.socket(SOCKETS) else {
        let error = format!("there are {SOCKETS} pages open, which is the most");
        return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, error).into_response());
    };
    let upgrade = upgrade.max_message_size(SAYS).max_frame_size(SAYS);
    Ok(upgrade.on_upgrade(|socket| async move {
        let over = app.over.clone();
        // At the end of the server it is closed, whatever it is waiting for.
        tokio::select! {
            () = over.wait() => {}
            () = Client::new(socket, app, peer, open).run() => {}
        }
    }))
}

struct Client {
    socket: WebSocket,
    ticks: watch::Receiver<Option<Tick>>,
    app: Arc<App>,
    peer: Peer,
    heard: Instant,
    said: u32,
    _open: Open,
}

/// Why a client is let go.
enum End {
    Gone,
    Slow,
    Malformed(u16, &'static str),
}

impl Client {
    fn new(socket: WebSocket, app: Arc<App>, peer: Peer, open: Open) -> Self {
        let mut ticks = app.ticks.subscribe();
        // What was made when nobody listened is old.
        let last = ticks.borrow_and_update().clone();
        if last.is_some_and(|tick| tick.is_fresh(clock::now())) {
            ticks.mark_changed();
        } else {
            app.wanted.notify_one();
        }
        Self {
            socket,
            ticks,
            app,
            peer,
            heard: clock::now(),
            said: 0,
            _open: open,
        }
    }

    async fn run(mut self) {
        let counts = self.app.counts.clone();
        match self.serve().await {
            End::Gone => {}
            End::Slow => counts.add(Count::SocketsSlow),
            End::Malformed(code, reason) => {
                counts.add(Count::SocketsMalformed);
                let close = CloseFrame {
                    code,
                    reason: reason.into(),
                };
                let _ = self.send(Message::Close(Some(close))).await;
            }
        }
    }

    async fn serve(&mut self) -> End {
        let mut ask = clock::now() + ASKED;
        loop {
            let sent = tokio::select! {
                changed = self.ticks.changed() => {
                    let tick = self.ticks.borrow_and_update().clone();
                    match (changed, tick) {
                        (Err(_), _) => return End::Gone,
                        (Ok(()), None) => continue,
                        (Ok(()), Some(tick)) => self.send(Message::Text(tick.text)).await,
                    }
                }
                () = clock::sleep_until(ask) => {
                    let now = clock::now();
                    if now.saturating_duration_since(self.heard) > SILENT {
                        return End::Slow;
                    }
                    (ask, self.said) = (now + ASKED, 0);
                    self.send(Message::Ping(Vec::new().into())).await
                }
                heard = self.socket.recv() => self.heard(heard),
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }

    fn heard(&mut self, heard: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard = clock::now();
        self.said += 1;
        match heard {
            None | Some(Ok(Message::Close(_))) => Err(End::Gone),
            Some(Err(_)) if self.peer.traffic.has_ended() => Err(End::Gone),
            Some(Err(_)) => Err(End::Malformed(
                close_code::PROTOCOL,
                "not a WebSocket frame",
            )),
            Some(Ok(Message::Text(_) | Message::Binary(_))) => Err(End::Malformed(
                close_code::POLICY,
                "nothing is to be said here",
            )),
            Some(Ok(_)) if self.said > OFTEN => {
                Err(End::Malformed(close_code::POLICY, "too many frames"))
            }
            Some(Ok(_)) => Ok(()),
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        let sent = clock::timeout_at(clock::now() + TAKES, self.socket.send(message)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Slow),
        }
    }
}
