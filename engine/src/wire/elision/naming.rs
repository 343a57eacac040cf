//! [`Naming`]: the names under which statements are known to the server. Pure.
//!
//! tokio-postgres numbers its statements, from `s0` on, in every process. A session of a
//! server knows statements by their names alone, and behind a pooler it is shared: there
//! `s1` may be another client's, and its rows would come back for ours. So a connection
//! puts a prefix of its own, drawn at random, in front of every name. Whoever asks a
//! session for a statement that it does not have gets an error (26000), never another's
//! rows.
//!
//! Where sessions change under a connection from one statement to the next (a pooler in
//! transaction mode that does not know prepared statements), nothing that was prepared can be
//! relied on. There a connection is set to keep no names: a statement goes out again in front
//! of each of its uses, as the unnamed statement, in the same round trip and with the types of
//! parameters that the server gave before; and its columns are asked for and compared.

use std::{collections::HashMap, ops::Range};

use bytes::BufMut as _;

pub(super) const PARSE: u8 = b'P';
pub(super) const BIND: u8 = b'B';
pub(super) const DESCRIBE: u8 = b'D';
pub(super) const CLOSE: u8 = b'C';
/// Asks for the columns of the portal that has no name.
pub(super) const DESCRIBE_PORTAL: &[u8] = b"D\0\0\0\x06P\0";

/// Length of a prefix: 64 bits.
const PREFIX: usize = 11;
const LETTERS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

/// A statement's number on its connection.
type Id = u64;

/// What is known of a statement that is sent with each use.
#[derive(Debug, Default)]
struct Known {
    /// Its text, with the NUL behind it.
    sql: Vec<u8>,
    /// The Parse message that goes out in front of a use; empty until the types of its
    /// parameters are known.
    parse: Vec<u8>,
    /// Its columns: names and types.
    columns: Option<Vec<u8>>,
}

/// The names of one connection.
#[derive(Debug)]
pub(super) struct Naming {
    prefix: [u8; PREFIX],
    unnamed: bool,
    ids: HashMap<Vec<u8>, Id>,
    known: HashMap<Id, Known>,
    next: Id,
}

/// What a message has to do with a statement that is sent with each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It is described.
    Described(Id),
    /// It is sent again, and run.
    Sent(Id),
}

impl Naming {
    pub(super) fn new(connection: u64) -> Self {
        // Six bits a letter: it goes out with every use.
        let letter = |i: usize| LETTERS[(connection >> (6 * i) & 63) as usize];
        let prefix = std::array::from_fn(letter);
        Self {
            prefix,
            unnamed: false,
            ids: HashMap::new(),
            known: HashMap::new(),
            next: 0,
        }
    }

    /// Keeps no name on the server from now on.
    pub(super) fn forego(&mut self) {
        self.unnamed = true;
    }

    /// Whether the text of a Parse message is to be [kept](Self::text).
    pub(super) fn keeps_text(&self) -> bool {
        self.unnamed
    }

    /// Writes the header of a message, whose length was `length`, and its `head`, which
    /// ends with a name, as they go out; in front of them what goes out before. Returns
    /// where the head begins in `out`.
    pub(super) fn write(
        &mut self,
        kind: u8,
        length: u32,
        head: &[u8],
        out: &mut impl Sink,
    ) -> (usize, Option<Use>) {
        let name = name(kind, head);
        let portal = matches!(kind, DESCRIBE | CLOSE) && head.first() != Some(&b'S');
        if name.is_empty() || portal {
            return (out.message(kind, length, [head]), None);
        }
        let (before, rest) = head.split_at(name.start);
        let given = &rest[..name.len()];
        if self.unnamed && kind != CLOSE {
            if let Some(used) = self.used(kind, given, out) {
                let shorter = length.saturating_sub(u32::try_from(given.len()).unwrap_or(0));
                let unnamed = [before, &rest[name.len()..]];
                return (out.message(kind, shorter, unnamed), Some(used));
            }
        } else if self.unnamed
            && let Some(id) = self.ids.remove(given)
        {
            self.known.remove(&id);
        }
        let longer = length.saturating_add(u32::try_from(self.prefix.len()).unwrap_or(0));
        let named = [before, &self.prefix[..], rest];
        (out.message(kind, longer, named), None)
    }

