//! A sheet of paper with a title and a line about it: how every picture begins.

use super::{
    palette::{INK, MUTED, PAPER, TEXT, TITLE},
    picture::{Area, Picture, TextStyle},
};

pub(crate) const WIDTH: f64 = 1200.0;
pub(crate) const MARGIN: f64 = 16.0;

/// Begins it; returns what is drawn on it, and the y below the text.
pub(crate) fn begin(title: &str, subtitle: &str) -> (Picture, f64) {
    let mut shapes = Picture::new(WIDTH);
    let heading = TextStyle::new(TITLE, INK).bold();
    let width = WIDTH - 2.0 * MARGIN;
    let y = shapes.paragraph(title, MARGIN, 26.0, width, heading);
    let style = TextStyle::new(TEXT, MUTED);
    let y = shapes.paragraph(subtitle, MARGIN, y, width, style);
    (shapes, y + 4.0)
}

/// Puts the paper under it.
pub(crate) fn end(mut shapes: Picture, bottom: f64) -> Picture {
    let mut picture = Picture::new(WIDTH);
    picture.height = bottom;
    let paper = Area {
        left: 0.0,
        top: 0.0,
        right: WIDTH,
        bottom,
    };
    picture.rect(paper, PAPER);
    picture.shapes.append(&mut shapes.shapes);
    picture.tips = shapes.tips;
    picture
}
