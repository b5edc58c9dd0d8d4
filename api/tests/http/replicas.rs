//! Several replicas over one store and one bus, and their coming and going.

use orcaops_common::domain::log::LogStream::Stdout;
use orcaops_common::domain::run::JobStatus;

use crate::support::{Fixture, Player, next_data, next_event, spec};

#[tokio::test]
async fn a_stream_ends_on_every_replica_whichever_recorded_the_result() {
    let first = Fixture::start().await;
    let second = first.replica().await;
    let job = second.submit(&spec("one")).await;
    let mut streams = [first.events(&job, "", None).await, second.events(&job, "", None).await];
    let mut player = Player::start(&first).await;
    player.print(Stdout, "hello\n").await;
    player.finish(JobStatus::Success).await;
    for stream in &mut streams {
        assert_eq!(next_data(stream).await["line"], "hello");
        assert_eq!(next_event(stream).await.unwrap().event, "done");
        assert!(next_event(stream).await.is_none());
    }
    first.mirrored(&job).await;
}

#[tokio::test]
async fn when_the_leading_replica_stops_another_schedules_and_mirrors() {
    let first = Fixture::start().await;
    let second = first.replica().await;
    let job = first.submit(&spec("one")).await;
    let mut player = Player::start(&first).await;
    player.finish(JobStatus::Success).await;
    first.mirrored(&job).await;
    first.api.stop().await;

    second.bus.refuse_jobs(true);
    let job = second.submit(&spec("two")).await;
    second.bus.refuse_jobs(false);
    let mut player = Player::start(&second).await;
    assert_eq!(player.job, job);
    player.finish(JobStatus::Success).await;
    second.mirrored(&job).await;
}

#[tokio::test]
async fn a_service_may_be_started_and_stopped_again_and_again() {
    let fixture = Fixture::start().await;
    for _ in 0..10 {
        let replica = fixture.replica().await;
        assert_eq!(replica.get("/healthz").await.status, 200);
        tokio::join!(replica.api.stop(), replica.api.stop());
        assert!(replica.client.get(replica.url("/healthz")).send().await.is_err(), "it still serves");
    }
    assert_eq!(fixture.get("/readyz").await.status, 200);
}
