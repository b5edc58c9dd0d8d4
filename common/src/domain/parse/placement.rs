//! What a job's container gets of its host: mounts, network, ports, labels.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use super::node::{Node, child, quote};
use super::report::Report;
use super::sandbox::size;
use super::spec::given;
use crate::domain::job::{DEFAULT_NETWORK, NO_NETWORK};
use crate::domain::path::MAX_PATH;
use crate::domain::placement::{Cache, Tmpfs, Volume};

/// The most entries of each list of mounts, of ports and of labels.
const MAX_ENTRIES: usize = 64;
/// The longest name of a network, a cache or a credential, and of a label, in bytes.
const MAX_NAME: usize = 128;
/// The longest value of a label, in bytes.
const MAX_LABEL: usize = 4096;
/// The labels that OrcaOps sets itself.
const OWN_LABELS: &str = "orcaops.";
/// Ports that can be published.
const PORTS: RangeInclusive<u32> = 1..=65_535;
/// Where nothing may be mounted: the system's own folders, and init's.
const TAKEN: [&str; 4] = ["/proc", "/sys", "/dev", "/.orcaops"];

pub(super) fn volumes(node: &Node<'_>, report: &mut Report) -> Option<Vec<Volume>> {
    list(node, report, |node, report| {
        let fields = node.fields(report, &["source", "target", "read_only"])?;
        let source = fields
            .required(report, "source", "give the absolute path of a folder on the worker's host")
            .and_then(|node| absolute(&node, report));
        let target = fields
            .required(report, "target", "give the absolute path in the container")
            .and_then(|node| mount_point(&node, report));
        let read_only = fields.with_default("read_only").map(|node| node.boolean(report));
        Some(Volume { source: source?, target: target?, read_only: given(read_only)?.unwrap_or_default() })
    })
}

pub(super) fn cache(node: &Node<'_>, report: &mut Report) -> Option<Vec<Cache>> {
    list(node, report, |node, report| {
        let fields = node.fields(report, &["key", "path"])?;
        let key = fields
            .required(report, "key", "name the cache, such as \"cargo-registry\"")
            .and_then(|node| plain_name(&node, report));
        let path = fields
            .required(report, "path", "give the absolute path in the container")
            .and_then(|node| mount_point(&node, report));
        Some(Cache { key: key?, path: path? })
    })
}

pub(super) fn tmpfs(node: &Node<'_>, report: &mut Report) -> Option<Vec<Tmpfs>> {
    list(node, report, |node, report| {
        let fields = node.fields(report, &["path", "size"])?;
        let path = fields
            .required(report, "path", "give the absolute path in the container")
            .and_then(|node| mount_point(&node, report));
        let size = fields.optional("size").map(|node| size(&node, report, 1 << 12, 1 << 50));
        Some(Tmpfs { path: path?, size: given(size)? })
    })
}

