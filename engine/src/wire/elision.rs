//! [`Elision`]: leaves out Syncs, and says what the server then does not. Pure.
//!
//! Both directions stand in one file: what is said in the server's place follows from what
//! was written and not passed on.

mod framing;
mod heard;
mod naming;
mod plan;
mod repeats;

use std::collections::VecDeque;

use bytes::{BufMut as _, BytesMut};

use self::{
    framing::{Framing, Head},
    heard::Ear,
    naming::{BIND, DESCRIBE_PORTAL, Naming, PARSE, Use},
    plan::SyncFate,
    repeats::{Tag, Template},
};
pub(super) use self::{heard::Heard, plan::SyncPlan};
pub(crate) use self::{plan::BatchEnd, repeats::Repeats};

/// Kind and length of a message.
const HEADER: usize = 5;
const SYNC: u8 = b'S';
const FLUSH: [u8; HEADER] = *b"H\0\0\0\x04";
const EXECUTE: u8 = b'E';
const QUERY: u8 = b'Q';
const READY: u8 = b'Z';
const PARSE_COMPLETE: u8 = b'1';
const PARAMETERS: u8 = b't';
const COLUMNS: u8 = b'T';
const NO_COLUMNS: u8 = b'n';
const COMPLETE: u8 = b'C';
const COPY_IN: u8 = b'G';
/// NoticeResponse, NotificationResponse, ParameterStatus: they come at any time.
const UNASKED: [u8; 3] = *b"NAS";
const ERROR: u8 = b'E';
/// ReadyForQuery, in a transaction block and in a failed one.
const READY_IN_BLOCK: [u8; 6] = *b"Z\0\0\0\x05T";
const READY_IN_FAILED: [u8; 6] = *b"Z\0\0\0\x05E";

/// What the server answers to a statement in a transaction that has failed: severity
/// (twice: the second is never translated), SQLSTATE, text.
const SKIPPED: &[u8] = b"SERROR\0VERROR\0C25P02\0Mcurrent transaction is aborted, \
commands ignored until end of transaction block\0\0";

/// What is still to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    /// A request of tokio-postgres: some messages and a Sync.
    Theirs {
        /// Kind of its last message before the Sync: what the answer ends with follows
        /// from it.
        last: u8,
        /// Whether its Sync was passed on.
        synced: bool,
        /// What it does with a statement that has no name on the server.
        used: Option<Use>,
    },
    /// So many statements of ours, 1 or more, of which tokio-postgres knows nothing.
    Ours(usize),
}

/// What is done with the body of a message from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// It is passed on.
    Passes,
    /// It is passed on, and kept.
    Kept,
    /// It is for us alone, and kept.
    Ours,
    /// It is the answer to a repeated statement.
    Repeated,
}

/// The state of both directions.
#[derive(Debug)]
pub(super) struct Elision {
    /// Requests without a complete answer, oldest first. Each of theirs is answered with
    /// one ReadyForQuery.
    waiting: VecDeque<Request>,
    /// The oldest of theirs was answered with an error, and the server skips what
    /// follows up to the next Sync.
    failed: bool,
    outgoing: Framing,
    incoming: Framing,
    /// The kind of the message before the one that is being written.
    last: u8,
    started: bool,
    /// The template of the statement that is being written, if it will be repeated.
    template: Option<Template>,
    /// Parameters of repeated statements, to be written in front of the next one.
    repeats: Option<(Repeats, usize)>,
    naming: Naming,
    head: Head,
    /// What the request that is being written does with a statement without a name.
    used: Option<Use>,
    /// What is done with the message that is being read.
    body: Body,
    /// What is kept of it.
    kept: Vec<u8>,
    /// Its tag, if it is the answer to a repeated statement.
    tag: Tag,
    ear: Ear,
}

