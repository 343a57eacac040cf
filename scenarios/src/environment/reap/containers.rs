//! Containers: found by label, judged by the lease on another.

use testcontainers::bollard::models::ContainerSummary;

use super::{
    super::{
        EnvironmentError,
        docker::{LABEL, LEASE_LABEL, engine, labelled, remove},
        lease::{Holder, Lease},
    },
    Outcome, Thing,
    found::why,
};

const KIND: &str = "container";

/// Looks at all containers of ours and removes, unless `dry_run`, those that belong
/// to nobody, with their volumes and in whatever state they are.
///
/// Cancel safe: the engine carries out what it was told, the rest is found the next
/// time.
pub(super) async fn reap(dry_run: bool) -> Result<Vec<Thing>, EnvironmentError> {
    let docker = engine().await?;
    let mut things = Vec::new();
    for container in labelled(&docker, LABEL).await? {
        let Some(id) = container.id.clone() else {
            continue;
        };
        let (runner, holder) = holder(&container);
        let why = why(runner, holder, &format!("docker rm -f -v {}", brief(&id)));
        let mut thing = Thing::left_alone(KIND, brief(&id).to_owned(), why);
        if holder == Holder::Gone {
            thing.outcome = match dry_run {
                true => Outcome::WouldRemove,
                false => match remove(&docker, &id).await {
                    Ok(()) => Outcome::Removed,
                    Err(error) => Outcome::Failed(error.to_string()),
                },
            };
        }
        things.push(thing);
    }
    Ok(things)
}

/// As the `docker` command shows it.
fn brief(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn holder(container: &ContainerSummary) -> (Option<u32>, Holder) {
    let label = |name: &str| container.labels.as_ref()?.get(name);
    let number = label(LABEL).and_then(|pid| pid.parse().ok());
    match label(LEASE_LABEL).map(|text| text.parse::<Lease>()) {
        Some(Ok(lease)) => (Some(lease.pid()), lease.holder()),
        Some(Err(_)) => (number, Holder::Unknown("its lease is of another version")),
        // An engine serves more than one machine, so the number alone says nothing.
        None => (number, Holder::Unknown("it has no lease")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_container_is_judged_by_its_lease_alone() {
        let ours = Lease::ours().expect("Linux").to_string();
        let this = std::process::id();
        let gone = ours.replace(&format!("pid={this}"), "pid=2147483647");
        let foreign = gone.replace("boot=", "boot=x");
        for (lease, runner, holder_is) in [
            (Some(ours.as_str()), Some(this), Some(Holder::Alive)),
            (Some(gone.as_str()), Some(2_147_483_647), Some(Holder::Gone)),
            (Some(foreign.as_str()), Some(2_147_483_647), None),
            (Some(""), Some(5), None),
            (None, Some(5), None),
        ] {
            let mut labels = HashMap::from([(LABEL.to_owned(), "5".to_owned())]);
            if let Some(lease) = lease {
                labels.insert(LEASE_LABEL.to_owned(), lease.to_owned());
            }
            let container = ContainerSummary {
                labels: Some(labels),
                ..ContainerSummary::default()
            };
            let (pid, holder) = holder(&container);
            assert_eq!(pid, runner, "{lease:?}");
            match holder_is {
                Some(expected) => assert_eq!(holder, expected, "{lease:?}"),
                None => assert!(matches!(holder, Holder::Unknown(_)), "{lease:?}"),
            }
        }
    }
}
