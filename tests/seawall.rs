//! End-to-end tests on a real Postgres.
