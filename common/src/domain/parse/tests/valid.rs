use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use crate::domain::job::{ArtifactsWhen, Encoding, Input, JobCommand, JobSpec, Resources, SandboxSpec, When};
use crate::domain::placement::{Cache, CleanupPolicy, PullPolicy, Tmpfs, Volume};
use crate::domain::retry::{Backoff, Retry, RetryOn};

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
        Just((None, None)),
    ];
    let when = prop::sample::select(vec![When::OnSuccess, When::Always]);
    let own = (option::of("[a-z ]{0,9}[a-z]"), env(), vec(any::<u8>(), 1..4), any::<bool>(), when);
    let user = option::of("[a-z0-9_][a-z0-9._-]{0,5}(:[a-z0-9]{1,5})?");
    (what, option::of(spoken()), 1..=86_400_u32, own, user).prop_map(
        |(
            (command, argv),
            cwd,
            timeout_seconds,
            (name, env, success_exit_codes, continue_on_error, when),
            user,
        )| {
            JobCommand {
                image_command: command.is_none() && argv.is_none(),
                command,
                argv,
                cwd,
                timeout_seconds,
                name,
                env,
                success_exit_codes,
                continue_on_error,
                when,
                user,
            }
        },
    )
}

fn resources() -> impl Strategy<Value = Resources> {
    let cpu = option::of(0.01..=1024.0_f64);
    let memory = option::of((6_u64 << 20)..=(1 << 50));
    let (disk, gpus) = (option::of((1_u64 << 20)..=(1 << 50)), option::of(1..=64_u32));
    (cpu, memory, option::of(1..=4_194_304_u32), disk, gpus)
        .prop_map(|(cpu, memory, pids, disk, gpus)| Resources { cpu, memory, pids, disk, gpus })
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

fn retry() -> impl Strategy<Value = Retry> {
    let on =
        prop::sample::subsequence(vec![RetryOn::Infrastructure, RetryOn::Failure, RetryOn::Timeout], 1..=3);
    let backoff = (0..=60_u32, 60..=3600_u32)
        .prop_map(|(initial_seconds, max_seconds)| Backoff { initial_seconds, max_seconds });
    (1..=20_u32, on, backoff).prop_map(|(max_attempts, on, backoff)| Retry { max_attempts, on, backoff })
}

/// What a container gets of its host and what becomes of it; the rest is to be replaced.
fn placed() -> impl Strategy<Value = JobSpec> {
    let mounts =
        (option::of("/[a-z]{1,5}"), any::<bool>(), option::of("[a-z][a-z._-]{0,5}"), option::of(1..9_u64));
    let words = (
        prop::sample::select(vec![ArtifactsWhen::Always, ArtifactsWhen::Success, ArtifactsWhen::Failure]),
        prop::sample::select(CleanupPolicy::ALL.to_vec()),
        prop::sample::select(vec![PullPolicy::Always, PullPolicy::IfNotPresent, PullPolicy::Never]),
    );
    let names = ("[a-z]{1,3}x", option::of("[a-z0-9][a-z0-9._-]{0,9}"), option::of(1..=86_400_u32));
    let maps = (
        btree_map("[a-z.]{1,9}", text(), 0..3),
        btree_map((1..=65_535_u16).prop_map(|p| format!("{p}/tcp")), 1..=65_535_u16, 0..3),
    );
    (mounts, words, names, maps, retry()).prop_map(
        |(
            (source, read_only, key, size),
            words,
            (network, registry_auth, timeout_seconds),
            (labels, ports),
            retry,
        )| {
            let volume = |source| Volume { source, target: "/volume".to_owned(), read_only };
            let cache = |key| Cache { key, path: "/cache".to_owned() };
            let tmpfs = |size| Tmpfs { path: "/tmpfs".to_owned(), size: Some(size << 12) };
            JobSpec {
                artifacts_when: words.0,
                cleanup_policy: words.1,
                pull_policy: words.2,
                volumes: source.map(volume).into_iter().collect(),
                cache: key.map(cache).into_iter().collect(),
                tmpfs: size.map(tmpfs).into_iter().collect(),
                network,
                registry_auth,
                timeout_seconds,
                labels,
                ports,
                retry,
                ..JobSpec::new("", Vec::new())
            }
        },
    )
}

fn spec() -> impl Strategy<Value = JobSpec> {
    let sandbox = ("[a-zA-Z0-9][a-zA-Z0-9._/:@-]{1,20}", env(), resources())
        .prop_map(|(image, env, resources)| SandboxSpec { image, env, resources });
    let patterns = vec("[a-z*?/ü-]{1,10}".prop_map(|p| format!("o{p}")), 0..4);
    let name = "[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}";
    let rest = (option::of(name), 10..=86_400_u32, inputs(), option::of("/[a-z/.]{0,9}[a-z]"), name);
    (sandbox, vec(command(), 1..5), patterns, rest, placed()).prop_map(
        |(sandbox, commands, artifacts, (job_id, ttl_seconds, inputs, workdir, pool), placed)| JobSpec {
            job_id: job_id.map(|id| id.parse().unwrap()),
            sandbox,
            commands,
            artifacts,
            ttl_seconds,
            inputs,
            workdir: workdir.map(|w| w.replace("..", "")),
            pool: pool.parse().unwrap(),
            ..placed
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
