//! What fits a terminal, however wide that is.

use super::*;
use crate::{
    Record, judge,
    page::{Cell, Column, Row, Table},
    synthetic,
};

fn records() -> Vec<Record> {
    let sweep = synthetic::sweep(12, |cell, planned| {
        cell.recovery_timeout_us / 60 / 7 * (planned as u64 % 7)
    });
    vec![
        synthetic::record(7, 1, &["bare", "careful", "seawall"]),
        synthetic::record(3, 2, &["bare", "guide", "seawall"]),
        synthetic::interrupted_after(3, synthetic::record(7, 1, &["bare", "careful", "seawall"])),
        synthetic::record(7, 0, &[]),
        synthetic::usual_batches(),
        sweep,
    ]
}

#[test]
fn no_line_is_wider_than_the_terminal_and_no_word_is_broken() {
    for record in records() {
        let report = judge(&record);
        let said = |width| terminal(&report.document(), Path::new("out"), false, width);
        let words = |text: &str| -> Vec<String> {
            let words = text.split_whitespace().filter(|word| *word != "\\");
            let letters = |word: &&str| word.is_ascii() && !word.starts_with(['-', '=']);
            let mut words: Vec<String> = words.filter(letters).map(str::to_owned).collect();
            words.sort();
            words.dedup();
            words
        };
        let wide = words(&said(200));
        for width in [60, 72, 80, 100, 132] {
            let text = said(width);
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            for word in words(&text) {
                let known = wide.contains(&word) || word.ends_with(':');
                assert!(known, "{width}: {word} in {text}");
            }
        }
        // Less than the least is not asked for.
        assert_eq!(said(10), said(LEAST));
    }
}

#[test]
fn a_command_of_several_lines_is_one_to_a_shell() {
    let ink = Ink {
        color: false,
        width: 60,
    };
    let typed = r"printf %s: 'two words' 'it'\''s' --a-long-flag=1 --another-flag a b c d e f g h";
    let mut out = String::new();
    command(&mut out, "again", typed, ink);
    assert!(
        out.lines().count() > 1 && out.lines().all(|line| line.len() <= 60),
        "{out}"
    );
    let script = out.strip_prefix("again    ").unwrap();
    let shell = |script: &str| {
        let run = std::process::Command::new("sh")
            .args(["-c", script])
            .output();
        String::from_utf8(run.unwrap().stdout).unwrap()
    };
    assert_eq!(shell(script), shell(typed));
    assert!(shell(typed).starts_with("two words:it's:"));
}

fn wide_table(columns: usize, letters: usize) -> Table {
    let numbers = (0..columns).map(|i| Column::number(format!("{}{i}", "n".repeat(letters))));
    let names = [Column::head("fault").once(), Column::text("arm")];
    let row = |first: bool, arm: &str| Row {
        first,
        cells: ["crash".to_owned(), arm.to_owned()]
            .into_iter()
            .chain((0..columns).map(|i| format!("{i} s")))
            .map(Cell::from)
            .collect(),
        ..Row::default()
    };
    Table {
        columns: names.into_iter().chain(numbers).collect(),
        rows: vec![row(true, "bare"), row(false, "seawall")],
        ..Table::default()
    }
}

fn drawn(of: &Table, width: usize) -> String {
    let mut out = String::new();
    let color = false;
    table(&mut out, of, "FAULTS", "  ", Ink { color, width });
    out
}

#[test]
fn columns_that_do_not_fit_follow_below_and_each_row_keeps_its_name() {
    let text = drawn(&wide_table(10, 6), 60);
    // A head, and both rows, of each panel.
    assert_eq!(text.lines().count(), 6, "{text}");
    assert_eq!(text.matches("crash bare").count(), 2, "{text}");
    for i in 0..10 {
        assert_eq!(text.matches(&format!("nnnnnn{i}")).count(), 1, "{text}");
        assert_eq!(text.matches(&format!(" {i} s")).count(), 2, "{text}");
    }
    assert_eq!(drawn(&wide_table(10, 6), 120).lines().count(), 3);
}

#[test]
fn where_not_even_one_column_fits_each_value_has_a_line() {
    let text = drawn(&wide_table(2, 70), 60);
    assert!(
        text.contains("\n  crash\n") && text.contains("arm: seawall\n"),
        "{text}"
    );
    assert_eq!(text.matches("\n      1 s\n").count(), 2, "{text}");
}

#[test]
fn a_comment_that_is_too_wide_is_set_anew_and_a_setting_is_left_alone() {
    let text = "# evidence: one two three four five\n#   six seven\nmax_connections = 12345678\n# b\n#     code";
    let narrow = settings(text, 20);
    let expected = [
        "# evidence: one",
        "#   two three four",
        "#   five six seven",
        "max_connections = 12345678",
        "# b",
        "#     code",
    ];
    assert_eq!(narrow, expected);
    assert_eq!(settings(text, 80).join("\n"), text);
}
