//! The transport, against plain tokio-postgres: what comes out is the same.
