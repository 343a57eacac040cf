//! Where connections come from.
//!
//! The seam is [`Connect`]: plain text ([`Tcp`]), TLS ([`Tls`] around any connector of
//! tokio-postgres), or whatever already is a [`deadpool_postgres::Connect`], such as
//! bytes in memory for a simulation. The pool and the breaker's probe share one.
//!
//! A [`Session`] that has a [`Wire`] sends a batch with one Sync; without one, each
//! statement has its own, and all else is the same. One that has a [`Canceller`] can be told
//! to stop what runs on it; without one, what was given up is waited for, and the session is
//! closed if that takes too long.

mod cancel;

#[cfg(unix)]
mod unix;

#[cfg(unix)]
use std::path::PathBuf;
use std::{convert::Infallible, future::Future, pin::Pin};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
};
use tokio_postgres::{
    Client, Config, Connection, Error, NoTls, Socket,
    config::{Host, SslMode, SslNegotiation, TargetSessionAttrs},
    tls::{MakeTlsConnect, TlsConnect, TlsStream},
};

pub use self::cancel::{Canceller, Cancelling};
#[cfg(unix)]
use self::unix::UnixSocket;
use crate::wire::{Transport, Wire};

/// A connection that was made.
#[derive(Debug)]
pub struct Session {
    /// Sends statements.
    pub client: Client,
    /// Drives the socket; the owner of the session must abort it.
    pub task: JoinHandle<()>,
    /// Controls the transport, if it is a [`Transport`]; `None` for any other.
    pub wire: Option<Wire>,
    /// Stops what runs on it; `None` if its transport cannot be opened a second time.
    pub cancel: Option<Canceller>,
}

/// A connection that is being made: what [`Connect::connect`] returns.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Session, Error>> + Send + 'a>>;

/// How connections are made.
pub trait Connect: Send + Sync {
    /// Makes a connection. Must be cancel safe: a dropped future leaves no socket.
    fn connect(&self, config: &Config) -> Connecting<'_>;
}

impl<C: deadpool_postgres::Connect> Connect for C {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let connecting = deadpool_postgres::Connect::connect(self, config);
        Box::pin(async move {
            let (client, task) = connecting.await?;
            Ok(Session {
                client,
                task,
                wire: None,
                cancel: None,
            })
        })
    }
}

/// Plain TCP or a unix socket, without TLS.
///
/// Cancel safe: a dropped `connect` closes its socket; the task that drives a
/// finished connection is handed to the caller, who aborts it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Connect for Tcp {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let mut config = config.clone();
        Box::pin(async move {
            #[cfg(unix)]
            if let Some((folder, port)) = one_folder(&config) {
                let wire = Wire::default();
                let socket = UnixSocket::connect(&folder, port).await;
                let transport = Transport::plain(socket, wire.clone());
                let (client, connection) = config.connect_raw(transport, NoTls).await?;
                let cancel = Canceller::unix(client.cancel_token(), folder, port);
                return Ok(driven(client, connection, wire, cancel));
            }
            // tokio-postgres makes the socket, whatever hosts and options it takes to,
            // and lets only a TLS connector at it. Asked not to negotiate, it hands the
            // socket over as it is, and ours leaves it plain. Who requires TLS gets
            // none here, and an error; and a connector is only used with a host name.
            if config.get_ssl_mode() == SslMode::Require || !all_named(&config) {
                let (client, connection) = config.connect(NoTls).await?;
                let cancel = Canceller::unconfirmed(client.cancel_token());
                return Ok(driven(client, connection, Wire::default(), cancel));
            }
            let wire = Wire::default();
            config
                .ssl_mode(SslMode::Require)
                .ssl_negotiation(SslNegotiation::Direct);
            let (client, connection) = config.connect(Clear(wire.clone())).await?;
            let cancel = Canceller::new(client.cancel_token(), Clear(Wire::default()));
            Ok(driven(client, connection, wire, cancel))
        })
    }
}

/// The folder of a unix socket and its port, if that is all there is to connect to, and no
/// more is asked of who answers.
#[cfg(unix)]
fn one_folder(config: &Config) -> Option<(PathBuf, u16)> {
    let any = config.get_target_session_attrs() == TargetSessionAttrs::Any;
    let plain = config.get_ssl_mode() != SslMode::Require && config.get_hostaddrs().is_empty();
    match config.get_hosts() {
        [Host::Unix(folder)] if any && plain => {
            let port = config.get_ports().first().copied();
            Some((folder.clone(), port.unwrap_or(5432)))
        }
        _ => None,
    }
}

fn all_named(config: &Config) -> bool {
    let hosts = config.get_hosts();
    !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Tcp(_)))
}

/// TLS with a connector of tokio-postgres, as far as the configuration's `ssl_mode`
/// asks for it.
///
/// Cancel safe, as [`Tcp`].
#[derive(Debug, Clone, Copy)]
pub struct Tls<T>(pub T);

impl<T> Connect for Tls<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let (config, wire) = (config.clone(), Wire::default());
        let (tls, tapped) = (self.0.clone(), Tapped(self.0.clone(), wire.clone()));
        Box::pin(async move {
            let (client, connection) = config.connect(tapped).await?;
            let cancel = Canceller::new(client.cancel_token(), tls);
            Ok(driven(client, connection, wire, cancel))
        })
    }
}

fn driven<S, T>(
    client: Client,
    connection: Connection<S, T>,
    wire: Wire,
    cancel: Canceller,
) -> Session
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsStream + Unpin + Send + 'static,
{
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
    });
    Session {
        client,
        task,
        wire: wire.is_attached().then_some(wire),
        cancel: Some(cancel),
    }
}

/// Puts a [`Transport`] where TLS would be.
#[derive(Clone)]
struct Clear(Wire);

impl MakeTlsConnect<Socket> for Clear {
    type Stream = Transport<Socket>;
    type TlsConnect = Self;
    type Error = Infallible;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, Infallible> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for Clear {
    type Stream = Transport<Socket>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Transport<Socket>, Infallible>>;

    fn connect(self, socket: Socket) -> Self::Future {
        std::future::ready(Ok(Transport::plain(socket, self.0)))
    }
}

/// Puts a [`Transport`] between TLS and tokio-postgres.
struct Tapped<T>(T, Wire);

impl<T: MakeTlsConnect<Socket>> MakeTlsConnect<Socket> for Tapped<T>
where
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    type Stream = Transport<T::Stream>;
    type TlsConnect = Tapped<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Tapped<T::TlsConnect>, T::Error> {
        let connector = self.0.make_tls_connect(domain)?;
        Ok(Tapped(connector, self.1.clone()))
    }
}

impl<T: TlsConnect<Socket>> TlsConnect<Socket> for Tapped<T>
where
    T::Future: Send,
{
    type Stream = Transport<T::Stream>;
    type Error = T::Error;
    type Future = futures_util::future::MapOk<T::Future, WithTransport<T::Stream>>;

    fn connect(self, socket: Socket) -> Self::Future {
        let wire = self.1;
        futures_util::TryFutureExt::map_ok(
            self.0.connect(socket),
            Box::new(|stream| Transport::tls(stream, wire)),
        )
    }
}

type WithTransport<S> = Box<dyn FnOnce(S) -> Transport<S> + Send>;
