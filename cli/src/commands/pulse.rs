//! A worker's sign of life for health checks: a file in its home folder that it touches.
//!
//! A worker opens no port, so this is how a container's health check can ask whether its process still moves.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use orcaops_common::config::Home;

/// How often the file is touched.
const BEAT: Duration = Duration::from_secs(5);
/// A worker whose file is older is not well.
const STALE: Duration = Duration::from_secs(30);

/// Touches the file for ever. A home folder that can't be written makes the worker look unwell, no more.
pub(super) async fn beat(home: Home) {
    let path = path(&home);
    let mut ticks = tokio::time::interval(BEAT);
    loop {
        ticks.tick().await;
        if let Err(error) = touch(&home, &path).await {
            tracing::debug!(%error, path = %path.display(), "cannot leave a sign of life");
        }
    }
}

/// Says what is wrong with the worker of that home folder.
pub(super) fn check(home: &Home) -> Result<(), String> {
    check_file(&path(home), SystemTime::now())
}

async fn touch(home: &Home, path: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    home.create()?;
    tokio::fs::write(path, b"").await?;
    Ok(())
}

fn path(home: &Home) -> PathBuf {
    home.path().join("worker.alive")
}

fn check_file(path: &Path, now: SystemTime) -> Result<(), String> {
    let touched = std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .map_err(|error| format!("no sign of life of a worker at {}: {error}", path.display()))?;
    // A clock that was set back makes it young, not old.
    let age = now.duration_since(touched).unwrap_or_default();
    if age > STALE {
        Err(format!("the worker's last sign of life is {} s old", age.as_secs()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_well_while_its_sign_of_life_is_young() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.alive");
        let now = SystemTime::now();
        assert!(check_file(&path, now).is_err());
        std::fs::write(&path, b"").unwrap();
        assert_eq!(check_file(&path, now), Ok(()));
        assert!(check_file(&path, now + STALE * 2).is_err());
    }
}
