//! [`Framing`] and [`Head`]: where a message begins and ends, and where its statement's name
//! does. Pure.

use super::HEADER;

/// The place in the stream of one direction.
#[derive(Debug, Default)]
pub(super) struct Framing {
    pub(super) header: [u8; HEADER],
    pub(super) have: usize,
    /// Bytes of the message's body that are still to come.
    pub(super) left: usize,
}

impl Framing {
    /// Takes bytes for a header of `size` bytes; true when it is complete.
    pub(super) fn header(&mut self, bytes: &mut &[u8], size: usize) -> bool {
        let n = (size - self.have).min(bytes.len());
        self.header[self.have..self.have + n].copy_from_slice(&bytes[..n]);
        *bytes = &bytes[n..];
        self.have += n;
        self.have == size
    }

    pub(super) fn kind(&self) -> u8 {
        self.header[0]
    }

    /// Ends the header, whose last four bytes are a length that counts themselves.
    pub(super) fn body(&mut self, size: usize) {
        let length = &self.header[size - 4..size];
        let length = length.iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
        self.left = length.saturating_sub(4);
        self.have = 0;
    }

    /// Takes what there is of the body; it is complete when none is left.
    pub(super) fn part<'a>(&mut self, bytes: &mut &'a [u8]) -> &'a [u8] {
        let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
        *bytes = rest;
        self.left -= part.len();
        part
    }
}

/// The beginning of a message that is being written, up to the name of its statement.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    /// NULs that are still to come.
    pub(super) strings: u8,
}

impl Head {
    /// Takes what belongs to it.
    pub(super) fn take(&mut self, bytes: &mut &[u8]) {
        while self.strings > 0
            && let Some((first, rest)) = bytes.split_first()
        {
            self.bytes.push(*first);
            self.strings -= u8::from(*first == 0);
            *bytes = rest;
        }
    }
}
