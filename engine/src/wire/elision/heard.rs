//! [`Ear`]: listens for what the server says and tokio-postgres does not pass on. Pure.

use super::{COMPLETE, COPY_IN, READY};

const BIND_COMPLETE: u8 = b'2';
const COPY_OUT: u8 = b'H';
const COPY_BOTH: u8 = b'W';
/// The tag of a ROLLBACK, which a COMMIT of a transaction that has failed is answered with.
const ROLLBACK: &[u8] = b"ROLLBACK\0";
/// The status of a session that copies, since the last ReadyForQuery.
pub(super) const COPYING: u8 = b'c';

/// What the server said that tokio-postgres does not pass on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) struct Heard {
    /// The status in the last ReadyForQuery (`I` idle, `T` in a transaction block, `E` in a
    /// failed one), or [`COPYING`].
    pub(in crate::wire) status: u8,
    /// How often a statement was answered as a ROLLBACK.
    pub(in crate::wire) rollbacks: u64,
    /// How often parameters were bound to a statement: from then on it may run.
    pub(in crate::wire) bound: u64,
    /// How often a statement had other columns than when it was described.
    pub(in crate::wire) changed: u64,
    /// How often a COPY from or to the client began.
    pub(in crate::wire) copies: u64,
    /// The SQLSTATE of an error that came unasked: the server's last words.
    pub(in crate::wire) ended: Option<[u8; 5]>,
}

/// Listens to the messages of the server.
#[derive(Debug, Default)]
pub(super) struct Ear {
    pub(super) heard: Heard,
    /// How much of a ROLLBACK's tag was read; more than there is of it, if it is another.
    tag: usize,
}

impl Ear {
    /// A message begins.
    pub(super) fn begun(&mut self, kind: u8) {
        match kind {
            BIND_COMPLETE => self.heard.bound += 1,
            COMPLETE => self.tag = 0,
            COPY_IN | COPY_OUT | COPY_BOTH => {
                self.heard.status = COPYING;
                self.heard.copies += 1;
            }
            _ => {}
        }
    }

    /// A part of a message's body, perhaps its last.
    pub(super) fn part(&mut self, kind: u8, part: &[u8], last: bool) {
        match kind {
            READY => self.heard.status = part.first().copied().unwrap_or(self.heard.status),
            COMPLETE => {
                let rest = ROLLBACK.get(self.tag..);
                let same = rest.is_some_and(|rest| rest.starts_with(part));
                self.tag += if same { part.len() } else { ROLLBACK.len() + 1 };
                self.heard.rollbacks += u64::from(last && self.tag == ROLLBACK.len());
            }
            _ => {}
        }
    }

    /// An error came that nothing had asked for.
    pub(super) fn unasked(&mut self, error: &[u8]) {
        let mut fields = error.split(|byte| *byte == 0);
        let code = fields.find_map(|field| field.strip_prefix(b"C"));
        self.heard.ended = code.and_then(|code| code.try_into().ok());
    }
}
