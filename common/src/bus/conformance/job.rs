//! Jobs.

use std::collections::BTreeSet;

use futures_util::future::{Either, join_all, select};
use futures_util::{FutureExt, poll};

use super::{BusUnderTest, LONG, SHORT, WATCH, id_of, message, never, next, pool, soon};
use crate::bus::{BusError, MAX_MESSAGE};
use crate::domain::id::PoolName;

/// What is delivered is what was published.
pub async fn a_published_job_is_delivered_whole(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    let job = message("whole", 7);
    bus.publish_job(&job).await.expect("published");
    let delivery = next(&mut queue).await;
    assert_eq!((delivery.job, delivery.delivery), (Ok(job), 1));
}

/// A job waits for its first listener.
pub async fn a_job_published_before_anyone_listens_is_delivered(bus: BusUnderTest) {
    bus.publish_job(&message("early", 1)).await.expect("published");
    let mut queue = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    assert_eq!(id_of(&next(&mut queue).await), "early");
}

/// Publishing the same dispatch twice changes nothing.
pub async fn a_duplicate_publish_is_one_message(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    for _ in 0..3 {
        bus.publish_job(&message("twice", 1)).await.expect("published");
    }
    next(&mut queue).await.lease.ack().await.expect("acknowledged");
    bus.publish_job(&message("twice", 1)).await.expect("published");
    never("a duplicate was delivered", queue.next()).await;
}

/// Another dispatch is another message.
pub async fn the_next_dispatch_of_a_job_is_another_message(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    for dispatch in [1, 2] {
        bus.publish_job(&message("again", dispatch)).await.expect("published");
    }
    for dispatch in [1, 2] {
        let delivery = next(&mut queue).await;
        assert_eq!(delivery.job.expect("readable").dispatch, dispatch);
        delivery.lease.ack().await.expect("acknowledged");
    }
}

/// Silence longer than the lease means redelivery.
pub async fn an_unacknowledged_job_comes_again_with_a_higher_delivery_number(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), SHORT).await.expect("a queue");
    bus.publish_job(&message("silent", 1)).await.expect("published");
    for expected in 1..=3 {
        let delivery = next(&mut queue).await;
        assert_eq!((id_of(&delivery).as_str(), delivery.delivery), ("silent", expected));
    }
}

/// A job that is extended in time stays with its holder.
pub async fn progress_holds_the_lease(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), SHORT).await.expect("a queue");
    bus.publish_job(&message("held", 1)).await.expect("published");
    let delivery = next(&mut queue).await;
    let mut other = bus.jobs(&PoolName::default(), SHORT).await.expect("a queue");
    let mut ticks = tokio::time::interval(SHORT / 4);
    // Four leases long.
    for _ in 0..16 {
        tokio::select! {
            again = other.next() => panic!("delivered again: {:?}", again.map(|d| d.delivery)),
            _ = ticks.tick() => delivery.lease.extend().await.expect("extended"),
        }
    }
    delivery.lease.ack().await.expect("acknowledged");
    never("delivered after it was acknowledged", other.next()).await;
}

/// Acknowledged is done with.
pub async fn an_acknowledged_job_never_comes_again(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), SHORT).await.expect("a queue");
    bus.publish_job(&message("done", 1)).await.expect("published");
    next(&mut queue).await.lease.ack().await.expect("acknowledged");
    never("delivered after it was acknowledged", queue.next()).await;
}

/// A job can be given back before its lease ends.
pub async fn a_released_job_comes_again(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    bus.publish_job(&message("released", 1)).await.expect("published");
    next(&mut queue).await.lease.release(SHORT).await.expect("released");
    assert_eq!(next(&mut queue).await.delivery, 2);
}

/// First in, first out.
pub async fn jobs_come_in_order_of_publication(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    let names: Vec<String> = (0..20).map(|n| format!("job-{n}")).collect();
    for name in &names {
        bus.publish_job(&message(name, 1)).await.expect("published");
    }
    for name in &names {
        let delivery = next(&mut queue).await;
        assert_eq!(id_of(&delivery), *name);
        delivery.lease.ack().await.expect("acknowledged");
    }
}

/// Each job goes to one consumer.
pub async fn two_consumers_share_the_jobs(bus: BusUnderTest) {
    let mut left = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    let mut right = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    let names: BTreeSet<String> = (0..20).map(|n| format!("job-{n}")).collect();
    for name in &names {
        bus.publish_job(&message(name, 1)).await.expect("published");
    }
    let (mut seen, mut by_left, mut by_right) = (Vec::new(), 0, 0);
    while seen.len() < names.len() {
        let delivery = tokio::select! {
            d = left.next() => { by_left += 1; d },
            d = right.next() => { by_right += 1; d },
            () = tokio::time::sleep(super::PATIENCE) => panic!("only {} jobs came", seen.len()),
        }
        .expect("a job");
        seen.push(id_of(&delivery));
        delivery.lease.ack().await.expect("acknowledged");
    }
    assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), names);
    assert!(by_left > 0 && by_right > 0, "{by_left} to {by_right}");
}

