//! The toxics of one proxy, in the order in which they act.
//!
//! Each stream has its own chain, in the order of creation; the listing shows
//! upstream first. Names are unique over both. A chain is a value: a change
//! makes a new one, so that a connection sees each change whole or not at all.

use std::sync::Arc;

use crate::toxic::{Stream, Toxic};

/// All toxics of a proxy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain {
    upstream: Vec<Arc<Toxic>>,
    downstream: Vec<Arc<Toxic>>,
}

impl Chain {
    pub(crate) fn stream(&self, stream: Stream) -> &[Arc<Toxic>] {
        match stream {
            Stream::Upstream => &self.upstream,
            Stream::Downstream => &self.downstream,
        }
    }

    fn stream_mut(&mut self, stream: Stream) -> &mut Vec<Arc<Toxic>> {
        match stream {
            Stream::Upstream => &mut self.upstream,
            Stream::Downstream => &mut self.downstream,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Toxic>> {
        self.upstream.iter().chain(&self.downstream)
    }

    pub(crate) fn len(&self) -> usize {
        self.upstream.len() + self.downstream.len()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Toxic>> {
        self.iter().find(|toxic| toxic.name == name)
    }

    /// The chain with `toxic` at the end of its stream, or in the place of the
    /// toxic with the same id.
    pub(crate) fn with(&self, toxic: Toxic) -> Self {
        let mut chain = self.clone();
        let stream = chain.stream_mut(toxic.stream);
        let toxic = Arc::new(toxic);
        match stream.iter_mut().find(|old| old.id == toxic.id) {
            Some(old) => *old = toxic,
            None => stream.push(toxic),
        }
        chain
    }

    pub(crate) fn without(&self, id: u64) -> Self {
        let mut chain = self.clone();
        for stream in [&mut chain.upstream, &mut chain.downstream] {
            stream.retain(|toxic| toxic.id != id);
        }
        chain
    }
}
