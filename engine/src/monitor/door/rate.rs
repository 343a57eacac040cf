//! [`Rates`]: how many each client may have a second. Pure: the time is an argument.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use crate::clock::Instant;

/// Most clients that are told apart; all others share a place.
const CLIENTS: usize = 1_024;

/// How many each client may have: some at once, and so many a second.
#[derive(Debug)]
pub(super) struct Rates {
    burst: f64,
    per_second: f64,
    clients: HashMap<IpAddr, (f64, Instant)>,
}

impl Rates {
    pub(super) fn new(burst: u32, per_second: f64) -> Self {
        Self {
            burst: burst.into(),
            per_second,
            clients: HashMap::new(),
        }
    }

    /// What a client has left.
    fn left(&self, client: IpAddr, now: Instant) -> f64 {
        let Some((left, at)) = self.clients.get(&client) else {
            return self.burst;
        };
        let since = now.saturating_duration_since(*at).as_secs_f64();
        (left + since * self.per_second).min(self.burst)
    }

    fn place(&mut self, client: IpAddr, now: Instant) -> IpAddr {
        let client = network(client);
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&client) {
            let full = |left: f64, at: Instant| {
                let since = now.saturating_duration_since(at).as_secs_f64();
                left + since * self.per_second >= self.burst
            };
            self.clients.retain(|_, (left, at)| !full(*left, *at));
            if self.clients.len() >= CLIENTS {
                return IpAddr::from([0, 0, 0, 0]);
            }
        }
        client
    }

    /// Whether a client has one left.
    ///
    /// # Errors
    /// How long until it has.
    pub(super) fn has(&mut self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let place = self.place(client, now);
        let left = self.left(place, now);
        if left >= 1.0 {
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - left) / self.per_second))
    }

    /// Takes one, if there is one.
    ///
    /// # Errors
    /// How long until there is.
    pub(super) fn take(&mut self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        self.has(client, now)?;
        let place = self.place(client, now);
        let left = self.left(place, now);
        self.clients.insert(place, (left - 1.0, now));
        Ok(())
    }
}

/// Who is one client: of IPv6, a whole network may be.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_client_has_some_at_once_and_then_so_many_a_second() {
        let mut rates = Rates::new(3, 2.0);
        let (now, a, b) = (
            clock::now(),
            IpAddr::from([10, 0, 0, 1]),
            IpAddr::from([10, 0, 0, 2]),
        );
        for _ in 0..3 {
            assert_eq!(rates.take(a, now), Ok(()));
        }
        assert_eq!(rates.take(a, now), Err(Duration::from_millis(500)));
        assert_eq!(rates.take(b, now), Ok(()), "another has its own");
        let later = now + Duration::from_millis(500);
        assert_eq!(rates.take(a, later), Ok(()));
        assert!(rates.take(a, later).is_err());
    }

    #[test]
    fn clients_without_end_take_no_more_room() {
        let mut rates = Rates::new(3, 0.01);
        let now = clock::now();
        for i in 0..200_000_u32 {
            let _ = rates.take(IpAddr::from(i.to_be_bytes()), now);
        }
        assert!(rates.clients.len() <= CLIENTS + 1);
        let one = IpAddr::from([0x2001, 0xdb8, 0, 1, 2, 3, 4, 5]);
        assert_eq!(
            network(one),
            IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, 0])
        );
    }
}
