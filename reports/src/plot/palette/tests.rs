//! What people with any of the usual kinds of eyes can tell apart.

use super::*;

const OUTCOMES: [RGBAColor; 7] = [OK, LATE, FAILED, REJECTED, TIMED_OUT, UNKNOWN, NOT_SENT];

type Matrix = [[f64; 3]; 3];

/// How colours look, in linear RGB, to eyes with all kinds of cones, and to those without
/// one of them: Machado, Oliveira and Fernandes (2009), severity 1.
const EYES: [(&str, Matrix); 4] = [
    (
        "all cones",
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ),
    (
        "protanopia",
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
    ),
    (
        "deuteranopia",
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
    ),
    (
        "tritanopia",
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ),
];

fn linear(RGBAColor(r, g, b, _): RGBAColor) -> [f64; 3] {
    [r, g, b].map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    })
}

fn times(matrix: &Matrix, of: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(of).map(|(a, b)| a * b).sum())
}

/// CIELAB, of linear RGB, under D65.
fn lab(rgb: [f64; 3]) -> [f64; 3] {
    let rgb = rgb.map(|part| part.clamp(0.0, 1.0));
    let xyz = times(
        &[
            [0.412_456_4, 0.357_576_1, 0.180_437_5],
            [0.212_672_9, 0.715_152_2, 0.072_175_0],
            [0.019_333_9, 0.119_192_0, 0.950_304_1],
        ],
        rgb,
    );
    let white = [0.950_47, 1.0, 1.088_83];
    let mut of = [0.0; 3];
    for (of, (part, white)) in of.iter_mut().zip(xyz.into_iter().zip(white)) {
        let t: f64 = part / white;
        *of = if t > 216.0 / 24_389.0 {
            t.cbrt()
        } else {
            (24_389.0 / 27.0 * t + 16.0) / 116.0
        };
    }
    let [x, y, z] = of;
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// CIEDE2000, as Sharma, Wu and Dalal (2005) write it.
fn distance(one: [f64; 3], other: [f64; 3]) -> f64 {
    let chroma = |[_, a, b]: [f64; 3]| f64::hypot(a, b);
    let seventh = |c: f64| (c.powi(7) / (c.powi(7) + 25_f64.powi(7))).sqrt();
    let g = 0.5 * (1.0 - seventh(f64::midpoint(chroma(one), chroma(other))));
    let turned = |[l, a, b]: [f64; 3]| {
        let a = a * (1.0 + g);
        let hue = b.atan2(a).to_degrees().rem_euclid(360.0);
        (l, f64::hypot(a, b), hue)
    };
    let ((l1, c1, h1), (l2, c2, h2)) = (turned(one), turned(other));
    let grey = c1 * c2 == 0.0;
    let around = |h: f64| match h {
        h if h > 180.0 => h - 360.0,
        h if h < -180.0 => h + 360.0,
        h => h,
    };
    let turn = if grey { 0.0 } else { around(h2 - h1) };
    let (dl, dc) = (l2 - l1, c2 - c1);
    let dh = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
    let (l, c) = (f64::midpoint(l1, l2), f64::midpoint(c1, c2));
    let h = if grey { h1 + h2 } else { h1 + turn / 2.0 };
    let cosine = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cosine(h - 30.0) + 0.24 * cosine(2.0 * h) + 0.32 * cosine(3.0 * h + 6.0)
        - 0.20 * cosine(4.0 * h - 63.0);
    let off = (l - 50.0).powi(2);
    let (sl, sc, sh) = (
        1.0 + 0.015 * off / (20.0 + off).sqrt(),
        1.0 + 0.045 * c,
        1.0 + 0.015 * c * t,
    );
    let h = h.rem_euclid(360.0);
    let rotation = 60.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
    let rt = -2.0 * seventh(c) * rotation.to_radians().sin();
    let (l, c, h) = (dl / sl, dc / sc, dh / sh);
    (l * l + c * c + h * h + rt * c * h).sqrt()
}

/// The ratio of WCAG 2, 1 to 21.
pub(crate) fn contrast(one: RGBAColor, other: RGBAColor) -> f64 {
    let light = |color| {
        let [r, g, b] = linear(color);
        0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05
    };
    let (a, b) = (light(one), light(other));
    a.max(b) / a.min(b)
}

/// A colour on white paper, or its counterpart on dark.
fn on(dark: bool, color: RGBAColor) -> RGBAColor {
    let known = SCHEMES.iter().find(|(light, _)| hex(*light) == hex(color));
    let (light, of_dark) = known.expect("a colour of the house");
    if dark { *of_dark } else { *light }
}

#[test]
fn the_distance_is_that_of_the_textbook() {
    // Pairs 1, 7 and 17 of Sharma, Wu and Dalal (2005).
    for (one, other, expected) in [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
        ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
    ] {
        let found = distance(one, other);
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn any_two_outcomes_are_told_apart_by_any_eyes_on_light_and_on_dark() {
    for dark in [false, true] {
        for (eyes, matrix) in &EYES {
            let seen = |color| lab(times(matrix, linear(on(dark, color))));
            let all: Vec<RGBAColor> = OUTCOMES.into_iter().chain([LANE]).collect();
            for (i, one) in all.iter().enumerate() {
                for other in &all[i + 1..] {
                    let far = distance(seen(*one), seen(*other));
                    let pair = (hex(*one), hex(*other));
                    assert!(far >= 15.0, "{eyes}, dark {dark}: {pair:?} {far:.1}");
                }
            }
        }
    }
}

#[test]
fn any_two_outcomes_are_different_greys_in_print() {
    let mut greys = OUTCOMES.map(|color| lab(linear(color))[0]);
    greys.sort_by(f64::total_cmp);
    for pair in greys.windows(2) {
        assert!(pair[1] - pair[0] >= 10.0, "{greys:?}");
    }
}

#[test]
fn all_text_can_be_read_on_light_and_on_dark() {
    for dark in [false, true] {
        let readable = |ink, paper| {
            let ratio = contrast(on(dark, ink), on(dark, paper));
            let pair = (hex(ink), hex(paper));
            assert!(ratio >= 4.5, "dark {dark}: {pair:?} {ratio:.2}");
        };
        for paper in [PAPER, LANE] {
            for ink in [INK, MUTED, CLAIMED, ALARM] {
                readable(ink, paper);
            }
        }
        for step in 0..=8 {
            let (color, ink) = heat(f64::from(step) / 8.0);
            assert_eq!(hex(color), hex(HEAT[usize::try_from(step).unwrap()]));
            readable(ink, color);
        }
        readable(INK, CLOSED);
        readable(PAPER, OPEN);
        readable(INK, HALF_OPEN);
    }
}

#[test]
fn each_colour_has_one_counterpart() {
    let mut all: Vec<String> = SCHEMES.iter().map(|(light, _)| hex(*light)).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), SCHEMES.len());
    let scheme = scheme();
    assert!(
        scheme
            .rules
            .contains(".plot [fill=\"#FFFFFF\"]{fill:var(--plot-0)}")
    );
    assert!(scheme.dark.starts_with("--plot-0:#1D2024;"));
}
