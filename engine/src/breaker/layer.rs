//! The breaker as a tower [`Layer`].

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{Breaker, CallError};

/// Puts a [`Breaker`] around a service. Clones share it.
#[derive(Debug, Clone)]
pub struct BreakerLayer(Breaker);

impl BreakerLayer {
    /// Around each service that it is put on, this breaker.
    #[must_use]
    pub fn new(breaker: Breaker) -> Self {
        Self(breaker)
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = Protected<S>;

    fn layer(&self, inner: S) -> Protected<S> {
        Protected {
            inner,
            breaker: self.0.clone(),
        }
    }
}

/// A service behind a breaker. Any error of it is a failure.
///
/// It is always ready when the service is: refusing is an answer.
#[derive(Debug, Clone)]
pub struct Protected<S> {
    inner: S,
    breaker: Breaker,
}

impl<S, Request> Service<Request> for Protected<S>
where
    S: Service<Request>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = CallError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(CallError::Failed)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let permit = match self.breaker.admit_owned(crate::clock::now()) {
            Ok(permit) => permit,
            Err(refused) => return Box::pin(std::future::ready(Err(refused.into()))),
        };
        let answer = self.inner.call(request);
        Box::pin(super::call::settle(permit, answer))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::breaker::{Config, State};

    /// Fails, and counts how often it was asked.
    #[derive(Clone, Default)]
    struct Failing(std::sync::Arc<std::sync::atomic::AtomicU32>);

    impl Service<()> for Failing {
        type Response = ();
        type Error = &'static str;
        type Future = std::future::Ready<Result<(), &'static str>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::future::ready(Err("theirs"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_circuit_does_not_ask_the_service_and_clones_share_it() {
        let breaker = Breaker::new(Config {
            failure_threshold: Some(2),
            recovery_timeout: Duration::from_secs(1),
            ..Config::default()
        });
        let inner = Failing::default();
        let mut first = BreakerLayer::new(breaker.clone()).layer(inner.clone());
        let mut second = first.clone();
        let failed = first.call(()).await;
        assert!(matches!(failed, Err(CallError::Failed("theirs"))));
        drop(second.call(()));
        assert_eq!(breaker.state(), State::Closed, "nobody waited for it");
        let failed = second.call(()).await;
        assert!(matches!(failed, Err(CallError::Failed("theirs"))));
        let refused = first.call(()).await;
        assert!(matches!(refused, Err(CallError::Refused(_))));
        assert_eq!(inner.0.load(std::sync::atomic::Ordering::Relaxed), 3);
    }
}
