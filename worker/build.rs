//! Makes the program that runs as PID 1 of every job's container, so that the worker can carry it along.
//!
//! It is a static binary, built by a second cargo in a target folder of its own: the first one's is locked. A
//! prebuilt one is taken from `ORCAOPS_INIT_BINARY` instead.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

const PACKAGE: &str = "orcaops-init";
/// The profile that the workspace's `Cargo.toml` defines for it.
const PROFILE: &str = "init";
const PREBUILT: &str = "ORCAOPS_INIT_BINARY";

/// What the first cargo says for itself, and must not say for the second: flags, wrappers (clippy is one) and
/// whatever it tells build scripts. The folders, network and job slots of cargo are shared.
const KEPT: [&str; 10] = [
    "CARGO",
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_INCREMENTAL",
    "CARGO_MAKEFLAGS",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
];
const DROPPED: [&str; 9] = [
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "OPT_LEVEL",
    "DEBUG",
    "PROFILE",
];

fn main() -> ExitCode {
    match provide() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn provide() -> Result<(), String> {
    let workspace = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("..");
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let binary = match env::var_os(PREBUILT).filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => build(&workspace, &out)?,
    };
    println!("cargo::rerun-if-changed={}", binary.display());
    let ours = out.join(PACKAGE);
    copy_if_changed(&binary, &ours)?;
    println!("cargo::rustc-env=ORCAOPS_INIT_PATH={}", ours.display());
    Ok(())
}

fn build(workspace: &Path, out: &Path) -> Result<PathBuf, String> {
    for source in ["init/src", "init/Cargo.toml", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    let triple = variable("TARGET")?;
    if variable("CARGO_CFG_TARGET_OS")? != "linux" {
        return Err(format!(
            "{PACKAGE} runs in Linux containers and cannot be built for {triple}: \
             set {PREBUILT} to the path of one that was built on Linux"
        ));
    }
    let target = target_folder(out);
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(workspace);
    for (name, _) in env::vars_os().filter(|(name, _)| is_foreign(name)) {
        cargo.env_remove(name);
    }
    cargo
        .args(["build", "--package", PACKAGE, "--bin", PACKAGE, "--profile", PROFILE, "--target", &triple])
        .arg("--target-dir")
        .arg(&target)
        // Where libc is linked in, the program needs nothing of the image that it runs in.
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    if workspace.join("Cargo.lock").exists() {
        cargo.arg("--locked");
    }
    let output =
        cargo.output().map_err(|e| format!("cargo, which builds {PACKAGE}, cannot be started: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{PACKAGE}, the program that runs in every job's container, cannot be built ({}):\n{said}\n\
             mend it, or set {PREBUILT} to the path of a prebuilt one",
            output.status
        ));
    }
    Ok(target.join(&triple).join(PROFILE).join(PACKAGE))
}

fn is_foreign(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let is_kept =
        KEPT.iter().any(|kept| if kept.ends_with('_') { name.starts_with(kept) } else { name == *kept });
    DROPPED.contains(&&*name) || (name.starts_with("CARGO") && !is_kept)
}

/// Beside the first cargo's `build` folder, so that all runs of this script share it; in `out` where cargo lays
/// its folders out in another way.
fn target_folder(out: &Path) -> PathBuf {
    let build = out.ancestors().find(|folder| folder.file_name() == Some(OsStr::new("build")));
    build.and_then(Path::parent).unwrap_or(out).join("init-build")
}

/// An unchanged file keeps its time, so that nothing is compiled again.
fn copy_if_changed(from: &Path, to: &Path) -> Result<(), String> {
    let bytes =
        fs::read(from).map_err(|e| format!("{PACKAGE} cannot be read from {}: {e}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(to, bytes).map_err(|e| format!("{PACKAGE} cannot be written to {}: {e}", to.display()))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("cargo did not set {name}: {e}"))
}
