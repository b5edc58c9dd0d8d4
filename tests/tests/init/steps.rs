//! How steps start, what they see, and what is said of their end.

use orcaops_init::message::{End, FromInit, StepStart, ToInit};
use orcaops_tests::container::{InitContainer, Plan};

use crate::{argv, container, sh};

#[tokio::test]
async fn the_two_streams_come_apart_and_with_the_exit_code() {
    let mut c = container().await;
    let ran = c.run(sh(0, "echo out; echo err >&2; exit 7")).await.unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
    assert_eq!(ran.end.end, End::Exited(7));
    assert!(!ran.end.oom_killed && ran.end.duration_us > 0 && ran.end.max_rss_bytes > 0);
}

#[tokio::test]
async fn an_argument_vector_meets_no_shell() {
    let mut c = container().await;
    let ran = c.run(argv(0, &["echo", "$HOME", "a  b", "*", ";", "exit", "3"])).await.unwrap();
    assert_eq!(ran.text(), "$HOME a  b * ; exit 3\n");
    assert_eq!(ran.end.end, End::Exited(0));
}

#[tokio::test]
async fn a_step_has_its_environment_and_folder_and_the_engine_does_not_know() {
    let mut c = container().await;
    let env = vec![("SECRET".to_owned(), "tell-nobody".to_owned())];
    let step = StepStart { env, cwd: "sub/dir".to_owned(), ..sh(1, "echo $SECRET; pwd") };
    c.run(sh(0, "mkdir -p /work/sub/dir")).await.unwrap();
    assert_eq!(c.run(step).await.unwrap().text(), "tell-nobody\n/work/sub/dir\n");
    assert!(!c.inspect().await.unwrap().contains("tell-nobody"));
    assert_eq!(c.run(sh(2, "echo [$SECRET]; pwd")).await.unwrap().text(), "[]\n/\n");
}

#[tokio::test]
async fn the_program_is_looked_up_in_the_path_of_the_step() {
    let mut c = container().await;
    c.run(sh(0, "mkdir /opt; printf '#!/bin/sh\\necho found' > /opt/tool; chmod +x /opt/tool"))
        .await
        .unwrap();
    let env = vec![("PATH".to_owned(), "/opt".to_owned())];
    assert_eq!(c.run(StepStart { env, ..argv(1, &["tool"]) }).await.unwrap().text(), "found\n");
}

