//! [`Window`]: how many queries to keep under route. Pure.
//!
//! Too few, and the server waits for the network; too many, and every query waits in
//! a queue in front of the server. In between lies what the server does in a round
//! trip: rate times round-trip time (Little's law; the "bandwidth-delay product" of
//! BBR, Cardwell et al., *ACM Queue* 14, 2016). To that comes what keeps a server busy
//! that answers in bursts, and a client that is woken for each of them.
//!
//! Both factors are measured: the rate as the greatest of late, the round-trip time as
//! the least, since everything above it is queueing. It begins with slow start: twice
//! as many as long as that makes it a quarter faster. The least round-trip time is
//! measured anew now and then, with few under way, or a longer way would never be
//! noticed.

use std::time::Duration;

use crate::clock::Instant;

/// The fewest queries under route. Below, a burst is over before the next can be on its route.
const LEAST: usize = 8;
/// The most queries sent at once, some millisecond of a server's time.
const BURST: usize = 64;
/// The most queries under route.
const MOST: usize = 10_000;
/// Time that is added to a round trip: client and server work in bursts, and are woken
/// for each, which takes 50 to 100 us in a virtual machine. Measured on loopback: with
/// 2 ms the window reached 0.6 to 0.8 of the rate of the best fixed one, with 4 ms 0.8
/// to 1.0, and its p50 is a third of that one's.
const SLACK: Duration = Duration::from_millis(4);
/// The slack is less by this part of the round trip: a fixed window that is as fast on a
/// long way is so large that it waits for the server, and the latency is to be half of its.
/// Measured in the same way with 10 ms.
const SLACK_OVER_RTT: f64 = 0.35;
const LEAST_SLACK: Duration = Duration::from_millis(1);
/// The round trip counts times this, for queries of their own: answers do not come evenly,
/// and a server that has become faster is noticed by that.
const MARGIN: f64 = 1.1;
/// The same for transactions: what they cost beside their queries, the wait for the disk
/// above all, is part of the least time that one takes, and is to be a small part of the
/// whole.
const MARGIN_OF_TRANSACTIONS: f64 = 4.0;
/// Growth of the rate that makes slow start go on.
const FASTER: f64 = 1.25;
/// What took longer than a round trip by this has stood in a queue.
const QUEUED: f64 = 1.25;
/// The shortest time that a rate is taken over.
const SPAN: Duration = Duration::from_millis(20);
/// The same during slow start, where a rate need not be exact.
const FIRST_SPANS: Duration = Duration::from_millis(5);
/// A rate that was reached once counts less by this, each time it is not.
const DECAY: f64 = 0.95;
/// How long a measured round-trip time lasts (BBR's probe of it).
const RTT_LASTS: Duration = Duration::from_secs(10);

/// How many queries to keep under route.
#[derive(Debug)]
pub(super) struct Window {
    budget: Duration,
    transactions: bool,
    limit: usize,
    slow_start: bool,
    rate_per_s: f64,
    rtt: Duration,
    rtt_measured: Option<Instant>,
    /// Since when few are sent, to measure the round-trip time anew.
    probing: Option<Instant>,
    span: Option<Span>,
}

#[derive(Debug)]
struct Span {
    began: Instant,
    answers: usize,
    /// Whether the limit was what kept more from being under route.
    limited: bool,
}

impl Window {
    /// Makes a window before anything is known, for queries of their own or for
    /// transactions. Nothing should be under way for longer than `budget`, if the round
    /// trip is not.
    pub(super) fn new(budget: Duration, transactions: bool) -> Self {
        Self {
            budget,
            transactions,
            limit: 2 * LEAST,
            slow_start: true,
            rate_per_s: 0.0,
            rtt: Duration::MAX,
            rtt_measured: None,
            probing: None,
            span: None,
        }
    }

    /// The most queries to have under route.
    pub(super) fn limit(&self) -> usize {
        if self.probing.is_some() {
            LEAST
        } else {
            self.limit
        }
    }

    /// The number of queries to send at once, where each is for itself: every burst costs a
    /// wake-up, and what waits until it is worth one is not under route.
    pub(super) fn burst(&self) -> usize {
        (self.limit() / 4).clamp(1, BURST)
    }

    /// Notes how many queries are under way now.
    pub(super) fn under_way(&mut self, queries: usize, now: Instant) {
        let limited = 2 * queries >= self.limit();
        let span = self.span.get_or_insert(Span {
            began: now,
            answers: 0,
            limited: false,
        });
        span.limited |= limited;
    }

    /// Notes that nothing is under way: the time until there is something again says
    /// nothing about the server.
    pub(super) fn idle(&mut self) {
        self.span = None;
    }

