//! The token, and who has shown it.

use std::{collections::VecDeque, fmt::Write as _, time::Duration};

use crate::clock::Instant;

/// For how long somebody is logged in: a shift.
pub(super) const LOGGED_IN: Duration = Duration::from_secs(12 * 3_600);
/// Most that are logged in at once; the first of them is logged out then.
const SESSIONS: usize = 256;

/// Compares in a time that says nothing of where they differ; it may say how long `known` is.
pub(super) fn is_same(said: &[u8], known: &[u8]) -> bool {
    let mut differ = u8::from(said.len() != known.len());
    for (i, known) in known.iter().enumerate() {
        let said = said.get(i).copied().unwrap_or_default();
        differ |= std::hint::black_box(said ^ known);
    }
    std::hint::black_box(differ) == 0
}

/// Who has logged in. A cookie holds a number of its own, not the token: it ends, and it cannot
/// be guessed.
#[derive(Debug, Default)]
pub(super) struct Sessions(VecDeque<(String, Instant)>);

impl Sessions {
    /// Logs somebody in. `None` if the system has no random numbers.
    pub(super) fn add(&mut self, now: Instant) -> Option<String> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok()?;
        let mut id = String::with_capacity(64);
        for byte in bytes {
            write!(id, "{byte:02x}").ok()?;
        }
        if self.0.len() >= SESSIONS {
            self.0.pop_front();
        }
        self.0.push_back((id.clone(), now + LOGGED_IN));
        Some(id)
    }

    /// Whether somebody is logged in with this number.
    pub(super) fn has(&mut self, id: &str, now: Instant) -> bool {
        self.0.retain(|(_, until)| *until > now);
        // All are looked at, for as long.
        let known = self.0.iter();
        known.fold(false, |found, (known, _)| {
            is_same(id.as_bytes(), known.as_bytes()) | found
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn only_the_same_is_the_same() {
        assert!(is_same(b"token", b"token"));
        for other in [&b""[..], b"toke", b"tokens", b"Token", b"token\0"] {
            assert!(!is_same(other, b"token"), "{other:?}");
        }
    }

    #[test]
    fn who_logs_in_is_known_until_the_end_of_a_shift() {
        let (mut sessions, now) = (Sessions::default(), clock::now());
        let id = sessions.add(now).expect("random numbers");
        assert_eq!(id.len(), 64);
        assert!(sessions.has(&id, now) && !sessions.has(&id[1..], now));
        assert!(!sessions.has("", now));
        assert!(!sessions.has(&id, now + LOGGED_IN));
        let first = sessions.add(now).expect("random numbers");
        (0..SESSIONS).for_each(|_| drop(sessions.add(now)));
        assert!(!sessions.has(&first, now), "there are too many");
        assert_eq!(sessions.0.len(), SESSIONS);
    }
}
