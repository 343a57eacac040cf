//! A Postgres client layer that survives its database.
