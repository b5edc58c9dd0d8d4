//! Events.

use super::{BusUnderTest, LONG, SHORT, event, never, soon};
use crate::bus::{EventDelivery, EventQueue};

async fn take(queue: &mut Box<dyn EventQueue>, count: usize) -> Vec<EventDelivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.extend(soon("events", queue.next(count - taken.len())).await.expect("events"));
    }
    taken
}

fn seqs(taken: &[EventDelivery]) -> Vec<u64> {
    taken.iter().map(|d| d.event.as_ref().expect("readable").seq).collect()
}

/// What is delivered is what was published, in that order.
pub async fn events_come_in_order_and_whole(bus: BusUnderTest) {
    let mut queue = bus.events(LONG).await.expect("a queue");
    let events: Vec<_> = (1..=50).map(|seq| event("job", seq)).collect();
    for event in &events {
        bus.publish_event(event).await.expect("published");
    }
    let taken = take(&mut queue, 50).await;
    let received: Vec<_> = taken.into_iter().map(|d| d.event.expect("readable")).collect();
    assert_eq!(received, events);
}

/// A worker that is not sure may publish again.
pub async fn a_duplicate_event_is_one_message(bus: BusUnderTest) {
    let mut queue = bus.events(LONG).await.expect("a queue");
    for _ in 0..3 {
        bus.publish_event(&event("job", 1)).await.expect("published");
    }
    assert_eq!(take(&mut queue, 1).await.len(), 1);
    never("a duplicate was delivered", queue.next(1)).await;
}

/// A recorder that dies loses nothing.
pub async fn an_unacknowledged_event_comes_again(bus: BusUnderTest) {
    let mut queue = bus.events(SHORT).await.expect("a queue");
    bus.publish_event(&event("job", 1)).await.expect("published");
    drop(take(&mut queue, 1).await);
    let again = take(&mut queue, 1).await;
    assert_eq!((seqs(&again), again[0].delivery), (vec![1], 2));
}

/// Acknowledged is done with.
pub async fn an_acknowledged_event_never_comes_again(bus: BusUnderTest) {
    let mut queue = bus.events(SHORT).await.expect("a queue");
    bus.publish_event(&event("job", 1)).await.expect("published");
    for delivery in take(&mut queue, 1).await {
        delivery.lease.ack().await.expect("acknowledged");
    }
    never("delivered after it was acknowledged", queue.next(1)).await;
}

/// An event that came too early can be put off.
pub async fn a_released_event_comes_again_with_a_higher_delivery_number(bus: BusUnderTest) {
    let mut queue = bus.events(LONG).await.expect("a queue");
    bus.publish_event(&event("job", 1)).await.expect("published");
    for delivery in take(&mut queue, 1).await {
        delivery.lease.release(SHORT / 4).await.expect("released");
    }
    assert_eq!(take(&mut queue, 1).await[0].delivery, 2);
}

/// Each event goes to one of all the recorders.
pub async fn recorders_share_the_events(bus: BusUnderTest) {
    let mut first = bus.events(LONG).await.expect("a queue");
    let mut second = bus.events(LONG).await.expect("a queue");
    for seq in 1..=20 {
        bus.publish_event(&event("job", seq)).await.expect("published");
    }
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let taken = tokio::select! {
            t = first.next(3) => t,
            t = second.next(3) => t,
            () = tokio::time::sleep(super::PATIENCE) => panic!("only {} events came", seen.len()),
        }
        .expect("events");
        seen.extend(seqs(&taken));
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=20).collect::<Vec<u64>>());
}

/// Also when the first one is done with.
pub async fn a_duplicate_of_an_acknowledged_event_is_dropped(bus: BusUnderTest) {
    let mut queue = bus.events(LONG).await.expect("a queue");
    bus.publish_event(&event("job", 1)).await.expect("published");
    for delivery in take(&mut queue, 1).await {
        delivery.lease.ack().await.expect("acknowledged");
    }
    bus.publish_event(&event("job", 1)).await.expect("published");
    bus.publish_event(&event("job", 2)).await.expect("published");
    assert_eq!(seqs(&take(&mut queue, 1).await), vec![2]);
}