#[tokio::test]
async fn a_step_is_a_process_like_any_other() {
    let mut c = container().await;
    let status = c.run(argv(0, &["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])).await.unwrap();
    assert_eq!(status.text(), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    let stdin = c.run(argv(1, &["readlink", "/proc/self/fd/0"])).await.unwrap();
    assert_eq!(stdin.text(), "/dev/null\n");
    let open = c.run(sh(2, "ls /proc/$$/fd; true")).await.unwrap();
    assert_eq!(open.text(), "0\n1\n2\n");
}

#[tokio::test]
async fn a_signal_that_init_did_not_send_is_told() {
    let mut c = container().await;
    let signal = async |c: &mut InitContainer, index, name: &str| {
        c.run(sh(index, &format!("kill -{name} $$; sleep 60"))).await.unwrap().end.end
    };
    assert_eq!(signal(&mut c, 0, "TERM").await, End::Signaled(15));
    assert_eq!(signal(&mut c, 1, "KILL").await, End::Signaled(9));
    assert_eq!(signal(&mut c, 2, "PIPE").await, End::Signaled(13));
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let mut c = container().await;
    c.run(sh(0, "touch /plain; printf '#!/nowhere' > /script; chmod +x /script")).await.unwrap();
    let file = |cwd: &str| StepStart { cwd: cwd.to_owned(), ..sh(1, "true") };
    for (step, code, words) in [
        (argv(1, &["no-such-program"]), 127, "no-such-program does not exist in PATH (/"),
        (argv(1, &["/no/such/program"]), 127, "/no/such/program does not exist"),
        (argv(1, &["/script"]), 127, "the interpreter that /script needs"),
        (argv(1, &["/plain"]), 126, "/plain may not be run"),
        (argv(1, &[]), 126, "names no program"),
        (argv(1, &["echo", "a\0b"]), 126, "echo cannot be run"),
        (file("/nowhere"), 126, "folder /nowhere does not exist"),
        (file("nowhere"), 126, "folder /work/nowhere does not exist"),
        (file("/plain"), 126, "folder /plain is not a folder"),
    ] {
        match c.run(step).await.unwrap().end.end {
            End::NotStarted { code: got, error } => {
                assert_eq!(got, code, "{error}");
                assert!(error.contains(words), "{error}");
            }
            other => panic!("{words}: {other:?}"),
        }
    }
    assert_eq!(c.run(sh(2, "exit 4")).await.unwrap().end.end, End::Exited(4));
}

#[tokio::test]
async fn running_out_of_memory_is_told_and_survived() {
    let plan = Plan { memory: Some(64 * 1024 * 1024), ..Plan::default() };
    let mut c = InitContainer::start_as(plan).await.unwrap();
    assert!(!c.run(sh(0, "true")).await.unwrap().end.oom_killed);
    let ran = c.run(argv(1, &["awk", "BEGIN { s = \"x\"; while (1) s = s s }"])).await.unwrap();
    assert_eq!(ran.end.end, End::Signaled(9));
    assert!(ran.end.oom_killed && ran.end.max_rss_bytes > 16 * 1024 * 1024);
    assert!(!c.run(sh(2, "true")).await.unwrap().end.oom_killed);
}

#[tokio::test]
async fn processor_time_counts_descendants_and_orphans() {
    let mut c = container().await;
    let spin = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let own = c.run(sh(0, spin)).await.unwrap().end;
    let child = c.run(sh(1, &format!("/bin/sh -c '{spin}'"))).await.unwrap().end;
    let orphan =
        format!("(/bin/sh -c '{spin}; touch /done' &); while [ ! -e /done ]; do sleep 0.02; done; sleep 0.1");
    let orphan = c.run(sh(2, &orphan)).await.unwrap().end;
    for end in [own, child, orphan] {
        assert!(end.cpu_us > 20_000, "{end:?}");
    }
}

#[tokio::test]
async fn orphans_are_reaped() {
    let mut c = container().await;
    c.run(sh(0, "for i in $(seq 300); do (true &); done")).await.unwrap();
    let none_left = "i=0; while grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do
        i=$((i+1)); [ $i -lt 200 ] || exit 1; sleep 0.05; done";
    assert_eq!(c.run(sh(1, none_left)).await.unwrap().end.end, End::Exited(0));
}

#[tokio::test]
async fn two_hundred_steps_run_in_one_container() {
    let mut c = container().await;
    for index in 0..200 {
        let ran = c.run(sh(index, &format!("echo {index}; exit {}", index % 256))).await.unwrap();
        assert_eq!(ran.text(), format!("{index}\n"));
        assert_eq!(ran.end.end, End::Exited(i32::try_from(index % 256).unwrap()));
    }
    let open = c.exec(&["/bin/sh", "-c", "ls /proc | grep -c '^[0-9]*$'"]).await.unwrap();
    assert!(open.trim().parse::<u32>().unwrap() <= 5, "processes are left: {open}");
}

#[tokio::test]
async fn a_user_that_is_not_root_is_served_as_well() {
    let plan = Plan { user: Some("1234:1234".to_owned()), ..Plan::default() };
    let mut c = InitContainer::start_as(Plan { hello: plan.hello.clone(), ..plan }).await.unwrap();
    assert_eq!(c.run(argv(0, &["id", "-u"])).await.unwrap().text(), "1234\n");
    let slow = StepStart { timeout_ms: 200, ..sh(1, "sleep 1000 & sleep 1000") };
    assert_eq!(c.run(slow).await.unwrap().end.end, End::TimedOut);
    c.send(&ToInit::InputsEnd).await.unwrap();
    match c.next().await.unwrap() {
        FromInit::InputsDone(done) => assert!(done.error.unwrap().contains("/work")),
        other => panic!("{other:?}"),
    }
}
