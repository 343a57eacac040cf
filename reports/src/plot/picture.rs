//! What is to be painted: a list of shapes, in pixels from the upper left.
//!
//! Upright and level lines are thin rectangles, which have the same pixels in every
//! renderer; only curves are lines.

use plotters::style::RGBAColor;

use super::paint::text_width;

/// A picture, laid out.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) shapes: Vec<Shape>,
    /// What a reader is told who points at a place, the last on top.
    pub(crate) tips: Vec<Tip>,
}

/// What a reader is told who points at a place.
#[derive(Debug, Clone)]
pub(crate) struct Tip {
    pub(crate) area: Area,
    pub(crate) says: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Rect {
        area: Area,
        color: RGBAColor,
    },
    Polygon {
        points: Vec<(f64, f64)>,
        color: RGBAColor,
    },
    /// From point to point.
    Line {
        points: Vec<(f64, f64)>,
        width: f64,
        color: RGBAColor,
    },
    Text(Text),
}

/// A rectangle: left and top belong to it, right and bottom do not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Center,
    Right,
}

/// A line of text. `y` is the middle of its capital letters.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) style: TextStyle,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct TextStyle {
    /// Pixels of one em.
    pub(crate) size: f64,
    pub(crate) bold: bool,
    pub(crate) color: RGBAColor,
    pub(crate) align: Align,
}

impl TextStyle {
    pub(crate) fn new(size: f64, color: RGBAColor) -> Self {
        Self {
            size,
            bold: false,
            color,
            align: Align::Left,
        }
    }

    pub(crate) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(crate) fn align(self, align: Align) -> Self {
        Self { align, ..self }
    }

    pub(crate) fn width(self, text: &str) -> f64 {
        text_width(text, self.size, self.bold)
    }

    /// As many words of a text as there is room for.
    pub(crate) fn fitting(self, text: &str, room: f64) -> String {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let mut fitting = words.join(" ");
        while self.width(&fitting) > room && words.pop().is_some() {
            fitting = words.join(" ") + " …";
        }
        fitting
    }
}

impl Picture {
    pub(crate) fn new(width: f64) -> Self {
        Self {
            width,
            height: 0.0,
            shapes: Vec::new(),
            tips: Vec::new(),
        }
    }

    /// Says something of a mark to who points at it. Nothing, if the area is empty.
    pub(crate) fn tip(&mut self, area: Area, says: impl Into<String>) {
        if area.right > area.left && area.bottom > area.top {
            let says = says.into();
            self.tips.push(Tip { area, says });
        }
    }

    /// Nothing, if the area is empty.
    pub(crate) fn rect(&mut self, area: Area, color: RGBAColor) {
        if area.right > area.left && area.bottom > area.top {
            self.shapes.push(Shape::Rect { area, color });
        }
    }

    pub(crate) fn polygon(&mut self, points: Vec<(f64, f64)>, color: RGBAColor) {
        self.shapes.push(Shape::Polygon { points, color });
    }

    /// A line from point to point.
    pub(crate) fn line(&mut self, points: Vec<(f64, f64)>, width: f64, color: RGBAColor) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line {
                points,
                width,
                color,
            });
        }
    }

    /// The same, of dashes.
    pub(crate) fn dashed_line(&mut self, points: &[(f64, f64)], width: f64, color: RGBAColor) {
        for dash in dashes(points) {
            self.line(dash, width, color);
        }
    }

    pub(crate) fn text(&mut self, text: impl Into<String>, x: f64, y: f64, style: TextStyle) {
        self.shapes.push(Shape::Text(Text {
            text: text.into(),
            x,
            y,
            style,
        }));
    }

    /// A level line of one pixel.
    pub(crate) fn level(&mut self, y: f64, from: f64, to: f64, color: RGBAColor) {
        let area = Area {
            left: from,
            top: y,
            right: to,
            bottom: y + 1.0,
        };
        self.rect(area, color);
    }

    /// An upright line of some width.
    pub(crate) fn upright(&mut self, x: f64, from: f64, to: f64, width: f64, color: RGBAColor) {
        let area = Area {
            left: x,
            top: from,
            right: x + width,
            bottom: to,
        };
        self.rect(area, color);
    }

    /// A level line of dashes.
    pub(crate) fn dashes(&mut self, y: f64, from: f64, to: f64, color: RGBAColor) {
        let mut x = from;
        while x < to {
            self.level(y, x, (x + 6.0).min(to), color);
            x += 10.0;
        }
    }

    /// An upright line of dashes.
    pub(crate) fn upright_dashes(&mut self, x: f64, from: f64, to: f64, color: RGBAColor) {
        let mut y = from;
        while y < to {
            self.upright(x, y, (y + 5.0).min(to), 1.0, color);
            y += 8.0;
        }
    }

    /// Text in lines of a greatest width. Returns the y below the last line.
    pub(crate) fn paragraph(
        &mut self,
        text: &str,
        x: f64,
        y: f64,
        width: f64,
        style: TextStyle,
    ) -> f64 {
        let pitch = (style.size * 1.4).round();
        let mut y = y;
        for line in wrapped(text, width, style) {
            self.text(line, x, y, style);
            y += pitch;
        }
        y
    }
}

/// A line cut into dashes, which may go round a corner.
fn dashes(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    const ON: f64 = 9.0;
    const OFF: f64 = 6.0;
    let mut dashes = Vec::new();
    let mut dash: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    let (mut on, mut left) = (true, ON);
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |gone: f64| {
            let part = gone / length.max(f64::MIN_POSITIVE);
            (
                from.0 + part * (to.0 - from.0),
                from.1 + part * (to.1 - from.1),
            )
        };
        let mut gone = 0.0;
        while gone + left < length {
            gone += left;
            dash.push(at(gone));
            if on {
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash = vec![at(gone)];
            }
            on = !on;
            left = if on { ON } else { OFF };
        }
        left -= length - gone;
        if on {
            dash.push(to);
        }
    }
    if on {
        dashes.push(dash);
    }
    dashes
}

fn wrapped(text: &str, width: f64, style: TextStyle) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if style.width(&format!("{line} {word}")) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
