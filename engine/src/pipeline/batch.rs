//! [`Chunk`]: queries that were added together, encoded.
//!
//! A parameter is kept as it will stand in a Bind message: its length in four bytes,
//! or -1 for NULL, and the bytes. So a query costs its bytes and one entry, and is
//! sent, and sent again, by copying.

use std::{ops::Range, sync::Arc};

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::{clock::Instant, error::Error, metrics::QueryKind, pool::Shape, wire::Repeats};

type Encoding = Box<dyn std::error::Error + Sync + Send>;

/// A query.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its shape, or the reason that it cannot be sent.
    pub(super) shape: Result<Arc<Shape>, Arc<Error>>,
    pub(super) kind: QueryKind,
    /// Where its parameters begin; they end where those of the next do.
    start: usize,
    pub(super) added: Instant,
}

/// Queries in the order they were added.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// The number of each query in the pipeline.
    numbers: Vec<u64>,
    pub(super) entries: Vec<Entry>,
    bytes: BytesMut,
    /// Whether it was flushed: nothing comes behind it until it is answered.
    last: bool,
}

impl Chunk {
    /// Takes all queries, and leaves room for as much again.
    pub(super) fn take(&mut self) -> Self {
        let next = Self {
            numbers: Vec::with_capacity(self.numbers.len()),
            entries: Vec::with_capacity(self.entries.len()),
            bytes: BytesMut::with_capacity(self.bytes.len()),
            last: false,
        };
        std::mem::replace(self, next)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_last(&self) -> bool {
        self.last
    }

    pub(super) fn set_last(&mut self) {
        self.last = true;
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn opened(&self) -> Option<Instant> {
        self.entries.first().map(|entry| entry.added)
    }

    pub(super) fn push(
        &mut self,
        number: u64,
        shape: Result<Arc<Shape>, Arc<Error>>,
        kind: QueryKind,
        params: &[u8],
        added: Instant,
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(params);
        self.numbers.push(number);
        self.entries.push(Entry {
            shape,
            kind,
            start,
            added,
        });
    }

    /// Splits queries into runs with the same statement.
    pub(super) fn runs(
        &self,
        queries: Range<usize>,
    ) -> impl Iterator<Item = (Range<usize>, &Result<Arc<Shape>, Arc<Error>>)> {
        let mut start = queries.start;
        let same = |a: &Result<Arc<Shape>, _>, b: &Result<Arc<Shape>, _>| match (a, b) {
            (Ok(a), Ok(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        std::iter::from_fn(move || {
            let shape = &self.entries[..queries.end].get(start)?.shape;
            let rest = &self.entries[start + 1..queries.end];
            let more = rest.iter().take_while(|next| same(shape, &next.shape));
            let run = start..start + 1 + more.count();
            start = run.end;
            Some((run, shape))
        })
    }

    /// The kinds of queries, and how many of each come one behind another.
    pub(super) fn kinds(&self, queries: Range<usize>) -> impl Iterator<Item = (QueryKind, usize)> {
        let runs = self.runs(queries);
        runs.map(|(run, _)| (self.kind(run.start), run.len()))
    }

    /// The kind of a query.
    pub(super) fn kind(&self, i: usize) -> QueryKind {
        self.entries[i].kind
    }

    /// The number of a query in the pipeline.
    pub(super) fn number(&self, i: usize) -> u64 {
        self.numbers[i]
    }

    /// The parameters of queries, for statements that repeat another.
    pub(super) fn repeats(&self, queries: Range<usize>) -> Repeats {
        let mut repeats = Repeats::default();
        for i in queries {
            repeats.push(|out| out.extend_from_slice(self.params(i).encoded()));
        }
        repeats
    }

    /// The parameters of a query.
    pub(super) fn params(&self, i: usize) -> Params<'_> {
        let end = self
            .entries
            .get(i + 1)
            .map_or(self.bytes.len(), |e| e.start);
        let entry = &self.entries[i];
        Params {
            bytes: &self.bytes[entry.start..end],
            left: entry.shape.as_ref().map_or(0, |shape| shape.params.len()),
        }
    }
}

/// Appends parameters to `out` as they stand in a Bind message.
pub(super) fn encode(
    params: &[&(dyn ToSql + Sync)],
    types: &[Type],
    out: &mut BytesMut,
) -> Result<(), Error> {
    // The protocol counts them in 16 bits.
    if params.len() != types.len() || params.len() > usize::from(u16::MAX) {
        return Err(Error::Parameters {
            given: params.len(),
            wanted: types.len(),
        });
    }
    for (i, (param, ty)) in params.iter().zip(types).enumerate() {
        let at = out.len();
        out.put_i32(-1);
        let format = param.encode_format(ty);
        let encoded = match format {
            Format::Binary => param.to_sql_checked(ty, out),
            Format::Text => Err("a pipeline sends parameters in binary format".into()),
        };
        let failed = |source| Error::Parameter {
            number: i + 1,
            wanted: ty.name().to_owned(),
            source,
        };
        if let IsNull::No = encoded.map_err(failed)? {
            let length = out.len() - at - 4;
            let length = i32::try_from(length).map_err(|error| failed(error.into()))?;
            out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        } else {
            out.truncate(at + 4);
        }
    }
    Ok(())
}

/// The encoded parameters of a query, one after another.
#[derive(Debug, Clone)]
pub(super) struct Params<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl<'a> Params<'a> {
    /// The bytes as they stand in a Bind message.
    pub(super) fn encoded(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (length, rest) = self.bytes.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let (bytes, rest) = rest.split_at_checked(length.unwrap_or(0))?;
        self.bytes = rest;
        Some(Param(length.is_some().then_some(bytes)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Params<'_> {}

/// An encoded parameter; `None` is NULL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Param<'a>(pub(super) Option<&'a [u8]>);

impl ToSql for Param<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Encoding> {
        Ok(match self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(params: &[Type]) -> Arc<Shape> {
        Arc::new(Shape::new("".into(), params.to_vec()))
    }

    #[test]
    fn what_goes_in_comes_out() {
        let types = [Type::INT4, Type::TEXT, Type::TEXT];
        let mut chunk = Chunk::default();
        let values = [(1, Some("one")), (-2, None), (3, Some(""))];
        for (number, (n, text)) in (7..).zip(values) {
            let mut out = BytesMut::new();
            encode(&[&n, &text, &"x"], &types, &mut out).unwrap();
            chunk.push(
                number,
                Ok(shape(&types)),
                QueryKind::Other,
                &out,
                crate::clock::now(),
            );
        }
        for (i, (n, text)) in values.into_iter().enumerate() {
            let params: Vec<_> = chunk.params(i).map(|param| param.0).collect();
            let n: i32 = n;
            assert_eq!(
                params,
                [
                    Some(&n.to_be_bytes()[..]),
                    text.map(str::as_bytes),
                    Some(b"x")
                ]
            );
            assert_eq!(chunk.number(i), 7 + i as u64);
        }
    }

    /// Sent as binary, the text of a number would be another number.
    #[test]
    fn a_parameter_in_text_is_refused() {
        #[derive(Debug)]
        struct Text;
        impl ToSql for Text {
            fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Encoding> {
                out.extend_from_slice(b"1234");
                Ok(IsNull::No)
            }
            fn accepts(_: &Type) -> bool {
                true
            }
            fn encode_format(&self, _: &Type) -> Format {
                Format::Text
            }
            to_sql_checked!();
        }
        let error = encode(&[&Text], &[Type::INT4], &mut BytesMut::new()).unwrap_err();
        assert_eq!(error.to_string(), "parameter 1 cannot be sent as int4");
    }

    #[test]
    fn runs_are_of_the_same_shape_and_stay_within_what_is_asked_for() {
        let (a, b) = (shape(&[]), shape(&[]));
        let mut chunk = Chunk::default();
        let refused = || Err(Arc::new(Error::Closed));
        let shapes = [
            Ok(a.clone()),
            Ok(a.clone()),
            Ok(b),
            refused(),
            refused(),
            Ok(a.clone()),
            Ok(a),
        ];
        for (number, shape) in (0..).zip(shapes) {
            chunk.push(number, shape, QueryKind::Other, &[], crate::clock::now());
        }
        let runs = |range| -> Vec<_> { chunk.runs(range).map(|(run, _)| run).collect() };
        assert_eq!(runs(0..7), [0..2, 2..3, 3..4, 4..5, 5..7]);
        assert_eq!(runs(1..6), [1..2, 2..3, 3..4, 4..5, 5..6]);
        assert!(runs(3..3).is_empty());
    }

    #[test]
    fn a_parameter_that_does_not_fit_is_named() {
        let mut out = BytesMut::new();
        let error = encode(&[&1_i32, &"x"], &[Type::INT4, Type::INT8], &mut out).unwrap_err();
        assert_eq!(error.to_string(), "parameter 2 cannot be sent as int8");
        let error = encode(&[&1_i32], &[], &mut out).unwrap_err();
        assert_eq!(error.to_string(), "1 parameters, the statement has 0");
    }
}
