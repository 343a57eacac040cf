//! From a list of shapes to a file: SVG and PNG, by plotters.
//!
//! The font is linked in, so that a picture needs none of the machine's and is
//! the same everywhere. In the SVG its name stands first, followed by ones of
//! about its width.

use std::{error::Error, path::Path, sync::OnceLock};

use plotters::{
    backend::{BitMapBackend, DrawingBackend, SVGBackend},
    style::{
        Color, FontDesc, FontFamily, FontStyle, IntoTextStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::picture::{Align, Area, Picture, Shape, Text};

const FAMILY: &str = "DejaVu Sans, Verdana, Arial, sans-serif";
static REGULAR: &[u8] = include_bytes!("../../fonts/DejaVuSans.ttf");
static BOLD: &[u8] = include_bytes!("../../fonts/DejaVuSans-Bold.ttf");

/// Ascent and descent of the font, of one em: what a PNG's text size means.
const LINE_PER_EM: f64 = 1.164;
/// What plotters divides a text size by to get an SVG's font size.
const SVG_PER_EM: f64 = 1.24;

/// Why a picture could not be painted.
#[derive(Debug, thiserror::Error)]
#[error("{path} could not be painted")]
pub struct PlotError {
    path: String,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

/// A picture of a run.
#[derive(Debug, Clone)]
pub struct Plot {
    /// Its file name, without extension.
    pub name: String,
    /// What is to be seen, for who cannot see it.
    pub title: String,
    pub(crate) picture: Picture,
}

impl Plot {
    /// The picture as an SVG document of its own.
    ///
    /// # Errors
    /// If plotters cannot draw it.
    pub fn svg(&self) -> Result<String, PlotError> {
        let text = svg(&self.picture, &self.name)?;
        Ok(told(&text, &self.title, &self.picture))
    }

    /// Writes the picture as a PNG file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn png(&self, path: &Path) -> Result<(), PlotError> {
        png(&self.picture, path)
    }
}

/// The picture as an SVG document.
fn svg(picture: &Picture, name: &str) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut text, SVG.size(picture));
        paint(picture, &mut backend, &SVG).map_err(|source| PlotError {
            path: format!("{name}.svg"),
            source,
        })?;
    }
    // Level and upright edges, smoothed, would leave seams; curves want it.
    let smooth = r#"<polyline shape-rendering="auto" stroke-linejoin="round" "#;
    Ok(text.replace("<polyline ", smooth))
}

/// With what it is called, for who cannot see it, and what its marks say to who points at
/// them, which plotters does not write.
fn told(svg: &str, title: &str, picture: &Picture) -> String {
    let title = escaped(title);
    let head = format!(r#"<svg role="img" aria-label="{title}" shape-rendering="crispEdges" "#);
    let svg = svg.replacen("<svg ", &head, 1);
    let svg = match svg
        .find("<svg ")
        .and_then(|at| Some(at + svg[at..].find('>')? + 1))
    {
        Some(inside) => format!("{}<title>{title}</title>{}", &svg[..inside], &svg[inside..]),
        None => svg,
    };
    let tips = picture.tips.iter().map(|tip| {
        let Area {
            left,
            top,
            right,
            bottom,
        } = tip.area;
        format!(
            "<rect x=\"{left:.0}\" y=\"{top:.0}\" width=\"{:.0}\" height=\"{:.0}\" fill=\"none\" \
             pointer-events=\"all\"><title>{}</title></rect>\n",
            (right - left).max(1.0),
            (bottom - top).max(1.0),
            escaped(&tip.says)
        )
    });
    let tips: String = tips.collect();
    match svg.rfind("</svg>") {
        Some(end) => format!("{}{tips}{}", &svg[..end], &svg[end..]),
        None => svg,
    }
}

/// Text as it stands in XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Writes the picture as a PNG file.
fn png(picture: &Picture, path: &Path) -> Result<(), PlotError> {
    let mut backend = BitMapBackend::new(path, PNG.size(picture));
    paint(picture, &mut backend, &PNG).map_err(|source| PlotError {
        path: path.display().to_string(),
        source,
    })
}

/// What a backend makes of a picture.
struct Setting {
    /// Pixels for each of the picture's.
    scale: f64,
    /// The text size that it calls one em.
    per_em: f64,
    /// Where the top of a line is, seen from the middle of the capital letters,
    /// in em.
    top: f64,
}

/// The baseline is 0.76 em below the anchor; capitals are 0.73 em high.
const SVG: Setting = Setting {
    scale: 1.0,
    per_em: SVG_PER_EM,
    top: 0.365 - 0.76,
};

/// The baseline is half a line below the anchor. Two pixels for one: sharp on
/// any screen, and the letters of plotters, which stand on whole pixels, are
/// evenly spaced.
const PNG: Setting = Setting {
    scale: 2.0,
    per_em: LINE_PER_EM,
    top: 0.365 - LINE_PER_EM / 2.0,
};

impl Setting {
    fn size(&self, picture: &Picture) -> (u32, u32) {
        let (width, height) = self.pixel((picture.width, picture.height));
        (
            u32::try_from(width).unwrap_or(1),
            u32::try_from(height).unwrap_or(1),
        )
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float becomes the nearest integer there is, and a picture has a few thousand pixels"
    )]
    fn pixel(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (
            (x * self.scale).round() as i32,
            (y * self.scale).round() as i32,
        )
    }
}

