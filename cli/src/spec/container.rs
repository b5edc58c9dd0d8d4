//! The flags of the container, as the JSON that the API takes.

use serde_json::{Value, json};

use super::error::SpecError;
use super::flags::{push, set};
use crate::args::ContainerArgs;

/// Lays the flags over a spec.
pub(super) fn lay_over(spec: &mut Value, args: &ContainerArgs) -> Result<(), SpecError> {
    let text = |value: &Option<String>| value.as_ref().map(|value| json!(value));
    set(spec, &["sandbox", "resources", "cpu"], args.cpu.map(|c| json!(c)));
    set(spec, &["sandbox", "resources", "memory"], text(&args.memory));
    set(spec, &["sandbox", "resources", "pids"], args.pids.map(|p| json!(p)));
    set(spec, &["sandbox", "resources", "disk"], text(&args.disk));
    set(spec, &["sandbox", "resources", "gpus"], args.gpus.map(|g| json!(g)));
    set(spec, &["network"], text(&args.network));
    set(spec, &["pull_policy"], text(&args.pull));
    set(spec, &["registry_auth"], text(&args.registry_auth));
    set(spec, &["cleanup_policy"], text(&args.cleanup_policy));
    if let Some(user) = &args.user
        && let Some(steps) = spec.get_mut("commands").and_then(Value::as_array_mut)
    {
        for step in steps {
            set(step, &["user"], Some(json!(user)));
        }
    }
    for publish in &args.publish {
        let (host, inside) = split(publish, ':', "-p", "HOST:CONTAINER, for example 8082:80")?;
        let port = host.parse::<u16>().map_or_else(|_| json!(host), |port| json!(port));
        set(spec, &["ports", inside], Some(port));
    }
    for volume in &args.volume {
        let (source, rest) = split(volume, ':', "-v", "HOST:PATH or HOST:PATH:ro")?;
        let (target, mode) = rest.split_once(':').unwrap_or((rest, "rw"));
        let read_only = match mode {
            "ro" => true,
            "rw" => false,
            _ => return Err(wrong("-v", volume, "HOST:PATH or HOST:PATH:ro")),
        };
        push(spec, "volumes", json!({ "source": source, "target": target, "read_only": read_only }));
    }
    for cache in &args.cache {
        let (key, path) = split(cache, ':', "--cache", "KEY:PATH")?;
        push(spec, "cache", json!({ "key": key, "path": path }));
    }
    for tmpfs in &args.tmpfs {
        let mount = match tmpfs.split_once(':') {
            Some((path, size)) => json!({ "path": path, "size": size }),
            None => json!({ "path": tmpfs }),
        };
        push(spec, "tmpfs", mount);
    }
    for label in &args.label {
        let (name, value) = split(label, '=', "-l", "K=V")?;
        set(spec, &["labels", name], Some(json!(value)));
    }
    Ok(())
}

fn split<'a>(
    typed: &'a str,
    at: char,
    flag: &'static str,
    form: &'static str,
) -> Result<(&'a str, &'a str), SpecError> {
    typed.split_once(at).ok_or_else(|| wrong(flag, typed, form))
}

fn wrong(flag: &'static str, typed: &str, form: &'static str) -> SpecError {
    SpecError::Form { flag, typed: typed.to_owned(), form }
}