/// A worker gets jobs of its pool only.
pub async fn pools_are_apart(bus: BusUnderTest) {
    let mut gpu = bus.jobs(&pool("gpu"), LONG).await.expect("a queue");
    let mut other = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    let mut job = message("graphics", 1);
    job.pool = pool("gpu");
    bus.publish_job(&job).await.expect("published");
    assert_eq!(id_of(&next(&mut gpu).await), "graphics");
    never("a job came to another pool", other.next()).await;
}

/// `next` may be dropped at any moment.
pub async fn a_wait_that_is_given_up_loses_no_job(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    for _ in 0..5 {
        assert!(tokio::time::timeout(WATCH / 10, queue.next()).await.is_err());
    }
    // One wait is given up in the very moment when the job arrives.
    assert!(queue.next().now_or_never().is_none());
    bus.publish_job(&message("kept", 1)).await.expect("published");
    let delivery = next(&mut queue).await;
    assert_eq!((id_of(&delivery).as_str(), delivery.delivery), ("kept", 1));
}

/// Whoever waits hears of every job, not only of those that are published while it waits.
pub async fn a_job_whose_holder_is_gone_comes_to_one_who_has_waited_all_along(bus: BusUnderTest) {
    let mut first = bus.jobs(&PoolName::default(), SHORT).await.expect("a queue");
    let mut other = bus.jobs(&PoolName::default(), SHORT).await.expect("a queue");
    let (mut one, mut two) = (first.next(), other.next());
    assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending());
    bus.publish_job(&message("orphan", 1)).await.expect("published");
    let (taken, waiting) = match soon("the job", select(one, two)).await {
        Either::Left(taken) | Either::Right(taken) => taken,
    };
    drop(taken);
    let delivery = soon("the job", waiting).await.expect("a job");
    assert_eq!((id_of(&delivery).as_str(), delivery.delivery), ("orphan", 2));
}

/// A worker that was slow, but has done the work, is believed.
pub async fn an_acknowledgement_after_the_lease_counts_while_nobody_else_has_the_job(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), SHORT).await.expect("a queue");
    bus.publish_job(&message("late", 1)).await.expect("published");
    let delivery = next(&mut queue).await;
    never("nothing happens here", std::future::pending::<()>()).await;
    delivery.lease.ack().await.expect("acknowledged");
    never("delivered after it was acknowledged", queue.next()).await;
}

/// Many jobs in hand at once, each for one holder.
pub async fn a_full_set_of_deliveries_keeps_each_job_with_one_holder(bus: BusUnderTest) {
    const COUNT: usize = 100;
    for n in 0..COUNT {
        bus.publish_job(&message(&format!("job-{n}"), 1)).await.expect("published");
    }
    let holders = (0..10).map(|_| async {
        let mut queue = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
        let mut held = Vec::new();
        while held.len() < COUNT / 10 {
            held.push(next(&mut queue).await);
        }
        held
    });
    let held: Vec<_> = join_all(holders).await.into_iter().flatten().collect();
    let names: BTreeSet<String> = held.iter().map(id_of).collect();
    assert_eq!(names.len(), COUNT);
    assert!(held.iter().all(|d| d.delivery == 1));
}

/// The largest message passes.
pub async fn a_job_of_the_largest_size_passes(bus: BusUnderTest) {
    let mut queue = bus.jobs(&PoolName::default(), LONG).await.expect("a queue");
    let mut job = message("large", 1);
    let bare = serde_json::to_vec(&job).expect("json").len();
    job.spec.artifacts = vec!["x".repeat(MAX_MESSAGE - bare - 2)];
    assert_eq!(serde_json::to_vec(&job).expect("json").len(), MAX_MESSAGE);
    bus.publish_job(&job).await.expect("published");
    assert_eq!(soon("the job", next(&mut queue)).await.job, Ok(job));
}

/// One byte more does not, and the error says so.
pub async fn a_job_that_is_too_large_is_refused(bus: BusUnderTest) {
    let mut job = message("too-large", 1);
    job.spec.artifacts = vec!["x".repeat(MAX_MESSAGE)];
    let refused = bus.publish_job(&job).await;
    assert!(matches!(refused, Err(BusError::TooLarge { limit: MAX_MESSAGE, .. })), "{refused:?}");
}

/// As long as nothing is lost, the generation is the same.
pub async fn the_generation_stays(bus: BusUnderTest) {
    let first = bus.generation().await.expect("a generation");
    bus.publish_job(&message("any", 1)).await.expect("published");
    assert_eq!(bus.generation().await.expect("a generation"), first);
    assert!(!first.is_empty());
}
