//! A container as the engine wants it described. Pure.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions, PortBinding,
};
use orcaops_common::domain::placement::{Cache, Tmpfs, Volume};
use sha2::{Digest, Sha256};

use super::container::INIT_FOLDER;
use super::plan::{ContainerPlan, label};

/// What root may do in a container: enough for package managers and dropping privileges, nothing that
/// reaches the host.
const CAPABILITIES: [&str; 8] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];
/// The user that may become any other.
const ROOT: &str = "0:0";
/// How a folder in memory is mounted: as the container's own file system is, writable to every user.
const TMPFS_OPTIONS: &str = "rw,exec,nosuid,nodev,mode=1777";
/// How much of a fleet's name is in the names of its caches; the engine's names are short.
const MAX_FLEET_PART: usize = 64;

/// `init_volume` is the name of the volume that holds init, `network` the engine's name of the network.
pub(super) fn body(plan: &ContainerPlan, init_volume: &str, network: &str) -> ContainerCreateBody {
    let resources = &plan.resources;
    #[expect(clippy::cast_possible_truncation, reason = "validated: at most 1024 CPUs")]
    let nano_cpus = resources.cpu.map(|cpu| (cpu * 1e9).round() as i64);
    let memory = resources.memory.map(|m| i64::try_from(m).unwrap_or(i64::MAX));
    let mut labels: HashMap<String, String> =
        plan.user_labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    labels.extend(plan.labels.map());
    let bindings = plan.ports.iter().map(|(inside, outside)| {
        let binding = PortBinding {
            host_ip: plan.publish.map(|address| address.to_string()),
            host_port: Some(outside.to_string()),
        };
        (inside.clone(), Some(vec![binding]))
    });
    let caches = plan.cache.iter().map(|cache| cache_mount(&plan.labels.fleet, cache));
    ContainerCreateBody {
        image: Some(plan.image.clone()),
        entrypoint: Some(vec![format!("{INIT_FOLDER}/init")]),
        // Not in the greeting: a worker that freezes before it greets must leave no init that waits for it.
        cmd: Some(vec![plan.lease.as_millis().to_string()]),
        user: plan.as_root.then(|| ROOT.to_owned()),
        labels: Some(labels),
        exposed_ports: Some(plan.ports.keys().cloned().collect()),
        open_stdin: Some(true),
        // A dead worker's containers end: init reads end-of-file.
        stdin_once: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        // An image's health check would run beside the steps.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        host_config: Some(HostConfig {
            binds: Some(vec![format!("{init_volume}:{INIT_FOLDER}:ro")]),
            mounts: Some(plan.volumes.iter().map(bind_mount).chain(caches).collect()),
            tmpfs: Some(plan.tmpfs.iter().map(tmpfs_mount).collect()),
            // One that its job may want kept must survive its end; its worker removes it otherwise.
            auto_remove: Some(plan.labels.kept_until.is_none()),
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            network_mode: Some(network.to_owned()),
            port_bindings: Some(bindings.collect()),
            nano_cpus,
            memory,
            // No swap: the limit is the limit.
            memory_swap: memory,
            pids_limit: resources.pids.map(i64::from),
            storage_opt: resources.disk.map(|bytes| HashMap::from([("size".to_owned(), bytes.to_string())])),
            device_requests: resources.gpus.map(|count| vec![gpus(count)]),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(CAPABILITIES.map(str::to_owned).to_vec()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A mount and not a bind of the older kind: that would make a folder that is not there, as root.
fn bind_mount(volume: &Volume) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(volume.source.clone()),
        target: Some(volume.target.clone()),
        read_only: Some(volume.read_only),
        ..Default::default()
    }
}

/// The engine makes the volume with the first container that mounts it.
fn cache_mount(fleet: &str, cache: &Cache) -> Mount {
    let labels = [(label::FLEET, fleet), (label::CACHE, cache.key.as_str())];
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(cache_volume(fleet, &cache.key)),
        target: Some(cache.path.clone()),
        read_only: Some(false),
        volume_options: Some(MountVolumeOptions {
            labels: Some(labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Both names may hold dashes, and may be long: the hash keeps fleets apart.
fn cache_volume(fleet: &str, key: &str) -> String {
    let hash = hex::encode(Sha256::digest(format!("{fleet}\0{key}")));
    let fleet: String = fleet.chars().take(MAX_FLEET_PART).collect();
    format!("orcaops-cache-{fleet}-{key}-{}", &hash[..12])
}

fn tmpfs_mount(tmpfs: &Tmpfs) -> (String, String) {
    let size = tmpfs.size.map(|bytes| format!(",size={bytes}")).unwrap_or_default();
    (tmpfs.path.clone(), format!("{TMPFS_OPTIONS}{size}"))
}

fn gpus(count: u32) -> DeviceRequest {
    DeviceRequest {
        count: Some(count.into()),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::engine::plan::tests::plan;

    #[test]
    fn own_labels_win_over_the_jobs() {
        let labels = body(&plan(), "init", "net").labels.expect("labels");
        assert_eq!((labels[label::FLEET].as_str(), labels["team"].as_str()), ("ci", "a"));
    }

    #[test]
    fn only_a_container_that_may_be_kept_outlives_its_end() {
        let removes =
            |plan: &ContainerPlan| body(plan, "init", "net").host_config.and_then(|h| h.auto_remove);
        let mut plan = plan();
        assert_eq!(removes(&plan), Some(true));
        plan.labels.kept_until = Some(DateTime::UNIX_EPOCH);
        assert_eq!(removes(&plan), Some(false));
    }

    #[test]
    fn caches_of_different_fleets_never_share_a_volume() {
        assert_ne!(cache_volume("a-b", "c"), cache_volume("a", "b-c"));
        assert_eq!(cache_volume("a", "b"), cache_volume("a", "b"));
        assert!(cache_volume(&"f".repeat(128), &"k".repeat(128)).len() < 255);
    }
}
