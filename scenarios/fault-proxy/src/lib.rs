//! An embeddable TCP fault proxy that speaks Toxiproxy's HTTP API.
