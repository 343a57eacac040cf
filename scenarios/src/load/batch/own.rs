//! Tries the user's statements before anything is measured, so that what the server
//! refuses is an error of usage with its name, and not a run that fails halfway.

use std::time::Duration;

use engine::clock;
use reports::record::Class;

use crate::{
    environment::{Endpoint, Session, chain},
    load::workload::WorkloadError,
};

/// Longest wait for a statement, the first time.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs each statement of the user's classes twice, as it will be run again and again,
/// in a transaction that is rolled back.
///
/// # Errors
/// The first that the server refuses.
pub(crate) async fn try_all(classes: &[Class], direct: &Endpoint) -> Result<(), WorkloadError> {
    let own = classes.iter().filter(|class| class.guide_batch.is_none());
    for class in own {
        let session = direct.session(clock::now() + PATIENCE).await?;
        try_class(class, &session).await?;
    }
    Ok(())
}

async fn try_class(class: &Class, session: &Session) -> Result<(), WorkloadError> {
    let begin = if class.writes {
        "BEGIN"
    } else {
        "BEGIN READ ONLY"
    };
    let what = "trying the statements beside";
    run(session, begin)
        .await
        .map_err(|_| WorkloadError::Timeout { what })?
        .map_err(|source| WorkloadError::Statement { what, source })?;
    for _ in 0..2 {
        for (statement, number) in class.statements.iter().zip(1..) {
            let refused = |reason| WorkloadError::Refused {
                class: class.name.clone(),
                number,
                reason,
            };
            match run(session, statement).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(refused(chain(&error))),
                Err(clock::Elapsed) => {
                    let reason = format!("no answer within {} s", PATIENCE.as_secs());
                    return Err(refused(reason));
                }
            }
        }
    }
    // Dropping the session rolls back.
    Ok(())
}

/// As the load does it: prepared, one statement at a time.
async fn run(
    session: &Session,
    statement: &str,
) -> Result<Result<(), tokio_postgres::Error>, clock::Elapsed> {
    let done = session.client.query(statement, &[]);
    let done = clock::timeout_at(clock::now() + PATIENCE, done).await?;
    Ok(done.map(drop))
}