impl Elision {
    /// The beginning of a connection, whose statements are named after `connection`: a
    /// number that no other connection of any process has.
    pub(super) fn new(connection: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            failed: false,
            outgoing: Framing::default(),
            incoming: Framing::default(),
            last: 0,
            started: false,
            template: None,
            repeats: None,
            naming: Naming::new(connection),
            head: Head::default(),
            used: None,
            body: Body::Passes,
            kept: Vec::new(),
            tag: Tag::default(),
            ear: Ear::default(),
        }
    }

    /// Keeps no statement on the server from now on: see [`naming`].
    pub(super) fn forego_names(&mut self) {
        self.naming.forego();
    }

    pub(super) fn heard(&self) -> Heard {
        self.ear.heard
    }

    /// Appends to `out` what is to be sent of `bytes`, which tokio-postgres wrote. Calls
    /// `executed` with the length of `out` wherever a statement may run if all up to there
    /// is sent.
    pub(super) fn outgoing(
        &mut self,
        plan: &mut SyncPlan,
        mut bytes: &[u8],
        out: &mut BytesMut,
        mut executed: impl FnMut(usize),
    ) {
        while !bytes.is_empty() || self.outgoing.left > 0 {
            if self.outgoing.left > 0 {
                let part = self.outgoing.part(&mut bytes);
                self.part(part, out);
                if self.outgoing.left > 0 {
                    break;
                }
                if self.last == EXECUTE {
                    executed(out.len());
                } else if self.last == BIND && self.used.is_some() {
                    out.put_slice(DESCRIBE_PORTAL);
                }
                continue;
            }
            // The first message has no kind.
            let size = if self.started { HEADER } else { HEADER - 1 };
            if !self.outgoing.header(&mut bytes, size) {
                break;
            }
            if self.started && self.outgoing.kind() == SYNC {
                self.sync(plan, out);
            } else {
                if self.started {
                    self.last = self.outgoing.kind();
                }
                if self.started && self.last == BIND {
                    self.repeat(out, &mut executed);
                    self.template = plan.repeats_next().then(Template::default);
                }
                if !self.started || self.last == QUERY {
                    // Log-in and simple queries end with a ReadyForQuery unasked.
                    self.waiting.push_back(Request::Theirs {
                        last: self.last,
                        synced: true,
                        used: None,
                    });
                }
                let named = naming::strings(self.last).filter(|_| self.started);
                match named {
                    // Goes out when its name is known.
                    Some(strings) => self.head.strings = strings,
                    None => out.put_slice(&self.outgoing.header[..size]),
                }
            }
            self.outgoing.body(size);
            self.started = true;
            if self.outgoing.left == 0 {
                // One that should have a name, and has nothing.
                self.part(&[], out);
            }
        }
    }

    /// Takes a part of the body of a message that tokio-postgres wrote.
    fn part(&mut self, mut part: &[u8], out: &mut BytesMut) {
        if self.head.strings > 0 {
            self.head.take(&mut part);
            if self.head.strings > 0 && self.outgoing.left > 0 {
                return;
            }
            self.head.strings = 0;
            let [kind, length @ ..] = self.outgoing.header;
            let (length, head) = (u32::from_be_bytes(length), &self.head.bytes[..]);
            let (begins, used) = self.naming.write(kind, length, head, out);
            self.head.bytes.clear();
            self.used = used.or(self.used);
            if let Some(template) = &mut self.template
                && kind == BIND
            {
                template.take(&out[begins..]);
            }
        }
        out.put_slice(part);
        if self.last == BIND
            && let Some(template) = &mut self.template
        {
            template.take(part);
        } else if self.last == PARSE
            && self.naming.keeps_text()
            && let Some(used) = self.used
        {
            self.naming.text(used, part);
        }
    }

    /// Takes a Sync that tokio-postgres wrote: passes it on, or not.
    fn sync(&mut self, plan: &mut SyncPlan, out: &mut BytesMut) {
        let last = self.last;
        // A statement that is closed is no part of the batch: it was dropped some time.
        let fate = if last == EXECUTE {
            plan.next()
        } else {
            SyncFate::Passes
        };
        let synced = matches!(fate, SyncFate::Passes);
        match fate {
            SyncFate::Passes => out.put_slice(&self.outgoing.header),
            SyncFate::Flush => out.put_slice(&FLUSH),
            SyncFate::Omitted => {}
            SyncFate::Repeated(repeats, flush_every) => self.repeats = Some((repeats, flush_every)),
        }
        // A Sync that comes alone belongs to no statement.
        self.last = SYNC;
        self.waiting.push_back(Request::Theirs {
            last,
            synced,
            used: self.used.take(),
        });
    }

    /// Writes the repeated statements in front of the one that tokio-postgres is about to
    /// write. It waits for the answer to this one by now, so if one of them fails there is
    /// somebody to tell.
    fn repeat(&mut self, out: &mut BytesMut, executed: &mut impl FnMut(usize)) {
        let template = self.template.take();
        let (Some((repeats, flush_every)), Some(template)) = (self.repeats.take(), template) else {
            return;
        };
        if let Some(template) = template.bytes()
            && repeats.len() > 0
        {
            repeats.write(template, flush_every, out, executed);
            self.waiting.push_back(Request::Ours(repeats.len()));
        }
    }

    /// Appends to `out` what tokio-postgres is to read for `bytes` that came from the
    /// server. Calls `repeated` for every statement of ours that was done, with the number
    /// of rows.
    pub(super) fn incoming(
        &mut self,
        mut bytes: &[u8],
        out: &mut BytesMut,
        mut repeated: impl FnMut(u64),
    ) {
        while !bytes.is_empty() {
            if self.incoming.left == 0 {
                if !self.incoming.header(&mut bytes, HEADER) {
                    return;
                }
                self.begun(out);
                self.incoming.body(HEADER);
            }
            let part = self.incoming.part(&mut bytes);
            match self.body {
                Body::Repeated => self.tag.take(part),
                Body::Ours => self.kept.extend_from_slice(part),
                Body::Passes => {
                    out.put_slice(part);
                    let (kind, last) = (self.incoming.kind(), self.incoming.left == 0);
                    self.ear.part(kind, part, last);
                }
                Body::Kept => {
                    out.put_slice(part);
                    self.kept.extend_from_slice(part);
                }
            }
            if self.incoming.left == 0 {
                match std::mem::replace(&mut self.body, Body::Passes) {
                    Body::Repeated => self.done(&mut repeated),
                    Body::Passes => self.ended(out),
                    Body::Ours => self.described(),
                    Body::Kept => {
                        self.described();
                        self.ended(out);
                    }
                }
            }
        }
    }

    /// Takes what the server said of a statement that has no name there, or of itself.
    fn described(&mut self) {
        let body = std::mem::take(&mut self.kept);
        if self.incoming.kind() == ERROR {
            self.ear.unasked(&body);
            return;
        }
        let Some(Request::Theirs {
            used: Some(used), ..
        }) = self.waiting.front().copied()
        else {
            return;
        };
        match self.incoming.kind() {
            PARAMETERS => self.naming.parameters(used, &body),
            COLUMNS | NO_COLUMNS => {
                let changed = self.naming.columns(used, &body);
                self.ear.heard.changed += u64::from(changed);
            }
            _ => {}
        }
    }

    /// Passes on what there is of a message whose rest will not come.
    pub(super) fn rest(&mut self, out: &mut BytesMut) {
        out.put_slice(&self.incoming.header[..self.incoming.have]);
        self.incoming.have = 0;
    }

    /// Takes the header of a message of the server.
    fn begun(&mut self, out: &mut BytesMut) {
        let kind = self.incoming.kind();
        self.ear.begun(kind);
        if kind == READY {
            self.ready(out);
        } else if let Some(Request::Ours(_)) = self.waiting.front() {
            if kind == ERROR {
                // Of them no more is heard, and the next of theirs is told.
                self.waiting.pop_front();
            } else if !UNASKED.contains(&kind) {
                self.body = Body::Repeated;
                return;
            }
        } else if let Some(Request::Theirs {
            used: Some(used), ..
        }) = self.waiting.front()
        {
            match (used, kind) {
                (Use::Sent(_), PARSE_COMPLETE | COLUMNS | NO_COLUMNS) => {
                    self.body = Body::Ours;
                    return;
                }
                (Use::Described(_), PARAMETERS | COLUMNS | NO_COLUMNS) => {
                    self.body = Body::Kept;
                }
                (used, ERROR) => self.naming.failed(*used),
                _ => {}
            }
        } else if kind == ERROR && self.waiting.is_empty() {
            self.body = Body::Kept;
        }
        out.put_slice(&self.incoming.header);
    }

    /// Ends a message that is for us alone.
    fn done(&mut self, repeated: &mut impl FnMut(u64)) {
        let rows = self.tag.rows();
        if ends(EXECUTE, self.incoming.kind())
            && let Some(Request::Ours(left)) = self.waiting.front_mut()
        {
            repeated(rows);
            *left -= 1;
            if *left == 0 {
                self.waiting.pop_front();
            }
        }
    }

    /// Ends a message of the server that was passed on.
    fn ended(&mut self, out: &mut BytesMut) {
        let kind = self.incoming.kind();
        if kind == ERROR {
            self.failed = true;
            return;
        }
        let Some(Request::Theirs { last, synced, .. }) = self.waiting.front().copied() else {
            return;
        };
        if kind == READY || kind == COPY_IN {
            // While it takes a COPY, the server ignores the Sync that came with it;
            // there is another behind the data.
            self.waiting.pop_front();
        } else if !synced && ends(last, kind) {
            out.put_slice(&READY_IN_BLOCK);
            self.waiting.pop_front();
        }
    }

    /// Takes the server's ReadyForQuery. Says first, for each statement before the Sync
    /// that the server skipped, that it was skipped.
    fn ready(&mut self, out: &mut BytesMut) {
        let mut told = std::mem::take(&mut self.failed);
        let mut skips = false;
        while let Some(request) = self.waiting.front() {
            match request {
                Request::Ours(_) => {}
                Request::Theirs { synced: true, .. } => {
                    if skips && !told {
                        skipped(out);
                    }
                    return;
                }
                Request::Theirs { synced: false, .. } => {
                    if !told {
                        skipped(out);
                    }
                    out.put_slice(&READY_IN_FAILED);
                    (told, skips) = (false, true);
                }
            }
            self.waiting.pop_front();
        }
    }
}

fn skipped(out: &mut BytesMut) {
    out.put_u8(ERROR);
    // Shorter than a u32 by far.
    out.put_u32(u32::try_from(SKIPPED.len() + 4).unwrap_or(u32::MAX));
    out.put_slice(SKIPPED);
}

/// Whether the answer to a request ends with this kind of message (PostgreSQL's
/// documentation, "Message Flow", extended query).
fn ends(last: u8, kind: u8) -> bool {
    match last {
        // Execute: CommandComplete, EmptyQueryResponse, PortalSuspended.
        EXECUTE => matches!(kind, b'C' | b'I' | b's'),
        // Only a statement's Sync is ever left out.
        _ => false,
    }
}

#[cfg(test)]
mod tests;