    /// Takes `n` answers, the last of them to what was sent at `sent`.
    pub(super) fn answered(&mut self, n: usize, sent: Instant, now: Instant) {
        let took = now.saturating_duration_since(sent);
        let probed = self.probing.is_some_and(|since| sent >= since);
        if took <= self.rtt || probed {
            (self.rtt, self.rtt_measured) = (took, Some(now));
            self.probing = None;
        } else if self.probing.is_none()
            && !self.transactions
            && self.rtt_measured.is_some_and(|at| now - at > RTT_LASTS)
        {
            // What is under way now was sent into a full queue.
            self.probing = Some(now);
        }
        let span = self.span.get_or_insert(Span {
            began: sent,
            answers: 0,
            limited: false,
        });
        span.answers += n;
        let elapsed = now.saturating_duration_since(span.began);
        let over = if self.slow_start {
            // A round: answers to as many as were under route. Fewer say nothing of them.
            let least = FIRST_SPANS.max(self.rtt);
            let round = span.answers >= self.limit || elapsed >= 4 * least;
            elapsed >= least && round
        } else {
            elapsed >= SPAN.max(self.rtt.saturating_mul(2))
        };
        if !over {
            return;
        }
        let (rate, limited) = (span.answers as f64 / elapsed.as_secs_f64(), span.limited);
        self.span = Some(Span {
            began: now,
            answers: 0,
            limited: false,
        });
        let queued = took > self.rtt.mul_f64(QUEUED);
        self.learn(rate, limited, queued);
    }

    fn learn(&mut self, rate: f64, limited: bool, queued: bool) {
        if !limited && rate < self.rate_per_s {
            // There was no more to do: that says nothing about the server.
            return;
        }
        let grown = rate >= FASTER * self.rate_per_s;
        self.rate_per_s = rate.max(DECAY * self.rate_per_s);
        // A caller that stops in the middle of a round makes it look slow; without a queue
        // there is room for more all the same.
        if (self.slow_start && grown) || (limited && !queued) {
            // While the rate is small, so is what it says is too much.
            self.limit = (2 * self.limit).min(self.most()).max(self.limit);
            return;
        }
        self.slow_start = false;
        let margin = if self.transactions {
            MARGIN_OF_TRANSACTIONS
        } else {
            MARGIN
        };
        let slack = SLACK
            .saturating_sub(self.rtt.mul_f64(SLACK_OVER_RTT))
            .max(LEAST_SLACK);
        let time = self.rtt.mul_f64(margin) + slack;
        self.limit = self.worth(time).min(self.most());
    }

