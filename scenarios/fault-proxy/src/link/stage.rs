//! One toxic at work on one stream of one connection.
//!
//! A stage is asked, with the time passed in, what it lets through now. It
//! never sleeps and never touches a socket, so every decision about time and
//! bytes can be tested without either.

use tokio::time::Instant;

use super::chunk::{Chunk, End, Inbox};
use crate::toxic::Attributes;

/// What a stage answers when asked for its next output.
#[derive(Debug)]
pub(crate) enum Pull {
    /// Nothing now; ask again at that time, or when something more came.
    Wait(Option<Instant>),
    /// These bytes go on.
    Pass(Chunk),
    /// The stream ends here; later stages still deliver what they hold.
    End(End),
    /// Both sides get an RST at once, whatever anyone holds.
    Reset,
}

/// A toxic's behaviour and its state for one stream of one connection.
pub(crate) trait Stage: Send + std::fmt::Debug {
    /// What goes on now. Without `room` behind it a stage must not answer
    /// [`Pull::Pass`]; ends and resets are always taken.
    fn pull(&mut self, inbox: &mut Inbox, now: Instant, room: bool) -> Pull;

    /// Whether one more chunk may be put into `inbox`. One at a time unless
    /// the toxic is there to hold more: the sender feels the delay soon.
    fn has_room(&self, inbox: &Inbox) -> bool {
        inbox.is_empty()
    }

    /// Takes new attributes on a live connection.
    fn update(&mut self, attributes: &Attributes, inbox: &Inbox, now: Instant);
}

/// What a stage does that lets everything pass.
pub(crate) fn forward(inbox: &mut Inbox, room: bool) -> Pull {
    if let Some(end) = inbox.reached_end() {
        return Pull::End(end);
    }
    if !room {
        return Pull::Wait(None);
    }
    inbox.pop().map_or(Pull::Wait(None), Pull::Pass)
}
