//! The promises of a link, each with chains that could break it.

use super::*;
use crate::toxic::{Attributes, Kind, Stream};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn toxic(id: u64, revision: u64, attributes: Attributes) -> (Arc<Toxic>, Rng) {
    let toxic = Toxic {
        attributes,
        name: format!("t{id}"),
        kind: Kind::Noop,
        stream_text: "downstream".to_owned(),
        toxicity: 1.0,
        stream: Stream::Downstream,
        id,
        revision,
    };
    (Arc::new(toxic), Rng::with_seed(id))
}

fn latency(ms: u64) -> Attributes {
    Attributes::Latency {
        delay: Duration::from_millis(ms),
        jitter: Duration::ZERO,
    }
}

/// Writes out what `now` allows.
fn drain(link: &mut Link, now: Instant) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        link.advance(now);
        let Some(bytes) = link.outgoing() else {
            return out;
        };
        out.extend_from_slice(bytes);
        link.written(bytes.len());
    }
}

#[test]
fn two_latencies_add_up_and_removal_releases_in_order() {
    let start = Instant::now();
    let mut link = Link::default();
    link.rebuild(
        vec![toxic(1, 0, latency(50)), toxic(2, 0, latency(50))],
        start,
    );
    link.push(b"a", start);
    assert_eq!(drain(&mut link, start + 50 * MS), b"");
    link.push(b"b", start + 50 * MS);
    assert_eq!(drain(&mut link, start + 99 * MS), b"");
    // "a" waits in the second, "b" in the first; both leave at once.
    link.rebuild(Vec::new(), start + 99 * MS);
    assert_eq!(drain(&mut link, start + 99 * MS), b"ab");
    assert!(link.is_clear());
}

#[test]
fn a_stalled_receiver_stops_the_reading_at_a_bound() {
    let start = Instant::now();
    for attributes in [
        latency(10),
        Attributes::Bandwidth {
            kilobytes_per_s: 1_000_000,
        },
    ] {
        let mut link = Link::default();
        link.rebuild(vec![toxic(1, 0, attributes)], start);
        let (mut now, mut pushed) = (start, 0);
        while link.wants_input() {
            link.push(&[0; 16384], now);
            pushed += 16384;
            now += 20 * MS;
            link.advance(now);
        }
        assert!(pushed <= 5 * 1024 * 1024, "{pushed}");
        assert_eq!(drain(&mut link, now + 1000 * MS).len(), pushed);
    }
}

#[test]
fn a_reset_is_not_held_up_by_a_later_toxic() {
    let start = Instant::now();
    let mut link = Link::default();
    let reset = Attributes::ResetPeer {
        after: Duration::ZERO,
    };
    let blocked = Attributes::Bandwidth { kilobytes_per_s: 0 };
    link.rebuild(vec![toxic(1, 0, blocked.clone())], start);
    link.push(b"held", start);
    link.rebuild(vec![toxic(2, 0, reset), toxic(1, 0, blocked)], start);
    link.push(b"x", start);
    assert!(link.advance(start).reset);
}

#[test]
fn a_timeouts_close_waits_for_what_later_toxics_hold() {
    let start = Instant::now();
    let mut link = Link::default();
    link.rebuild(vec![toxic(2, 0, latency(100))], start);
    link.push(b"before", start);
    let timeout = Attributes::Timeout { silence: 10 * MS };
    link.rebuild(vec![toxic(2, 0, latency(100)), toxic(3, 0, timeout)], start);
    assert_eq!(drain(&mut link, start + 20 * MS), b"");
    assert_eq!(link.reached_end(), Some(End::Close));
}

#[test]
fn a_toxic_that_comes_after_the_end_asks_for_no_more() {
    let start = Instant::now();
    let mut link = Link::default();
    link.push(b"last", start);
    link.finish(End::HalfClose);
    link.rebuild(vec![toxic(1, 0, latency(50))], start);
    assert!(!link.wants_input());
    assert_eq!(drain(&mut link, start), b"last");
    assert_eq!(link.reached_end(), Some(End::HalfClose));
}

/// Any sequence of pushes, waits, partial writes and changes of the chain
/// delivers every byte in order, and the end after the last.
#[test]
fn whatever_toxics_come_and_go_every_byte_arrives_in_order() {
    for seed in 0..300 {
        let mut rng = Rng::with_seed(seed);
        let start = Instant::now();
        let (mut now, mut link) = (start, Link::default());
        let (mut sent, mut seen, mut chain) = (Vec::new(), Vec::new(), Vec::new());
        let mut next_id = 0;
        for _ in 0..400 {
            match rng.u8(0..10) {
                0..4 if link.wants_input() => {
                    let bytes: Vec<u8> = (0..rng.usize(1..3000)).map(|_| rng.u8(..)).collect();
                    sent.extend_from_slice(&bytes);
                    link.push(&bytes, now);
                }
                4 => {
                    change_chain(&mut rng, &mut chain, &mut next_id);
                    link.rebuild(chain.clone(), now);
                }
                5 => now += Duration::from_micros(rng.u64(0..20_000)),
                _ => {
                    assert!(!link.advance(now).reset);
                    if let Some(bytes) = link.outgoing() {
                        let len = rng.usize(1..=bytes.len());
                        seen.extend_from_slice(&bytes[..len]);
                        link.written(len);
                    }
                }
            }
        }
        link.finish(End::HalfClose);
        for _ in 0..100_000 {
            seen.extend(drain(&mut link, now));
            if link.reached_end().is_some() {
                break;
            }
            match link.advance(now).wake_at {
                Some(at) => now = at,
                None => link.rebuild(Vec::new(), now),
            }
        }
        assert_eq!(link.reached_end(), Some(End::HalfClose), "seed {seed}");
        assert!(
            seen == sent,
            "seed {seed}: {} of {} bytes",
            seen.len(),
            sent.len()
        );
    }
}

/// Adds, updates or removes a toxic that does not discard.
fn change_chain(rng: &mut Rng, chain: &mut Vec<(Arc<Toxic>, Rng)>, next_id: &mut u64) {
    let attributes = match rng.u8(0..6) {
        0 => latency(rng.u64(0..30)),
        1 => Attributes::Bandwidth {
            kilobytes_per_s: rng.u64(0..5000),
        },
        2 => Attributes::Slicer {
            average_bytes: rng.u64(10..500),
            variation_bytes: rng.u64(0..10),
            delay: Duration::from_micros(rng.u64(0..300)),
        },
        3 => Attributes::SlowClose {
            delay: Duration::from_millis(rng.u64(0..100)),
        },
        4 => Attributes::ResetPeer {
            after: Duration::from_secs(1_000_000),
        },
        _ => Attributes::LimitData { bytes: u64::MAX },
    };
    let place = rng.usize(0..=chain.len());
    match rng.u8(0..3) {
        0 if place < chain.len() => drop(chain.remove(place)),
        1 if place < chain.len() => {
            let (id, revision) = (chain[place].0.id, chain[place].0.revision);
            let kind = std::mem::discriminant(&chain[place].0.attributes);
            if kind == std::mem::discriminant(&attributes) {
                chain[place] = toxic(id, revision + 1, attributes);
            }
        }
        _ => {
            chain.push(toxic(*next_id, 0, attributes));
            *next_id += 1;
        }
    }
}
