//! The lines of a picture of curves: one for each condition and mode, told apart by
//! colour (round-trip time), dashes (commit) and marker (mode), and named at their end.

use plotters::style::RGBAColor;

use crate::{
    numbers::{latency, times},
    page::maybe,
    plot::{
        apart::{PITCH, apart},
        palette::{BLUE, GREEN, GREY, INK, MUTED, ORANGE, PAPER, PURPLE, SKY, SMALL, VERMILION},
        picture::{Area, Picture, TextStyle},
        scale::Log,
        sheet,
    },
};

use super::super::{Cell, ClassFinding, ConditionFinding, Curve, Findings, Mode, Size, round_trip};

const COLORS: [RGBAColor; 6] = [BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION];
const RADIUS: f64 = 4.0;

/// A curve, and how it is drawn.
pub(super) struct Trace<'a> {
    pub(super) condition: &'a ConditionFinding,
    pub(super) curve: &'a Curve,
    color: RGBAColor,
    /// A commit that does not wait.
    dashed: bool,
}

/// Those of a class that have something to show.
pub(super) fn traces<'a>(findings: &'a Findings, class: &'a ClassFinding) -> Vec<Trace<'a>> {
    let rtt = |s: f64| class.by_rtt.iter().position(|at| at.rtt_s == s);
    let of = findings.of_class(&class.name);
    of.flat_map(|condition| {
        let color = COLORS[rtt(condition.rtt_s).unwrap_or(0) % COLORS.len()];
        let curves = condition.curves.iter();
        curves
            .filter(|curve| curve.fixed().next().is_some())
            .map(move |curve| Trace {
                condition,
                curve,
                color,
                dashed: condition.synchronous_commit == Some(false),
            })
    })
    .collect()
}

/// What is drawn of a curve, over batch size.
pub(super) struct Curves<'a> {
    /// The quantity.
    pub(super) of: &'a dyn Fn(&Cell) -> Option<f64>,
    /// Its interval.
    pub(super) range: &'a dyn Fn(&Cell) -> Option<(f64, f64)>,
    pub(super) x: Log,
    pub(super) y: Log,
    /// The lane that it is drawn in.
    pub(super) lane: Area,
    /// Whether its knee is marked.
    pub(super) knee: bool,
}

/// Where a cell stands on the axis of batch sizes: the pipeline's own choice at what
/// it came to.
pub(super) fn batch(cell: &Cell) -> Option<f64> {
    match cell.size {
        Size::Fixed(size) => Some(f64::from(size.max(1))),
        Size::Auto => cell.mean_batch.filter(|batch| *batch > 0.0),
    }
}

/// Draws them, lines first, and their names beside the lane.
pub(super) fn draw(picture: &mut Picture, traces: &[Trace<'_>], shown: &Curves<'_>) {
    let place = |cell: &Cell| {
        let (batch, value) = (batch(cell)?, (shown.of)(cell)?);
        Some((shown.x.at(batch).round(), shown.y.at(value).round()))
    };
    let fixed = |trace: &Trace<'_>| -> Vec<(f64, f64)> {
        let cells = trace.curve.cells.iter();
        let cells = cells.filter(|cell| cell.size != Size::Auto);
        cells.filter_map(place).collect()
    };
    for trace in traces {
        let points = fixed(trace);
        if trace.dashed {
            picture.dashed_line(&points, 2.0, trace.color);
        } else {
            picture.line(points, 2.0, trace.color);
        }
    }
    for trace in traces {
        for cell in &trace.curve.cells {
            let Some(at) = place(cell) else { continue };
            if let Some((low, high)) = (shown.range)(cell) {
                let (top, bottom) = (shown.y.at(high).round(), shown.y.at(low).round());
                picture.upright(at.0 - 0.5, top, bottom, 1.0, trace.color);
            }
            if shown.knee && trace.curve.knee.map(Size::Fixed) == Some(cell.size) {
                ring(picture, at);
            }
            let tip = Area {
                left: at.0 - 8.0,
                top: at.1 - 8.0,
                right: at.0 + 8.0,
                bottom: at.1 + 8.0,
            };
            picture.tip(tip, tell(trace, cell));
            let hollow = cell.size == Size::Auto;
            marker(picture, trace.curve.mode, at, trace.color, hollow);
        }
    }
    let mut ends: Vec<(&Trace<'_>, (f64, f64))> = traces
        .iter()
        .filter_map(|trace| Some((trace, *fixed(trace).last()?)))
        .collect();
    ends.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    let wanted = ends.iter().map(|(_, (_, y))| *y);
    let names = apart(wanted, shown.lane.top, shown.lane.bottom);
    for ((trace, end), y) in ends.into_iter().zip(names) {
        let x = shown.lane.right + 22.0;
        // Grey, so that it is not taken for a part of the curve.
        picture.line(vec![(end.0 + 6.0, end.1), (x - 4.0, y)], 1.0, GREY);
        picture.text(label(trace), x, y, TextStyle::new(SMALL, INK));
    }
}

/// What a marker says to who points at it.
fn tell(trace: &Trace<'_>, cell: &Cell) -> String {
    let size = match cell.size {
        Size::Fixed(size) => format!("{size} a batch"),
        Size::Auto => "the pipeline's own choice".to_owned(),
    };
    let speed = maybe(cell.speedup.median, times);
    let interval = cell.speedup.low.zip(cell.speedup.high);
    let interval = interval.map_or_else(String::new, |(low, high)| {
        format!(" [{}, {}]", times(low), times(high))
    });
    let p99 = maybe(cell.p99_s, latency);
    format!(
        "{}; {size}: {speed}{interval} as fast, p99 {p99}",
        label(trace)
    )
}

/// `10 ms, off, autocommit`.
fn label(trace: &Trace<'_>) -> String {
    let rtt = round_trip(trace.condition.rtt_s);
    match trace.condition.synchronous_commit {
        Some(on) => {
            let commit = if on { "on" } else { "off" };
            format!("{rtt}, {commit}, {}", trace.curve.mode.name())
        }
        None => rtt,
    }
}

/// The marker of a mode.
fn marker(picture: &mut Picture, mode: Mode, at: (f64, f64), color: RGBAColor, hollow: bool) {
    shape(
        picture,
        mode,
        at,
        RADIUS + if hollow { 3.0 } else { 0.0 },
        color,
    );
    if hollow {
        shape(picture, mode, at, RADIUS, PAPER);
    }
}

fn shape(picture: &mut Picture, mode: Mode, (x, y): (f64, f64), r: f64, color: RGBAColor) {
    let points = match mode {
        Mode::Autocommit => {
            let r = r * 1.4;
            vec![(x, y - r), (x + r, y + r * 0.8), (x - r, y + r * 0.8)]
        }
        Mode::OneTransaction => vec![
            (x - r, y - r),
            (x + r, y - r),
            (x + r, y + r),
            (x - r, y + r),
        ],
        Mode::Reads => {
            let r = r * 1.3;
            vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)]
        }
    };
    picture.polygon(points, color);
}

