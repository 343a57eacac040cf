//! The pipeline over TLS: one Sync for a batch there, too.

use std::{process::Command, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use scenarios::environment::Environment;
use seawall::{
    Pool, clock,
    config::Secret,
    connect::Tls,
    metrics::Counter,
    pipeline::{QueryResult, Strategy},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{config, outcomes, session, within};
use crate::server;

const INSERT: &str = "INSERT INTO n VALUES ($1)";

/// A certificate for the loopback address that signs itself, and its key, as PEM.
fn certificate() -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Command::new("openssl")
        .current_dir(folder.path())
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=seawall",
        ])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key", "-out", "certificate"])
        .output()
        .expect("hint: this test needs openssl (apt-get install openssl)");
    assert!(made.status.success(), "{made:?}");
    let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("written");
    (read("certificate"), read("key"))
}

/// Gives the server a certificate, through SQL: it may run in a container.
async fn with_tls(server: &Environment, certificate: &str, key: &str) {
    let session = session(server).await;
    let rows = session.client.query("SHOW data_directory", &[]).await;
    let folder: String = rows.expect("shown")[0].get(0);
    let mut sql = Vec::new();
    for (setting, text) in [("ssl_cert_file", certificate), ("ssl_key_file", key)] {
        let path = format!("{folder}/test_{setting}");
        // COPY would double backslashes and end lines; a program takes what it is given.
        let lines = text.lines().map(|line| format!("('{line}')"));
        let lines = lines.collect::<Vec<_>>().join(", ");
        sql.push(format!(
            "COPY (VALUES {lines}) TO PROGRAM 'umask 077; cat > {path}'"
        ));
        sql.push(format!("ALTER SYSTEM SET {setting} = '{path}'"));
    }
    sql.push("ALTER SYSTEM SET ssl = on".to_owned());
    sql.push("SELECT pg_reload_conf()".to_owned());
    for sql in sql {
        session.client.batch_execute(&sql).await.expect("done");
    }
    // New sessions have it once the server has read its settings again.
    within(20, async {
        loop {
            let fresh = super::session(server).await;
            let rows = fresh.client.query("SHOW ssl", &[]).await.expect("shown");
            if rows[0].get::<_, &str>(0) == "on" {
                break;
            }
            clock::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_over_tls_has_one_sync() {
    let (server, _place) = server::any().await;
    let (certificate, key) = certificate();
    with_tls(&server, &certificate, &key).await;
    let mut roots = RootCertStore::empty();
    let der = CertificateDer::from_pem_slice(certificate.as_bytes());
    roots.add(der.expect("valid")).expect("valid");
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = config(server.endpoint());
    let endpoint = server.endpoint();
    config.connection_string = Secret::from(format!(
        "host={} port={} user={} password={} dbname={} sslmode=require channel_binding=require",
        endpoint.host,
        endpoint.port,
        endpoint.user,
        endpoint.password.expose(),
        endpoint.database
    ));
    let connect = Tls(MakeRustlsConnect::new(tls));
    let pool = Pool::with_connect(config, connect, fastrand::Rng::with_seed(1));
    let pool = pool.expect("valid");
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let rows = pool.query(encrypted, &[]).await.expect("asked");
    assert!(rows[0].get::<_, bool>(0));
    let table = "CREATE TABLE n (i int CHECK (i < 5000))";
    pool.execute(table, &[]).await.expect("made");

    let syncs = pool.metrics().counter(Counter::PipelineSyncs);
    let builder = pool.pipeline().strategy(Strategy::Transactional);
    let mut pipeline = builder.start().expect("valid");
    // More than a record of TLS, and than a socket takes at once.
    for i in 0..5_000_i32 {
        pipeline.add(INSERT, &[&i]).await.expect("added");
    }
    let results = pipeline.flush().await;
    assert!(results.len() == 5_000 && results.iter().all(QueryResult::success));
    assert!(
        results
            .iter()
            .all(|result| result.rows_affected() == Some(1))
    );
    for i in [1, 5_000, 2] {
        pipeline.add(INSERT, &[&i]).await.expect("added");
    }
    let results = pipeline.flush().await;
    assert_eq!(
        outcomes(&results),
        ["rolled_back 23514", "failed 23514", "rolled_back 23514"]
    );
    let syncs = pool.metrics().counter(Counter::PipelineSyncs) - syncs;
    assert!(syncs <= 4, "{syncs} Syncs for 2 batches");
    let count = "SELECT count(*) FROM n";
    let rows = pool.query(count, &[]).await.expect("counted");
    assert_eq!(rows[0].get::<_, i64>(0), 5_000);
    server.stop().await.expect("stopped");
}
