//! Who is connected, and what the API has decided about them.
//!
//! Most of a toxic's work is done by the connection's own task, from the chain
//! that it watches. But a task sees only the latest chain, and three effects
//! must hit every connection that was live at the time, even when the toxic is
//! gone again before the task looks: a blackhole, a reset, and the close that
//! the removal of a timeout means. Those are a [`Fate`], set here under one lock
//! together with the chain, before the API answers.
//!
//! Invariants: a fate is set once and never changes; a connection joins either
//! before a change (and is judged by it) or after (and is judged at birth). The
//! lock is never held across an await.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Chain, Traffic};
use crate::toxic::{Attributes, Roll, Toxic};

/// What is to become of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on, as the chain says.
    Alive,
    /// A blackhole caught it: it hears nothing any more.
    Caught,
    /// Both sides are closed.
    Closed,
    /// Both sides get an RST.
    Reset,
}

/// One connection's fate, shared with its task.
#[derive(Debug, Default)]
struct FateCell(AtomicU8);

impl FateCell {
    fn load(&self) -> Fate {
        match self.0.load(Ordering::Acquire) {
            0 => Fate::Alive,
            1 => Fate::Caught,
            2 => Fate::Closed,
            _ => Fate::Reset,
        }
    }

    /// The first fate stays: a vanished host can neither close nor reset.
    fn settle(&self, fate: Fate) {
        let value = match fate {
            Fate::Alive => return,
            Fate::Caught => 1,
            Fate::Closed => 2,
            Fate::Reset => 3,
        };
        // Lost only to an earlier fate, which is then the one that counts.
        let _ = self
            .0
            .compare_exchange(0, value, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// The connections of one proxy, over all its restarts.
#[derive(Debug)]
pub(crate) struct Connections {
    roll: Roll,
    state: Mutex<State>,
    chain: watch::Sender<Arc<Chain>>,
    pub(crate) traffic: Traffic,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the next connection: with the seed, it decides what hits it.
    next: u64,
    live: HashMap<u64, Arc<FateCell>>,
}

impl Connections {
    pub(crate) fn new(seed: u64, proxy: &str) -> Arc<Self> {
        Arc::new(Self {
            roll: Roll::new(seed, proxy),
            state: Mutex::default(),
            chain: watch::Sender::new(Arc::default()),
            traffic: Traffic::default(),
        })
    }

    pub(crate) fn chain(&self) -> Arc<Chain> {
        Arc::clone(&self.chain.borrow())
    }

    /// Replaces the chain, settles the fates that follow from the change, and
    /// wakes every connection. Waits for none of them.
    pub(crate) fn install(&self, new: Chain) {
        let state = self.lock();
        let old = self.chain();
        for (&connection, fate) in &state.live {
            fate.settle(self.fate_at(connection, &new));
            if old
                .iter()
                .any(|toxic| self.is_freed_timeout(connection, toxic, &new))
            {
                fate.settle(Fate::Closed);
            }
        }
        // After the fates: who has seen the new chain finds its fate settled.
        self.chain.send_replace(Arc::new(new));
    }

    /// A new connection, which is a member until the value is dropped.
    pub(super) fn join(self: &Arc<Self>) -> Member {
        let mut state = self.lock();
        let connection = state.next;
        state.next += 1;
        let fate = Arc::new(FateCell::default());
        state.live.insert(connection, Arc::clone(&fate));
        // Subscribed under the lock: no change falls between.
        let changes = self.chain.subscribe();
        fate.settle(self.fate_at(connection, &changes.borrow()));
        drop(state);
        Member {
            connections: Arc::clone(self),
            connection,
            fate,
            changes,
        }
    }

    /// What the toxics that act at once say of a connection.
    fn fate_at(&self, connection: u64, chain: &Chain) -> Fate {
        let hit_by = |attributes: &Attributes| {
            chain
                .iter()
                .filter(|toxic| toxic.attributes == *attributes)
                .any(|toxic| self.roll.hit(connection, toxic).is_some())
        };
        if hit_by(&Attributes::Blackhole) {
            Fate::Caught
        } else if hit_by(&Attributes::Reset) {
            Fate::Reset
        } else {
            Fate::Alive
        }
    }

    /// `toxic` was a timeout on this connection, and is not in `new`.
    fn is_freed_timeout(&self, connection: u64, toxic: &Toxic, new: &Chain) -> bool {
        let hits = |toxic: &Toxic| self.roll.hit(connection, toxic).is_some();
        matches!(toxic.attributes, Attributes::Timeout { .. })
            && hits(toxic)
            && !new.iter().any(|other| other.id == toxic.id && hits(other))
    }

    /// How many connections there ever were.
    #[cfg(test)]
    pub(super) fn joined(&self) -> u64 {
        self.lock().next
    }

    /// Every update under the lock leaves the state whole, so a poisoned lock
    /// is as good as another.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One live connection's place among the others.
#[derive(Debug)]
pub(super) struct Member {
    connections: Arc<Connections>,
    connection: u64,
    fate: Arc<FateCell>,
    changes: watch::Receiver<Arc<Chain>>,
}

impl Member {
    /// Waits until the chain was replaced since [`Member::look`].
    /// Cancel safe.
    pub(super) async fn changed(&mut self) {
        // The sender lives in `connections`, which this value keeps.
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The chain, and what it or an earlier one decided about this connection.
    pub(super) fn look(&mut self) -> (Arc<Chain>, Fate) {
        // In this order: see `Connections::install`.
        let chain = Arc::clone(&self.changes.borrow_and_update());
        (chain, self.fate.load())
    }

    /// The toxics of one stream that hit this connection, each with its draws.
    pub(super) fn hits(&self, toxics: &[Arc<Toxic>]) -> Vec<(Arc<Toxic>, fastrand::Rng)> {
        let hit = |toxic: &Arc<Toxic>| {
            let rng = self.connections.roll.hit(self.connection, toxic)?;
            Some((Arc::clone(toxic), rng))
        };
        toxics.iter().filter_map(hit).collect()
    }

    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.connections.lock().live.remove(&self.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::{Kind, Stream};
    use std::time::Duration;

    fn toxic(id: u64, kind: Kind, attributes: Attributes) -> Toxic {
        Toxic {
            attributes,
            name: format!("t{id}"),
            kind,
            stream_text: "downstream".to_owned(),
            toxicity: 1.0,
            stream: Stream::Downstream,
            id,
            revision: 0,
        }
    }

    #[test]
    fn a_blackhole_that_came_and_went_unseen_still_caught_those_who_were_there() {
        let connections = Connections::new(1, "pg");
        let mut there = connections.join();
        let hole = toxic(1, Kind::Blackhole, Attributes::Blackhole);
        connections.install(connections.chain().with(hole));
        let mut during = connections.join();
        connections.install(connections.chain().without(1));
        let mut after = connections.join();
        assert_eq!(there.look().1, Fate::Caught);
        assert_eq!(during.look().1, Fate::Caught);
        assert_eq!(after.look().1, Fate::Alive);
    }

    #[test]
    fn a_caught_connection_can_be_neither_reset_nor_closed() {
        let connections = Connections::new(1, "pg");
        let silence = Duration::ZERO;
        let timeout = toxic(1, Kind::Timeout, Attributes::Timeout { silence });
        connections.install(connections.chain().with(timeout));
        let mut caught = connections.join();
        let hole = toxic(2, Kind::Blackhole, Attributes::Blackhole);
        connections.install(connections.chain().with(hole));
        connections.install(Chain::default());
        let reset = toxic(3, Kind::Reset, Attributes::Reset);
        connections.install(connections.chain().with(reset));
        assert_eq!(caught.look().1, Fate::Caught);
    }

    #[test]
    fn only_the_removal_of_a_timeout_closes() {
        let connections = Connections::new(1, "pg");
        let mut member = connections.join();
        let mut timeout = toxic(
            1,
            Kind::Timeout,
            Attributes::Timeout {
                silence: Duration::ZERO,
            },
        );
        connections.install(connections.chain().with(timeout.clone()));
        timeout.revision = 1;
        connections.install(connections.chain().with(timeout));
        assert_eq!(member.look().1, Fate::Alive);
        connections.install(connections.chain().without(1));
        assert_eq!(member.look().1, Fate::Closed);
    }

    #[test]
    fn a_dropped_member_is_forgotten() {
        let connections = Connections::new(1, "pg");
        drop(connections.join());
        assert!(connections.lock().live.is_empty());
    }
}
