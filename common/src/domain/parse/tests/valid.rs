use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use crate::domain::job::{Encoding, Input, JobCommand, JobSpec, Resources, SandboxSpec};

/// Any text that a container's system can take.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,12}", any::<String>().prop_map(|s| s.replace('\0', ""))]
}

fn spoken() -> impl Strategy<Value = String> {
    text().prop_map(|s| format!("a{s}"))
}

fn command() -> impl Strategy<Value = JobCommand> {
    let what = prop_oneof![
        spoken().prop_map(|c| (Some(c), None)),
        (spoken(), vec(text(), 0..4)).prop_map(|(p, args)| (None, Some([vec![p], args].concat()))),
    ];
    (what, option::of(spoken()), 1..=86_400_u32).prop_map(|((command, argv), cwd, timeout_seconds)| {
        JobCommand { command, argv, cwd, timeout_seconds }
    })
}

fn resources() -> impl Strategy<Value = Resources> {
    let cpu = option::of(0.01..=1024.0_f64);
    let memory = option::of((6_u64 << 20)..=(1 << 50));
    (cpu, memory, option::of(1..=4_194_304_u32)).prop_map(|(cpu, memory, pids)| Resources {
        cpu,
        memory,
        pids,
    })
}

fn env() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text().prop_map(|s| format!("A{}", s.replace('=', ""))), text(), 0..4)
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    // Files end in `.f` and folders do not, so that none lies below another.
    let paths: BTreeSet<&str> = ["a.f", "b/c.f", "b/d/e ü.f", "x/y/z/w.f"].into();
    let source = prop_oneof![
        any::<String>().prop_map(|c| (Some(c), Encoding::Text, None)),
        Just((Some("aGk=".to_owned()), Encoding::Base64, None)),
        "[0-9a-f]{64}".prop_map(|hash| (None, Encoding::Text, Some(format!("uploads/{hash}")))),
    ];
    let chosen = btree_set(prop::sample::select(Vec::from_iter(paths)), 0..4);
    (chosen, vec((source, any::<bool>()), 4)).prop_map(|(paths, sources)| {
        let input = |(path, ((content, encoding, object), executable)): (&str, _)| Input {
            path: path.to_owned(),
            content,
            encoding,
            object,
            executable,
        };
        paths.into_iter().zip(sources).map(input).collect()
    })
}

fn spec() -> impl Strategy<Value = JobSpec> {
    let sandbox = ("[a-zA-Z0-9][a-zA-Z0-9._/:@-]{1,20}", env(), resources())
        .prop_map(|(image, env, resources)| SandboxSpec { image, env, resources });
    let patterns = vec("[a-z*?/ü-]{1,10}".prop_map(|p| format!("o{p}")), 0..4);
    let name = "[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}";
    let rest = (option::of(name), 10..=86_400_u32, inputs(), option::of("/[a-z/.]{0,9}[a-z]"), name);
    (sandbox, vec(command(), 1..5), patterns, rest).prop_map(
        |(sandbox, commands, artifacts, (job_id, ttl_seconds, inputs, workdir, pool))| JobSpec {
            job_id: job_id.map(|id| id.parse().unwrap()),
            sandbox,
            commands,
            artifacts,
            ttl_seconds,
            inputs,
            workdir: workdir.map(|w| w.replace("..", "")),
            pool: pool.parse().unwrap(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_valid_specification_is_read_back_as_it_was_written(spec in spec()) {
        let json = serde_json::to_value(&spec).unwrap();
        let read = JobSpec::from_json(&json);
        prop_assert_eq!(read.as_ref(), Ok(&spec));
        prop_assert_eq!(&serde_json::from_value::<JobSpec>(json).unwrap(), &spec);
    }

    #[test]
    fn a_specification_that_is_read_is_one_for_serde_too(text in r#"[{}\[\]":,a-z0-9. ]{0,40}"#) {
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
            prop_assert!(JobSpec::from_json(&value).is_err() || serde_json::from_value::<JobSpec>(value).is_ok());
        }
    }
}
