//! [`Hosts`]: the hosts that a pool may connect to, and which of them were mute of late.
//!
//! tokio-postgres tries one host after another, and would give the first all of the time that
//! there is: a host that accepts a connection and says nothing more hides those behind it.
//! So each is given a share of what is left, and one that used it up is tried last for a
//! while.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio_postgres::{
    Config,
    config::{Host, LoadBalanceHosts},
};

use crate::clock::{self, Instant};

/// For how long a host that was mute is tried last. Then one connection finds out, at the
/// price of its share of a deadline.
const MUTE_FOR: Duration = Duration::from_secs(60);

/// The hosts of a pool, in the order that they were given.
pub(super) struct Hosts {
    hosts: Vec<Known>,
    /// In no order but that of chance.
    random: Option<Mutex<fastrand::Rng>>,
    zero: Instant,
}

struct Known {
    config: Config,
    /// When it was last mute, in milliseconds since `zero` and one more; zero if it has
    /// answered since.
    mute_ms: AtomicU64,
}

impl Hosts {
    /// Takes a configuration apart, if it has several hosts and they can be told apart.
    pub(super) fn new(config: &Config, rng: fastrand::Rng) -> Self {
        let random = config.get_load_balance_hosts() == LoadBalanceHosts::Random;
        let host = |config| Known {
            config,
            mute_ms: AtomicU64::new(0),
        };
        Self {
            hosts: alone(config).into_iter().map(host).collect(),
            random: random.then(|| Mutex::new(rng)),
            zero: clock::now(),
        }
    }

    /// Begins an attempt to connect to one after another, in an order that is right now.
    pub(super) fn tour(&self, now: Instant) -> Vec<usize> {
        let ms = self.ms(now);
        let ago = |host: &Known| match host.mute_ms.load(Ordering::Relaxed) {
            0 => None,
            at => Some(Duration::from_millis(ms.saturating_sub(at))),
        };
        let mut first: Vec<usize> = (0..self.hosts.len()).collect();
        if let Some(rng) = &self.random {
            rng.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .shuffle(&mut first);
        }
        let mute: Vec<_> = self.hosts.iter().map(ago).collect();
        order(&mute, first)
    }

    pub(super) fn config(&self, host: usize) -> &Config {
        &self.hosts[host].config
    }

    /// Watches an attempt to connect to a host, which may last until then.
    pub(super) fn watch(&self, host: usize, now: Instant, until: Instant) -> Attempt<'_> {
        Attempt {
            hosts: self,
            host,
            // It may be dropped a moment before, by a deadline that it has in common.
            mute_from: now + until.saturating_duration_since(now).mul_f64(0.9),
            answered: false,
        }
    }

    fn ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.zero);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX) + 1
    }
}

/// An attempt to connect to a host. Dropped when its time is over, the host was mute.
pub(super) struct Attempt<'a> {
    hosts: &'a Hosts,
    host: usize,
    mute_from: Instant,
    answered: bool,
}

impl Attempt<'_> {
    /// The host has said something, whatever it was.
    pub(super) fn answered(mut self) {
        self.answered = true;
        let host = &self.hosts.hosts[self.host];
        host.mute_ms.store(0, Ordering::Relaxed);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let now = clock::now();
        if !self.answered && now >= self.mute_from {
            let host = &self.hosts.hosts[self.host];
            host.mute_ms.store(self.hosts.ms(now), Ordering::Relaxed);
        }
    }
}

/// Puts those that were mute, as long ago as it says, behind the others, the one that was
/// so longest ago first. Pure.
fn order(mute: &[Option<Duration>], mut hosts: Vec<usize>) -> Vec<usize> {
    let last = |host: &usize| mute[*host].filter(|ago| *ago < MUTE_FOR);
    // `None` comes first; the sort is stable.
    hosts.sort_by_key(|host| last(host).map(std::cmp::Reverse));
    hosts
}

