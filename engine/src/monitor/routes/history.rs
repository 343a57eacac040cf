//! `/api/history/{metrics}` and `/api/heatmap`: the past of a pool.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::{App, Refusal, csv, span::Span};
use crate::metrics::{Point, UnknownMetric};

/// Most metrics at once.
const METRICS: usize = 64;

fn bad(error: String) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, error)
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
    let metrics: Vec<String> = metrics.split(',').map(str::to_owned).collect();
    if metrics.len() > METRICS {
        let error = format!("{} metrics, allowed: {METRICS} at most", metrics.len());
        return Err(bad(error));
    }
    let (pool, names) = (shown.pool.clone(), metrics.clone());
    let looked = move || {
        let Span {
            from_ms,
            to_ms,
            step_ms,
        } = span;
        let one = |metric: &String| pool.history(metric, from_ms, to_ms, step_ms);
        let columns = names
            .iter()
            .map(one)
            .collect::<Result<Vec<_>, UnknownMetric>>()?;
        Ok(if span.is_empty() {
            vec![Vec::new(); columns.len()]
        } else {
            columns
        })
    };
    let columns: Result<Vec<Vec<Point>>, UnknownMetric> = app.look_back(looked).await?;
    let columns =
        columns.map_err(|unknown| Refusal(StatusCode::NOT_FOUND, format!("metric: {unknown}")))?;
    if as_csv {
        let disposition = "attachment; filename=\"seawall-history.csv\"";
        let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8");
        let headers = [kind, (header::CONTENT_DISPOSITION, disposition)];
        let text = csv::write(&shown.id, &metrics, &columns);
        return Ok((headers, text).into_response());
    }
    let mut answer = json!({
        "pool": &*shown.id,
        "from_ms": span.from_ms,
        "to_ms": span.to_ms,
        "step_ms": span.step_ms,
    });
    if let ([metric], [points]) = (metrics.as_slice(), columns.as_slice()) {
        answer["metric"] = json!(metric);
        answer["points"] = json!(points);
    } else {
        let times = columns
            .first()
            .map(|points| points.iter().map(|point| point.unix_ms));
        answer["unix_ms"] = json!(times.into_iter().flatten().collect::<Vec<_>>());
        let values = |points: &Vec<Point>| points.iter().map(|p| p.value).collect::<Vec<_>>();
        let all: HashMap<_, _> = metrics.iter().zip(columns.iter().map(values)).collect();
        answer["values"] = json!(all);
    }
    Ok(Json(answer).into_response())
}

/// How often queries took how long.
pub(super) async fn heatmap(
    State(app): State<Arc<App>>,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Response, Refusal> {
    let shown = app.pool(asked.get("pool").map(String::as_str))?;
    let span = Span::read(&asked, &shown).map_err(bad)?;
    let pool = shown.pool.clone();
    let Span {
        from_ms,
        to_ms,
        step_ms,
    } = span;
    let heatmap = app
        .look_back(move || pool.heatmap(from_ms, to_ms, step_ms))
        .await?;
    let columns = if span.is_empty() {
        &[][..]
    } else {
        &heatmap.columns
    };
    let answer = json!({
        "pool": &*shown.id,
        "from_ms": from_ms,
        "to_ms": to_ms,
        "step_ms": step_ms,
        "bounds_s": heatmap.bounds_s,
        "columns": columns,
    });
    Ok(Json(answer).into_response())
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
            let accept = headers
                .get(header::ACCEPT)
                .and_then(|accept| accept.to_str().ok());
            Ok(accept.is_some_and(|accept| accept.contains("text/csv")))
        }
    }
}
