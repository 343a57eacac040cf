//! Malformed and absurd requests: each is answered in time, none harms the
//! server, and one that is refused changes nothing.
//!
//! Every case has a server of its own with a proxy and a toxic on it, and a few
//! requests, so that what fails shrinks to the request that did it. The client
//! is a plain blocking socket: no HTTP library would send these.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use fault_proxy::{Options, Server};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

/// Each case sends four requests.
const CASES: u32 = 250;

/// An answer takes a millisecond; one that takes this long will never come.
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Request {
    method: &'static str,
    path: String,
    /// More than the body has, less, or what is no number.
    length: Option<&'static str>,
    body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = |bytes: &[u8]| {
            let shown = bytes.get(..bytes.len().min(300)).unwrap_or_default();
            format!("{} ({} bytes)", shown.escape_ascii(), bytes.len())
        };
        let path = start(self.path.as_bytes());
        let body = start(&self.body);
        write!(f, "{} {path} {:?} {body}", self.method, self.length)
    }
}

fn request() -> impl Strategy<Value = Request> {
    let others = vec!["DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "BREW", "get"];
    let methods =
        prop_oneof![6 => Just("POST"), 1 => Just("PATCH"), 1 => Just("GET"), 1 => select(others)];
    let lengths = vec!["0", "1", "999999", "99999999999999999999", "-1", "x", ""];
    let length = prop_oneof![9 => Just(None), 1 => select(lengths).prop_map(Some)];
    let target = prop_oneof![1 => (path(), body()), 1 => aimed()];
    (methods, length, target).prop_map(|(method, length, (path, body))| Request {
        method,
        path,
        length,
        body,
    })
}

/// A path with a body that is meant for it.
fn aimed() -> impl Strategy<Value = (String, Vec<u8>)> {
    let at = |paths: Vec<&'static str>| select(paths).prop_map(str::to_owned);
    let proxies =
        prop::collection::vec(proxy(), 0..4).prop_map(|list| format!("[{}]", list.join(",")));
    let toxics = vec!["/proxies/p/toxics", "/proxies/p/toxics/t"];
    let pairs = prop_oneof![
        1 => (at(vec!["/proxies", "/proxies/p"]), proxy()),
        1 => (at(vec!["/populate"]), proxies),
        2 => (at(toxics), toxic()),
    ];
    pairs.prop_map(|(path, body)| (path, body.into_bytes()))
}

fn path() -> impl Strategy<Value = String> {
    let known = vec![
        "/proxies/p/toxics",
        "/proxies/p/toxics/t",
        "/proxies/p",
        "/proxies",
        "/populate",
        "/reset",
        "/version",
        "/proxies/q/toxics/t",
        "/proxies/p/toxics/u",
    ];
    let parts = vec![
        "proxies",
        "toxics",
        "p",
        "t",
        "populate",
        "reset",
        "metrics",
        "",
        ".",
        "..",
        "%00",
        "%ff",
        "%2f",
        "%",
        "%zz",
        "%F0%9F%90%98",
        "?",
        "a?b=c",
        "#",
        ";",
        "//",
        "*",
    ];
    let joined = prop::collection::vec(select(parts), 0..6)
        .prop_map(|parts| format!("/{}", parts.join("/")));
    let huge = (1_usize..20_000).prop_map(|len| format!("/proxies/{}", "n".repeat(len)));
    prop_oneof![
        16 => select(known).prop_map(str::to_owned),
        3 => joined,
        1 => huge,
    ]
}

/// JSON of absurd values, most of it whole, some cut off or spoilt, and what
/// is no JSON at all.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let json = prop_oneof![
        4 => object(),
        1 => prop::collection::vec(object(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
        1 => value(),
    ];
    let whole = json.prop_map(String::into_bytes).boxed();
    let cut = (whole.clone(), any::<prop::sample::Index>()).prop_map(|(mut body, at)| {
        let len = at.index(body.len() + 1);
        body.truncate(len);
        body
    });
    let spoilt = (whole.clone(), any::<prop::sample::Index>(), any::<u8>());
    let spoilt = spoilt.prop_map(|(mut body, at, byte)| {
        let place = at.index(body.len() + 1);
        body.insert(place, byte | 0x80);
        body
    });
    let deep = (
        select(vec!["[", "{\"a\":", "[{\"toxics\":"]),
        1_usize..50_000,
    )
        .prop_map(|(opening, depth)| opening.repeat(depth).into_bytes());
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![10 => whole, 3 => cut, 3 => spoilt, 1 => deep, 1 => noise]
}

/// What looks like a proxy or like a toxic.
fn object() -> impl Strategy<Value = String> {
    prop_oneof![1 => proxy(), 2 => toxic()]
}

/// One that could be made, but for what is absurd in it.
fn proxy() -> impl Strategy<Value = String> {
    let sane = |text: &'static str| prop_oneof![2 => Just(format!("{text:?}")), 1 => value()];
    let enabled = prop_oneof![2 => Just("true".to_owned()), 1 => value()];
    let parts = (sane("q"), enabled, sane("127.0.0.1:1"), sane("127.0.0.1:0"));
    parts.prop_map(|(name, enabled, upstream, listen)| {
        object_of(vec![
            ("name", name),
            ("enabled", enabled),
            ("upstream", upstream),
            ("listen", listen),
        ])
    })
}

/// Some of the keys that mean something, with values that mostly do not.
fn toxic() -> impl Strategy<Value = String> {
    let kinds = vec![
        "bandwidth",
        "blackhole",
        "latency",
        "limit_data",
        "noop",
        "reset",
        "reset_peer",
        "slicer",
        "slow_close",
        "timeout",
        "Latency",
        "",
    ];
    let kind = prop_oneof![8 => select(kinds).prop_map(|kind| format!("{kind:?}")), 1 => value()];
    let attributes = select(vec![
        "latency",
        "jitter",
        "rate",
        "average_size",
        "size_variation",
        "delay",
        "bytes",
        "timeout",
        "x",
    ]);
    let attributes = prop::collection::vec((attributes, value()), 0..5).prop_map(object_of);
    let attributes = prop_oneof![6 => attributes, 1 => value()];
    let keys = select(vec![
        "name", "NAME", "listen", "upstream", "enabled", "stream", "toxicity", "toxics", "x",
    ]);
    let rest = prop::collection::vec((keys, value()), 0..5);
    (kind, attributes, rest).prop_map(|(kind, attributes, mut entries)| {
        entries.push(("type", kind));
        entries.push(("attributes", attributes));
        object_of(entries)
    })
}

fn object_of(entries: Vec<(&str, String)>) -> String {
    let entries: Vec<_> = entries
        .into_iter()
        .map(|(key, value)| format!("{key:?}:{value}"))
        .collect();
    format!("{{{}}}", entries.join(","))
}

/// One JSON value, or what somebody may take for one. No name of a host: the
/// machine's name server is not what is tested.
fn value() -> impl Strategy<Value = String> {
    let values = r#"0 1 5 -1 -0 1.5 0.5 1e3 1e400 -1e400 1e-400 00 0x10 4294967295 4294967296
        9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
        NaN Infinity -Infinity undefined null true false [] {} [1] "" "5" "p" "q" "t" 'p'
        "upstream" "UPSTREAM" "downstream" "sideways" "127.0.0.1:0" "127.0.0.1:99999"
        "127.0.0.1" ":::" "[::1" "127.0.0.1:-1" "127.0.0.1:1" "\u0000" "\ud800" "/" "a/b"
        "%" "\n""#;
    let values: Vec<_> = values.split_whitespace().map(str::to_owned).collect();
    let huge = (1_usize..60_000).prop_map(|len| format!("\"{}\"", "n".repeat(len)));
    let digits = (20_usize..2_000).prop_map(|len| "9".repeat(len));
    prop_oneof![30 => select(values), 1 => huge, 1 => digits]
}

/// The status and the body of the answer, if there is one.
type Reply = Result<Option<(u16, String)>, TestCaseError>;

fn send(api: SocketAddr, request: &Request) -> Reply {
    let failed = |what: &str, error| TestCaseError::fail(format!("{what} of {request:?}: {error}"));
    let mut stream = TcpStream::connect(api).map_err(|error| failed("connect", error))?;
    stream
        .set_read_timeout(Some(DEADLINE))
        .map_err(|error| failed("set up", error))?;
    let right = request.body.len().to_string();
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        request.method,
        request.path,
        request.length.unwrap_or(&right)
    );
    let message = [head.as_bytes(), &request.body].concat();
    // It may answer and close before it has all of it.
    let _ = stream.write_all(&message);
    if request.length.is_some() {
        // Else it would wait for the rest, which is right.
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    match end {
        // Hung up on in the middle of a request, it may hang up too.
        Ok(_) if text.is_empty() && request.length.is_some() => return Ok(None),
        // An RST may follow an answer to a body that was not read.
        Err(error) if text.is_empty() => return Err(failed("answer", error)),
        _ => {}
    }
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| TestCaseError::fail(format!("{request:?}: {text:?}")))?;
    Ok(Some((status, body.to_owned())))
}

