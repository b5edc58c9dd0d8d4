//! The program that runs as PID 1 of every job's container, carried along by the worker.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// The static binary, as `build.rs` made it.
pub(crate) static INIT_BINARY: &[u8] = include_bytes!(env!("ORCAOPS_INIT_PATH"));

/// Its SHA-256 in hex: names the volume that holds it on a Docker host.
pub(crate) fn sha256() -> &'static str {
    static SHA256: LazyLock<String> = LazyLock::new(|| hex::encode(Sha256::digest(INIT_BINARY)));
    &SHA256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_a_static_program_for_linux() {
        assert!(INIT_BINARY.starts_with(b"\x7fELF"));
        let needs_a_loader = INIT_BINARY.windows(6).any(|w| w == b"/ld-li");
        assert!(!needs_a_loader, "the program names a dynamic loader, which an image need not have");
        assert_eq!(sha256().len(), 64);
    }
}
