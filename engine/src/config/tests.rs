use super::*;

/// The guide's "enable all features", key for key.
const GUIDE: &str = r#"
name = "app_pool"
database_type = "postgresql"
host = "localhost"
database = "myapp"
min_connections = 5
max_connections = 20
adaptive_sizing = true
enable_query_routing = true
circuit_breaker_failure_threshold = 5
circuit_breaker_recovery_timeout = 60
circuit_breaker_error_rate = 0.5
metrics_retention_minutes = 60
enable_pipelining = true
pipeline_batch_size = 100
enable_monitoring = true
monitoring_port = 8080
"#;

#[test]
fn the_keys_of_the_guide_load_and_those_without_effect_are_named() {
    let config = PoolConfig::from_toml(GUIDE).expect("valid");
    assert_eq!(config.max_connections, 20);
    assert_eq!(
        config.circuit_breaker_recovery_timeout,
        Duration::from_secs(60)
    );
    let mut without = vec!["adaptive_sizing", "enable_query_routing"];
    if !cfg!(feature = "monitoring") {
        without.push("enable_monitoring");
    }
    assert_eq!(config.without_effect(), without);
    let in_a_table = format!("[pool]\n{GUIDE}");
    assert_eq!(PoolConfig::from_toml(&in_a_table), Ok(config));
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let error = PoolConfig::from_toml("circuit_breaker_failure_treshold = 5").expect_err("typo");
    assert_eq!(
        error.to_string(),
        "circuit_breaker_failure_treshold: no such key, did you mean circuit_breaker_failure_threshold?"
    );
    let error = PoolConfig::from_toml("zzz = 5").expect_err("nonsense");
    assert_eq!(error.to_string(), "zzz: no such key");
}

#[test]
fn a_bad_value_says_the_key_the_value_and_what_is_allowed() {
    for (text, says) in [
        (
            "port = \"x\"",
            "port: \"x\", allowed: an integer in 1..=65535",
        ),
        ("port = 0", "port: 0, allowed: an integer in 1..=65535"),
        (
            "port = 65536",
            "port: 65536, allowed: an integer in 1..=65535",
        ),
        (
            "max_connections = -1",
            "max_connections: -1, allowed: an integer in 1..=10000",
        ),
        (
            "max_connections = 0",
            "max_connections: 0, allowed: an integer in 1..=10000",
        ),
        (
            "circuit_breaker_error_rate = 1.5",
            "circuit_breaker_error_rate: 1.5, allowed: a number above 0 and at most 1",
        ),
        (
            "circuit_breaker_error_rate = nan",
            "circuit_breaker_error_rate: NaN, allowed: a number above 0 and at most 1",
        ),
        (
            "circuit_breaker_recovery_timeout = -5",
            "circuit_breaker_recovery_timeout: -5, allowed: seconds in 0.001..=86400",
        ),
        (
            "circuit_breaker_probe = \"maybe\"",
            "circuit_breaker_probe: \"maybe\", allowed: \"active\" or \"passive\"",
        ),
        (
            "statement_timeout_ms = 0",
            "statement_timeout_ms: 0, allowed: milliseconds in 1..=86400000",
        ),
        (
            "database_type = \"mysql\"",
            "database_type: \"mysql\", allowed: \"postgresql\"",
        ),
        (
            "min_connections = 11",
            "min_connections: 11, allowed: an integer in 0..=max_connections",
        ),
        (
            "monitoring_address = \"localhost\"",
            "monitoring_address: \"localhost\", allowed: an IP address; with a monitoring_token \
             any, else a loopback one (127.0.0.1, ::1)",
        ),
        (
            "enable_monitoring = true\nmonitoring_address = \"0.0.0.0\"",
            "monitoring_address: \"0.0.0.0\", allowed: an IP address; with a monitoring_token \
             any, else a loopback one (127.0.0.1, ::1)",
        ),
        (
            "monitoring_token = \"two words\"",
            "monitoring_token: (hidden), allowed: 1024 visible ASCII characters at most, or none",
        ),
        (
            "enable_monitoring = true\nenable_metrics_endpoint = true\nmetrics_port = 8080",
            "metrics_port: 8080, allowed: an integer in 0..=65535, and not the monitoring_port if \
             both are served",
        ),
    ] {
        assert_eq!(
            PoolConfig::from_toml(text).expect_err(text).to_string(),
            says
        );
    }
    assert!(matches!(
        PoolConfig::from_toml("a = "),
        Err(ConfigError::Syntax(_))
    ));
}

#[test]
fn every_key_is_described_once_and_read() {
    for (key, _) in KEYS {
        let error = PoolConfig::from_toml(&format!("{key} = [1]")).expect_err(key);
        assert!(
            matches!(error, ConfigError::Invalid { key: k, .. } if k == key),
            "{key}"
        );
    }
}

/// Inside a larger configuration, which serde reads, a mistyped key is no default either.
#[test]
fn serde_refuses_an_unknown_key_as_toml_does() {
    #[derive(Debug, serde::Deserialize)]
    struct Service {
        pool: PoolConfig,
    }
    let read = |key: &str| toml::from_str::<Service>(&format!("[pool]\n{key} = 7"));
    assert_eq!(
        read("max_connections").expect("known").pool.max_connections,
        7
    );
    let error = read("max_conections").expect_err("mistyped");
    assert!(error.message().contains("max_conections"), "{error}");
}

