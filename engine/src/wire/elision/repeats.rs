//! [`Repeats`]: statements that differ from the one before them in nothing but their
//! parameters. Pure.

use bytes::{BufMut as _, BytesMut};

use super::{FLUSH, naming::BIND};

/// An unnamed portal, all its rows.
const EXECUTE: [u8; 10] = *b"E\0\0\0\x09\0\0\0\0\0";
/// No format for results: there are none.
const NO_FORMATS: [u8; 2] = [0; 2];

/// The parameters of statements that repeat another.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Repeats {
    /// The parameters as they stand in a Bind message: of each its length in four bytes, -1
    /// for NULL, and the bytes.
    params: BytesMut,
    /// Where the parameters of each statement end.
    ends: Vec<usize>,
}

impl Repeats {
    /// Adds a statement, whose parameters `encode` appends.
    pub(crate) fn push(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        encode(&mut self.params);
        self.ends.push(self.params.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ranges = starts.zip(&self.ends);
        ranges.map(|(start, end)| &self.params[start..*end])
    }

    /// Writes the statements with the template's statement, a Flush behind every
    /// `flush_every`. Calls `executed` as [`Elision::outgoing`](super::Elision::outgoing)
    /// does.
    pub(super) fn write(
        &self,
        template: &[u8],
        flush_every: usize,
        out: &mut BytesMut,
        executed: &mut impl FnMut(usize),
    ) {
        let frame = 4 + template.len() + NO_FORMATS.len();
        out.reserve(self.params.len() + self.len() * (1 + frame + EXECUTE.len()));
        for (n, params) in (1_usize..).zip(self.iter()) {
            out.put_u8(BIND);
            // Encoded before with a length of 32 bits for each parameter; more in sum
            // does not fit the queue.
            out.put_u32(u32::try_from(frame + params.len()).unwrap_or(u32::MAX));
            out.put_slice(template);
            out.put_slice(params);
            out.put_slice(&NO_FORMATS);
            out.put_slice(&EXECUTE);
            executed(out.len());
            if n.is_multiple_of(flush_every) {
                out.put_slice(&FLUSH);
            }
        }
    }
}

/// The part of a Bind message before its parameters: portal, statement, their formats, and
/// how many there are.
#[derive(Debug, Default)]
pub(super) struct Template {
    bytes: Vec<u8>,
    complete: bool,
}

impl Template {
    /// Takes the next bytes of the message's body.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if !self.complete {
            self.bytes.extend_from_slice(bytes);
            if let Some(length) = before_params(&self.bytes) {
                self.bytes.truncate(length);
                self.complete = true;
            }
        }
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.complete.then_some(&self.bytes[..])
    }
}

fn before_params(bind: &[u8]) -> Option<usize> {
    let string = |from: usize| Some(from + bind.get(from..)?.iter().position(|b| *b == 0)? + 1);
    let formats = string(string(0)?)?;
    let count = bind.get(formats..)?.first_chunk()?;
    let params = formats + 2 + 2 * usize::from(u16::from_be_bytes(*count));
    (bind.len() >= params + 2).then_some(params + 2)
}

/// The number at the end of a command tag, which says how many rows: read as it comes.
#[derive(Debug, Default)]
pub(super) struct Tag(Option<u64>);

impl Tag {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = match (byte, self.0) {
                (b' ', _) => Some(0),
                (0, number) => number,
                (b'0'..=b'9', Some(number)) => {
                    let digit = u64::from(byte - b'0');
                    Some(number.saturating_mul(10).saturating_add(digit))
                }
                _ => None,
            };
        }
    }

    /// 0 if there is none.
    pub(super) fn rows(&mut self) -> u64 {
        self.0.take().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_ends_where_parameters_begin() {
        let bind = b"p\0stmt\0\0\x02\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\x01\0\x01";
        for piece in 1..bind.len() {
            let mut template = Template::default();
            bind.chunks(piece).for_each(|piece| template.take(piece));
            assert_eq!(template.bytes(), Some(&bind[..15]), "pieces of {piece}");
        }
        let mut template = Template::default();
        template.take(&bind[..14]);
        assert_eq!(template.bytes(), None);
    }

    #[test]
    fn a_tag_says_how_many_rows() {
        for (tag, rows) in [
            ("INSERT 0 1", 1),
            ("UPDATE 4711", 4711),
            ("DELETE 0", 0),
            ("CREATE TABLE", 0),
            ("LOCK TABLE", 0),
            ("X 1Y", 0),
            ("SELECT 99999999999999999999999", u64::MAX),
        ] {
            let mut read = Tag::default();
            for byte in tag.bytes().chain([0]) {
                read.take(&[byte]);
            }
            assert_eq!((read.rows(), read.rows()), (rows, 0), "{tag}");
        }
    }
}
