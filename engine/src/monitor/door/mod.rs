//! [`Door`]: who may come in, and what all answers say to browsers.

mod host;
mod rate;
mod token;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{self, AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, ORIGIN, UPGRADE},
    },
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use self::{
    rate::Rates,
    token::{LOGGED_IN, Sessions},
};
use super::{
    counts::{Count, Counts},
    listen::Peer,
    routes::Refusal,
};
use crate::{
    clock::{self, Instant},
    config::Secret,
};

/// The longest body: a rule of an alert has some hundred bytes.
pub(super) const BODY: usize = 64 * 1_024;
/// Requests that a client may have at once, and a second: a page asks once or twice a second,
/// and as often again when it is opened.
const REQUESTS: (u32, f64) = (300, 100.0);
/// Wrong tokens that a client may have at once, and a second.
const TRIES: (u32, f64) = (5, 0.2);
/// How long a request may take, all in all.
const REQUEST: Duration = Duration::from_secs(15);

/// What everything is sent with: no foreign scripts, no frames, no guesses at types, no copies.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With none at all, browsers say of a form that its origin is `null`.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// What needs no token; see the module above for why.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/login", "/page/style.css"];

/// Who may come in.
#[derive(Debug)]
pub(super) struct Door {
    token: Secret,
    loopback: bool,
    cookie: String,
    sessions: Mutex<Sessions>,
    requests: Mutex<Rates>,
    tries: Mutex<Rates>,
    counts: Arc<Counts>,
}

impl Door {
    pub(super) fn new(token: Secret, address: std::net::SocketAddr, counts: Arc<Counts>) -> Self {
        Self {
            token,
            loopback: address.ip().is_loopback(),
            // Cookies are of a host, whatever the port: two monitors must not share one.
            cookie: format!("seawall_monitor_{}", address.port()),
            sessions: Mutex::default(),
            requests: Mutex::new(Rates::new(REQUESTS.0, REQUESTS.1)),
            tries: Mutex::new(Rates::new(TRIES.0, TRIES.1)),
            counts,
        }
    }

    /// Whether a token is needed at all.
    pub(super) fn is_locked(&self) -> bool {
        !self.token.is_empty()
    }

    fn look(&self, request: &Request, now: Instant) -> Result<(), Stopped> {
        let headers = request.headers();
        let host = text(headers, &HOST).unwrap_or_default();
        // With a token, a foreign page has no use for our name: it does not have the cookie.
        if self.loopback && !self.is_locked() && !host::is_loopback(host) {
            self.counts.add(Count::HostRefused);
            let error = format!("host: {host:?}, allowed: localhost, or a loopback address");
            return Err(Stopped::At(Refusal(StatusCode::FORBIDDEN, error)));
        }
        self.same_origin(request, host)?;
        let length = text(headers, &CONTENT_LENGTH).and_then(|n| n.parse::<u64>().ok());
        if length.is_some_and(|length| length > BODY as u64) {
            self.counts.add(Count::BodyRefused);
            let error = format!("body: allowed: {BODY} bytes at most");
            let refusal = Refusal(StatusCode::PAYLOAD_TOO_LARGE, error);
            return Err(Stopped::At(refusal));
        }
        let path = request.uri().path();
        if !path.starts_with("/page/") {
            let taken = lock(&self.requests).take(peer(request).ip, now);
            taken.map_err(|wait| self.too_many(wait))?;
        }
        if !self.is_locked() || OPEN.contains(&path) {
            return Ok(());
        }
        self.knows_token(request, now)
    }

    /// What changes something, and WebSockets, must come from our own page, or from no page.
    fn same_origin(&self, request: &Request, host: &str) -> Result<(), Stopped> {
        let headers = request.headers();
        let harmless = matches!(*request.method(), Method::GET | Method::HEAD);
        if harmless && !headers.contains_key(UPGRADE) {
            return Ok(());
        }
        let origin = headers
            .get(ORIGIN)
            .map(|origin| origin.to_str().unwrap_or("?"));
        let foreign = origin.is_some_and(|origin| !host::is_same(origin, host));
        let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
        if foreign || site.is_some_and(|site| site == "cross-site") {
            self.counts.add(Count::OriginRefused);
            let origin = origin.unwrap_or_default();
            let error = format!("origin: {origin:?}, allowed: the page of this host");
            return Err(Stopped::At(Refusal(StatusCode::FORBIDDEN, error)));
        }
        Ok(())
    }

