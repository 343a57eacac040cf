//! Faults of the network, between a real client and a real server, as a probe
//! from outside sees them.

use std::time::Duration;

use reports::run::{Step, Stream};
use scenarios::{
    environment::{Endpoint, Environment},
    faults::{
        Kind, network,
        probe::{Look, Met, probe},
        toxics::Toxics,
    },
};
use seawall::clock;

use super::server;

const DEADLINE: Duration = Duration::from_millis(300);

/// A fault as usual, with a latency of one and a half deadlines.
fn step(kind: &'static Kind) -> Step {
    let deadline_ms = u32::try_from(DEADLINE.as_millis()).expect("small");
    let parameters = kind.parameters.iter();
    Step {
        parameters: parameters
            .map(|p| (p.name.to_owned(), p.usual.value(deadline_ms)))
            .collect(),
        ..kind.step()
    }
}

async fn answers(session: &scenarios::environment::Session) -> bool {
    let asked = session.client.query_one("SELECT 1", &[]);
    matches!(
        clock::timeout_at(clock::now() + DEADLINE, asked).await,
        Ok(Ok(_))
    )
}

async fn session(endpoint: &Endpoint) -> scenarios::environment::Session {
    let deadline = clock::now() + Duration::from_secs(10);
    endpoint.session(deadline).await.expect("a session")
}

async fn each_fault_is_met_and_gone(toxics: &Toxics, server: &Environment) {
    let through = server.endpoint().through(toxics.port());
    for (fault, met, old_sockets_live) in [
        (&network::REFUSED, Met::Refused, false),
        (&network::RESET, Met::Reset, false),
        (&network::BLACKHOLE, Met::NoAnswer, false),
        (&network::LATENCY, Met::NoAnswer, true),
    ] {
        let before = session(&through).await;
        assert!(answers(&before).await, "{fault}: before");
        toxics
            .inject("it", fault, &step(fault))
            .await
            .expect("injected");
        assert_eq!(
            probe(&through, &Look::Start, DEADLINE).await.met,
            met,
            "{fault}"
        );
        assert!(!answers(&before).await, "{fault}: during");
        assert_eq!(
            probe(server.endpoint(), &Look::Start, DEADLINE).await.met,
            Met::Ready,
            "{fault}: not the server"
        );
        toxics.rollback("it", fault).await.expect("rolled back");
        assert_eq!(
            probe(&through, &Look::Start, DEADLINE).await.met,
            Met::Ready,
            "{fault}: after"
        );
        assert_eq!(
            answers(&before).await,
            old_sockets_live,
            "{fault}: the old socket"
        );
        let closed = before.client.is_closed();
        assert_eq!(
            closed,
            [&network::REFUSED, &network::RESET].contains(&fault),
            "{fault}: seen as closed"
        );
        assert!(
            answers(&session(&through).await).await,
            "{fault}: a new socket"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_what_it_says_and_is_gone_after_it() {
    let (server, _place) = server::any().await;
    let upstream = server.endpoint().address();
    let toxics = Toxics::embedded(&upstream, 7).await.expect("a proxy");
    assert_eq!(toxics.version(), "embedded");
    each_fault_is_met_and_gone(&toxics, &server).await;
    let port = toxics.port();
    toxics.stop().await.expect("stopped");
    let gone = probe(&server.endpoint().through(port), &Look::Start, DEADLINE)
        .await
        .met;
    assert_eq!(gone, Met::Refused, "nothing listens any more");
    server.stop().await.expect("stopped");
}

/// Once taking one fault back took all of them.
#[tokio::test(flavor = "multi_thread")]
async fn faults_that_overlap_are_taken_back_one_by_one() {
    let (server, _place) = server::any().await;
    let upstream = server.endpoint().address();
    let toxics = Toxics::embedded(&upstream, 7).await.expect("a proxy");
    let through = server.endpoint().through(toxics.port());
    let met = async || probe(&through, &Look::Start, DEADLINE).await.met;
    let (latency, refused) = (step(&network::LATENCY), step(&network::REFUSED));
    let up = Step {
        stream: Some(Stream::Upstream),
        ..latency.clone()
    };
    let (late, off) = (&network::LATENCY, &network::REFUSED);
    let injected = toxics.inject("down", late, &latency).await;
    injected.expect("injected");
    let beside = toxics.inject("up", late, &up).await;
    beside.expect("beside it");
    let beside = toxics.inject("off", off, &refused).await;
    beside.expect("beside both");
    assert_eq!(met().await, Met::Refused);
    toxics.rollback("off", off).await.expect("taken back");
    assert_eq!(met().await, Met::NoAnswer);
    toxics.rollback("down", late).await.expect("taken back");
    assert_eq!(met().await, Met::NoAnswer, "the other direction");
    toxics.rollback("up", late).await.expect("taken back");
    toxics.rollback("up", late).await.expect("nothing to do");
    assert_eq!(met().await, Met::Ready);
    toxics.stop().await.expect("stopped");
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_toxiproxy_of_the_users_is_used_and_left_as_it_was() {
    let (server, _place) = server::any().await;
    let listen = ([127, 0, 0, 1], 0).into();
    let theirs = fault_proxy::Server::bind(listen, fault_proxy::Options::default())
        .await
        .expect("bound");
    let url = format!("http://{}", theirs.local_addr());
    let upstream = server.endpoint().address();
    let toxics = Toxics::of_user(theirs.local_addr(), &upstream)
        .await
        .expect("a proxy");
    assert!(
        toxics.version().starts_with("toxiproxy 2."),
        "{}",
        toxics.version()
    );
    each_fault_is_met_and_gone(&toxics, &server).await;
    toxics.stop().await.expect("stopped");
    let left = tokio::task::spawn_blocking(move || {
        reqwest::blocking::get(format!("{url}/proxies"))
            .expect("answered")
            .text()
            .expect("text")
    });
    assert_eq!(left.await.expect("asked").trim(), "{}");
    theirs.shutdown().await;
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_as_a_toxiproxy_is_an_error() {
    let nobody = ([127, 0, 0, 1], 1).into();
    let error = Toxics::of_user(nobody, "127.0.0.1:5432").await.err();
    assert!(error.is_some());
}
