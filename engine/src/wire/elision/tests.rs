mod names;

use proptest::prelude::*;

use super::*;

/// A message of the protocol.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

fn kinds(mut bytes: &[u8]) -> String {
    let mut kinds = String::new();
    while let Some((header, _)) = bytes.split_first_chunk::<HEADER>() {
        let length = u32::from_be_bytes(header[1..].try_into().unwrap()) as usize;
        kinds.push(char::from(header[0]));
        bytes = &bytes[1 + length..];
    }
    kinds
}

const STARTUP: &[u8] = b"\0\0\0\x08\0\x03\0\0";

/// One that has been through log-in.
fn logged_in() -> Elision {
    let mut elision = Elision::new(0x5ea);
    let mut out = BytesMut::new();
    elision.outgoing(&mut SyncPlan::default(), STARTUP, &mut out, |_| {});
    assert_eq!(out, STARTUP);
    out.clear();
    let hello = [message(b'R', &[0; 4]), message(b'Z', b"I")].concat();
    elision.incoming(&hello, &mut out, |_| {});
    assert_eq!(out, hello);
    elision
}

/// A statement as tokio-postgres sends it: Bind, Execute, Sync.
fn statement() -> Vec<u8> {
    [
        message(b'B', &[TEMPLATE, b"\0\0\0\x01x\0\x01\0\x01"].concat()),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ]
    .concat()
}

/// Portal, statement, formats of the parameters, and their number: one.
const TEMPLATE: &[u8] = b"\0s1\0\0\x01\0\x01\0\x01";
/// The same as it goes out.
const NAMED: &[u8] = b"\0Gn000000000s1\0\0\x01\0\x01\0\x01";

/// A statement as it goes out.
fn named() -> Vec<u8> {
    let mut out = statement();
    let header = message(b'B', &[NAMED, b"\0\0\0\x01x\0\x01\0\x01"].concat());
    out.splice(..header.len() - (NAMED.len() - TEMPLATE.len()), header);
    out
}

/// So many more of it.
fn repeats(n: usize) -> BatchEnd {
    let mut repeats = Repeats::default();
    for i in 0..n {
        let value = i.to_string();
        repeats.push(|out| {
            out.put_u32(u32::try_from(value.len()).unwrap());
            out.put_slice(value.as_bytes());
        });
    }
    BatchEnd::Repeats(repeats)
}

struct Both {
    elision: Elision,
    plan: SyncPlan,
    left: usize,
    repeated: Vec<u64>,
}

impl Both {
    fn new() -> Self {
        Self {
            elision: logged_in(),
            plan: SyncPlan::default(),
            left: 0,
            repeated: Vec::new(),
        }
    }

    /// What leaves, in pieces of `piece` bytes.
    fn write(&mut self, bytes: &[u8], piece: usize) -> BytesMut {
        let mut out = BytesMut::new();
        for piece in bytes.chunks(piece) {
            let left = &mut self.left;
            self.elision
                .outgoing(&mut self.plan, piece, &mut out, |_| *left += 1);
        }
        out
    }

    fn read(&mut self, bytes: &[u8], piece: usize) -> BytesMut {
        let mut out = BytesMut::new();
        for piece in bytes.chunks(piece) {
            let repeated = &mut self.repeated;
            self.elision
                .incoming(piece, &mut out, |rows| repeated.push(rows));
        }
        out
    }
}

#[test]
fn a_batch_has_one_sync_and_every_statement_its_answer() {
    let mut both = Both::new();
    both.plan.push(3, 100, BatchEnd::Sync);
    assert_eq!(kinds(&both.write(&statement().repeat(3), 7)), "BEBEBES");
    assert_eq!(both.left, 3);
    let done = [message(b'2', b""), message(b'C', b"INSERT 0 1\0")].concat();
    let answer = [done.repeat(3), message(b'Z', b"I")].concat();
    assert_eq!(kinds(&both.read(&answer, 5)), "2CZ2CZ2CZ");
    // And then all is as it was.
    assert_eq!(kinds(&both.write(&statement(), 100)), "BES");
}

