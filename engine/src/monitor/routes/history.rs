//! `/api/history/{metrics}` and `/api/heatmap`: the past of a pool.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use super::{App, Refusal, csv, span::Span};
use crate::metrics::{Heatmap, Point};

/// Most metrics at once.
const METRICS: usize = 64;
/// Most values at once: some megabytes of text.
const VALUES: u64 = 110_000;

fn bad(error: String) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, error)
}

/// What is answered, in part.
#[derive(Serialize)]
struct Answer<'a, T> {
    pool: &'a str,
    from_ms: u64,
    to_ms: u64,
    step_ms: u64,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct One<'a> {
    metric: &'a str,
    points: &'a [Point],
}

#[derive(Serialize)]
struct Several<'a> {
    unix_ms: Vec<u64>,
    values: BTreeMap<&'a str, Vec<Option<f64>>>,
}

fn answer<T: Serialize>(pool: &str, span: &Span, rest: T) -> Result<String, Refusal> {
    let answer = Answer {
        pool,
        from_ms: span.from_ms,
        to_ms: span.to_ms,
        step_ms: span.step_ms,
        rest,
    };
    serde_json::to_string(&answer)
        .map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// One metric, or several with commas between them: one line or column for each step.
pub(super) async fn history(
    State(app): State<Arc<App>>,
    Path(metrics): Path<String>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let shown = app.pool(asked.get("pool").map(String::as_str))?;
    let span = Span::read(&asked, &shown).map_err(bad)?;
    let as_csv = wants_csv(asked.get("format").map(String::as_str), &headers)?;
    let n = metrics.split(',').count();
    if n > METRICS {
        return Err(bad(format!("{n} metrics, allowed: {METRICS} at most")));
    }
    if n as u64 * span.points() > VALUES {
        let (points, most) = (span.points(), VALUES / n as u64);
        return Err(bad(format!(
            "{points} points of {n} metrics, allowed: {most} at most; choose a longer step_ms"
        )));
    }
    // Also what is written is written beside the runtime's workers.
    let text = app.look_back(move || {
        let metrics: Vec<&str> = metrics.split(',').collect();
        let one = |metric: &&str| {
            let points = shown
                .pool
                .history(metric, span.from_ms, span.to_ms, span.step_ms);
            points.map_err(|unknown| Refusal(StatusCode::NOT_FOUND, format!("metric: {unknown}")))
        };
        let mut columns = metrics.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        if span.is_empty() {
            columns.iter_mut().for_each(Vec::clear);
        }
        if as_csv {
            return Ok(csv::write(&shown.id, &metrics, &columns));
        }
        if let ([metric], [points]) = (metrics.as_slice(), columns.as_slice()) {
            return answer(&shown.id, &span, One { metric, points });
        }
        let times = columns.first().map_or(&[][..], Vec::as_slice).iter();
        let values = columns
            .iter()
            .map(|points| points.iter().map(|p| p.value).collect());
        let several = Several {
            unix_ms: times.map(|point| point.unix_ms).collect(),
            values: metrics.iter().copied().zip(values).collect(),
        };
        answer(&shown.id, &span, several)
    });
    let text: String = text.await??;
    if as_csv {
        let disposition = "attachment; filename=\"seawall-history.csv\"";
        let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8");
        let headers = [kind, (header::CONTENT_DISPOSITION, disposition)];
        return Ok((headers, text).into_response());
    }
    Ok(json(text))
}

/// How often queries took how long.
pub(super) async fn heatmap(
    State(app): State<Arc<App>>,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Response, Refusal> {
    let shown = app.pool(asked.get("pool").map(String::as_str))?;
    let span = Span::read(&asked, &shown).map_err(bad)?;
    let text = app.look_back(move || {
        let mut heatmap: Heatmap = shown.pool.heatmap(span.from_ms, span.to_ms, span.step_ms);
        if span.is_empty() {
            heatmap.columns.clear();
        }
        answer(&shown.id, &span, heatmap)
    });
    Ok(json(text.await??))
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn wants_csv(format: Option<&str>, headers: &HeaderMap) -> Result<bool, Refusal> {
    match format {
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(other) => {
            let shown: String = other.chars().take(40).collect();
            Err(bad(format!("format: {shown:?}, allowed: csv or json")))
        }
        None => {
            let accept = headers.get(header::ACCEPT);
            let accept = accept.and_then(|accept| accept.to_str().ok());
            Ok(accept.is_some_and(|accept| accept.contains("text/csv")))
        }
    }
}
