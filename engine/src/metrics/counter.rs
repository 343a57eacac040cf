//! [`Counter`]: what is counted.

/// What is counted. All counters only go up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counter {
    /// Callers' queries that were handed to a connection: of a pipeline each one, also
    /// where many share a statement or a transaction, and again if it is sent again.
    QueriesSent,
    /// Connections handed to callers.
    Acquired,
    /// Of these: connections that had been used before.
    Reused,
    /// Callers that gave up before they had a connection.
    AcquiresGivenUp,
    /// Connections that came back fit for use.
    Released,
    /// Connections closed on return: broken, in a transaction, or of an evicted host.
    Discarded,
    /// Idle connections dropped because they were found closed, or their host dead.
    Evicted,
    /// Connections tried, by the pool and by the probe.
    ConnectAttempts,
    /// Connections that the pool has taken in, made by itself or by a probe.
    Created,
    /// Of these: connections that are closed.
    Closed,
    /// Callers that had no connection in time because all were in use.
    Exhaustions,
    /// Idle connections asked whether the server is there, before they were lent.
    HealthChecks,
    /// Of these: connections that did not answer.
    HealthChecksFailed,
    /// Probes of an open breaker.
    Probes,
    /// Probes without an answer.
    ProbesFailed,
    /// Batches that a pipeline has sent and got answered.
    PipelineBatches,
    /// Syncs of pipelines: times that the server was asked to answer and wait.
    PipelineSyncs,
    /// Queries without a result in pipelines that were dropped.
    PipelineDropped,
    /// Loans that were given up in the middle of something.
    Abandoned,
    /// Requests to the server to stop what was given up.
    Cancels,
    /// Callers that waited for the circuit to close.
    Waited,
    /// Callers that were refused because too many waited already.
    WaitingFull,
    /// Times that no answer came for suspiciously long, and the server was asked.
    Suspicions,
    /// Connections from before an outage that had only been slow, and are lent again.
    Kept,
}

impl Counter {
    /// All counters, in the order of their metrics.
    pub const ALL: &[Self] = &[
        Self::QueriesSent,
        Self::Acquired,
        Self::Reused,
        Self::AcquiresGivenUp,
        Self::Released,
        Self::Discarded,
        Self::Evicted,
        Self::ConnectAttempts,
        Self::Created,
        Self::Closed,
        Self::Exhaustions,
        Self::HealthChecks,
        Self::HealthChecksFailed,
        Self::Probes,
        Self::ProbesFailed,
        Self::PipelineBatches,
        Self::PipelineSyncs,
        Self::PipelineDropped,
        Self::Abandoned,
        Self::Cancels,
        Self::Waited,
        Self::WaitingFull,
        Self::Suspicions,
        Self::Kept,
    ];

    /// Its name: in a status as it stands, in an exposition behind `connection_pool_`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QueriesSent => "queries_sent_total",
            Self::Acquired => "connections_acquired_total",
            Self::Reused => "connections_reused_total",
            Self::AcquiresGivenUp => "acquires_given_up_total",
            Self::Released => "connections_released_total",
            Self::Discarded => "connections_discarded_total",
            Self::Evicted => "connections_evicted_total",
            Self::ConnectAttempts => "connect_attempts_total",
            Self::Created => "connections_created_total",
            Self::Closed => "connections_closed_total",
            Self::Exhaustions => "pool_exhaustion_events_total",
            Self::HealthChecks => "health_checks_total",
            Self::HealthChecksFailed => "health_checks_failed_total",
            Self::Probes => "circuit_breaker_probes_total",
            Self::ProbesFailed => "circuit_breaker_probes_failed_total",
            Self::PipelineBatches => "pipeline_batches_total",
            Self::PipelineSyncs => "pipeline_syncs_total",
            Self::PipelineDropped => "pipeline_dropped_total",
            Self::Abandoned => "connections_abandoned_total",
            Self::Cancels => "cancels_total",
            Self::Waited => "waited_for_circuit_total",
            Self::WaitingFull => "waiting_full_total",
            Self::Suspicions => "circuit_breaker_suspicions_total",
            Self::Kept => "connections_kept_total",
        }
    }

    /// What it counts, in words, without a full stop.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::QueriesSent => "Queries that were handed to a connection, each time they were",
            Self::Acquired => "Connections handed to callers",
            Self::Reused => "Connections handed to callers that had been used before",
            Self::AcquiresGivenUp => "Callers that gave up before they had a connection",
            Self::Released => "Connections that came back fit for use",
            Self::Discarded => "Connections that were closed when they came back",
            Self::Evicted => "Idle connections that were dropped, found closed or their host dead",
            Self::ConnectAttempts => "Connections tried, by the pool and by the probe",
            Self::Created => "Connections that the pool has taken in",
            Self::Closed => "Connections of the pool that are closed",
            Self::Exhaustions => "Callers that had no connection in time because all were in use",
            Self::HealthChecks => "Idle connections that were asked whether the server is there",
            Self::HealthChecksFailed => "Idle connections that did not answer when asked",
            Self::Probes => "Probes of an open circuit",
            Self::ProbesFailed => "Probes of an open circuit without an answer",
            Self::PipelineBatches => "Batches that pipelines have sent and got answered",
            Self::PipelineSyncs => "Times that pipelines asked the server to answer and wait",
            Self::PipelineDropped => "Queries without a result in pipelines that were dropped",
            Self::Abandoned => "Loans that were given up in the middle of something",
            Self::Cancels => "Requests to the server to stop what was given up",
            Self::Waited => "Callers that waited for the circuit to close",
            Self::WaitingFull => "Callers refused because too many waited already",
            Self::Suspicions => "Times that no answer came for suspiciously long",
            Self::Kept => "Connections from before an outage that are lent again",
        }
    }
}