#[test]
fn secrets_are_not_shown() {
    let text = "password = \"hunter2\"\nconnection_string = \"postgresql://u:hunter2@h/d\"";
    let config = PoolConfig::from_toml(text).expect("valid");
    assert!(!format!("{config:?}").contains("hunter2"));
    let bad = PoolConfig::from_toml("connection_string = \"postgresql://u:hunter2@h:x/d\"");
    let bad = bad.expect_err("no such port").to_string();
    assert_eq!(
        bad,
        "connection_string: (hidden; bad value of port), allowed: a postgresql:// URL, or \
         key=value pairs"
    );
    let token = PoolConfig::from_toml("monitoring_token = \"hunter2\"").expect("valid");
    assert!(!format!("{token:?}{}", token.settings()).contains("hunter2"));
    let bad = PoolConfig::from_toml("password = [\"hunter2\"]")
        .expect_err("a list")
        .to_string();
    assert!(!bad.contains("hunter2"), "{bad}");
}

#[test]
fn the_guides_rollback_switches_the_breaker_off() {
    let off = PoolConfig::from_toml("circuit_breaker_failure_threshold = 999999").expect("valid");
    assert_eq!(off.breaker().failure_threshold, None);
    assert_eq!(off.breaker().failure_rate, None);
    let on = PoolConfig::default().breaker();
    assert_eq!(
        (on.failure_threshold, on.failure_rate),
        (Some(5), Some(0.5))
    );
}

#[test]
fn sessions_get_the_statement_timeout_beside_the_users_options() {
    let mut config = PoolConfig {
        connection_string: Secret::new("host=h options='-c work_mem=1MB'"),
        statement_timeout: Duration::from_millis(750),
        ..PoolConfig::default()
    };
    let options = config
        .postgres()
        .expect("valid")
        .get_options()
        .map(str::to_owned);
    assert_eq!(
        options.as_deref(),
        Some("-c statement_timeout=750 -c work_mem=1MB")
    );
    config.server_statement_timeout = false;
    let options = config
        .postgres()
        .expect("valid")
        .get_options()
        .map(str::to_owned);
    assert_eq!(options.as_deref(), Some("-c work_mem=1MB"));
}

#[test]
fn sockets_are_given_up_as_configured_where_the_connection_string_does_not_say() {
    let config = |change: &dyn Fn(&mut PoolConfig)| {
        let mut config = PoolConfig::default();
        change(&mut config);
        config.postgres().expect("valid")
    };
    let s = Duration::from_secs;
    let ours = config(&|_| {});
    assert!(ours.get_keepalives());
    assert_eq!(ours.get_keepalives_idle(), s(15));
    assert_eq!(ours.get_keepalives_interval(), Some(s(5)));
    assert_eq!(ours.get_keepalives_retries(), Some(3));
    assert_eq!(ours.get_tcp_user_timeout(), Some(&s(30)));
    let never = config(&|config| {
        config.tcp_keepalive = Duration::ZERO;
        config.tcp_user_timeout = Duration::ZERO;
    });
    assert!(!never.get_keepalives());
    assert_eq!(never.get_tcp_user_timeout(), None);
    let theirs = config(&|config| {
        let string = "host=a keepalives_idle=7 keepalives_interval=2 keepalives_retries=9 \
                      tcp_user_timeout=4";
        config.connection_string = Secret::new(string);
    });
    assert_eq!(theirs.get_keepalives_idle(), s(7));
    assert_eq!(theirs.get_keepalives_interval(), Some(s(2)));
    assert_eq!(theirs.get_keepalives_retries(), Some(9));
    assert_eq!(theirs.get_tcp_user_timeout(), Some(&s(4)));
    let off = config(&|config| config.connection_string = Secret::new("host=a keepalives=0"));
    assert!(!off.get_keepalives());
}

#[test]
fn settings_are_read_back_as_they_were_and_hold_no_secret() {
    let own = PoolConfig {
        host: "db.example".to_owned(),
        user: "app".to_owned(),
        password: Secret::new("hunter2"),
        connection_string: Secret::default(),
        circuit_breaker_recovery_timeout: Duration::from_millis(1_500),
        circuit_breaker_probe: Probe::Passive,
        circuit_breaker_mode: Mode::ForcedOpen,
        circuit_breaker_role: Role::Replica,
        circuit_breaker_ignore: vec!["57P01".to_owned()],
        circuit_breaker_hanging: Duration::from_millis(300),
        statement_timeout: Duration::from_millis(750),
        ..PoolConfig::default()
    };
    for config in [PoolConfig::default(), own] {
        let settings = config.settings();
        assert_eq!(
            settings.len(),
            KEYS.len() - 7,
            "all keys but those of a login"
        );
        assert!(!settings.to_string().contains("hunter2"));
        let here = PoolConfig::default();
        let expected = PoolConfig {
            host: here.host,
            user: here.user,
            password: here.password,
            ..config
        };
        assert_eq!(PoolConfig::from_table(settings), Ok(expected));
    }
}
