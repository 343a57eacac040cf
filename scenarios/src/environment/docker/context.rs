//! The engine that the `docker` command would ask: that of its context.
//!
//! `DOCKER_HOST` wins; else `DOCKER_CONTEXT`, else the `currentContext` of its
//! configuration names a folder with the address.
//! Source: docker/cli, `docker context` and `cli/context/store`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The address that a context gives, if one is chosen and gives another than the usual.
///
/// # Errors
/// The name of a context that there is not.
pub(crate) fn host() -> Result<Option<String>, String> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if set("DOCKER_HOST").is_some() {
        return Ok(None);
    }
    let home = set("HOME").map(|home| Path::new(&home).join(".docker"));
    let config = set("DOCKER_CONFIG").map(PathBuf::from).or(home);
    chosen(config.as_deref(), set("DOCKER_CONTEXT"))
}

fn chosen(config: Option<&Path>, named: Option<String>) -> Result<Option<String>, String> {
    let current = || {
        let text = fs::read_to_string(config?.join("config.json")).ok()?;
        let config: Value = serde_json::from_str(&text).ok()?;
        Some(config.get("currentContext")?.as_str()?.to_owned())
    };
    let Some(name) = named.or_else(current).filter(|name| name != "default") else {
        return Ok(None);
    };
    let contexts = config.map(|config| config.join("contexts/meta"));
    let folders = contexts.and_then(|contexts| fs::read_dir(contexts).ok());
    for folder in folders.into_iter().flatten().filter_map(Result::ok) {
        let meta = fs::read_to_string(folder.path().join("meta.json"));
        let meta = meta
            .ok()
            .and_then(|text| serde_json::from_str::<Value>(&text).ok());
        if let Some(meta) = meta.filter(|meta| meta["Name"] == *name) {
            let host = meta["Endpoints"]["docker"]["Host"].as_str();
            return Ok(host.map(str::to_owned));
        }
    }
    Err(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_gives_its_address_and_one_that_is_not_there_its_name() {
        let config = tempfile::tempdir().expect("a folder");
        let of = |named: Option<&str>| chosen(Some(config.path()), named.map(str::to_owned));
        assert_eq!(of(None), Ok(None));
        assert_eq!(of(Some("default")), Ok(None));
        assert_eq!(of(Some("far")), Err("far".to_owned()));
        let meta = config.path().join("contexts/meta/0123");
        fs::create_dir_all(&meta).expect("made");
        let text = r#"{"Name":"far","Endpoints":{"docker":{"Host":"unix:///far.sock"}}}"#;
        fs::write(meta.join("meta.json"), text).expect("written");
        assert_eq!(of(Some("far")), Ok(Some("unix:///far.sock".to_owned())));
        assert_eq!(of(None), Ok(None));
        let text = r#"{"currentContext":"far"}"#;
        fs::write(config.path().join("config.json"), text).expect("written");
        assert_eq!(of(None), Ok(Some("unix:///far.sock".to_owned())));
        assert_eq!(of(Some("default")), Ok(None));
    }
}