#[test]
fn after_an_error_the_server_s_silence_is_put_into_words() {
    let mut both = Both::new();
    both.plan.push(4, 100, BatchEnd::Sync);
    both.write(&statement().repeat(4), 100);
    let error = message(b'E', b"SERROR\0C23505\0\0");
    let ok = [message(b'2', b""), message(b'C', b"x\0")].concat();
    let first = both.read(&[&ok[..], &error].concat(), 100);
    // Nothing of what follows from it, before the server has come to the Sync.
    assert_eq!(kinds(&first), "2CZE");
    let then = both.read(&message(b'Z', b"E"), 100);
    assert_eq!(kinds(&then), "ZEZEZ");
    let skipped = String::from_utf8_lossy(&then);
    assert_eq!(skipped.matches("25P02").count(), 2);
    assert!(both.elision.waiting.is_empty());
}

#[test]
fn of_a_connection_that_ends_nothing_is_made_up() {
    let mut both = Both::new();
    both.plan.push(4, 100, BatchEnd::Sync);
    both.write(&statement().repeat(4), 100);
    let fatal = message(b'E', b"SFATAL\0C57P01\0\0");
    let seen = both.read(&[&fatal[..], b"Z\0\0"].concat(), 100);
    assert_eq!(kinds(&seen), "E");
    let mut rest = BytesMut::new();
    both.elision.rest(&mut rest);
    assert_eq!(&rest[..], b"Z\0\0", "what there is of it passes");
}

#[test]
fn behind_a_flush_a_failure_reaches_into_the_next_batch() {
    let mut both = Both::new();
    both.plan.push(2, 100, BatchEnd::Flush);
    both.plan.push(2, 100, BatchEnd::Flush);
    let out = both.write(&statement().repeat(4), 100);
    assert_eq!(kinds(&out), "BEBEHBEBEH");
    let error = message(b'E', b"SERROR\0C22012\0\0");
    assert_eq!(kinds(&both.read(&error, 100)), "E");
    // The pipeline sees it, and asks for the end.
    assert_eq!(kinds(&both.write(&message(b'S', b""), 100)), "S");
    assert_eq!(kinds(&both.read(&message(b'Z', b"E"), 100)), "ZEZEZEZEZ");
}

#[test]
fn signs_of_life_are_asked_for_on_the_way() {
    let mut both = Both::new();
    both.plan.push(5, 2, BatchEnd::Sync);
    assert_eq!(
        kinds(&both.write(&statement().repeat(5), 100)),
        "BEBEHBEBEHBES"
    );
}

#[test]
fn what_is_no_statement_keeps_its_sync() {
    let mut both = Both::new();
    // A statement was dropped some time, and is closed in the middle of the batch.
    let close = [message(b'C', b"Ss1\0"), message(b'S', b"")].concat();
    both.plan.push(2, 100, BatchEnd::Sync);
    let all = [&close[..], &statement(), &close, &statement()].concat();
    assert_eq!(kinds(&both.write(&all, 3)), "CSBECSBES");
    let ok = [message(b'2', b""), message(b'C', b"x\0")].concat();
    let closed = [message(b'3', b""), message(b'Z', b"I")].concat();
    let answers = [&closed[..], &ok, &closed, &ok, &message(b'Z', b"I")].concat();
    assert_eq!(kinds(&both.read(&answers, 4)), "3Z2CZ3Z2CZ");
}

#[test]
fn a_copy_s_first_sync_is_not_answered() {
    let mut both = Both::new();
    both.write(&statement(), 100);
    both.read(
        &[message(b'2', b""), message(b'G', b"\0\0\0")].concat(),
        100,
    );
    both.write(
        &[
            message(b'd', b"row"),
            message(b'c', b""),
            message(b'S', b""),
        ]
        .concat(),
        100,
    );
    both.read(
        &[message(b'C', b"COPY 1\0"), message(b'Z', b"I")].concat(),
        100,
    );
    assert!(both.elision.waiting.is_empty());
    both.plan.push(2, 100, BatchEnd::Sync);
    both.write(&statement().repeat(2), 100);
    let ok = [message(b'2', b""), message(b'C', b"x\0")].concat();
    let seen = both.read(&[ok.repeat(2), message(b'Z', b"I")].concat(), 100);
    assert_eq!(kinds(&seen), "2CZ2CZ");
}

