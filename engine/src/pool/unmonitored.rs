//! [`Monitoring`] without the feature `monitoring`: there is none.

use std::sync::Arc;

use super::acquire::Inner;
use crate::{config::PoolConfig, status::MonitoringStatus};

pub(super) struct Monitoring;

impl Monitoring {
    pub(super) fn new(_: &PoolConfig) -> Self {
        Self
    }

    pub(super) fn stop(&self) {}

    pub(super) fn status(&self) -> MonitoringStatus {
        MonitoringStatus::default()
    }
}

impl Inner {
    #[inline]
    pub(super) fn keep_shown(self: &Arc<Self>) {}
}