    fn knows_token(&self, request: &Request, now: Instant) -> Result<(), Stopped> {
        let headers = request.headers();
        let session = cookies(headers).find(|(name, _)| *name == self.cookie);
        if session.is_some_and(|(_, id)| lock(&self.sessions).has(id, now)) {
            return Ok(());
        }
        let bearer = text(headers, &AUTHORIZATION).and_then(|said| said.split_once(' '));
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        if let Some((_, said)) = bearer {
            if self.is_token(said.trim(), peer(request), now)? {
                return Ok(());
            }
        } else {
            self.counts.add(Count::Unauthorized);
        }
        let wants_page = text(headers, &header::ACCEPT).is_some_and(|a| a.contains("text/html"));
        if *request.method() == Method::GET && wants_page && bearer.is_none() {
            return Err(Stopped::ToLogIn);
        }
        Err(Stopped::Unknown)
    }

    /// Whether somebody knows the token. Who was wrong too often is not heard for a while, right
    /// or wrong.
    fn is_token(&self, said: &str, peer: Peer, now: Instant) -> Result<bool, Stopped> {
        let mut tries = lock(&self.tries);
        tries
            .has(peer.ip, now)
            .map_err(|wait| self.too_many(wait))?;
        let same = token::is_same(said.as_bytes(), self.token.expose().as_bytes());
        if !same {
            self.counts.add(Count::TokenWrong);
            let _ = tries.take(peer.ip, now);
        }
        Ok(same)
    }

    /// Logs somebody in who knows the token: returns the cookie. `None` for who does not.
    pub(super) fn login(&self, said: &str, peer: Peer) -> Result<Option<HeaderValue>, Stopped> {
        let now = clock::now();
        if !self.is_token(said, peer, now)? {
            return Ok(None);
        }
        let session = lock(&self.sessions).add(now);
        let cookie = session.and_then(|id| {
            let (name, age) = (&self.cookie, LOGGED_IN.as_secs());
            let cookie = format!("{name}={id}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict");
            HeaderValue::from_str(&cookie).ok()
        });
        match cookie {
            Some(cookie) => Ok(Some(cookie)),
            None => {
                let error = "the system has no random numbers".to_owned();
                let refusal = Refusal(StatusCode::INTERNAL_SERVER_ERROR, error);
                Err(Stopped::At(refusal))
            }
        }
    }

    fn too_many(&self, wait: Duration) -> Stopped {
        self.counts.add(Count::RateRefused);
        Stopped::For(wait.as_secs() + 1)
    }
}

/// Why somebody does not come in.
#[derive(Debug)]
pub(super) enum Stopped {
    At(Refusal),
    /// For so many seconds.
    For(u64),
    /// Until it is known who it is.
    ToLogIn,
    Unknown,
}

impl IntoResponse for Stopped {
    fn into_response(self) -> Response {
        match self {
            Self::At(refusal) => refusal.into_response(),
            Self::For(seconds) => {
                let error = format!("too many requests; ask again in {seconds} s");
                let wait = [(header::RETRY_AFTER, HeaderValue::from(seconds))];
                (wait, Refusal(StatusCode::TOO_MANY_REQUESTS, error)).into_response()
            }
            Self::ToLogIn => Redirect::to("/login").into_response(),
            Self::Unknown => {
                let error =
                    "wants `Authorization: Bearer <monitoring_token>`, or a login at /login";
                let bearer = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
                let refusal = Refusal(StatusCode::UNAUTHORIZED, error.to_owned());
                (bearer, refusal).into_response()
            }
        }
    }
}

/// Lets a request in, or answers it at the door.
pub(super) async fn pass(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    door.counts.add(Count::Requests);
    let now = clock::now();
    let mut response = match door.look(&request, now) {
        Ok(()) => match clock::timeout_at(now + REQUEST, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                door.counts.add(Count::RequestsLate);
                let error = format!("not done in {} s", REQUEST.as_secs());
                Refusal(StatusCode::SERVICE_UNAVAILABLE, error).into_response()
            }
        },
        Err(stopped) => stopped.into_response(),
    };
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        // What is not read is not waited for.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn peer(request: &Request) -> Peer {
    // Every connection puts it in.
    request
        .extensions()
        .get::<Peer>()
        .cloned()
        .unwrap_or_else(|| Peer {
            ip: std::net::Ipv4Addr::UNSPECIFIED.into(),
            traffic: Arc::default(),
        })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let all = headers.get_all(COOKIE).into_iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
}
