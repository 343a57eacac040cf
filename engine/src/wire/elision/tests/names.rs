//! Names of statements that no other connection has, and none at all.

use super::*;

/// A statement is prepared as tokio-postgres does it: Parse, Describe, Sync.
fn prepare(sql: &[u8]) -> Vec<u8> {
    [
        message(b'P', &[b"s1\0", sql, b"\0\0\0"].concat()),
        message(b'D', b"Ss1\0"),
        message(b'S', b""),
    ]
    .concat()
}

/// Two columns: names, and the ids of their types.
fn columns(second: u8) -> Vec<u8> {
    let column = |name: &[u8], id: u8| {
        let attributes = [&[0, 0, 0, 9, 0, 1, 0, 0, 0, id][..], &[0; 8]].concat();
        [name, b"\0", &attributes].concat()
    };
    [&[0, 2][..], &column(b"a", 23), &column(b"b", second)].concat()
}

#[test]
fn every_name_has_the_connection_s_prefix() {
    let mut both = Both::new();
    for (kind, body, goes_out) in [
        (
            b'P',
            &b"s7\0SELECT 1\0\0\0"[..],
            &b"Gn000000000s7\0SELECT 1\0\0\0"[..],
        ),
        (b'D', b"Ss7\0", b"SGn000000000s7\0"),
        (b'C', b"Ss7\0", b"SGn000000000s7\0"),
        (b'B', b"p\0s7\0\0\0", b"p\0Gn000000000s7\0\0\0"),
        // What has no name, or is none of a statement.
        (b'P', b"\0SELECT 1\0\0\0", b"\0SELECT 1\0\0\0"),
        (b'B', b"p\0\0\0\0", b"p\0\0\0\0"),
        (b'D', b"Pp\0", b"Pp\0"),
        (b'C', b"Pp\0", b"Pp\0"),
        (b'D', b"", b""),
        (b'Q', b"s7\0", b"s7\0"),
    ] {
        for piece in 1..=body.len() + HEADER {
            let out = both.write(&message(kind, body), piece);
            assert_eq!(&out[..], &message(kind, goes_out)[..], "{kind} in {piece}");
        }
    }
}

#[test]
fn two_connections_have_two_prefixes() {
    let one = Elision::new(1);
    let other = Elision::new(1 << 60);
    let names = [one, other].map(|mut elision| {
        let (mut plan, mut out) = (SyncPlan::default(), BytesMut::new());
        elision.outgoing(&mut plan, STARTUP, &mut out, |_| {});
        elision.outgoing(&mut plan, &prepare(b"SELECT 1"), &mut out, |_| {});
        out
    });
    assert_ne!(names[0], names[1]);
}

/// What the server is to be sent for a statement with a name, where it keeps none.
#[test]
fn without_names_a_statement_goes_out_with_each_use() {
    for (now, changed) in [(20, 0), (21, 1)] {
        for piece in [1, 3, 100] {
            let mut both = Both::new();
            both.elision.forego_names();
            let out = both.write(&prepare(b"SELECT a, b"), piece);
            let parse = message(b'P', b"\0SELECT a, b\0\0\0");
            let describe = message(b'D', b"S\0");
            assert_eq!(
                &out[..],
                [&parse[..], &describe, &message(b'S', b"")].concat()
            );
            // One parameter, an int8.
            let parameters = b"\0\x01\0\0\0\x14";
            let described = [
                message(b'1', b""),
                message(b't', parameters),
                message(b'T', &columns(20)),
                message(b'Z', b"I"),
            ];
            let described = described.concat();
            assert_eq!(both.read(&described, piece), described, "passes as it is");

            let out = both.write(&statement(), piece);
            assert_eq!(kinds(&out), "PBDES");
            let typed = [b"\0SELECT a, b\0", &parameters[..]].concat();
            assert!(out.starts_with(&message(b'P', &typed)), "with its types");
            let answer = [
                message(b'1', b""),
                message(b'2', b""),
                message(b'T', &columns(now)),
                message(b'D', b"\0\x02"),
                message(b'C', b"SELECT 1\0"),
                message(b'Z', b"I"),
            ];
            let seen = both.read(&answer.concat(), piece);
            assert_eq!(kinds(&seen), "2DCZ", "as if it had a name");
            assert_eq!(both.elision.heard().changed, changed, "{now}");

            // Closed, it is closed by a name that nobody has.
            let close = [message(b'C', b"Ss1\0"), message(b'S', b"")].concat();
            let out = both.write(&close, piece);
            assert!(out.starts_with(&message(b'C', b"SGn000000000s1\0")));
            let out = both.write(&statement(), piece);
            assert_eq!(kinds(&out), "BES", "never the unnamed statement of another");
            assert!(out.windows(NAMED.len()).any(|part| part == NAMED));
        }
    }
}

#[test]
fn without_names_a_batch_has_one_sync_still() {
    let mut both = Both::new();
    both.elision.forego_names();
    both.write(&prepare(b"INSERT"), 100);
    let described = [
        message(b'1', b""),
        message(b't', b"\0\0"),
        message(b'n', b""),
        message(b'Z', b"I"),
    ];
    both.read(&described.concat(), 100);
    both.plan.push(1, 100, repeats(2));
    both.plan.push(2, 100, BatchEnd::Sync);
    let out = both.write(&statement().repeat(3), 7);
    assert_eq!(kinds(&out), "PBDEBEBEPBDEPBDES");
    let sent = [
        message(b'1', b""),
        message(b'2', b""),
        message(b'n', b""),
        message(b'C', b"INSERT 0 1\0"),
    ];
    let again = [message(b'2', b""), message(b'C', b"INSERT 0 5\0")];
    let answers = [
        sent.concat(),
        again.concat().repeat(2),
        sent.concat().repeat(2),
        message(b'Z', b"I"),
    ];
    assert_eq!(kinds(&both.read(&answers.concat(), 5)), "2CZ2CZ2CZ");
    assert_eq!(both.repeated, [5, 5]);
    assert_eq!(both.elision.heard().changed, 0);
}

/// A statement that cannot be described is nothing that can be sent again.
#[test]
fn without_names_a_failure_to_describe_leaves_nothing() {
    let mut both = Both::new();
    both.elision.forego_names();
    both.write(&prepare(b"SELEKT"), 100);
    let refused = [message(b'E', b"SERROR\0C42601\0\0"), message(b'Z', b"I")];
    assert_eq!(kinds(&both.read(&refused.concat(), 100)), "EZ");
    assert_eq!(kinds(&both.write(&statement(), 100)), "BES");
}