fn paint<B: DrawingBackend>(
    picture: &Picture,
    backend: &mut B,
    setting: &Setting,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    B::ErrorType: 'static,
{
    fonts()?;
    backend.ensure_prepared()?;
    for shape in &picture.shapes {
        match shape {
            Shape::Rect { area, color } => {
                let (from, to) = (
                    setting.pixel((area.left, area.top)),
                    setting.pixel((area.right, area.bottom)),
                );
                let to = (to.0.max(from.0 + 1), to.1.max(from.1 + 1));
                backend.draw_rect(from, to, &color.filled(), true)?;
            }
            Shape::Polygon { points, color } => {
                let points = points.iter().map(|point| setting.pixel(*point));
                backend.fill_polygon(points, &color.filled())?;
            }
            Shape::Line {
                points,
                width,
                color,
            } => {
                let points = points.iter().map(|point| setting.pixel(*point));
                let (width, _) = setting.pixel((*width, 0.0));
                let style = color.stroke_width(width.unsigned_abs().max(1));
                backend.draw_path(points, &style)?;
            }
            Shape::Text(text) => {
                let size = text.style.size * setting.per_em * setting.scale;
                let style = font(size, text.style.bold)
                    .into_text_style(&setting.size(picture))
                    .color(&text.style.color)
                    .pos(Pos::new(anchor(text), VPos::Top));
                let at = (text.x, text.y + setting.top * text.style.size);
                backend.draw_text(&text.text, &style, setting.pixel(at))?;
            }
        }
    }
    backend.present()?;
    Ok(())
}

fn anchor(text: &Text) -> HPos {
    match text.style.align {
        Align::Left => HPos::Left,
        Align::Center => HPos::Center,
        Align::Right => HPos::Right,
    }
}

/// Width of a text in pixels, as the PNG has it.
pub(crate) fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    let measured = fonts()
        .ok()
        .and_then(|()| font(size * LINE_PER_EM, bold).box_size(text).ok());
    // Without a font, nothing will be painted.
    measured.map_or(0.0, |(width, _)| f64::from(width))
}

fn font(size: f64, bold: bool) -> FontDesc<'static> {
    let style = if bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    FontDesc::new(FontFamily::Name(FAMILY), size, style)
}

#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the linked font is not a font")]
struct NoFont;

fn fonts() -> Result<(), NoFont> {
    static REGISTERED: OnceLock<Result<(), NoFont>> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        register_font(FAMILY, FontStyle::Normal, REGULAR).map_err(|_| NoFont)?;
        register_font(FAMILY, FontStyle::Bold, BOLD).map_err(|_| NoFont)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::sheet;

    #[test]
    fn marks_say_what_they_are_and_what_they_say_stays_text() {
        let (mut shapes, y) = sheet::begin("a", "b");
        let area = Area {
            left: 10.0,
            top: 20.0,
            right: 40.0,
            bottom: 50.0,
        };
        shapes.tip(area, "1 < 2 & \"x\"</title><script>");
        // Nobody can point at this.
        shapes.tip(
            Area {
                right: 10.0,
                ..area
            },
            "nothing",
        );
        let plot = Plot {
            name: "x".to_owned(),
            title: "<b> & \"c\"".to_owned(),
            picture: sheet::end(shapes, y + 60.0),
        };
        let svg = plot.svg().unwrap();
        let told = "<rect x=\"10\" y=\"20\" width=\"30\" height=\"30\" fill=\"none\" \
                    pointer-events=\"all\"><title>1 &lt; 2 &amp; &quot;x&quot;&lt;/title&gt;&lt;\
                    script&gt;</title></rect>\n</svg>";
        assert!(svg.trim_end().ends_with(told), "{svg}");
        assert!(!svg.contains("nothing") && !svg.contains("<script"));
        let name = "&lt;b&gt; &amp; &quot;c&quot;";
        assert!(svg.contains(&format!("role=\"img\" aria-label=\"{name}\"")));
        assert!(svg.contains(&format!("><title>{name}</title>")));
        assert_eq!(svg.matches("<title>").count(), 2);
    }

    #[test]
    fn a_picture_has_no_colour_but_those_of_the_house() {
        let (mut shapes, y) = sheet::begin("a", "b");
        shapes.level(y, 10.0, 20.0, super::super::palette::VERMILION);
        let svg = Plot {
            name: "x".to_owned(),
            title: "a".to_owned(),
            picture: sheet::end(shapes, y + 60.0),
        };
        // As plotters writes it, so that a style sheet finds it.
        assert!(svg.svg().unwrap().contains("fill=\"#D55E00\""));
    }
}
