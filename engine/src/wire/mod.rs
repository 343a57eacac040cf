//! One Sync for a batch: a transport under tokio-postgres that leaves the others out.
//!
//! A Sync asks the server to end the transaction, to answer, and to wait for the
//! network. It is the price of a statement: a batch with one Sync is four times as
//! fast as one with a Sync for each statement, all else being equal. tokio-postgres
//! ends every request with one, and its API knows no other way. There were three ways
//! to change that:
//!
//! - a codec of our own on `postgres-protocol`, with connections of its own: log-in,
//!   TLS, hosts, types, rows and errors all over again, and none of them those that
//!   the caller's other code knows;
//! - many statements in the text of one: no parameters, no results of their own, and
//!   a parse for each batch;
//! - this one: tokio-postgres writes what it always writes, and the transport passes
//!   on the Syncs that are wanted. What the server then no longer says, since nobody
//!   asked it, the transport says in its place: ReadyForQuery after the last message
//!   of each answer, and after an error, for each statement that the server skipped
//!   until the Sync, the very error that it would have given had it been asked (25P02).
//!
//! Log-in, TLS, types, rows, errors, notices, parameter status and the end of the
//! connection stay tokio-postgres's. What it costs is a look at the five bytes in
//! front of each message. `cargo bench -p seawall --bench pipeline` compares it with a
//! raw client.
//!
//! A statement whose only news is how many rows it changed costs tokio-postgres two to
//! four microseconds, a fifth of what it costs the server. So a run of the same
//! statement that returns no rows is handed over as one, with the parameters of the
//! others beside it (`Repeats`): the transport writes their Bind and Execute with what
//! tokio-postgres wrote for the first, and counts their answers. If one of them fails,
//! the error is the answer to the statement behind them, as the server sends it.
//!
//! A second use: the transport knows what was handed to the system. A statement that
//! never left cannot have run, whatever became of the connection ([`Wire::left`]).
//!
//! A third: statements get names that no other connection has, or none (`elision/naming`
//! says why); and what tokio-postgres keeps to itself is noted for the pool, such as the
//! status of the session and that a COMMIT was answered as a ROLLBACK.
//!
//! # Invariants
//! - Without a plan every byte passes as it is, but for the names of statements.
//! - What is repeated goes out when tokio-postgres waits for the answer to the statement
//!   behind it, so an error finds somebody to tell.
//! - tokio-postgres gets one ReadyForQuery for each Sync that it wrote, in order; one
//!   that the server sent is never held back and never made up.
//! - Nothing is said in the server's place before the server has said what it follows
//!   from: of a connection that ends in the middle of a batch, tokio-postgres learns
//!   exactly what it would have learned without us.

mod elision;
mod transport;

pub(crate) use self::elision::{BatchEnd, Repeats};
pub(crate) use self::transport::Said;
pub use self::transport::{Transport, Wire};
