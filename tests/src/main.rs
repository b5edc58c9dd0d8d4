//! The product with its fail points built in.

fn main() -> std::process::ExitCode {
    orcaops_cli::main()
}
