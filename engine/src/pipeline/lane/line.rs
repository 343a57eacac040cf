//! [`Line`]: the statements of a unit in the order they go out. It announces them to the
//! transport, which leaves out their Syncs.

use std::{collections::VecDeque, sync::Arc};

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Statement;

use super::super::{
    batch::Chunk,
    flight::{Flying, Part, Purpose, WireStatement},
};
use crate::wire::{BatchEnd, Wire};

/// The statements around those of a transaction.
pub(super) struct Frame {
    pub(super) begin: Statement,
    pub(super) immediate: Option<Statement>,
    pub(super) xid: Option<Statement>,
    pub(super) commit: Statement,
}

/// The way that a unit goes out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    pub(super) client: &'a Arc<ClientWrapper>,
    /// Leaves Syncs out; `None` if each statement has its Sync.
    pub(super) wire: Option<&'a Wire>,
    /// How many statements a Flush goes out behind.
    pub(super) flush_every: usize,
    /// Whether it ends with a Sync.
    pub(super) synced: bool,
}

/// Statements in order, none of them polled.
#[derive(Default)]
pub(super) struct Line {
    pub(super) on_wire: Vec<WireStatement>,
    pub(super) flying: VecDeque<Flying>,
    /// How many of the last ones have not been announced.
    open: usize,
    /// How many repeated statements go out in front of the next.
    repeats: usize,
}

impl Line {
    /// Lines up the statements of queries, in a transaction if there is a frame for it.
    pub(super) fn up(
        frame: Option<Frame>,
        parts: &[(Part, Statement)],
        chunk: &Arc<Chunk>,
        route: Route<'_>,
    ) -> Self {
        let mut line = Self::default();
        let bare = |statement| Flying::bare(route.client.clone(), statement);
        let mut commit = None;
        if let Some(frame) = frame {
            line.put(Purpose::Begin, bare(frame.begin));
            if let Some(immediate) = frame.immediate {
                line.put(Purpose::Begin, bare(immediate));
            }
            if let Some(xid) = frame.xid {
                line.put(Purpose::Xid, bare(xid));
                // The answer with the id is worth a Flush of its own: it is to be here
                // before COMMIT is in doubt.
                line.announce(route, BatchEnd::Flush);
            }
            commit = Some(bare(frame.commit));
        }
        for (part, statement) in parts {
            line.part(part, statement, chunk, route);
        }
        if let Some(commit) = commit {
            line.put(Purpose::Commit, commit);
        }
        let end = if route.synced {
            BatchEnd::Sync
        } else {
            BatchEnd::Flush
        };
        line.announce(route, end);
        line
    }

    /// Counts the statements, with those that repeat another.
    pub(super) fn statements(&self) -> usize {
        self.on_wire.iter().map(|place| 1 + place.repeats).sum()
    }

    fn part(&mut self, part: &Part, statement: &Statement, chunk: &Arc<Chunk>, route: Route<'_>) {
        let given = || (route.client.clone(), statement.clone(), chunk.clone());
        let mut queries = part.queries.clone();
        if part.merged {
            let (client, statement, chunk) = given();
            return self.put(
                Purpose::Query,
                Flying::run(client, statement, chunk, queries),
            );
        }
        let silent = statement.columns().is_empty();
        let others = if route.wire.is_some() && silent && queries.len() > 1 {
            queries.start + 1..std::mem::replace(&mut queries.end, queries.start + 1)
        } else {
            0..0
        };
        for i in queries {
            let (client, statement, chunk) = given();
            self.put(Purpose::Query, Flying::query(client, statement, chunk, i));
        }
        if !others.is_empty() {
            self.repeats = others.len();
            self.announce(route, BatchEnd::Repeats(chunk.repeats(others)));
        }
    }

    fn put(&mut self, purpose: Purpose, flying: Flying) {
        let repeats = std::mem::take(&mut self.repeats);
        self.on_wire.push(WireStatement { purpose, repeats });
        self.flying.push_back(flying);
        self.open += 1;
    }

    fn announce(&mut self, route: Route<'_>, end: BatchEnd) {
        let open = std::mem::take(&mut self.open);
        if let Some(wire) = route.wire {
            wire.announce(open, route.flush_every, end);
        }
    }
}