#[test]
fn a_run_is_repeated_in_front_of_the_next_statement() {
    let mut both = Both::new();
    both.plan.push(1, 2, repeats(3));
    both.plan.push(1, 100, BatchEnd::Sync);
    // A statement is closed in between: that is no place for them.
    let close = [message(b'C', b"Ss1\0"), message(b'S', b"")].concat();
    let all = [&statement()[..], &close, &statement()].concat();
    let out = both.write(&all, 3);
    assert_eq!(kinds(&out), "BECSBEBEHBEBES");
    assert_eq!(both.left, 5);
    let second = [NAMED, b"\0\0\0\x011\0\0"].concat();
    let second = [message(b'B', &second), message(b'E', &[0; 5])].concat();
    assert!(out.windows(second.len()).any(|part| part == second));
    let done = |n| [message(b'2', b""), message(b'C', n)].concat();
    let closed = [message(b'3', b""), message(b'Z', b"T")].concat();
    let notice = message(b'N', b"SNOTICE\0\0");
    let answers = [
        &done(b"INSERT 0 9\0")[..],
        &closed,
        &done(b"INSERT 0 1\0"),
        &notice,
        &done(b"INSERT 0 12\0"),
        &done(b"INSERT 0 3\0"),
        &done(b"COMMIT\0"),
        &message(b'Z', b"I"),
    ];
    assert_eq!(kinds(&both.read(&answers.concat(), 4)), "2CZ3ZN2CZ");
    assert_eq!(both.repeated, [1, 12, 3]);
    assert!(both.elision.waiting.is_empty());
}

#[test]
fn a_failure_among_the_repeated_is_the_answer_to_the_next() {
    let mut both = Both::new();
    for _ in 0..2 {
        both.plan.push(1, 100, repeats(3));
        both.plan.push(1, 100, BatchEnd::Flush);
    }
    let all = statement().repeat(4);
    // The server is fast: its error is there before the next statement is written whole.
    let (first, then) = all.split_at(statement().len() + 10);
    both.write(first, 100);
    let done = [message(b'2', b""), message(b'C', b"INSERT 0 1\0")].concat();
    let error = message(b'E', b"SERROR\0C22012\0\0");
    let seen = both.read(&[&done[..], &done, &error].concat(), 100);
    assert_eq!(kinds(&seen), "2CZE");
    assert_eq!(both.repeated, [1]);
    both.write(then, 100);
    both.write(&message(b'S', b""), 100);
    // Of four statements and a Sync.
    let seen = both.read(&message(b'Z', b"E"), 100);
    assert_eq!(kinds(&seen), "ZEZEZEZ");
    assert_eq!(both.repeated, [1]);
    assert!(both.elision.waiting.is_empty());
    assert_eq!(kinds(&both.write(&statement(), 100)), "BES");
}

#[test]
fn the_last_words_of_the_server_are_heard() {
    for piece in [1, 4, 100] {
        let mut both = Both::new();
        both.write(&statement(), 100);
        let error = message(b'E', b"SERROR\0C22012\0\0");
        let answer = [error, message(b'Z', b"I")].concat();
        both.read(&answer, piece);
        assert_eq!(both.elision.heard().ended, None, "that one was asked for");
        let unasked = message(b'E', b"SFATAL\0VFATAL\0C25P03\0Midle\0\0");
        assert_eq!(both.read(&unasked, piece), unasked);
        assert_eq!(both.elision.heard().ended, Some(*b"25P03"));
    }
}

