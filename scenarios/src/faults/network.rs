//! Faults between client and server, which the proxy does.

use std::time::Duration;

use reports::run::{Step, Stream};

use super::{
    kind::{
        Act, Kind, Parameter, Toxic,
        Usual::{OfDeadline, Value},
    },
    probe::{Check, Look, Met, PATIENCE, TELLS, ms},
};
use crate::environment::Needs;

/// How much slower than a healthy link a slow one is made to be by what a probe moves
/// over it, so that the two can be told apart.
const SLOW: Duration = Duration::from_millis(250);
/// Most that a probe moves.
const BYTES_MOST: u64 = 8_000_000;
/// Ten minutes: longer than any run waits.
const MS_MOST: u32 = 600_000;

const BACK: Option<Stream> = Some(Stream::Downstream);

/// New connections are refused and the old ones are closed.
pub static REFUSED: Kind = Kind {
    name: "refused",
    title: "Connections refused",
    about: "connections refused",
    during: "new connections are refused, old ones closed",
    gone: "connections are accepted",
    needs: Needs::Proxy,
    parameters: &[],
    act: Act::Network(Toxic {
        name: None,
        attributes: &[],
        stream: None,
        has_toxicity: false,
    }),
    check: Some(|_, _| proxied(Look::Start, PATIENCE, &[Met::Refused])),
};

static AFTER_MS: Parameter = Parameter {
    name: "after_ms",
    usual: Value(0),
    least: 0,
    most: MS_MOST,
    about: "from the first byte to the reset",
};

/// Connections are reset (RST) at the first byte.
pub static RESET: Kind = Kind {
    name: "reset",
    title: "Connections reset",
    about: "connections reset",
    during: "connections are reset at the first byte",
    gone: "connections are left alone",
    needs: Needs::Proxy,
    parameters: &[&AFTER_MS],
    act: Act::Network(Toxic {
        name: Some("reset_peer"),
        attributes: &[("timeout", &AFTER_MS)],
        stream: BACK,
        has_toxicity: true,
    }),
    check: Some(|step, _| proxied(Look::Start, PATIENCE + ms(AFTER_MS.of(step)), &[Met::Reset])),
};

/// Every connection is reset at once, idle or not.
pub static RESET_IDLE: Kind = Kind {
    name: "reset-idle",
    title: "All connections reset",
    about: "every connection reset at once, idle or not",
    during: "every connection is reset at once, idle or not",
    gone: "connections are left alone",
    needs: Needs::EmbeddedProxy,
    parameters: &[],
    act: Act::Network(Toxic {
        name: Some("reset"),
        attributes: &[],
        stream: None,
        has_toxicity: true,
    }),
    check: Some(|_, _| proxied(Look::Start, PATIENCE, &[Met::Reset])),
};

/// Bytes vanish; sockets that were caught stay dead after it.
pub static BLACKHOLE: Kind = Kind {
    name: "blackhole",
    title: "Blackhole",
    about: "packets vanish, old sockets stay dead",
    during: "packets vanish, and old sockets stay dead",
    gone: "the network is back",
    needs: Needs::EmbeddedProxy,
    parameters: &[],
    act: Act::Network(Toxic {
        name: Some("blackhole"),
        attributes: &[],
        stream: None,
        has_toxicity: true,
    }),
    check: Some(|_, _| proxied(Look::Start, PATIENCE, &[Met::NoAnswer])),
};

static LATENCY_MS: Parameter = Parameter {
    name: "latency_ms",
    usual: OfDeadline(150),
    // Less cannot be told from a healthy server under load by a probe.
    least: 20,
    most: MS_MOST,
    about: "how much later each chunk comes",
};
static JITTER_MS: Parameter = Parameter {
    name: "jitter_ms",
    usual: Value(0),
    least: 0,
    most: MS_MOST,
    about: "more or less by up to this; below latency_ms",
};

/// Each chunk of bytes comes later.
pub static LATENCY: Kind = Kind {
    name: "latency",
    title: "Slow answers",
    about: "answers come late",
    during: "every answer is held back",
    gone: "answers are fast",
    needs: Needs::Proxy,
    parameters: &[&LATENCY_MS, &JITTER_MS],
    act: Act::Network(Toxic {
        name: Some("latency"),
        attributes: &[("latency", &LATENCY_MS), ("jitter", &JITTER_MS)],
        stream: BACK,
        has_toxicity: true,
    }),
    check: Some(|step, _| {
        let least = LATENCY_MS.of(step).saturating_sub(JITTER_MS.of(step));
        proxied(Look::Start, ms(least).max(TELLS), &[Met::NoAnswer])
    }),
};

