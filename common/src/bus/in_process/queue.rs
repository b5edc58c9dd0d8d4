//! A queue whose messages come again unless they are acknowledged.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::bus::{BusError, Lease};

/// How long the same message is known to be a duplicate.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);
/// How many messages are known at most; beyond that the oldest is forgotten before its time.
const MAX_KNOWN: usize = 100_000;

/// A bounded queue. Its messages keep their order, also when they come again.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Wakes all who wait: what comes next, and when, may have changed for each of them.
    changed: Notify,
    limit: usize,
}

struct State<T> {
    next_tag: u64,
    /// Messages that nobody holds, by the order in which they came.
    waiting: BTreeMap<u64, Message<T>>,
    /// Messages that somebody holds, or that are put off.
    held: HashMap<u64, Held<T>>,
    /// Keys of messages of the last minutes, and the order in which they are forgotten.
    known: HashSet<String>,
    forget: VecDeque<(Instant, String)>,
}

struct Message<T> {
    value: Arc<T>,
    deliveries: u32,
}

struct Held<T> {
    message: Message<T>,
    until: Instant,
}

/// A message in somebody's hands.
pub(super) struct Taken<T: Send + Sync + 'static> {
    /// What it says.
    pub(super) value: T,
    /// How often it has been taken, this time included.
    pub(super) delivery: u32,
    /// The hold on it.
    pub(super) lease: QueueLease<T>,
}

/// The hold on a message.
pub(super) struct QueueLease<T: Send + Sync + 'static> {
    queue: Arc<Queue<T>>,
    tag: u64,
    /// Which delivery this is the hold of: an earlier one's hold is void.
    delivery: u32,
    length: Duration,
}

impl<T: Clone + Send + Sync + 'static> Queue<T> {
    pub(super) fn new(limit: usize) -> Self {
        let state = State {
            next_tag: 0,
            waiting: BTreeMap::new(),
            held: HashMap::new(),
            known: HashSet::new(),
            forget: VecDeque::new(),
        };
        Self { state: Mutex::new(state), changed: Notify::new(), limit }
    }

    /// Adds a message, unless one with that key was added in the last minutes.
    pub(super) fn push(&self, key: String, value: T) -> Result<(), BusError> {
        let mut state = self.lock();
        let now = Instant::now();
        state.forget_old(now);
        if state.known.contains(&key) {
            return Ok(());
        }
        if state.waiting.len() + state.held.len() >= self.limit {
            let cause = format!("its queue holds {} messages, which is its limit", self.limit).into();
            return Err(BusError::Unavailable { address: "this process".to_owned(), cause });
        }
        state.known.insert(key.clone());
        state.forget.push_back((now + DUPLICATE_WINDOW, key));
        let tag = state.next_tag;
        state.next_tag += 1;
        state.waiting.insert(tag, Message { value: Arc::new(value), deliveries: 0 });
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Takes at least one and at most `max` messages for the length of a lease. Cancel safe: nothing is taken
    /// before it is returned.
    pub(super) async fn take(self: &Arc<Self>, max: usize, length: Duration) -> Vec<Taken<T>> {
        loop {
            // Heard from before the queue is looked at, so that no change in between is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let next_return = {
                let mut state = self.lock();
                let now = Instant::now();
                state.take_back(now);
                let taken = self.take_now(&mut state, max.max(1), length, now);
                if !taken.is_empty() {
                    drop(state);
                    // Whoever waits may outlive this taker, and must know when what it took comes again.
                    self.changed.notify_waiters();
                    return taken;
                }
                state.held.values().map(|h| h.until).min()
            };
            match next_return {
                Some(at) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    fn take_now(
        self: &Arc<Self>,
        state: &mut State<T>,
        max: usize,
        length: Duration,
        now: Instant,
    ) -> Vec<Taken<T>> {
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some((tag, mut message)) = state.waiting.pop_first()
        {
            message.deliveries += 1;
            let delivery = message.deliveries;
            taken.push(Taken {
                value: T::clone(&message.value),
                delivery,
                lease: QueueLease { queue: Arc::clone(self), tag, delivery, length },
            });
            state.held.insert(tag, Held { message, until: now + length });
        }
        taken
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Forgets keys of messages that are old, or too many.
    fn forget_old(&mut self, now: Instant) {
        while self.forget.len() >= MAX_KNOWN || self.forget.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, old)) = self.forget.pop_front() else { break };
            self.known.remove(&old);
        }
    }

    /// Puts back what was held for too long.
    fn take_back(&mut self, now: Instant) {
        let over: Vec<u64> = self.held.iter().filter(|(_, h)| h.until <= now).map(|(tag, _)| *tag).collect();
        for tag in over {
            if let Some(held) = self.held.remove(&tag) {
                self.waiting.insert(tag, held.message);
            }
        }
    }

    /// Takes a message out, if that delivery of it is the latest. Its lease may have run out: as long as
    /// nobody else was given the message, its holder's word counts.
    fn remove(&mut self, tag: u64, delivery: u32) -> Option<Message<T>> {
        if self.held.get(&tag).is_some_and(|h| h.message.deliveries == delivery) {
            return self.held.remove(&tag).map(|h| h.message);
        }
        if self.waiting.get(&tag).is_some_and(|m| m.deliveries == delivery) {
            return self.waiting.remove(&tag);
        }
        None
    }
}

impl<T: Send + Sync + 'static> QueueLease<T> {
    /// Does something to the message, as long as it has not been delivered again.
    fn with(&self, change: impl FnOnce(&mut State<T>, Message<T>)) {
        let mut state = self.queue.lock();
        if let Some(message) = state.remove(self.tag, self.delivery) {
            change(&mut state, message);
        }
        drop(state);
        self.queue.changed.notify_waiters();
    }

    fn hold_until(&self, until: Instant) {
        self.with(|state, message| {
            state.held.insert(self.tag, Held { message, until });
        });
    }
}

#[async_trait]
impl<T: Send + Sync + 'static> Lease for QueueLease<T> {
    async fn extend(&self) -> Result<(), BusError> {
        self.hold_until(Instant::now() + self.length);
        Ok(())
    }

    async fn ack(&self) -> Result<(), BusError> {
        self.with(|_, _| {});
        Ok(())
    }

    async fn release(&self, delay: Duration) -> Result<(), BusError> {
        self.hold_until(Instant::now() + delay);
        Ok(())
    }
}
