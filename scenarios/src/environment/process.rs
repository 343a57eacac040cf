//! What the kernel says of a process.

use std::{fs, io};

/// What is used of proc_pid_stat(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// It has ended and only waits to be reaped.
    pub(super) dead: bool,
    /// When it began: ticks since boot.
    pub(super) start_ticks: u64,
}

/// Looks at a process of this namespace.
pub(super) fn stat(pid: u32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parsed(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a stat file"))
}

/// Whether it is there, and not only as a zombie.
pub(super) fn is_alive(pid: u32) -> bool {
    stat(pid).is_ok_and(|stat| !stat.dead)
}

fn parsed(text: &str) -> Option<Stat> {
    // The name is in parentheses and may hold any character, parentheses too; the
    // state is field 3, the start field 22.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let start_ticks = fields.nth(18)?.parse().ok()?;
    Some(Stat {
        dead: state.starts_with(['Z', 'X']),
        start_ticks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_move_the_fields() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        for (text, dead) in [
            (format!("1 (a) S {rest}"), false),
            (format!("1 (a) Z) S {rest}"), false),
            (format!("1 (a b) Z {rest}"), true),
            (format!("1 ()) X {rest}"), true),
        ] {
            let stat = parsed(&text).expect(&text);
            assert_eq!((stat.dead, stat.start_ticks), (dead, 4711), "{text}");
        }
        assert_eq!(parsed("1 (a) S 1 2"), None);
        assert_eq!(parsed(""), None);
    }

    #[test]
    fn this_process_is_there() {
        let this = std::process::id();
        assert!(is_alive(this));
        assert!(stat(this).expect("Linux").start_ticks > 0);
    }
}
