//! [`Breaker::call`]: puts the breaker around any future.

#[cfg(feature = "tower")]
use super::OwnedPermit;
use super::{Breaker, CallOutcome, Refused, outcome::Cause};
use crate::clock;

/// Why a protected call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// The breaker refused it, and it was not made.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It was made, and failed.
    #[error(transparent)]
    Failed(E),
}

impl Breaker {
    /// Makes a call, unless the circuit is open. Any error is a failure.
    ///
    /// Cancel safe as far as `call` is: a dropped future is a neutral release.
    ///
    /// # Errors
    /// [`CallError::Refused`], and then nothing of `call` has run; or its own error.
    pub async fn call<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError<E>> {
        self.call_as(call, |_| Some(Cause::of("error"))).await
    }

    /// Makes a call, unless the circuit is open. `cause` says of an error what kind of
    /// failure it is; `None` for one that is the caller's own mistake, which is a sign
    /// of life.
    ///
    /// Cancel safe as far as `call` is: a dropped future is a neutral release.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_as<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        cause: impl FnOnce(&E) -> Option<Cause>,
    ) -> Result<T, CallError<E>> {
        let permit = self.admit(clock::now())?;
        let done = call.await;
        let now = clock::now();
        match done.as_ref().err().and_then(cause) {
            Some(cause) => permit.fail(cause, now),
            None => permit.record(CallOutcome::Success, now),
        };
        done.map_err(CallError::Failed)
    }
}

/// Waits for a call that was admitted, and says what came of it.
#[cfg(feature = "tower")]
pub(super) async fn settle<T, E>(
    mut permit: OwnedPermit,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, CallError<E>> {
    let done = call.await;
    let (began, now) = (permit.began(), clock::now());
    match &done {
        Ok(_) => permit.record(CallOutcome::Success, None, began, now),
        Err(_) => permit.record(CallOutcome::Failure, Some(Cause::of("error")), began, now),
    };
    done.map_err(CallError::Failed)
}