    /// How many queries the server does in this time.
    fn worth(&self, time: Duration) -> usize {
        let queries = self.rate_per_s * time.as_secs_f64();
        // Within bounds by the clamp before it.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped"
        )]
        let queries = queries.clamp(LEAST as f64, MOST as f64) as usize;
        queries
    }

    fn most(&self) -> usize {
        self.worth(
            self.budget
                .max(self.rtt.saturating_mul(2).min(Duration::from_secs(60))),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A server behind a wire, and a client that always has more to send. Calls `seen`
    /// with the time since the beginning and the latency of every query.
    fn saturate(
        window: &mut Window,
        (rtt, service): (Duration, Duration),
        length: Duration,
        mut seen: impl FnMut(Duration, Duration),
    ) {
        let start = crate::clock::now();
        let (mut now, mut free) = (start, start);
        let mut under_way: VecDeque<(Instant, Instant)> = VecDeque::new();
        while now < start + length {
            while under_way.len() < window.limit() {
                free = free.max(now + rtt / 2) + service;
                under_way.push_back((now, free + rtt / 2));
            }
            window.under_way(under_way.len(), now);
            let (sent, answered) = under_way.pop_front().expect("never below the least");
            now = answered;
            window.answered(1, sent, now);
            seen(now - start, now - sent);
        }
    }

    /// How much is done in two seconds, after one to settle, as a share of what can be,
    /// and the median latency.
    fn run(rtt: Duration, service: Duration) -> (f64, Duration) {
        let mut window = Window::new(Duration::from_millis(100), false);
        let (warm, end) = (Duration::from_secs(1), Duration::from_secs(3));
        let mut latencies = Vec::new();
        saturate(&mut window, (rtt, service), end, |at, latency| {
            if at > warm {
                latencies.push(latency);
            }
        });
        latencies.sort();
        let possible = (end - warm).as_secs_f64() / service.as_secs_f64();
        let share = latencies.len() as f64 / possible;
        (share, latencies[latencies.len() / 2])
    }

    #[tokio::test]
    async fn the_server_is_busy_and_nothing_waits_for_long() {
        let us = Duration::from_micros;
        for (rtt, service) in [
            (us(40), us(15)),
            (us(100), us(60)),
            (us(500), us(15)),
            (us(2_000), us(60)),
            (us(10_000), us(15)),
            (us(10_000), us(1_000)),
            (us(40_000), us(60)),
        ] {
            let (share, latency) = run(rtt, service);
            assert!(share > 0.95, "{rtt:?} {service:?}: {share}");
            let bound = rtt.mul_f64(1.6) + us(7_000) + service * 8;
            assert!(latency < bound, "{rtt:?} {service:?}: {latency:?}");
        }
    }

    /// One transaction on the server and one on its way, each with a fixed cost.
    fn transactions(rtt: Duration, commit: Duration, service: Duration) -> f64 {
        let mut window = Window::new(Duration::from_millis(100), true);
        let start = crate::clock::now();
        let (mut now, mut free, mut done, mut round) = (start, start, 0, 0);
        let mut idle = Duration::ZERO;
        let mut under_way: VecDeque<(usize, Instant, Instant)> = VecDeque::new();
        let (warm, end) = (
            start + Duration::from_secs(1),
            start + Duration::from_secs(3),
        );
        while now < end {
            while under_way.len() < 2 {
                let n = (window.limit() / 2).max(1);
                let queries = service * u32::try_from(n).expect("few");
                free = free.max(now + rtt / 2) + queries + commit;
                under_way.push_back((n, now, free + rtt / 2));
                window.under_way(under_way.iter().map(|(n, ..)| n).sum(), now);
            }
            let (n, sent, answered) = under_way.pop_front().expect("two");
            now = answered;
            window.answered(n, sent, now);
            if now > warm {
                done += n;
            }
            // The caller has nothing for a while now and then.
            round += 1;
            if round % 50 == 0 {
                let pause = Duration::from_millis(30);
                (now, free) = (now + pause, free + pause);
                idle += if now > warm { pause } else { Duration::ZERO };
                under_way.clear();
                window.idle();
            }
        }
        let possible = (end - warm - idle).as_secs_f64() / service.as_secs_f64();
        done as f64 / possible
    }

    #[tokio::test]
    async fn what_a_transaction_costs_is_spread_over_many_queries() {
        let us = Duration::from_micros;
        for (rtt, commit) in [(40, 0), (40, 2_000), (10_000, 0), (10_000, 4_000)] {
            let share = transactions(us(rtt), us(commit), us(15));
            assert!(share > 0.4, "{rtt} {commit}: {share}");
        }
    }

    /// A caller that has something to do for three round trips at a time.
    #[tokio::test]
    async fn it_grows_over_pauses() {
        let mut window = Window::new(Duration::from_millis(100), false);
        let (rtt, service) = (Duration::from_millis(10), Duration::from_micros(20));
        let mut now = crate::clock::now();
        for _ in 0..12 {
            let until = now + 3 * rtt;
            let mut free = now;
            let mut under_way: VecDeque<(Instant, Instant)> = VecDeque::new();
            loop {
                while now < until && under_way.len() < window.limit() {
                    free = free.max(now + rtt / 2) + service;
                    under_way.push_back((now, free + rtt / 2));
                    window.under_way(under_way.len(), now);
                }
                let Some((sent, answered)) = under_way.pop_front() else {
                    break;
                };
                now = answered;
                window.answered(1, sent, now);
            }
            window.idle();
            now += 5 * rtt;
        }
        // What the server does in a round trip.
        assert!(window.limit() >= 500, "{}", window.limit());
    }

    /// The round trip is measured anew with few under way, not with what was sent into a
    /// full queue: else the window would grow with its own queue.
    #[tokio::test]
    async fn a_queue_of_its_own_is_no_longer_way() {
        let mut window = Window::new(Duration::from_secs(1), false);
        let (rtt, service) = (Duration::from_millis(2), Duration::from_micros(50));
        let minute = Duration::from_secs(60);
        saturate(&mut window, (rtt, service), minute, |_, _| {});
        assert!(window.rtt < rtt + 2 * u32::try_from(LEAST).expect("few") * service);
    }

    #[tokio::test]
    async fn a_longer_way_is_noticed() {
        let ms = Duration::from_millis;
        let mut window = Window::new(ms(100), false);
        let mut now = crate::clock::now();
        let mut go = |window: &mut Window, rtt: Duration, seconds: u64| {
            let until = now + Duration::from_secs(seconds);
            while now < until {
                let n = window.limit();
                let sent = now;
                now += rtt + Duration::from_micros(50) * u32::try_from(n).expect("few");
                window.under_way(n, sent);
                window.answered(n, sent, now);
            }
            window.rtt
        };
        assert!(go(&mut window, ms(1), 3) < ms(3));
        assert!(go(&mut window, ms(20), 25) >= ms(20));
    }

    #[tokio::test]
    async fn a_caller_with_little_to_do_does_not_shrink_it() {
        let mut window = Window::new(Duration::from_millis(100), false);
        window.rate_per_s = 10_000.0;
        window.rtt = Duration::from_millis(1);
        window.learn(10.0, false, true);
        assert_eq!(window.rate_per_s, 10_000.0);
        window.learn(10.0, true, true);
        assert!(window.rate_per_s < 10_000.0);
    }
}
