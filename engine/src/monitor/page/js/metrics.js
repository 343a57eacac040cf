// What is charted, and how it is called and coloured. The server sends each second of these.

export const OUTCOMES = [
  ["queries_ok_per_second", "ok", "ok"],
  ["queries_given_up_per_second", "given up", "grey"],
  ["queries_statement_per_second", "statement", "sand"],
  ["queries_conflict_per_second", "conflict", "olive"],
  ["queries_rolled_back_per_second", "rolled back", "olive"],
  ["queries_skipped_per_second", "skipped", "grey"],
  ["queries_read_only_per_second", "read only", "pink"],
  ["queries_configuration_per_second", "configuration", "pink"],
  ["queries_overload_per_second", "overload", "orange"],
  ["queries_exhausted_per_second", "exhausted", "orange"],
  ["queries_circuit_open_per_second", "circuit open", "violet"],
  ["queries_timeout_per_second", "timeout", "red"],
  ["queries_network_per_second", "network", "crimson"],
  ["queries_unavailable_per_second", "unavailable", "crimson"],
];

export const LATENCY = [
  ["query_max_seconds", "max", "faint"],
  ["query_p99_seconds", "p99", "red"],
  ["query_p90_seconds", "p90", "orange"],
  ["query_p50_seconds", "p50", "ok"],
];

export const ACQUIRE = [
  ["acquire_p99_seconds", "p99", "red"],
  ["acquire_p50_seconds", "p50", "ok"],
];

export const CONNECTIONS = [
  ["active_connections", "active", "ok"],
  ["idle_connections", "idle", "pale"],
];

export const LIMIT = ["max_connections", "max", "red"];

export const WAITING = [
  ["queue_depth", "for a connection", "orange"],
  ["waiting_for_circuit", "for the circuit", "violet"],
];

export const PIPELINE = [
  ["pipeline_batches_total", "batches", "ok"],
  ["pipeline_syncs_total", "syncs", "violet"],
];

export const CIRCUIT = "circuit_breaker_state";

export const ALL = [
  ...OUTCOMES,
  ...LATENCY,
  ...ACQUIRE,
  ...CONNECTIONS,
  LIMIT,
  ...WAITING,
  ...PIPELINE,
  [CIRCUIT],
].map(([metric]) => metric);
