//! What a browser gets, as text: nothing that it would have to fetch, and all that who
//! cannot see, cannot point or has a small screen needs.

use plotters::style::RGBAColor;

use super::html;
use crate::{
    Record, judge,
    plot::palette::{rgb, tests::contrast},
    synthetic,
};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Reports of several kinds, drawn in full.
fn pages() -> Vec<String> {
    let sweep = synthetic::sweep(12, |cell, planned| {
        cell.recovery_timeout_us / 60 / 7 * (planned as u64 % 7)
    });
    let mut empty = synthetic::record(7, 0, &["seawall"]);
    empty.run.arms[0].about = "<b>".to_owned();
    let records = [
        synthetic::record(7, 1, &["bare", "careful", "seawall"]),
        synthetic::usual_batches(),
        sweep,
        empty,
    ];
    records.iter().map(page).collect()
}

fn page(record: &Record) -> String {
    html(&judge(record).document(), &|plot| plot.svg().unwrap())
}

/// What stands in each opening tag of a name, as `svg` or `th`.
fn tags<'a>(page: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let starts = page.match_indices('<').map(|(at, _)| &page[at + 1..]);
    starts.filter_map(move |rest| {
        let rest = rest.strip_prefix(name)?;
        let inside = &rest[..rest.find('>')?];
        (inside.is_empty() || inside.starts_with([' ', '\n'])).then_some(inside)
    })
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[test]
fn a_page_fetches_nothing() {
    for page in pages() {
        for forbidden in [
            "<link",
            "<img",
            "<iframe",
            "url(",
            "@import",
            " src=",
            "href=\"http",
            "fetch(",
            "XMLHttpRequest",
            "WebSocket",
            "import(",
            "EventSource",
            "<base",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("content=\"default-src 'none';"));
        // Ours is the only script, and ends where it should.
        assert_eq!(page.matches("<script").count(), 1);
        assert!(page.contains(SCRIPT) && !SCRIPT.contains("</"));
        assert!(page.len() < 3_000_000, "{} bytes", page.len());
    }
}

#[test]
fn a_million_operations_make_a_small_page() {
    let mut record = synthetic::record(7, 1, &["bare", "careful", "seawall"]);
    let data = synthetic::failures(&mut record);
    let injections = data.injections.len();
    let each = data.injections[0].operations.outcomes.len();
    let times = 1_000_000_usize.div_ceil(injections * each);
    data.load.rate_per_s *= u32::try_from(times).unwrap();
    for injection in &mut data.injections {
        let of = &mut injection.operations;
        let letters = |text: &str| -> String {
            text.chars()
                .flat_map(|c| std::iter::repeat_n(c, times))
                .collect()
        };
        (of.kinds, of.outcomes) = (letters(&of.kinds), letters(&of.outcomes));
        let latencies = of.latencies_us.iter().enumerate();
        of.latencies_us = latencies
            .flat_map(|(i, us)| (0..times).map(move |n| us + (i * n % 97) as u64 * us / 50))
            .collect();
        of.lags_us = vec![0; of.latencies_us.len()];
    }
    record.check().unwrap();
    let page = page(&record);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
}

#[test]
fn the_finding_is_the_first_line_and_the_verdict_the_next() {
    let record = synthetic::record(7, 1, &["bare", "careful", "seawall"]);
    let (report, page) = (judge(&record), page(&record));
    let heading = format!(
        "<h1>{}</h1><p class=\"headline holds\">",
        report.page.finding
    );
    assert!(page.contains(&heading));
    assert!(page.contains(&format!(
        "<title>failure-sim: {}</title>",
        report.page.finding
    )));
}

#[test]
fn headings_go_down_one_by_one_and_there_is_one_first() {
    for page in pages() {
        let heading = |at: usize| {
            let of = page[at..].strip_prefix("<h")?;
            of.chars().next()?.to_digit(10)
        };
        let levels: Vec<u32> = page
            .match_indices("<h")
            .filter_map(|(at, _)| heading(at))
            .collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
        assert_eq!(levels[0], 1);
        for pair in levels.windows(2) {
            assert!(pair[1] <= pair[0] + 1, "{levels:?}");
        }
    }
}

