//! What every picture must be: legible.

use super::{
    Plot,
    picture::{Align, Picture, Shape, Text},
};

pub(crate) fn texts(picture: &Picture) -> Vec<&Text> {
    picture
        .shapes
        .iter()
        .filter_map(|shape| match shape {
            Shape::Text(text) => Some(text),
            _ => None,
        })
        .collect()
}

/// Left and right end of a text.
fn span(text: &Text) -> (f64, f64) {
    let width = text.style.width(&text.text);
    let left = match text.style.align {
        Align::Left => text.x,
        Align::Center => text.x - width / 2.0,
        Align::Right => text.x - width,
    };
    (left, left + width)
}

/// No text leaves the picture, and no two cover each other.
pub(crate) fn is_legible(plot: &Plot) {
    let texts = texts(&plot.picture);
    let place = |text: &Text| {
        let (left, right) = span(text);
        let half = text.style.size / 2.0;
        (left, right, text.y - half, text.y + half)
    };
    for (n, text) in texts.iter().enumerate() {
        let (left, right, top, bottom) = place(text);
        assert!(
            left >= 4.0 && right <= plot.picture.width - 4.0,
            "{}: {:?} is clipped: {left}..{right}",
            plot.name,
            text.text
        );
        assert!(top >= 0.0 && bottom <= plot.picture.height);
        for other in &texts[n + 1..] {
            let (l, r, t, b) = place(other);
            assert!(
                right <= l || r <= left || bottom <= t || b <= top,
                "{}: {:?} covers {:?}",
                plot.name,
                text.text,
                other.text
            );
        }
    }
}