static RATE_KB_PER_S: Parameter = Parameter {
    name: "rate_kb_per_s",
    usual: Value(1),
    least: 0,
    most: 100_000,
    about: "1000 bytes a second; 0 stops it",
};

/// The link passes so many bytes a second and no more.
pub static BANDWIDTH: Kind = Kind {
    name: "bandwidth",
    title: "Narrow link",
    about: "few bytes a second",
    during: "the link passes few bytes a second",
    gone: "the link is wide again",
    needs: Needs::Proxy,
    parameters: &[&RATE_KB_PER_S],
    act: Act::Network(Toxic {
        name: Some("bandwidth"),
        attributes: &[("rate", &RATE_KB_PER_S)],
        stream: BACK,
        has_toxicity: true,
    }),
    check: Some(|step, _| narrow(step)),
};

/// Moves what a link of that rate needs [`SLOW`] for, if it may be that much.
fn narrow(step: &Step) -> Check {
    let bytes_per_s = u64::from(RATE_KB_PER_S.of(step)) * 1_000;
    if bytes_per_s == 0 {
        return proxied(Look::Start, PATIENCE, &[Met::NoAnswer]);
    }
    let bytes = (bytes_per_s * 3 / 10).clamp(1, BYTES_MOST);
    let micros = bytes * 1_000_000 / bytes_per_s;
    let patience = Duration::from_micros(micros).mul_f64(0.8);
    let moves = bulk(step.stream, bytes, patience);
    proxied(moves, patience, &[Met::NoAnswer])
}

// Up to what can be told from a healthy link by a probe of some 100 kB.
static SIZE_BYTES: Parameter = Parameter {
    name: "size_bytes",
    usual: Value(16),
    least: 1,
    most: 1_500,
    about: "of a piece, on average",
};
static VARIATION_BYTES: Parameter = Parameter {
    name: "variation_bytes",
    usual: Value(0),
    least: 0,
    most: 1_499,
    about: "more or less by up to this; below size_bytes",
};
static DELAY_US: Parameter = Parameter {
    name: "delay_us",
    usual: Value(20_000),
    least: 1_000,
    most: 1_000_000,
    about: "after each piece",
};

/// Bytes come in small pieces, with a pause after each.
pub static SLICER: Kind = Kind {
    name: "slicer",
    title: "Dripping link",
    about: "bytes come in small pieces",
    during: "bytes come in small pieces, with pauses",
    gone: "bytes flow again",
    needs: Needs::Proxy,
    parameters: &[&SIZE_BYTES, &VARIATION_BYTES, &DELAY_US],
    act: Act::Network(Toxic {
        name: Some("slicer"),
        attributes: &[
            ("average_size", &SIZE_BYTES),
            ("size_variation", &VARIATION_BYTES),
            ("delay", &DELAY_US),
        ],
        stream: BACK,
        has_toxicity: true,
    }),
    check: Some(|step, _| dripping(step)),
};

/// Moves so many pieces that their pauses take [`SLOW`] and a little.
fn dripping(step: &Step) -> Check {
    let pause = u64::from(DELAY_US.of(step)).max(1);
    let pieces = SLOW.as_micros().div_ceil(u128::from(pause)) + 1;
    let pieces = u64::try_from(pieces).unwrap_or(u64::MAX);
    let most = SIZE_BYTES.of(step) + VARIATION_BYTES.of(step);
    let bytes = pieces.saturating_mul(u64::from(most)).min(BYTES_MOST);
    proxied(bulk(step.stream, bytes, SLOW), SLOW, &[Met::NoAnswer])
}

static DELAY_MS: Parameter = Parameter {
    name: "delay_ms",
    usual: Value(1_000),
    least: 50,
    most: 60_000,
    about: "from the end until it is passed on",
};

/// The end of a connection comes late.
pub static SLOW_CLOSE: Kind = Kind {
    name: "slow-close",
    title: "Slow close",
    about: "the end of a connection comes late",
    during: "the end of each connection comes late",
    gone: "connections end at once",
    needs: Needs::Proxy,
    parameters: &[&DELAY_MS],
    act: Act::Network(Toxic {
        name: Some("slow_close"),
        attributes: &[("delay", &DELAY_MS)],
        stream: BACK,
        has_toxicity: true,
    }),
    check: Some(|step, _| {
        let patience = ms(DELAY_MS.of(step)).mul_f64(0.8);
        proxied(Look::End, patience, &[Met::NoAnswer])
    }),
};

