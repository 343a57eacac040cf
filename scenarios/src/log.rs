//! Warnings, and what else is logged, on stderr.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::progress::Above;

/// Shows what is logged on stderr, from now on: warnings of ours, more with `verbose` (1:
/// info, 2: debug, 3: all), or what the environment variable RUST_LOG says
/// (`debug`, or `seawall=debug,scenarios=info`).
///
/// What RUST_LOG holds and cannot be read is returned, as a sentence.
///
/// `in_faults`: what clients under test and the proxy between them and the server meet when
/// one of them goes away is the subject of the run, and thousands of lines: of these only
/// errors are shown, without `verbose`.
pub fn to_stderr(verbose: u8, in_faults: bool) -> Option<String> {
    let (targets, wrong) = targets(
        verbose,
        in_faults,
        std::env::var("RUST_LOG").ok().as_deref(),
    );
    let lines = fmt::layer()
        .with_writer(Above::default)
        .with_ansi(false)
        .without_time();
    // Somebody else's is in place already: then it is theirs to show.
    let _in_place = tracing_subscriber::registry()
        .with(lines)
        .with(targets)
        .try_init();
    wrong
}

/// What is shown, and what is wrong with the environment's wish.
fn targets(verbose: u8, in_faults: bool, wish: Option<&str>) -> (Targets, Option<String>) {
    let usual = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = ["scenarios", "seawall", "fault_proxy"];
    let usual = Targets::new()
        .with_default(usual.min(LevelFilter::WARN))
        .with_targets(ours.map(|target| (target, usual)));
    let met = [
        "deadpool",
        "deadpool.postgres",
        "fault_proxy::proxy",
        "seawall::pipeline",
    ];
    let usual = if in_faults && verbose == 0 {
        usual.with_targets(met.map(|target| (target, LevelFilter::ERROR)))
    } else {
        usual
    };
    match wish.filter(|wish| !wish.is_empty()) {
        None => (usual, None),
        Some(wish) => match wish.parse::<Targets>() {
            Ok(targets) => (targets, None),
            Err(error) => (usual, Some(format!("RUST_LOG: {error}: it is ignored"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn warnings_are_shown_and_more_where_it_is_asked_for() {
        let shows = |verbose, wish, target, level| {
            let (targets, _) = targets(verbose, true, wish);
            targets.would_enable(target, &level)
        };
        for (verbose, wish, target, level, shown) in [
            (0, None, "scenarios::stage", Level::WARN, true),
            (0, None, "scenarios::stage", Level::INFO, false),
            (0, None, "hyper", Level::WARN, true),
            (0, None, "deadpool.postgres", Level::WARN, false),
            (
                0,
                None,
                "fault_proxy::proxy::connection",
                Level::WARN,
                false,
            ),
            (0, None, "seawall::pipeline::lane::lost", Level::WARN, false),
            (0, None, "seawall::pool", Level::WARN, true),
            (0, None, "fault_proxy::api", Level::WARN, true),
            (1, None, "deadpool.postgres", Level::WARN, true),
            (1, None, "seawall::pool", Level::INFO, true),
            (1, None, "hyper", Level::INFO, false),
            (2, None, "fault_proxy", Level::DEBUG, true),
            (3, None, "scenarios", Level::TRACE, true),
            (3, None, "hyper", Level::DEBUG, false),
            (0, Some("debug"), "hyper", Level::DEBUG, true),
            (
                0,
                Some("seawall=trace"),
                "seawall::wire",
                Level::TRACE,
                true,
            ),
            (0, Some("seawall=trace"), "scenarios", Level::WARN, false),
            (0, Some(""), "scenarios", Level::WARN, true),
        ] {
            let found = shows(verbose, wish, target, level);
            assert_eq!(found, shown, "{verbose} {wish:?} {target} {level}");
        }
        let (alone, _) = targets(0, false, None);
        assert!(alone.would_enable("fault_proxy::proxy::connection", &Level::WARN));
        let (_, wrong) = targets(0, false, Some("a=b=c"));
        assert!(wrong.is_some_and(|wrong| wrong.starts_with("RUST_LOG: ")));
    }
}
