//! NATS JetStream, held to the rules of every bus, and to some of its own.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use chrono::Utc;
use futures_util::StreamExt;
use orcaops_common::bus::conformance::BusUnderTest;
use orcaops_common::bus::nats::NatsBus;
use orcaops_common::bus::{Bus, BusError};
use orcaops_common::domain::id::{AttemptId, JobId, PoolName};
use orcaops_common::domain::job::{JobCommand, JobSpec};
use orcaops_common::domain::log::{LogBody, LogEntry};
use orcaops_common::domain::message::JobMessage;
use orcaops_tests::nats::Nats;
use orcaops_tests::wait::until;

async fn fresh() -> (BusUnderTest, Nats) {
    let nats = Nats::start().await;
    let bus = NatsBus::connect(nats.url()).await.expect("a bus");
    (Arc::new(bus), nats)
}

orcaops_common::bus_conformance!(crate::fresh());

fn message(name: &str) -> JobMessage {
    JobMessage {
        job_id: JobId::new(name).expect("valid"),
        pool: PoolName::default(),
        dispatch: 1,
        attempts_spent: 0,
        max_attempts: 3,
        ttl_expiry: None,
        spec: JobSpec::new("image", vec![JobCommand::shell("true")]),
    }
}

async fn publish(bus: &NatsBus, name: &str) -> Result<()> {
    let published = async || bus.publish_job(&message(name)).await.is_ok();
    until("the job is published", Duration::from_secs(30), published).await
}

