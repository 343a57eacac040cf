//! What a run shows in a terminal while it goes on: lines that are redrawn, and nothing of
//! them afterwards.

use std::process::Command;

use super::{
    command::{alone, binary, env},
    server::kinds,
};

const COLUMNS: usize = 80;

/// As much of a terminal as the runner needs.
#[derive(Default)]
struct Terminal {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Every screen on which the cursor went up: a drawing was complete.
    drawings: Vec<Vec<String>>,
}

impl Terminal {
    fn shows(text: &str) -> Self {
        let mut terminal = Self::default();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\r' => terminal.column = 0,
                '\n' => terminal.row += 1,
                '\u{1b}' => {
                    assert_eq!(rest.next(), Some('['), "an escape that is not known");
                    let mut sequence = String::new();
                    let end = loop {
                        match rest.next().expect("an end") {
                            c if c.is_ascii_digit() || c == '?' => sequence.push(c),
                            c => break c,
                        }
                    };
                    terminal.escape(&sequence, end);
                }
                c => terminal.put(c),
            }
        }
        terminal
    }

    fn escape(&mut self, sequence: &str, end: char) {
        let n = sequence.parse().unwrap_or(1);
        match end {
            'A' => {
                self.drawings.push(self.screen());
                self.row = self.row.checked_sub(n).expect("a line above");
            }
            'B' => self.row += n,
            'K' => {
                let from = if sequence == "2" { 0 } else { self.column };
                self.line().truncate(from);
            }
            other => panic!("ESC [ {sequence} {other} leaves the terminal other than it was"),
        }
    }

    fn line(&mut self) -> &mut Vec<char> {
        let rows = self.lines.len().max(self.row + 1);
        self.lines.resize_with(rows, Vec::new);
        &mut self.lines[self.row]
    }

    fn put(&mut self, c: char) {
        if self.column == COLUMNS {
            (self.row, self.column) = (self.row + 1, 0);
        }
        let column = self.column;
        let line = self.line();
        let length = line.len().max(column + 1);
        line.resize(length, ' ');
        line[column] = c;
        self.column += 1;
    }

    fn screen(&self) -> Vec<String> {
        let text = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
        let lines = self.lines.iter().map(text);
        lines.filter(|line| !line.is_empty()).collect()
    }
}

/// Runs a short injection in a terminal, and returns what is shown on stderr.
fn shown(flags: &str) -> Terminal {
    let out = tempfile::tempdir().expect("a folder");
    let command = format!(
        "stty cols {COLUMNS} rows 24; exec {} failure-sim --quick --seed 7 --rate 40 {flags} \
         --fault=refused,length_ms=600 --env {} --out {} > /dev/null",
        binary().display(),
        env(kinds()[0]),
        out.path().join("run").display()
    );
    let log = out.path().join("terminal");
    let status = Command::new("script")
        .args(["--quiet", "--return", "--command", &command])
        .arg(&log)
        .env_remove("RUST_LOG")
        .output()
        .expect("script, of util-linux");
    assert!(matches!(status.status.code(), Some(0..=2)), "{status:?}");
    let text = std::fs::read(&log).expect("what was shown");
    let text = String::from_utf8_lossy(&text);
    let begin = text.find('\n').map_or(0, |end| end + 1);
    let end = text.rfind("\nScript done").unwrap_or(text.len());
    Terminal::shows(&text[begin..end])
}

#[test]
fn a_terminal_shows_where_a_run_is_and_nothing_of_it_is_left() {
    let _alone = alone();
    let terminal = shown("");
    let drawn = |wanted: &dyn Fn(&[String]) -> bool| terminal.drawings.iter().any(|d| wanted(d));
    let has = |screen: &[String], part: &str| screen.iter().any(|line| line.contains(part));
    assert!(drawn(&|s| has(s, "round 2 of 12: queries")));
    assert!(drawn(&|s| has(s, "injection 1 of 1: refused")
        && has(s, " so far, an estimated ")
        && has(s, "fault in force for ")
        && ["bare", "careful", "seawall"].iter().all(|arm| s
            .iter()
            .any(|l| l.starts_with(arm) && l.contains("/s ")))));
    // What is logged stands above, and is all that is left.
    let is_log = |line: &&String| line.starts_with(" WARN") || line.starts_with("warning: ");
    let screen = terminal.screen();
    let first = screen.iter().position(|line| !is_log(&line));
    let left = first.map_or(&[][..], |at| &screen[at..]);
    let of_view = |line: &String| line.contains(" so far") || line.contains("in flight");
    assert!(!left.iter().any(of_view), "{screen:#?}");
    for drawing in &terminal.drawings {
        let views = drawing.iter().filter(|line| line.contains(" so far"));
        assert!(views.count() <= 1, "drawn over itself: {drawing:#?}");
    }
}

#[test]
fn a_quiet_run_shows_nothing_in_a_terminal() {
    let _alone = alone();
    let terminal = shown("-q");
    let screen = terminal.screen();
    let log = |line: &String| line.starts_with(" WARN") || line.starts_with("warning: ");
    assert!(terminal.drawings.is_empty(), "{screen:#?}");
    assert!(
        screen
            .iter()
            .filter(|l| !log(l))
            .all(|l| !l.contains(" of ")),
        "{screen:#?}"
    );
}