fn list<T>(
    node: &Node<'_>,
    report: &mut Report,
    read: impl Fn(&Node<'_>, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    let items = node.items(report, MAX_ENTRIES)?;
    let read: Vec<_> = items.iter().map(|item| read(item, report)).collect();
    read.into_iter().collect()
}

/// No two mounts may have one place, nor one of them a place of `inputs`.
pub(super) fn check_mounts(report: &mut Report, volumes: &[Volume], cache: &[Cache], tmpfs: &[Tmpfs]) {
    let volumes = volumes.iter().enumerate().map(|(n, v)| (format!("/volumes/{n}/target"), &v.target));
    let cache = cache.iter().enumerate().map(|(n, c)| (format!("/cache/{n}/path"), &c.path));
    let tmpfs = tmpfs.iter().enumerate().map(|(n, t)| (format!("/tmpfs/{n}/path"), &t.path));
    let mut seen: HashMap<String, String> = HashMap::new();
    for (pointer, path) in volumes.chain(cache).chain(tmpfs) {
        let place: Vec<&str> = path.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
        match seen.get(&place.join("/")) {
            Some(first) => report.add(pointer, format!("is the place of {first} too; give each its own")),
            None => {
                seen.insert(place.join("/"), pointer);
            }
        }
    }
}

pub(super) fn network(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let name = plain_name(node, report)?;
    if name == "host" {
        return node.fail(
            report,
            format!("is the host's own network, which no job gets; use `{DEFAULT_NETWORK}`, `{NO_NETWORK}` or one that the operator allows"),
        );
    }
    Some(name)
}

pub(super) fn ports(node: &Node<'_>, report: &mut Report) -> Option<BTreeMap<String, u16>> {
    let members = node.members(report)?;
    if members.len() > MAX_ENTRIES {
        return node
            .fail(report, format!("has {} entries; at most {MAX_ENTRIES} are allowed", members.len()));
    }
    let mut ports = Some(BTreeMap::new());
    for (name, value) in members {
        let inside = container_port(name);
        if inside.is_none() {
            value.fail::<()>(
                report,
                format!("is no port of the container ({}); write it as `80/tcp`", quote(name)),
            );
        }
        let outside = value.integer(report, PORTS).and_then(|port| u16::try_from(port).ok());
        match (inside, outside, &mut ports) {
            (Some(inside), Some(outside), Some(ports)) => {
                ports.insert(inside, outside);
            }
            _ => ports = None,
        }
    }
    ports
}

/// A port of the host serves one port of the container, and a container without a network has none.
pub(super) fn check_ports(report: &mut Report, network: &str, ports: &BTreeMap<String, u16>) {
    if network == NO_NETWORK && !ports.is_empty() {
        let advice = "leave one of the two out";
        report.add("/ports".to_owned(), format!("can't be published with /network `{NO_NETWORK}`; {advice}"));
    }
    let mut taken: HashMap<(u16, &str), &str> = HashMap::new();
    for (inside, outside) in ports {
        let protocol = inside.rsplit('/').next().unwrap_or_default();
        if let Some(first) = taken.insert((*outside, protocol), inside) {
            let what = format!("is {outside}, where `{first}` is published already; give each its own");
            report.add(child("/ports", inside), what);
        }
    }
}

/// A container's port as the engine writes it.
fn container_port(name: &str) -> Option<String> {
    let (number, protocol) = name.split_once('/').unwrap_or((name, "tcp"));
    let plain = number.bytes().all(|b| b.is_ascii_digit());
    let number = number.parse::<u32>().ok().filter(|n| plain && PORTS.contains(n))?;
    matches!(protocol, "tcp" | "udp").then(|| format!("{number}/{protocol}"))
}

pub(super) fn labels(node: &Node<'_>, report: &mut Report) -> Option<BTreeMap<String, String>> {
    let members = node.members(report)?;
    if members.len() > MAX_ENTRIES {
        return node
            .fail(report, format!("has {} entries; at most {MAX_ENTRIES} are allowed", members.len()));
    }
    let mut labels = Some(BTreeMap::new());
    for (name, value) in members {
        let problem = if name.is_empty() || name.len() > MAX_NAME || name.contains(['\0', '=']) {
            Some(format!("has a name that is none; use 1 to {MAX_NAME} bytes without `=`"))
        } else if name.starts_with(OWN_LABELS) {
            Some(format!("begins with `{OWN_LABELS}`, which OrcaOps keeps for itself; name it otherwise"))
        } else {
            None
        };
        let text = value.system_string(report);
        let problem = problem.or_else(|| {
            let long = text.filter(|text| text.len() > MAX_LABEL)?;
            Some(format!("has {} bytes; at most {MAX_LABEL} are allowed", long.len()))
        });
        if let Some(problem) = &problem {
            report.add(child(&node.pointer, name), problem.clone());
        }
        match (text, problem, &mut labels) {
            (Some(text), None, Some(labels)) => {
                labels.insert(name.to_owned(), text.to_owned());
            }
            _ => labels = None,
        }
    }
    labels
}

/// A name that the operator, the engine or other jobs know.
pub(super) fn plain_name(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let text = node.string(report)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > MAX_NAME {
        return node.fail(report, format!("has {} bytes; use 1 to {MAX_NAME}", text.len()));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || !text.chars().all(plain) {
        return node.fail(
            report,
            format!(
                "is {}; use letters, digits, `.`, `_` and `-`, beginning with a letter or digit",
                quote(text)
            ),
        );
    }
    Some(text.to_owned())
}

/// An absolute path without `..`.
pub(super) fn absolute(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let path = node.system_string(report)?;
    if !path.starts_with('/') {
        return node
            .fail(report, format!("is {}; give an absolute path such as \"/workspace\"", quote(path)));
    }
    if path.split('/').any(|component| component == "..") {
        return node.fail(report, "contains `..`; write the path without it");
    }
    if path.len() > MAX_PATH {
        return node.fail(report, format!("has {} bytes; at most {MAX_PATH} are allowed", path.len()));
    }
    Some(path.to_owned())
}

fn mount_point(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let path = absolute(node, report)?;
    let names: Vec<&str> = path.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
    let place = format!("/{}", names.join("/"));
    if place == "/" || path.contains(':') {
        return node.fail(report, format!("is {}; give a folder below `/`, without `:`", quote(&path)));
    }
    if TAKEN.iter().any(|taken| place == *taken || place.starts_with(&format!("{taken}/"))) {
        return node.fail(report, format!("is {}, where nothing may be mounted", quote(&path)));
    }
    Some(path)
}
