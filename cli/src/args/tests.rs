use clap::CommandFactory;

use super::*;

fn help(path: &[&str]) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut found = &mut command;
    for name in path {
        found = found.find_subcommand_mut(name).unwrap();
    }
    found.render_long_help().to_string()
}

fn parse(args: &[&str]) -> Result<Cli, String> {
    Cli::try_parse_from(["orcaops"].iter().chain(args)).map_err(|e| e.to_string())
}

fn run(args: &[&str]) -> RunArgs {
    match parse(&[&["run"], args].concat()).unwrap().command {
        Command::Run(run) => *run,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_arguments_hold_together() {
    Cli::command().debug_assert();
}

#[test]
fn help_of_every_command_is_as_documented() {
    let commands: [&[&str]; 23] = [
        &["ps"],
        &[],
        &["run"],
        &["build"],
        &["jobs"],
        &["jobs", "status"],
        &["jobs", "logs"],
        &["jobs", "cancel"],
        &["jobs", "artifacts"],
        &["jobs", "download"],
        &["sandbox"],
        &["sandbox", "list"],
        &["sandbox", "validate"],
        &["sandbox", "run"],
        &["runs"],
        &["runs", "import"],
        &["dev"],
        &["api"],
        &["worker"],
        &["version"],
        &["health"],
        &["help"],
        &["jobs", "help"],
    ];
    for path in commands {
        let name = if path.is_empty() { "orcaops".to_owned() } else { path.join("_") };
        insta::assert_snapshot!(format!("help_{name}"), help(path));
    }
}

#[test]
fn wrong_use_is_explained() {
    let cases: [(&str, &[&str]); 10] = [
        ("unknown_command", &["jbos"]),
        ("run_without_command", &["run", "alpine"]),
        ("spec_and_image", &["run", "-s", "job.yaml", "alpine", "true"]),
        ("unknown_status", &["jobs", "--status", "done"]),
        ("limit_out_of_range", &["jobs", "--limit", "201"]),
        ("unknown_stream", &["jobs", "logs", "a", "--stream", "both"]),
        ("tail_out_of_range", &["jobs", "logs", "a", "-n", "10001"]),
        ("no_size", &["worker", "--max-log-bytes", "much"]),
        ("bad_id", &["run", "--id", "a/b", "alpine", "true"]),
        ("detach_and_follow", &["run", "--detach", "-f", "alpine", "true"]),
    ];
    for (name, args) in cases {
        insta::assert_snapshot!(format!("wrong_use_{name}"), parse(args).unwrap_err());
    }
}

#[test]
fn options_stand_before_or_after_the_image_but_before_the_command() {
    let before = run(&["-f", "alpine", "--", "echo hi"]);
    let after = run(&["alpine", "-f", "--", "echo hi"]);
    for args in [before, after] {
        assert!(args.follow);
        assert_eq!((args.image.as_deref(), args.command), (Some("alpine"), vec!["echo hi".to_owned()]));
    }
}

#[test]
fn a_commands_own_options_are_left_alone_with_and_without_dashes() {
    assert_eq!(run(&["alpine", "ls", "-f", "-l"]).command, ["ls", "-f", "-l"]);
    assert_eq!(run(&["alpine", "--", "-f"]).command, ["-f"]);
    assert!(!run(&["alpine", "ls", "-f"]).follow);
}

#[test]
fn a_sandboxs_command_takes_what_follows_it() {
    let cli = parse(&["sandbox", "run", "web", "-t", "5", "--command", "sh", "-c", "ls -l"]).unwrap();
    let Command::Sandbox(SandboxArgs { command: SandboxCommand::Run(args) }) = cli.command else { panic!() };
    assert_eq!((args.name.as_str(), args.timeout), ("web", Some(5)));
    assert_eq!(args.command, ["sh", "-c", "ls -l"]);
}

#[test]
fn the_server_may_be_named_before_or_after_what_to_do_with_the_job() {
    for args in
        [["jobs", "--server", "http://x", "status", "j"], ["jobs", "status", "j", "--server", "http://x"]]
    {
        assert_eq!(parse(&args).unwrap().layer().url.as_deref(), Some("http://x"));
    }
}

#[test]
fn flags_become_settings() {
    let layer = parse(&["worker", "--slots", "3", "--pool", "gpu", "--home", "/srv"]).unwrap().layer();
    let expected = Layer {
        slots: Some(3),
        pool: Some("gpu".parse().unwrap()),
        home: Some("/srv".into()),
        ..Layer::default()
    };
    assert_eq!(layer, expected);
}
