//! Toxiproxy's HTTP API: from a request to a [`Call`], from its result to a
//! response.
//!
//! `route` and `body` are pure: what a request means depends on nothing else.
//! `service` joins them to axum; `listener` bounds and ends the connections
//! that requests come on. What a call does is not known here.
//!
//! [`Call`]: crate::control::Call

mod body;
mod error;
mod listener;
mod route;
mod service;

pub(crate) use body::{NewProxy, NewToxic, Object, ProxyChange};
pub(crate) use error::{ApiError, ErrorView};
pub(crate) use listener::ApiListener;
pub(crate) use service::router;