fn plain(api: SocketAddr, method: &'static str, path: &str, body: &str) -> Reply {
    let request = Request {
        method,
        path: path.to_owned(),
        length: None,
        body: body.as_bytes().to_vec(),
    };
    send(api, &request)
}

/// Sends `requests` to `api` and checks every promise after each.
fn check(
    api: SocketAddr,
    requests: &[Request],
    statuses: &RefCell<BTreeMap<u16, u32>>,
) -> Result<(), TestCaseError> {
    for request in requests {
        let before = plain(api, "GET", "/proxies", "")?;
        let reply = send(api, request)?;
        let after = plain(api, "GET", "/proxies", "")?;
        let is_alive = matches!(after, Some((200, _)));
        prop_assert!(is_alive, "{:?} after {:?}", after, request);
        let Some((status, body)) = reply else {
            continue;
        };
        *statuses.borrow_mut().entry(status).or_default() += 1;
        if status >= 500 {
            let error: serde_json::Value = serde_json::from_str(&body)
                .map_err(|_| TestCaseError::fail(format!("{request:?}: {status} {body}")))?;
            let reason = error["error"].as_str().unwrap_or_default();
            prop_assert!(
                status == 500 && reason.starts_with("listen tcp"),
                "{:?}: {} {}",
                request,
                status,
                body
            );
        }
        // A populate stops midway at a proxy that cannot listen.
        let may_change = status < 400 || (status == 500 && request.path == "/populate");
        prop_assert!(
            may_change || before == after,
            "{:?} was refused with {} but {:?} became {:?}",
            request,
            status,
            before,
            after
        );
    }
    Ok(())
}

#[test]
fn absurd_requests_are_answered_and_change_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let statuses = RefCell::default();
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let requests = prop::collection::vec(request(), 4);
    let outcome = TestRunner::new(config).run(&requests, |requests| {
        let anywhere = ([127, 0, 0, 1], 0).into();
        let server = runtime
            .block_on(Server::bind(anywhere, Options::default()))
            .expect("a free port");
        let api = server.local_addr();
        let proxy = r#"{"name":"p","listen":"127.0.0.1:0","upstream":"127.0.0.1:1"}"#;
        plain(api, "POST", "/proxies", proxy)?;
        let toxic = r#"{"type":"slicer","name":"t","attributes":{"average_size":5}}"#;
        plain(api, "POST", "/proxies/p/toxics", toxic)?;
        let checked = check(api, &requests, &statuses);
        runtime.block_on(server.shutdown());
        checked
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let statuses = statuses.into_inner();
    // Not all of them may fail at the door.

    for status in [200, 201, 400, 404, 405] {
        let seen = statuses.get(&status).copied().unwrap_or_default();
        assert!(seen > 0, "{status} only {seen} times: {statuses:?}");
    }
}
