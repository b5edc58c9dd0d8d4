//! The container that a job asks for.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::node::{Node, quote};
use super::report::Report;
use super::spec::given;
use crate::domain::job::{Resources, SandboxSpec};

/// The longest image reference, in bytes.
const MAX_IMAGE: usize = 256;
/// The fewest CPUs: less than Docker can tell from none.
const MIN_CPU: f64 = 0.01;
/// The most CPUs.
const MAX_CPU: f64 = 1024.0;
/// The least memory that Docker starts a container with, in bytes.
const MIN_MEMORY: u64 = 6 << 20;
/// The most memory, in bytes.
const MAX_MEMORY: u64 = 1 << 50;
/// How many processes a container may have: the kernel's own limit.
const PIDS: RangeInclusive<u32> = 1..=4_194_304;

const FIELDS: [&str; 3] = ["image", "env", "resources"];
/// The least room on a disk that can be asked for, in bytes.
const MIN_DISK: u64 = 1 << 20;
/// The most GPUs.
const GPUS: RangeInclusive<u32> = 1..=64;
const RESOURCES: [&str; 5] = ["cpu", "memory", "pids", "disk", "gpus"];

pub(super) fn sandbox(node: &Node<'_>, report: &mut Report) -> Option<SandboxSpec> {
    let fields = node.fields(report, &FIELDS)?;
    let image = fields
        .required(report, "image", "name the image to run in, such as \"alpine:3\"")
        .and_then(|node| image(&node, report));
    let env = fields.with_default("env").map(|node| env(&node, report));
    let resources = fields.with_default("resources").map(|node| resources(&node, report));
    Some(SandboxSpec {
        image: image?,
        env: given(env)?.unwrap_or_default(),
        resources: given(resources)?.unwrap_or_default(),
    })
}

fn image(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let text = node.string(report)?;
    let problem = if text.is_empty() {
        "is empty; name the image to run in, such as \"alpine:3\"".to_owned()
    } else if text.len() > MAX_IMAGE {
        format!("has {} bytes; at most {MAX_IMAGE} are allowed", text.len())
    } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        format!("is {}; it must start with a letter or a digit", quote(text))
    } else if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"._-/:@".contains(*c)) {
        format!("contains {bad:?}; use letters, digits and `. _ - / : @` only")
    } else if text.len() == 1 {
        "has one character; at least two are needed".to_owned()
    } else {
        return Some(text.to_owned());
    };
    node.fail(report, problem)
}

pub(super) fn env(node: &Node<'_>, report: &mut Report) -> Option<BTreeMap<String, String>> {
    let mut env = Some(BTreeMap::new());
    for (name, value) in node.members(report)? {
        let problem = if name.is_empty() {
            Some("has an empty name; name the variable")
        } else if name.contains('=') {
            Some("has `=` in its name; write the value as the member's value")
        } else if name.contains('\0') {
            Some("has a NUL character in its name; remove it")
        } else {
            None
        };
        if let Some(problem) = problem {
            report.add(&value.pointer, problem);
        }
        match (value.system_string(report), problem, &mut env) {
            (Some(text), None, Some(env)) => {
                env.insert(name.to_owned(), text.to_owned());
            }
            _ => env = None,
        }
    }
    env
}

fn resources(node: &Node<'_>, report: &mut Report) -> Option<Resources> {
    let fields = node.fields(report, &RESOURCES)?;
    let cpu = fields.optional("cpu").map(|node| cpu(&node, report));
    let memory = fields.optional("memory").map(|node| size(&node, report, MIN_MEMORY, MAX_MEMORY));
    let pids = fields.optional("pids").map(|node| pids(&node, report));
    let disk = fields.optional("disk").map(|node| size(&node, report, MIN_DISK, MAX_MEMORY));
    let gpus = fields.optional("gpus").map(|node| node.integer(report, GPUS));
    Some(Resources {
        cpu: given(cpu)?,
        memory: given(memory)?,
        pids: given(pids)?,
        disk: given(disk)?,
        gpus: given(gpus)?,
    })
}

fn cpu(node: &Node<'_>, report: &mut Report) -> Option<f64> {
    let number = match node.value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => decimal(text),
        _ => return node.wrong_type(report, "a number of CPUs such as 0.5"),
    };
    match number {
        None => node.fail(report, format!("is {}; give a number of CPUs such as 0.5", node.value)),
        Some(cpu) if (MIN_CPU..=MAX_CPU).contains(&cpu) => Some(cpu),
        Some(_) => {
            node.fail(report, format!("is {}; it must be from {MIN_CPU} to {MAX_CPU} CPUs", node.value))
        }
    }
}

/// Bytes, from `least` to `most`, or a size such as `512m`.
pub(super) fn size(node: &Node<'_>, report: &mut Report, least: u64, most: u64) -> Option<u64> {
    let bytes = match node.value {
        Value::Number(number) if number.is_f64() => {
            return node.fail(report, format!("is {number}; give whole bytes, or a size such as \"512m\""));
        }
        Value::Number(number) => number.as_u64().unwrap_or_default(),
        Value::String(text) => match bytes(text) {
            Some(bytes) => bytes,
            None => {
                let message =
                    format!("is {}; give bytes, or a size such as \"512m\" or \"1.5g\"", quote(text));
                return node.fail(report, message);
            }
        },
        _ => return node.wrong_type(report, "bytes, or a size such as \"512m\""),
    };
    if (least..=most).contains(&bytes) {
        return Some(bytes);
    }
    let (least, most) = (least >> 10, most >> 40);
    let least = if least >= 1024 { format!("{} MiB", least >> 10) } else { format!("{least} KiB") };
    node.fail(report, format!("is {}; it must be from {least} to {most} TiB", node.value))
}

fn pids(node: &Node<'_>, report: &mut Report) -> Option<u32> {
    let Value::String(text) = node.value else { return node.integer(report, PIDS) };
    let number = text.parse().ok().filter(|n| PIDS.contains(n) && text.bytes().all(|b| b.is_ascii_digit()));
    if number.is_some() {
        return number;
    }
    let (least, most) = (PIDS.start(), PIDS.end());
    node.fail(report, format!("is {}; give a whole number from {least} to {most}", quote(text)))
}

/// A number such as `2` or `0.5`: no sign, no exponent, no spaces.
fn decimal(text: &str) -> Option<f64> {
    let is_plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_plain { text.parse().ok() } else { None }
}

/// Bytes of a size such as `512m`, `1.5g` or `512Mi`. As with Docker, all units are powers of 1024.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let shift = match unit.trim_start() {
        "" | "b" => 0,
        "k" | "kb" | "ki" | "kib" => 10,
        "m" | "mb" | "mi" | "mib" => 20,
        "g" | "gb" | "gi" | "gib" => 30,
        "t" | "tb" | "ti" | "tib" => 40,
        _ => return None,
    };
    let unit = 1_u64 << shift;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    if shift == 0 {
        return None;
    }
    // It is positive, and a float's conversion saturates.
    decimal(number).map(|n| (n * 2_f64.powi(shift)) as u64)
}
