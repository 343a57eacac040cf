//! `/login`: a form for the token.

use std::sync::Arc;

use axum::{
    Extension, Form,
    extract::{State, rejection::FormRejection},
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{App, Refusal};
use crate::{config::Secret, monitor::listen::Peer};

const FORM: &str = include_str!("../page/login.html");
/// Where the form says what was wrong.
const WRONG: (&str, &str) = (
    "<p role=\"alert\" hidden></p>",
    "<p role=\"alert\">That is not the token.</p>",
);

#[derive(Deserialize)]
pub(super) struct Login {
    token: Secret,
}

pub(super) async fn form(State(app): State<Arc<App>>) -> Response {
    if app.door.is_locked() {
        Html(FORM).into_response()
    } else {
        Redirect::to("/").into_response()
    }
}

pub(super) async fn login(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    login: Result<Form<Login>, FormRejection>,
) -> Response {
    if !app.door.is_locked() {
        return Redirect::to("/").into_response();
    }
    let Form(login) = match login {
        Ok(login) => login,
        Err(rejected) => {
            return Refusal(rejected.status(), "token: missing".to_owned()).into_response();
        }
    };
    match app.door.login(login.token.expose(), peer) {
        Ok(Some(cookie)) => {
            let mut response = Redirect::to("/").into_response();
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
        Ok(None) => {
            let form = FORM.replace(WRONG.0, WRONG.1);
            (StatusCode::UNAUTHORIZED, Html(form)).into_response()
        }
        Err(stopped) => stopped.into_response(),
    }
}
