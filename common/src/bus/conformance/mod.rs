//! What every bus must do. Each function is one rule; [`bus_conformance!`](crate::bus_conformance) makes a test
//! of each for one implementation.

#![expect(clippy::expect_used, reason = "a rule that is broken ends its test")]

pub mod control;
pub mod event;
pub mod job;
pub mod log;
pub mod object;

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::{Bus, Delivery, JobQueue};
use crate::domain::event::{EVENT_VERSION, Event, EventBody};
use crate::domain::id::{AttemptId, JobId, PoolName, WorkerName};
use crate::domain::job::{JobCommand, JobSpec};
use crate::domain::message::JobMessage;

/// A bus under test.
pub type BusUnderTest = Arc<dyn Bus>;

/// The lease of messages that are to come again soon.
pub(crate) const SHORT: Duration = Duration::from_millis(700);
/// The lease of messages that are not to come again.
pub(crate) const LONG: Duration = Duration::from_secs(30);
/// The longest that something may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long something is watched that must not happen.
pub(crate) const WATCH: Duration = Duration::from_millis(1500);

/// Something that must happen soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Something that must not happen.
pub(crate) async fn never<T>(what: &str, future: impl Future<Output = T>) {
    assert!(tokio::time::timeout(WATCH, future).await.is_err(), "{what}");
}

pub(crate) fn job_id(name: &str) -> JobId {
    JobId::new(name).expect("a valid id")
}

pub(crate) fn pool(name: &str) -> PoolName {
    PoolName::new(name).expect("a valid pool")
}

pub(crate) fn message(name: &str, dispatch: u32) -> JobMessage {
    let job_id = job_id(name);
    let mut spec = JobSpec::new("image", vec![JobCommand::shell("true")]);
    spec.job_id = Some(job_id.clone());
    JobMessage {
        job_id,
        pool: PoolName::default(),
        dispatch,
        attempts_spent: 0,
        max_attempts: 3,
        ttl_expiry: None,
        spec,
    }
}

pub(crate) fn event(job: &str, seq: u64) -> Event {
    Event {
        v: EVENT_VERSION,
        job_id: job_id(job),
        attempt: AttemptId { dispatch: 1, delivery: 1 },
        number: 1,
        seq,
        at: Utc::now(),
        worker: WorkerName::new("worker").expect("a valid name"),
        body: EventBody::Started,
    }
}

/// The next job, which must come soon.
pub(crate) async fn next(queue: &mut Box<dyn JobQueue>) -> Delivery {
    soon("a job", queue.next()).await.expect("a job")
}

/// The id of a delivered job.
pub(crate) fn id_of(delivery: &Delivery) -> String {
    delivery.job.as_ref().expect("readable").job_id.to_string()
}

/// Makes a test of every rule. `fresh` is an async expression that gives a bus that nobody else uses, and
/// whatever must live as long as it.
#[macro_export]
macro_rules! bus_conformance {
    ($fresh:expr) => {
        $crate::bus_conformance!(@topic $fresh, job: [
            a_published_job_is_delivered_whole,
            a_job_published_before_anyone_listens_is_delivered,
            a_duplicate_publish_is_one_message,
            the_next_dispatch_of_a_job_is_another_message,
            an_unacknowledged_job_comes_again_with_a_higher_delivery_number,
            progress_holds_the_lease,
            an_acknowledged_job_never_comes_again,
            a_released_job_comes_again,
            jobs_come_in_order_of_publication,
            two_consumers_share_the_jobs,
            pools_are_apart,
            a_wait_that_is_given_up_loses_no_job,
            a_job_whose_holder_is_gone_comes_to_one_who_has_waited_all_along,
            an_acknowledgement_after_the_lease_counts_while_nobody_else_has_the_job,
            a_full_set_of_deliveries_keeps_each_job_with_one_holder,
            a_job_of_the_largest_size_passes,
            a_job_that_is_too_large_is_refused,
            the_generation_stays,
        ]);
        $crate::bus_conformance!(@topic $fresh, event: [
            events_come_in_order_and_whole,
            a_duplicate_event_is_one_message,
            an_unacknowledged_event_comes_again,
            an_acknowledged_event_never_comes_again,
            a_released_event_comes_again_with_a_higher_delivery_number,
            recorders_share_the_events,
            a_duplicate_of_an_acknowledged_event_is_dropped,
        ]);
        $crate::bus_conformance!(@topic $fresh, log: [
            a_log_is_read_back_as_it_was_written,
            a_log_is_replayed_from_a_position,
            a_reader_follows_what_is_written_later,
            two_readers_read_the_same,
            a_log_does_not_leak_into_another,
            the_end_of_a_log_is_the_position_of_its_last_entry,
            a_deleted_log_is_empty,
            a_second_writer_goes_on_where_the_first_ended,
            a_long_log_arrives_whole,
            any_number_is_a_position,
            a_writer_that_was_given_up_spoils_nothing,
            a_log_of_many_small_entries_is_followed_by_many_readers,
        ]);
        $crate::bus_conformance!(@topic $fresh, object: [
            an_object_is_read_back_with_its_hash,
            an_object_is_replaced_as_a_whole,
            an_object_that_is_not_there_is_not_found,
            a_reader_that_fails_stores_nothing,
            an_empty_object_is_an_object,
            a_large_object_arrives_whole,
            a_deleted_object_is_gone,
            names_may_hold_anything,
            an_object_that_is_replaced_while_it_is_read_is_not_mixed,
            two_who_store_at_once_leave_one_whole_object,
        ]);
        $crate::bus_conformance!(@topic $fresh, control: [
            a_question_is_answered,
            a_question_to_nobody_fails_at_once,
            a_question_without_an_answer_times_out,
            servers_of_the_api_share_its_questions,
            a_worker_hears_its_own_questions_only,
            many_questions_at_once_get_their_own_answers,
            a_question_that_is_too_large_is_refused,
            an_address_that_is_served_no_more_has_nobody,
        ]);
    };
    (@topic $fresh:expr, $topic:ident: [$($case:ident),+ $(,)?]) => {
        mod $topic {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (bus, _keep) = $fresh.await;
                    $crate::bus::conformance::$topic::$case(bus).await;
                }
            )+
        }
    };
}
