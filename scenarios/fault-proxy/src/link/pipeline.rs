//! The chain of stages between reading and writing.

use std::sync::Arc;

use fastrand::Rng;
use tokio::time::Instant;

use super::{Chunk, End, Inbox, Pull, Stage};
use crate::toxic::Toxic;

/// A toxic on this link: who it is, what waits in front of it, how it acts.
#[derive(Debug)]
struct Installed {
    toxic: Arc<Toxic>,
    inbox: Inbox,
    stage: Box<dyn Stage>,
    /// It has ended the stream: what still comes to it is dropped.
    is_done: bool,
}

impl Installed {
    fn has_room(&self) -> bool {
        !self.is_done && !self.inbox.is_ended() && self.stage.has_room(&self.inbox)
    }
}

/// What time has done to a link.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Advance {
    /// When to advance again, if nothing else happens before.
    pub(crate) wake_at: Option<Instant>,
    /// A toxic wants an RST on both sides, now.
    pub(crate) reset: bool,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Link {
    stages: Vec<Installed>,
    out: Inbox,
    /// The sender is done. Kept apart from the inboxes, because a toxic that is
    /// added later stands behind the end and must not ask for more.
    input_ended: bool,
}

impl Link {
    /// Nothing is held and nothing would be: the caller may copy straight
    /// from socket to socket.
    pub(crate) fn is_clear(&self) -> bool {
        self.stages.is_empty() && self.out.is_empty() && !self.input_ended
    }

    /// Whether the caller should read more from the sender.
    pub(crate) fn wants_input(&self) -> bool {
        !self.input_ended
            && self
                .stages
                .first()
                .map_or(self.out.is_empty(), Installed::has_room)
    }

    /// Takes bytes that were read at `now`.
    pub(crate) fn push(&mut self, bytes: &[u8], now: Instant) {
        let Some(chunk) = Chunk::copy_of(bytes) else {
            return;
        };
        match self.stages.first_mut() {
            Some(first) => first.inbox.push(chunk, now),
            None => self.out.push(chunk, now),
        }
    }

    /// Takes the end of the stream.
    pub(crate) fn finish(&mut self, end: End) {
        self.input_ended = true;
        match self.stages.first_mut() {
            Some(first) => first.inbox.finish(end),
            None => self.out.finish(end),
        }
    }

    /// The next bytes to write.
    pub(crate) fn outgoing(&self) -> Option<&[u8]> {
        self.out.front().map(Chunk::bytes)
    }

    /// The first `len` outgoing bytes were written.
    pub(crate) fn written(&mut self, len: usize) {
        self.out.pop_front_of(len);
    }

    /// How the stream ended, once every byte before the end was written.
    pub(crate) fn reached_end(&self) -> Option<End> {
        self.out.reached_end()
    }

    /// Moves on what `now` allows. The last stage gives out one chunk at a
    /// time, so call again after writing it.
    pub(crate) fn advance(&mut self, now: Instant) -> Advance {
        loop {
            let mut result = Advance::default();
            let mut moved = false;
            for index in (0..self.stages.len()).rev() {
                let (front, behind) = self.stages.split_at_mut(index + 1);
                let Some(current) = front.last_mut() else {
                    break;
                };
                if current.is_done {
                    current.inbox.discard();
                    continue;
                }
                let room = behind
                    .first()
                    .map_or(self.out.is_empty(), Installed::has_room);
                let next = behind
                    .first_mut()
                    .map_or(&mut self.out, |next| &mut next.inbox);
                match current.stage.pull(&mut current.inbox, now, room) {
                    Pull::Wait(at) => result.wake_at = earliest(result.wake_at, at),
                    Pull::Pass(chunk) => {
                        next.push(chunk, now);
                        moved = true;
                    }
                    Pull::End(end) => {
                        next.finish(end);
                        current.is_done = true;
                        moved = true;
                    }
                    Pull::Reset => {
                        return Advance {
                            wake_at: None,
                            reset: true,
                        };
                    }
                }
            }
            if !moved {
                return result;
            }
        }
    }

    /// Makes the chain what `toxics` says. Those that stay keep their order.
    /// Each comes with the generator that this connection drew for it.
    pub(crate) fn rebuild(&mut self, toxics: Vec<(Arc<Toxic>, Rng)>, now: Instant) {
        let mut stages = std::mem::take(&mut self.stages);
        // From the end, so that what a later stage held stays in front.
        for index in (0..stages.len()).rev() {
            let (front, behind) = stages.split_at_mut(index + 1);
            let Some(current) = front.last_mut() else {
                break;
            };
            match toxics
                .iter()
                .find(|(toxic, _)| toxic.id == current.toxic.id)
            {
                Some((toxic, _)) if toxic.revision != current.toxic.revision => {
                    current.stage.update(&toxic.attributes, &current.inbox, now);
                    current.toxic = Arc::clone(toxic);
                }
                Some(_) => {}
                None => {
                    if current.is_done {
                        current.inbox.discard();
                    }
                    let next = behind
                        .first_mut()
                        .map_or(&mut self.out, |next| &mut next.inbox);
                    current.inbox.drain_into(next, now);
                    stages.remove(index);
                }
            }
        }
        let mut stages = stages.into_iter().peekable();
        for (toxic, rng) in toxics {
            if let Some(stays) = stages.next_if(|stays| stays.toxic.id == toxic.id) {
                self.stages.push(stays);
            } else if let Some(stage) = toxic.attributes.stage(rng, now) {
                let inbox = Inbox::default();
                self.stages.push(Installed {
                    toxic,
                    inbox,
                    stage,
                    is_done: false,
                });
            }
        }
    }
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