static TIMEOUT_MS: Parameter = Parameter {
    name: "timeout_ms",
    usual: Value(0),
    least: 0,
    most: MS_MOST,
    about: "of silence before it closes; 0 means when the fault ends",
};

/// Bytes vanish; connections are closed after a silence, or when it ends.
pub static TIMEOUT: Kind = Kind {
    name: "timeout",
    title: "Silence",
    about: "bytes vanish, connections are closed after it",
    during: "bytes vanish, and connections are closed later",
    gone: "bytes arrive again",
    needs: Needs::Proxy,
    parameters: &[&TIMEOUT_MS],
    act: Act::Network(Toxic {
        name: Some("timeout"),
        attributes: &[("timeout", &TIMEOUT_MS)],
        stream: BACK,
        has_toxicity: true,
    }),
    // It closes after a silence that may be shorter than a probe's patience.
    check: Some(|_, _| proxied(Look::Start, PATIENCE, &[Met::NoAnswer, Met::Reset])),
};

static LIMIT_BYTES: Parameter = Parameter {
    name: "limit_bytes",
    usual: Value(2_000),
    least: 0,
    most: 10_000_000,
    about: "after which a connection is closed",
};

/// Connections are closed after so many bytes.
pub static LIMIT_DATA: Kind = Kind {
    name: "limit-data",
    title: "Connections cut",
    about: "connections closed after so many bytes",
    during: "each connection is closed after so many bytes",
    gone: "connections are left alone",
    needs: Needs::Proxy,
    parameters: &[&LIMIT_BYTES],
    act: Act::Network(Toxic {
        name: Some("limit_data"),
        attributes: &[("bytes", &LIMIT_BYTES)],
        stream: BACK,
        has_toxicity: true,
    }),
    check: Some(|step, _| {
        let patience = Duration::from_secs(5);
        let bytes = u64::from(LIMIT_BYTES.of(step));
        proxied(bulk(step.stream, bytes, patience), patience, &[Met::Reset])
    }),
};

/// Looks through the proxy.
fn proxied(look: Look, patience: Duration, in_effect: &'static [Met]) -> Check {
    Check {
        through_proxy: true,
        look,
        patience,
        in_effect,
    }
}

/// A statement that moves `bytes` in a direction.
fn bulk(stream: Option<Stream>, bytes: u64, limit: Duration) -> Look {
    let sql = match stream {
        Some(Stream::Upstream) => {
            let padding = "x".repeat(usize::try_from(bytes).unwrap_or(usize::MAX));
            format!("SELECT length('{padding}')")
        }
        Some(Stream::Downstream) | None => format!("SELECT repeat('x', {bytes})"),
    };
    // Over by itself even if nobody waits: a few seconds are more than any takes.
    Look::Statement(sql, limit.max(Duration::from_secs(2)))
}

#[cfg(test)]
mod tests {
    use super::{super::kind::tests::usual, *};
    use crate::load::workload::Workload;

    fn seen(step: &Step, kind: &Kind) -> Check {
        kind.check.expect("it is seen")(step, &Workload::new(1))
    }

    /// Once a latency of few milliseconds was never gone: a healthy server took longer.
    #[test]
    fn no_more_is_asked_of_a_probe_than_a_healthy_server_gives() {
        for (latency, jitter, patience_ms) in [(750, 0, 750), (25, 20, 20), (20, 0, 20)] {
            let mut step = usual(&LATENCY);
            step.parameters.insert("latency_ms".to_owned(), latency);
            step.parameters.insert("jitter_ms".to_owned(), jitter);
            assert_eq!(seen(&step, &LATENCY).patience, ms(patience_ms));
        }
    }

    #[test]
    fn a_slow_link_is_given_so_much_to_move_that_it_shows() {
        for (rate, bytes, patience_ms) in
            [(1, 300, 240), (100, 30_000, 240), (100_000, 8_000_000, 64)]
        {
            let mut step = usual(&BANDWIDTH);
            step.parameters.insert("rate_kb_per_s".to_owned(), rate);
            let check = seen(&step, &BANDWIDTH);
            let sql = format!("SELECT repeat('x', {bytes})");
            assert!(matches!(&check.look, Look::Statement(text, _) if *text == sql));
            assert_eq!(check.patience, ms(patience_ms));
        }
        let mut up = usual(&SLICER);
        up.stream = Some(Stream::Upstream);
        // 13 pauses of 20 ms and one piece more.
        let sql = format!("SELECT length('{}')", "x".repeat(14 * 16));
        let check = seen(&up, &SLICER);
        assert!(matches!(&check.look, Look::Statement(text, _) if *text == sql));
    }
}