/// A configuration for each host. Only one if there is one, or if it does not say which port
/// or address belongs to which: tokio-postgres then says what is wrong.
fn alone(config: &Config) -> Vec<Config> {
    let (hosts, addresses) = (config.get_hosts().len(), config.get_hostaddrs().len());
    let n = hosts.max(addresses);
    let paired = hosts == 0 || addresses == 0 || hosts == addresses;
    let ports = config.get_ports().len();
    if n <= 1 || !paired || (ports > 1 && ports != n) {
        return vec![config.clone()];
    }
    (0..n).map(|host| narrowed(config, host)).collect()
}

/// The configuration with one of its hosts. tokio-postgres has no way to take one away.
fn narrowed(config: &Config, host: usize) -> Config {
    let mut one = Config::new();
    match config.get_hosts().get(host) {
        Some(Host::Tcp(name)) => drop(one.host(name)),
        #[cfg(unix)]
        Some(Host::Unix(folder)) => drop(one.host_path(folder)),
        None => {}
    }
    if let Some(address) = config.get_hostaddrs().get(host) {
        one.hostaddr(*address);
    }
    let ports = config.get_ports();
    if let Some(port) = ports.get(host).or(ports.first()) {
        one.port(*port);
    }
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(database) = config.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        one.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding());
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_mute_of_late_is_tried_last() {
        let s = |s| Some(Duration::from_secs(s));
        for (mute, wanted) in [
            (vec![None, None, None], vec![0, 1, 2]),
            (vec![s(1), None, None], vec![1, 2, 0]),
            (vec![s(1), s(2), None], vec![2, 1, 0]),
            (vec![s(60), None, s(3)], vec![0, 1, 2]),
            (vec![s(1), s(1), s(1)], vec![0, 1, 2]),
        ] {
            assert_eq!(order(&mute, vec![0, 1, 2]), wanted, "{mute:?}");
        }
        assert_eq!(order(&[None, s(1), None], vec![1, 2, 0]), [2, 0, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_is_mute_that_used_up_its_time_until_it_answers() {
        let config: Config = "host=a,b port=1,2".parse().expect("valid");
        let hosts = Hosts::new(&config, fastrand::Rng::with_seed(1));
        let attempt = || {
            let now = clock::now();
            hosts.watch(0, now, now + Duration::from_secs(1))
        };
        let early = attempt();
        clock::sleep(Duration::from_millis(800)).await;
        drop(early);
        assert_eq!(hosts.tour(clock::now()), [0, 1], "its caller went away");
        let late = attempt();
        clock::sleep(Duration::from_secs(1)).await;
        drop(late);
        assert_eq!(hosts.tour(clock::now()), [1, 0]);
        attempt().answered();
        assert_eq!(hosts.tour(clock::now()), [0, 1]);
    }

    /// Nothing of a configuration is lost where its hosts are told apart.
    #[test]
    fn each_host_has_all_that_was_configured() {
        let options = "user=u password=p dbname=d options='-c a=b' application_name=n \
                       sslmode=require sslnegotiation=direct connect_timeout=3 \
                       tcp_user_timeout=4 keepalives=0 keepalives_idle=5 \
                       keepalives_interval=6 keepalives_retries=7 \
                       target_session_attrs=read-write channel_binding=require";
        let config =
            |hosts: &str| -> Config { format!("{hosts} {options}").parse().expect("valid") };
        let both = config("host=a,/b hostaddr=1.2.3.4,1.2.3.5 port=1,2");
        let each = [
            config("host=a hostaddr=1.2.3.4 port=1"),
            config("host=/b hostaddr=1.2.3.5 port=2"),
        ];
        assert_eq!(alone(&both), each);
        let one_port = alone(&config("host=a,b port=7"));
        assert_eq!(one_port, [config("host=a port=7"), config("host=b port=7")]);
        for whole in ["host=a", "host=a,b port=1,2,3", "host=a,b hostaddr=1.2.3.4"] {
            assert_eq!(alone(&config(whole)), [config(whole)], "{whole}");
        }
    }
}
