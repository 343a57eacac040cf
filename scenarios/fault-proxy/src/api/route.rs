//! Which call a method and a path mean.

use axum::http::Method;

/// A matched route, with the names from its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Version,
    Metrics,
    ListProxies,
    CreateProxy,
    Populate,
    Reset,
    ShowProxy(String),
    UpdateProxy(String),
    DeleteProxy(String),
    ListToxics(String),
    AddToxic(String),
    ShowToxic(String, String),
    UpdateToxic(String, String),
    DeleteToxic(String, String),
}

/// Why there is no route.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// No such path.
    NotFound,
    /// The path is known, the method is not.
    MethodNotAllowed,
    /// The path is another one, written with too many slashes or with dots.
    Moved(String),
}

/// # Errors
/// The [`Miss`], as Toxiproxy's router tells them apart.
pub(super) fn route(method: &Method, path: &str, has_metrics: bool) -> Result<Route, Miss> {
    let clean = clean(path);
    if clean != path {
        return Err(Miss::Moved(clean));
    }
    let path = decode(path).ok_or(Miss::NotFound)?;
    let parts: Vec<&str> = path
        .strip_prefix('/')
        .ok_or(Miss::NotFound)?
        .split('/')
        .collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Miss::NotFound);
    }
    let verb = Verb::of(method);
    Ok(match (parts.as_slice(), verb) {
        (["version"], Verb::Get) => Route::Version,
        (["metrics"], _) if has_metrics => Route::Metrics,
        (["proxies"], Verb::Get) => Route::ListProxies,
        (["proxies"], Verb::Post) => Route::CreateProxy,
        (["populate"], Verb::Post) => Route::Populate,
        (["reset"], Verb::Post) => Route::Reset,
        (["proxies", proxy], Verb::Get) => Route::ShowProxy((*proxy).to_owned()),
        (["proxies", proxy], Verb::Post | Verb::Patch) => Route::UpdateProxy((*proxy).to_owned()),
        (["proxies", proxy], Verb::Delete) => Route::DeleteProxy((*proxy).to_owned()),
        (["proxies", proxy, "toxics"], Verb::Get) => Route::ListToxics((*proxy).to_owned()),
        (["proxies", proxy, "toxics"], Verb::Post) => Route::AddToxic((*proxy).to_owned()),
        (["proxies", proxy, "toxics", toxic], verb) => {
            let (proxy, toxic) = ((*proxy).to_owned(), (*toxic).to_owned());
            match verb {
                Verb::Get => Route::ShowToxic(proxy, toxic),
                Verb::Post | Verb::Patch => Route::UpdateToxic(proxy, toxic),
                Verb::Delete => Route::DeleteToxic(proxy, toxic),
                Verb::Other => return Err(Miss::MethodNotAllowed),
            }
        }
        (["version" | "proxies" | "populate" | "reset"], _)
        | (["proxies", _], _)
        | (["proxies", _, "toxics"], _) => return Err(Miss::MethodNotAllowed),
        _ => return Err(Miss::NotFound),
    })
}

/// A path without empty parts, `.` and `..`, as Toxiproxy's router redirects to it. A
/// slash at the end stays.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if parts.is_empty() || !path.ends_with('/') {
        ""
    } else {
        "/"
    };
    format!("/{}{end}", parts.join("/"))
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    Post,
    Patch,
    Delete,
    Other,
}

impl Verb {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::POST => Self::Post,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// Undoes %XX, as Go does before it routes. `None` if that leaves no UTF-8.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_has_its_methods_and_no_others() {
        let all = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"];
        for (path, allowed) in [
            ("/version", "GET"),
            ("/proxies", "GET POST"),
            ("/populate", "POST"),
            ("/reset", "POST"),
            ("/proxies/a", "GET POST PATCH DELETE"),
            ("/proxies/a/toxics", "GET POST"),
            ("/proxies/a/toxics/b", "GET POST PATCH DELETE"),
        ] {
            for method in all {
                let found = route(&method.parse().unwrap(), path, false);
                if allowed.split(' ').any(|allowed| allowed == method) {
                    assert!(found.is_ok(), "{method} {path}");
                } else {
                    assert_eq!(found, Err(Miss::MethodNotAllowed), "{method} {path}");
                }
            }
        }
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in [
            "/",
            "/nope",
            "/proxies/",
            "/proxies/a/",
            "/proxies/a/b",
            "/metrics",
        ] {
            assert_eq!(
                route(&Method::GET, path, false),
                Err(Miss::NotFound),
                "{path}"
            );
        }
        assert_eq!(route(&Method::GET, "/metrics", true), Ok(Route::Metrics));
    }

    #[test]
    fn a_path_with_too_many_slashes_or_dots_is_moved() {
        for (path, to) in [
            ("//version", "/version"),
            ("//", "/"),
            ("/proxies//a", "/proxies/a"),
            ("/./proxies/a/../b", "/proxies/b"),
            ("/../version//", "/version/"),
        ] {
            let moved = Err(Miss::Moved(to.to_owned()));
            assert_eq!(route(&Method::GET, path, false), moved, "{path}");
        }
        assert!(route(&Method::GET, "/version", false).is_ok());
    }

    #[test]
    fn names_are_decoded() {
        let found = route(&Method::GET, "/proxies/my%20db", false);
        assert_eq!(found, Ok(Route::ShowProxy("my db".to_owned())));
        for broken in ["/proxies/%zz", "/proxies/%2", "/proxies/%ff"] {
            assert_eq!(
                route(&Method::GET, broken, false),
                Err(Miss::NotFound),
                "{broken}"
            );
        }
    }
}
