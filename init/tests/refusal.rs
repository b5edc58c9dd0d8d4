//! The program signals every process that it can see: it must run nowhere but in a container of its own.

use std::process::Command;

#[test]
fn it_refuses_to_run_unless_it_is_pid_1() {
    let output = Command::new(env!("CARGO_BIN_EXE_orcaops-init")).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("only as PID 1"));
}