#[test]
fn what_the_server_says_of_the_session_is_heard() {
    let mut both = Both::new();
    assert_eq!(both.elision.heard().status, b'I');
    let mut rollbacks = 0;
    for (tag, one) in [
        ("ROLLBACK", 1),
        ("COMMIT", 0),
        ("ROLLBACK PREPARED", 0),
        ("ROLLBAC", 0),
        ("RELEASE", 0),
        ("", 0),
        ("ROLLBACK", 1),
    ] {
        for piece in [1, 2, 4, 100] {
            both.write(&statement(), 100);
            let tag = [tag.as_bytes(), b"\0"].concat();
            let answer = [message(b'2', b""), message(b'C', &tag), message(b'Z', b"T")];
            both.read(&answer.concat(), piece);
            rollbacks += one;
            assert_eq!(
                both.elision.heard().rollbacks,
                rollbacks,
                "{tag:?} in {piece}"
            );
            assert_eq!(both.elision.heard().status, b'T');
        }
    }
    assert_eq!(both.elision.heard().bound, 28);
    for copy in [b'G', b'H', b'W'] {
        both.write(&statement(), 100);
        both.read(&message(copy, b"\0\0\0"), 100);
        assert_eq!(both.elision.heard().status, heard::COPYING);
        both.read(&message(b'Z', b"E"), 100);
        assert_eq!(both.elision.heard().status, b'E');
    }
}

proptest! {
    /// Without a plan every byte passes; with one, however the bytes are cut, each Sync
    /// that was written has one ReadyForQuery, in its place.
    #[test]
    fn cut_anywhere_the_same(
        statements in 1..12_usize,
        planned in prop::option::of(1..12_usize),
        repeated in prop::collection::vec(0..4_usize, 12),
        fails_at in prop::option::of(0..30_usize),
        write in 1..40_usize,
        read in 1..40_usize,
    ) {
        let mut both = Both::new();
        let planned = planned.map_or(0, |planned| planned.min(statements));
        // The last has no repeats: there is nothing behind them.
        let repeated = |i: usize| if i + 1 < planned { repeated[i] } else { 0 };
        let mut open = 0;
        for i in 0..planned {
            open += 1;
            if repeated(i) > 0 {
                both.plan.push(open, 100, repeats(repeated(i)));
                open = 0;
            }
        }
        both.plan.push(open, 100, BatchEnd::Sync);
        // Of what goes out, in order: which statement of theirs is told of it, and
        // whether it is theirs.
        let sent: Vec<(usize, bool)> = (0..statements)
            .flat_map(|i| {
                let ours = std::iter::repeat_n((i + 1, false), repeated(i));
                std::iter::once((i, true)).chain(ours)
            })
            .collect();
        let fails_at = fails_at.filter(|at| *at < sent.len());
        let bytes = statement().repeat(statements);
        let out = both.write(&bytes, write);
        prop_assert_eq!(both.left, sent.len());
        if planned <= 1 {
            prop_assert_eq!(&out[..], &named().repeat(statements)[..]);
        }
        let syncs = kinds(&out).matches('S').count();
        prop_assert_eq!(syncs, statements - planned.saturating_sub(1));
        // A server: it answers what it got, and skips to the Sync after an error.
        let (mut answer, mut skipping, mut n) = (Vec::new(), false, 0);
        for kind in kinds(&out).chars() {
            match kind {
                'E' => {
                    if !skipping && Some(n) == fails_at {
                        answer.extend(message(b'E', b"SERROR\0C22012\0\0"));
                        skipping = true;
                    } else if !skipping {
                        answer.extend(message(b'2', b""));
                        answer.extend(message(b'D', b"row"));
                        answer.extend(message(b'C', b"SELECT 1\0"));
                    }
                    n += 1;
                }
                'S' => {
                    answer.extend(message(b'Z', b"I"));
                    skipping = false;
                }
                _ => {}
            }
        }
        let seen = both.read(&answer, read);
        let seen = kinds(&seen);
        prop_assert_eq!(seen.matches('Z').count(), statements);
        let told = fails_at.map(|at| sent[at].0);
        for (i, one) in seen.split_terminator('Z').enumerate() {
            let failed = told.is_some_and(|at| {
                i == at || (at < planned && (at..planned).contains(&i))
            });
            prop_assert_eq!(one, if failed { "E" } else { "2DC" }, "{}", i);
        }
        let done = sent.iter().take(fails_at.unwrap_or(sent.len()));
        prop_assert_eq!(both.repeated.len(), done.filter(|(_, theirs)| !theirs).count());
        prop_assert!(both.elision.waiting.is_empty());
    }
}