fn ring(picture: &mut Picture, (x, y): (f64, f64)) {
    let circle = |r: f64| -> Vec<(f64, f64)> {
        let angles = (0..32).map(|i| f64::from(i) / 32.0 * std::f64::consts::TAU);
        angles.map(|a| (x + r * a.cos(), y + r * a.sin())).collect()
    };
    let mut outline = circle(10.0);
    outline.push((x + 10.0, y));
    picture.line(outline, 2.0, INK);
}

/// What colours, dashes and markers mean. Returns the y of the line below.
pub(super) fn key(
    picture: &mut Picture,
    traces: &[Trace<'_>],
    class: &ClassFinding,
    y: f64,
) -> f64 {
    let mut pen = Pen {
        x: sheet::MARGIN,
        y,
    };
    pen.heading(picture, "round trip added");
    for (i, at) in class.by_rtt.iter().enumerate() {
        let color = COLORS[i % COLORS.len()];
        pen.item(picture, &round_trip(at.rtt_s), |picture, x, y| {
            picture.line(vec![(x, y), (x + 22.0, y)], 3.0, color);
        });
    }
    if traces
        .iter()
        .any(|trace| trace.condition.synchronous_commit.is_some())
    {
        pen.heading(picture, "commit");
        pen.item(picture, "on: waits for the disk", |picture, x, y| {
            picture.line(vec![(x, y), (x + 22.0, y)], 2.0, INK);
        });
        pen.item(picture, "off", |picture, x, y| {
            picture.dashed_line(&[(x, y), (x + 24.0, y)], 2.0, INK);
        });
    }
    let mut pen = Pen {
        x: sheet::MARGIN,
        y: y + 22.0,
    };
    pen.heading(picture, "sent");
    let mut modes: Vec<Mode> = traces.iter().map(|trace| trace.curve.mode).collect();
    modes.sort_unstable();
    modes.dedup();
    for mode in &modes {
        pen.item(picture, mode.name(), |picture, x, y| {
            marker(picture, *mode, (x + 11.0, y), INK, false);
        });
    }
    pen.item(
        picture,
        "hollow: the pipeline's own choice, at its mean batch",
        |picture, x, y| {
            let mode = modes.first().copied().unwrap_or(Mode::Reads);
            marker(picture, mode, (x + 11.0, y), INK, true);
        },
    );
    pen.item(picture, "ringed: the knee", |picture, x, y| {
        ring(picture, (x + 11.0, y));
    });
    y + 22.0 + PITCH
}

/// Where the key goes on.
struct Pen {
    x: f64,
    y: f64,
}

impl Pen {
    fn heading(&mut self, picture: &mut Picture, text: &str) {
        let style = TextStyle::new(SMALL, MUTED).bold();
        picture.text(text, self.x, self.y, style);
        self.x += style.width(text) + 14.0;
    }

    fn item(&mut self, picture: &mut Picture, text: &str, draw: impl Fn(&mut Picture, f64, f64)) {
        let style = TextStyle::new(SMALL, INK);
        draw(picture, self.x, self.y);
        picture.text(text, self.x + 30.0, self.y, style);
        self.x += 30.0 + style.width(text) + 20.0;
    }
}
