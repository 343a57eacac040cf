//! The dashboard, as the browser gets it: files that are part of the program.

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};

use super::Refusal;

const INDEX: &str = include_str!("../page/index.html");
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The files beside the page, and their types.
const FILES: &[(&str, &str, &str)] = &[
    ("style.css", CSS, include_str!("../page/style.css")),
    ("icon.svg", SVG, include_str!("../page/icon.svg")),
    ("actions.js", JS, include_str!("../page/js/actions.js")),
    ("alerts.js", JS, include_str!("../page/js/alerts.js")),
    ("app.js", JS, include_str!("../page/js/app.js")),
    ("ask.js", JS, include_str!("../page/js/ask.js")),
    ("chart.js", JS, include_str!("../page/js/chart.js")),
    ("circuit.js", JS, include_str!("../page/js/circuit.js")),
    ("dom.js", JS, include_str!("../page/js/dom.js")),
    ("heatmap.js", JS, include_str!("../page/js/heatmap.js")),
    ("live.js", JS, include_str!("../page/js/live.js")),
    ("metrics.js", JS, include_str!("../page/js/metrics.js")),
    ("past.js", JS, include_str!("../page/js/past.js")),
    ("pool.js", JS, include_str!("../page/js/pool.js")),
    ("text.js", JS, include_str!("../page/js/text.js")),
];

pub(super) async fn index() -> Html<&'static str> {
    Html(INDEX)
}

pub(super) async fn file(Path(name): Path<String>) -> Result<Response, Refusal> {
    let file = FILES.iter().find(|(file, _, _)| *file == name);
    let Some((_, kind, text)) = file else {
        let error = "there is no such file".to_owned();
        return Err(Refusal(StatusCode::NOT_FOUND, error));
    };
    Ok(([(header::CONTENT_TYPE, *kind)], *text).into_response())
}
