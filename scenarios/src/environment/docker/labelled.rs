//! Containers that are known by a label only.

use std::{collections::HashMap, time::Duration};

use seawall::clock;
use testcontainers::bollard::{
    self, Docker,
    models::ContainerSummary,
    query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder},
};

use super::{super::EnvironmentError, COMMAND, short, within};

/// All containers with this label, whatever state they are in.
pub(in super::super) async fn labelled(
    docker: &Docker,
    label: &str,
) -> Result<Vec<ContainerSummary>, EnvironmentError> {
    let what = "listing containers";
    let filters = HashMap::from([("label", vec![label])]);
    let all = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    within(COMMAND, what, docker.list_containers(Some(all)))
        .await?
        .map_err(|error| EnvironmentError::failed(what, short(&error)))
}

/// Removes a container with its volumes, whatever state it is in; that somebody else
/// does or did is as good.
pub(in super::super) async fn remove(docker: &Docker, id: &str) -> Result<(), EnvironmentError> {
    let what = "removing a container";
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    let answer = within(COMMAND, what, docker.remove_container(id, Some(options))).await?;
    match answer {
        Ok(()) => Ok(()),
        Err(error) if status(&error) == Some(404) => Ok(()),
        // Under way already.
        Err(error) if status(&error) == Some(409) => {
            within(COMMAND, what, absent(docker, id)).await
        }
        Err(error) => Err(EnvironmentError::failed(what, short(&error))),
    }
}

async fn absent(docker: &Docker, id: &str) {
    loop {
        let inspected = docker.inspect_container(id, None).await;
        if inspected.is_err_and(|error| status(&error) == Some(404)) {
            return;
        }
        clock::sleep(Duration::from_millis(50)).await;
    }
}

fn status(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
