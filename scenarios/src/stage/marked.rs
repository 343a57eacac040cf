//! What is there of the writes that are marked in the user's own scripts.

use std::time::Duration;

use futures_util::future::join_all;
use reports::run::Ledger;
use seawall::clock;
use tokio_postgres::{Row, Statement, types::Type};

use crate::{
    environment::{Endpoint, Session},
    load::{
        scripts::Scripts,
        told::{There, Write, judged},
        workload::{WorkloadError, within},
    },
    script::parameters,
};

/// Longest wait for the answers to all checks of a client: there may be a hundred thousand.
const READING: Duration = Duration::from_secs(120);
/// Checks that are under way at once, on one session.
const AT_ONCE: usize = 64;

/// Asks the check of each write how often it is there, on a fresh direct session.
///
/// # Errors
/// If one cannot be asked.
pub(super) async fn ledger(
    scripts: &Scripts,
    told: &[Write],
    direct: &Endpoint,
) -> Result<Ledger, WorkloadError> {
    let session = direct.session(clock::now() + READING).await?;
    within("checking", READING, asked(scripts, told, &session)).await
}

async fn asked(
    scripts: &Scripts,
    told: &[Write],
    session: &Session,
) -> Result<Ledger, tokio_postgres::Error> {
    let client = &session.client;
    let mut ledger = Ledger::default();
    for (place, weighted) in scripts.all().iter().enumerate() {
        let of_script = told.iter().filter(|write| write.script == place);
        let of_script: Vec<&Write> = of_script.collect();
        let (Some(written), false) = (weighted.script.written(), of_script.is_empty()) else {
            continue;
        };
        let check = client.prepare(&written.check.sql).await?;
        for some in of_script.chunks(AT_ONCE) {
            let answers = some.iter().map(|write| there(client, &check, write));
            for (write, there) in some.iter().zip(join_all(answers).await) {
                ledger += judged(write.counts, there?);
            }
        }
    }
    Ok(ledger)
}

async fn there(
    client: &tokio_postgres::Client,
    check: &Statement,
    write: &Write,
) -> Result<There, tokio_postgres::Error> {
    let rows = client.query(check, &parameters(&write.parameters)).await?;
    let Some(first) = rows.first() else {
        return Ok(There::AtAll(false));
    };
    said(first)
}

/// What a row of a check says.
fn said(row: &Row) -> Result<There, tokio_postgres::Error> {
    let Some(column) = row.columns().first() else {
        return Ok(There::AtAll(true));
    };
    let times = |n: Option<i64>| There::Times(n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0));
    Ok(match *column.type_() {
        Type::INT8 => times(row.try_get(0)?),
        Type::INT4 => times(row.try_get::<_, Option<i32>>(0)?.map(i64::from)),
        Type::INT2 => times(row.try_get::<_, Option<i16>>(0)?.map(i64::from)),
        Type::BOOL => There::AtAll(row.try_get::<_, Option<bool>>(0)? == Some(true)),
        _ => There::AtAll(true),
    })
}
