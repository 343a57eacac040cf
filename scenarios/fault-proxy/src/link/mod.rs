//! One direction of one connection: a chain of toxics, free of sockets and
//! clocks.
//!
//! The connection's task puts in what it read, asks [`Link::advance`] what the
//! time has released, and writes what is [`Link::outgoing`]. Toxics come,
//! change and go by [`Link::rebuild`]: a stage that leaves hands what it held
//! to the stage behind it, so no byte is lost or overtaken, whatever the order
//! of changes. Only a toxic whose meaning is to discard discards.
//!
//! Invariants: bytes leave in the order in which they came; a stage never gets
//! more than it has room for (but for what a leaving stage hands on); a link
//! without toxics holds only what the receiver has not taken yet.

mod chunk;
mod pipeline;
mod stage;

pub(crate) use chunk::{Chunk, End, Inbox};
pub(crate) use pipeline::Link;
pub(crate) use stage::{Pull, Stage, forward};