    /// What a message does with a statement, and what goes out in front of it. `None` for a
    /// statement that nobody has described: the server will say that there is none.
    fn used(&mut self, kind: u8, name: &[u8], out: &mut impl Sink) -> Option<Use> {
        if kind == PARSE {
            self.next += 1;
            self.ids.insert(name.to_vec(), self.next);
            self.known.insert(self.next, Known::default());
            return Some(Use::Described(self.next));
        }
        let id = *self.ids.get(name)?;
        if kind == DESCRIBE {
            return Some(Use::Described(id));
        }
        let known = self
            .known
            .get(&id)
            .filter(|known| !known.parse.is_empty())?;
        out.put(&known.parse);
        Some(Use::Sent(id))
    }

    /// Takes the next bytes of a Parse message behind its name.
    pub(super) fn text(&mut self, described: Use, bytes: &[u8]) {
        if let Some(known) = self.of(described) {
            known.sql.extend_from_slice(bytes);
        }
    }

    fn of(&mut self, used: Use) -> Option<&mut Known> {
        let (Use::Described(id) | Use::Sent(id)) = used;
        self.known.get_mut(&id)
    }

    /// Takes the server's description of a statement's parameters: their number and types,
    /// as they stand in a Parse message.
    pub(super) fn parameters(&mut self, described: Use, body: &[u8]) {
        let Some(known) = self.of(described) else {
            return;
        };
        // What follows the text are the types that tokio-postgres gave; it gives none.
        let text = known.sql.iter().position(|b| *b == 0).map_or(0, |n| n + 1);
        let mut parse = Vec::with_capacity(text + body.len() + 6);
        let length = text + body.len() + 5;
        parse.put_u8(PARSE);
        parse.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        parse.put_u8(0);
        parse.put_slice(&known.sql[..text]);
        parse.put_slice(body);
        known.parse = parse;
        known.sql = Vec::new();
    }

    /// Takes the server's description of a statement's columns. True if it is another one
    /// than when the statement was described.
    pub(super) fn columns(&mut self, used: Use, body: &[u8]) -> bool {
        let now = columns(body);
        let Some(known) = self.of(used) else {
            return false;
        };
        match used {
            Use::Described(_) => {
                known.columns = now;
                false
            }
            Use::Sent(_) => known.columns != now,
        }
    }

    /// Forgets a statement that could not be described.
    pub(super) fn failed(&mut self, described: Use) {
        if let Use::Described(id) = described {
            self.known.remove(&id);
            self.ids.retain(|_, other| *other != id);
        }
    }
}

/// Where bytes go out.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
    fn written(&self) -> usize;

    /// Writes a message's header and the beginning of its body. Returns where the body
    /// begins.
    fn message<const N: usize>(&mut self, kind: u8, length: u32, parts: [&[u8]; N]) -> usize {
        self.put(&[kind]);
        self.put(&length.to_be_bytes());
        let begins = self.written();
        parts.into_iter().for_each(|part| self.put(part));
        begins
    }
}

impl Sink for bytes::BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }

    fn written(&self) -> usize {
        self.len()
    }
}

/// How many NULs the part of a message has that ends with a statement's name; `None` if the
/// message has no such name.
pub(super) fn strings(kind: u8) -> Option<u8> {
    match kind {
        PARSE | DESCRIBE | CLOSE => Some(1),
        // The name of a portal stands in front.
        BIND => Some(2),
        _ => None,
    }
}

/// Where the name stands in the beginning of a message, which ends with it and a NUL.
fn name(kind: u8, head: &[u8]) -> Range<usize> {
    let start = match kind {
        PARSE => 0,
        BIND => head.iter().position(|b| *b == 0).map_or(0, |n| n + 1),
        _ => 1,
    };
    start.min(head.len())..head.len().saturating_sub(1).max(start.min(head.len()))
}

/// The names and types of the columns in a RowDescription; `None` for a body that is none.
/// A statement without columns has an empty one.
fn columns(mut body: &[u8]) -> Option<Vec<u8>> {
    /// Table and column number; then the type's id; then length, modifier and format, of
    /// which the last is another for the same statement.
    const BEFORE: usize = 6;
    const TYPE: usize = 4;
    const AFTER: usize = 8;
    let mut columns = Vec::new();
    let Some((count, rest)) = body.split_first_chunk() else {
        return body.is_empty().then_some(columns);
    };
    body = rest;
    for _ in 0..u16::from_be_bytes(*count) {
        let name = body.iter().position(|b| *b == 0)? + 1;
        columns.extend_from_slice(body.get(..name)?);
        columns.extend_from_slice(body.get(name + BEFORE..name + BEFORE + TYPE)?);
        body = body.get(name + BEFORE + TYPE + AFTER..)?;
    }
    Some(columns)
}
