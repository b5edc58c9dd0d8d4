//! The `orcaops` binary.

fn main() -> std::process::ExitCode {
    orcaops_cli::main()
}