async fn take(bus: &NatsBus) -> Result<String> {
    let mut taken = String::new();
    until("a job comes", Duration::from_secs(30), async || {
        let Ok(mut queue) = bus.jobs(&PoolName::default(), Duration::from_secs(30)).await else {
            return false;
        };
        let next = tokio::time::timeout(Duration::from_secs(2), queue.next()).await;
        let Ok(Ok(delivery)) = next else { return false };
        taken = delivery.job.expect("readable").job_id.to_string();
        true
    })
    .await?;
    Ok(taken)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_has_kept_its_jobs() -> Result<()> {
    let mut nats = Nats::start().await;
    let bus = NatsBus::connect(nats.url()).await?;
    let generation = bus.generation().await?;
    publish(&bus, "kept").await?;
    nats.restart().await?;
    assert_eq!(take(&bus).await?, "kept");
    until("the server answers", Duration::from_secs(10), async || bus.generation().await.is_ok()).await?;
    assert_eq!(bus.generation().await?, generation);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_its_data_works_again_and_is_another_generation() -> Result<()> {
    let mut nats = Nats::start().await;
    let bus = NatsBus::connect(nats.url()).await?;
    let generation = bus.generation().await?;
    publish(&bus, "lost").await?;
    nats.wipe_and_restart().await?;
    let changed = async || bus.generation().await.is_ok_and(|g| g != generation);
    until("the generation changes", Duration::from_secs(30), changed).await?;
    publish(&bus, "new").await?;
    assert_eq!(take(&bus).await?, "new");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_credentials() {
    let port = orcaops_tests::process::free_port().expect("a port");
    let url = format!("nats://user:secret@127.0.0.1:{port}");
    match NatsBus::connect(&url).await.map(drop) {
        Err(e @ BusError::Unavailable { .. }) => {
            let words = e.to_string();
            assert!(
                words.contains(&format!("nats://127.0.0.1:{port}")) && !words.contains("secret"),
                "{words}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_replicas_may_open_the_bus_at_once() {
    let nats = Nats::start().await;
    let opened = futures_util::future::join_all((0..8).map(|_| NatsBus::connect(nats.url()))).await;
    for bus in opened {
        bus.expect("opened");
    }
}

/// A server whose users are the API and a worker, the latter with the rights that workers need and no more.
const USERS: &str = r#"
authorization {
  users: [
    { user: api, password: "pass/word" }
    { user: worker, password: secret, permissions: {
        publish: [
          "orcaops.>", "$O.orcaops-objects.>", "_INBOX.>", "$JS.ACK.>",
          "$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.DIRECT.GET.>", "$JS.API.STREAM.MSG.GET.*",
          "$JS.API.CONSUMER.INFO.>", "$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.MSG.NEXT.>"
        ]
        subscribe: [ "_INBOX.>", "orcaops.control.worker.>" ]
    } }
  ]
}
"#;

/// A server with a configuration of its own.
async fn configured(config: &str) -> Result<(Nats, tempfile::NamedTempFile)> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), config)?;
    let nats = Nats::start_with(&["-c", file.path().to_str().expect("text")]).await;
    Ok((nats, file))
}

fn as_user(nats: &Nats, user: &str) -> String {
    nats.url().replace("nats://", &format!("nats://{user}@"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_needs_no_right_to_make_streams() -> Result<()> {
    let (nats, _config) = configured(USERS).await?;
    let api = NatsBus::connect(&as_user(&nats, "api:pass%2Fword")).await?;
    let worker = NatsBus::connect(&as_user(&nats, "worker:secret")).await?;
    worker.ping().await?;
    publish(&api, "job").await?;
    assert_eq!(take(&worker).await?, "job");
    let job = JobId::new("job")?;
    let entry =
        LogEntry { attempt: AttemptId { dispatch: 1, delivery: 1 }, at: Utc::now(), body: LogBody::End };
    let mut log = worker.log_writer(&job).await?;
    log.append(entry).await?;
    log.flush().await?;
    assert!(api.log_end(&job).await? > 0);
    worker.put_object("name", Box::pin(&b"bytes"[..])).await?;
    let (_, mut content) = worker.get_object("name").await?;
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut content, &mut bytes).await?;
    assert_eq!(bytes, b"bytes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_not_shown() -> Result<()> {
    let (nats, _config) = configured(USERS).await?;
    let Err(error) = NatsBus::connect(&as_user(&nats, "api:guess")).await else { panic!("let in") };
    let words = format!("{:#}", anyhow::Error::new(error));
    assert!(words.contains(nats.url()) && !words.contains("guess"), "{words}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_server_has_room_for_everything() -> Result<()> {
    let (nats, _config) = configured("jetstream { max_file_store: 1GB }").await?;
    let bus = NatsBus::connect(nats.url()).await?;
    publish(&bus, "job").await?;
    bus.put_object("name", Box::pin(&b"bytes"[..])).await?;
    write_end(&bus, &JobId::new("job")?, 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_lease_holds_from_the_next_opening_on() -> Result<()> {
    let nats = Nats::start().await;
    let bus = NatsBus::connect(nats.url()).await?;
    let pool = PoolName::default();
    drop(bus.jobs(&pool, Duration::from_secs(600)).await?);
    let mut queue = bus.jobs(&pool, Duration::from_millis(500)).await?;
    publish(&bus, "silent").await?;
    for expected in [1, 2] {
        let delivery = tokio::time::timeout(Duration::from_secs(20), queue.next()).await??;
        assert_eq!(delivery.delivery, expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_on_what_the_server_has_lost_is_no_lease() -> Result<()> {
    let mut nats = Nats::start().await;
    let bus = NatsBus::connect(nats.url()).await?;
    let mut queue = bus.jobs(&PoolName::default(), Duration::from_secs(60)).await?;
    publish(&bus, "lost").await?;
    let delivery = tokio::time::timeout(Duration::from_secs(20), queue.next()).await??;
    delivery.lease.extend().await?;
    nats.wipe_and_restart().await?;
    until("the server answers", Duration::from_secs(30), async || bus.ping().await.is_ok()).await?;
    assert!(delivery.lease.extend().await.is_err());
    assert!(delivery.lease.ack().await.is_err());
    Ok(())
}

/// How many messages the bucket of objects holds: an object's chunks, and one that describes it.
async fn messages_of_objects(nats: &Nats) -> Result<u64> {
    let jetstream = async_nats::jetstream::new(async_nats::connect(nats.url()).await?);
    Ok(jetstream.get_stream("OBJ_orcaops-objects").await?.cached_info().state.messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_an_object_that_is_replaced_or_broken_off() -> Result<()> {
    let nats = Nats::start().await;
    let bus = NatsBus::connect(nats.url()).await?;
    let piece = bytes::Bytes::from(vec![7; 1 << 20]);
    for _ in 0..2 {
        bus.put_object("whole", Box::pin(std::io::Cursor::new(piece.clone()))).await?;
    }
    until("the first one's chunks are gone", Duration::from_secs(30), async || {
        messages_of_objects(&nats).await.is_ok_and(|messages| messages == 5)
    })
    .await?;

    let pieces = vec![Ok(piece.clone()), Err(std::io::Error::other("the rest is gone"))];
    let fails = tokio_util::io::StreamReader::new(futures_util::stream::iter(pieces));
    assert!(bus.put_object("fails", Box::pin(fails)).await.is_err());
    let silent =
        futures_util::stream::iter([std::io::Result::Ok(piece)]).chain(futures_util::stream::pending());
    let silent = tokio_util::io::StreamReader::new(silent);
    let mut storing = bus.put_object("silent", Box::pin(silent));
    until("its first chunks are stored", Duration::from_secs(30), async || {
        let _ = futures_util::poll!(&mut storing);
        messages_of_objects(&nats).await.is_ok_and(|messages| messages >= 8)
    })
    .await?;
    drop(storing);
    until("the chunks of both are gone", Duration::from_secs(30), async || {
        messages_of_objects(&nats).await.is_ok_and(|messages| messages == 5)
    })
    .await
}

async fn write_end(bus: &NatsBus, job: &JobId, delivery: u32) -> Result<()> {
    until("the log is written", Duration::from_secs(30), async || {
        let attempt = AttemptId { dispatch: 1, delivery };
        let entry = LogEntry { attempt, at: Utc::now(), body: LogBody::End };
        let Ok(mut log) = bus.log_writer(job).await else { return false };
        log.append(entry).await.is_ok() && log.flush().await.is_ok()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_a_log_goes_on_when_the_server_comes_back() -> Result<()> {
    for wiped in [false, true] {
        let mut nats = Nats::start().await;
        let bus = NatsBus::connect(nats.url()).await?;
        let job = JobId::new("job")?;
        for delivery in 1..=3 {
            write_end(&bus, &job, delivery).await?;
        }
        let mut log = bus.read_log(&job, 0).await?;
        for delivery in 1..=3 {
            assert_eq!(log.next().await.expect("open")?.1.attempt.delivery, delivery);
        }
        if wiped {
            nats.wipe_and_restart().await?;
        } else {
            nats.restart().await?;
        }
        write_end(&bus, &job, 4).await?;
        let next = tokio::time::timeout(Duration::from_secs(60), log.next()).await?;
        assert_eq!(next.expect("open")?.1.attempt.delivery, 4, "wiped: {wiped}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_to_a_server_that_is_away_fails_and_says_where() -> Result<()> {
    let mut nats = Nats::start().await;
    let bus = NatsBus::connect(nats.url()).await?;
    nats.stop();
    let refused = bus.publish_job(&message("early")).await;
    assert!(
        matches!(&refused, Err(BusError::Unavailable { address, .. }) if address == nats.url()),
        "{refused:?}"
    );
    nats.resume().await?;
    publish(&bus, "late").await?;
    Ok(())
}
