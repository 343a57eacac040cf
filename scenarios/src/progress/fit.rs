//! Makes a text fit into the columns of a terminal, at the end of a word.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

const CUT: &str = "\u{2026}";

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// A text in at most so many columns. What does not fit is left out from the end of a word
/// on, and an ellipsis says so; only a word that is alone longer than all of it is cut.
pub(super) fn fit(text: &str, width: usize) -> String {
    // What would move the cursor is no text.
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if columns(&text) <= width {
        return text;
    }
    let room = width.saturating_sub(columns(CUT));
    let mut end = 0;
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        end = at + c.len_utf8();
    }
    let kept = &text[..end];
    let next = text[end..].chars().next();
    let ends = |(at, c): (usize, char)| match c {
        // A name is put together of words.
        '-' => Some(at + 1),
        c if c.is_whitespace() => Some(at),
        _ => None,
    };
    let whole = match kept.char_indices().rev().find_map(ends) {
        // The cut is between two words already.
        _ if next.is_none_or(char::is_whitespace) => kept,
        Some(end) if !kept[..end].trim().is_empty() => &kept[..end],
        _ => kept,
    };
    let whole = whole.trim_end_matches(|c: char| c.is_whitespace() || ",;:".contains(c));
    if width == 0 {
        return String::new();
    }
    format!("{whole}{CUT}")
}

/// The same, filled up with spaces on the right.
pub(super) fn padded(text: &str, width: usize) -> String {
    let mut text = fit(text, width);
    let missing = width.saturating_sub(columns(&text));
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// A text whose lines are broken at spaces where they would be wider. A word that is wider
/// alone stays whole: the terminal breaks it.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let mut wrapped = String::new();
    for line in text.split_inclusive('\n') {
        let mut used = 0;
        for word in line.split_inclusive(' ') {
            let wide = columns(word.trim_end());
            if used > 0 && used + wide > width {
                wrapped.truncate(wrapped.trim_end_matches(' ').len());
                wrapped.push('\n');
                used = 0;
            }
            wrapped.push_str(word);
            used += columns(word.trim_end_matches('\n'));
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_at_the_end_of_a_word() {
        for (text, width, fitted) in [
            ("crash: killed", 13, "crash: killed"),
            ("crash: killed", 12, "crash\u{2026}"),
            ("refused, over", 9, "refused\u{2026}"),
            ("one two", 4, "one\u{2026}"),
            ("one two", 5, "one\u{2026}"),
            // There is no word before it.
            ("Verbindungsabbruch", 8, "Verbind\u{2026}"),
            ("  Verbindungsabbruch", 8, "  Verbi\u{2026}"),
            // Two columns each.
            ("数据库崩溃", 10, "数据库崩溃"),
            ("数据库崩溃", 8, "数据库\u{2026}"),
            ("数据库 崩溃", 10, "数据库\u{2026}"),
            ("lock-storm-of-all: 7", 13, "lock-storm-\u{2026}"),
            ("a\nb\tc\u{1b}[2J", 80, "a b c [2J"),
            ("word", 0, ""),
        ] {
            assert_eq!(fit(text, width), fitted, "{text:?} in {width}");
        }
    }

    #[test]
    fn a_long_line_is_broken_at_a_space() {
        for (text, width, expected) in [
            ("one two\n", 7, "one two\n"),
            ("one two\n", 6, "one\ntwo\n"),
            ("one two three\nfour\n", 7, "one two\nthree\nfour\n"),
            ("  verbindung", 6, "  \nverbindung"),
            ("", 5, ""),
        ] {
            assert_eq!(
                wrapped(text, width),
                expected.replace("  \n", "\n"),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_wider_than_there_is_room(text in "[a-z数é\u{301} \n:-]{0,60}", width in 0_usize..50) {
            let fitted = fit(&text, width);
            prop_assert!(columns(&fitted) <= width, "{fitted:?}");
            prop_assert_eq!(columns(&padded(&text, width)), width);
            if let Some(kept) = fitted.strip_suffix(CUT) && kept.trim().contains(' ') {
                let plain = text.replace('\n', " ");
                let rest = plain.strip_prefix(kept);
                let ends = kept.ends_with('-')
                    || rest.is_some_and(|r| r.starts_with([' ', ',', ';', ':']));
                prop_assert!(ends, "{plain:?} -> {fitted:?}");
            }
        }
    }
}
