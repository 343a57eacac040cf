//! Real servers for the tests.

use std::{future::pending, sync::LazyLock};

use scenarios::environment::{Environment, Fill, Kind, Wanted};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Two at once: more would only wait for the processors.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// The kinds of environment that this machine is to be tested with.
pub(crate) fn kinds() -> Vec<Kind> {
    match std::env::var("SEAWALL_TEST_ENV").as_deref() {
        Ok("local") => vec![Kind::Local],
        Ok("docker") => vec![Kind::Docker],
        Ok(other) => panic!("SEAWALL_TEST_ENV: {other}, allowed: local, docker, or unset for both"),
        Err(_) => vec![Kind::Local, Kind::Docker],
    }
}

pub(crate) fn wanted(kind: Kind) -> Wanted {
    Wanted {
        kind,
        image: None,
        pg_bin: None,
        database_url: None,
        small_disk: false,
        own_database: None,
        fill: Fill::default(),
    }
}

/// A place among the servers that run at once.
pub(crate) async fn place() -> SemaphorePermit<'static> {
    PLACES.acquire().await.expect("never closed")
}

/// A server, and the place it takes among those that run at once.
pub(crate) async fn start(kind: Kind) -> (Environment, SemaphorePermit<'static>) {
    let place = place().await;
    match Environment::start(&wanted(kind), pending()).await {
        Ok(environment) => (environment, place),
        Err(error) => panic!(
            "this test needs a real PostgreSQL ({kind:?}): {error}\n\
             hint: SEAWALL_TEST_ENV=local or =docker leaves the other one out"
        ),
    }
}

/// Some server, whichever kind.
pub(crate) async fn any() -> (Environment, SemaphorePermit<'static>) {
    start(kinds()[0]).await
}