#[test]
fn every_picture_has_a_name() {
    for page in pages() {
        for svg in tags(&page, "svg") {
            assert_eq!(attribute(svg, "role"), Some("img"), "{svg}");
            assert!(
                attribute(svg, "aria-label").is_some_and(|name| name.len() > 9),
                "{svg}"
            );
        }
    }
}

#[test]
fn every_table_has_a_caption_and_every_head_says_what_it_is_the_head_of() {
    let mut tables = 0;
    for page in pages() {
        let n = tags(&page, "table").count();
        assert_eq!(page.matches("<caption").count(), n);
        assert!(!page.contains("<caption></caption>"));
        for th in tags(&page, "th") {
            assert!(
                matches!(attribute(th, "scope"), Some("col" | "row")),
                "{th}"
            );
        }
        tables += n;
    }
    assert!(tables > 10);
    // A button in each head, which the keyboard reaches, and what it does is said.
    for part in [
        "createElement(\"button\")",
        "aria-sort",
        "button.type = \"button\"",
    ] {
        assert!(SCRIPT.contains(part), "{part}");
    }
}

#[test]
fn every_link_within_the_page_leads_somewhere_and_no_id_stands_twice() {
    for page in pages() {
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).collect();
        ids.iter_mut()
            .for_each(|rest| *rest = rest.split('"').next().unwrap());
        ids.sort_unstable();
        let n = ids.len();
        for link in page.split("href=\"#").skip(1) {
            let to = link.split('"').next().unwrap();
            assert!(ids.contains(&to), "#{to}");
        }
        ids.dedup();
        assert_eq!(ids.len(), n, "{ids:?}");
    }
}

#[test]
fn every_colour_of_a_picture_follows_the_page() {
    for page in pages() {
        for attribute in ["fill", "stroke"] {
            for rest in page.split(&format!(" {attribute}=\"#")).skip(1) {
                let color = &rest[..6];
                let rule = format!(".plot [{attribute}=\"#{color}\"]{{{attribute}:var(--plot-");
                assert!(page.contains(&rule), "{attribute} #{color}");
            }
        }
    }
}

#[test]
fn what_is_wide_moves_in_a_frame_of_its_own() {
    for page in pages() {
        let frames = page.matches("<div class=\"scroll\" tabindex=\"0\"").count();
        assert_eq!(page.matches("<table class=\"numbers").count(), frames);
        let plots = page.matches("<figure class=\"plot\"").count();
        assert_eq!(
            page.matches("<div class=\"frame\" tabindex=\"0\"").count(),
            plots
        );
        assert!(page.contains("width=device-width"));
    }
    for rule in [
        ".frame, .scroll { overflow-x: auto; }",
        ".numbers th:first-child, .numbers td:first-child { position: sticky; left: 0;",
        "@media (max-width: 600px)",
        ":focus-visible {",
        "prefers-reduced-motion",
        "@media print",
        ".card, figure, tr, pre { break-inside: avoid; }",
        "@media screen and (prefers-color-scheme: dark)",
    ] {
        assert!(STYLE.contains(rule), "{rule}");
    }
}

/// A custom property of the style sheet, in its first or second set of them.
fn property(name: &str, dark: bool) -> RGBAColor {
    let set = STYLE
        .split(":root {")
        .nth(1 + usize::from(dark))
        .expect("a set");
    let set = set.split_once('}').expect("an end").0;
    let (_, value) = set.split_once(&format!("--{name}: #")).expect(name);
    let digits = value.split(';').next().expect("digits");
    let digits: String = match digits.len() {
        3 => digits.chars().flat_map(|c| [c, c]).collect(),
        _ => digits.to_owned(),
    };
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    rgb(part(0), part(2), part(4))
}

#[test]
fn all_text_of_the_page_can_be_read_on_light_and_on_dark() {
    let moods = ["holds", "refuted", "inconclusive"];
    for dark in [false, true] {
        let readable = |ink: &str, paper: &str| {
            let ratio = contrast(property(ink, dark), property(paper, dark));
            assert!(ratio >= 4.5, "dark {dark}: {ink} on {paper} {ratio:.2}");
        };
        for paper in ["paper", "back"] {
            for ink in ["ink", "muted"].into_iter().chain(moods) {
                readable(ink, paper);
            }
        }
        for mood in moods {
            readable(mood, &format!("{mood}-back"));
        }
        // What is no text needs less.
        assert!(contrast(property("focus", dark), property("back", dark)) >= 3.0);
    }
}
