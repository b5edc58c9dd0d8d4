//! Questions.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::BoxStream;

use super::{BusUnderTest, PATIENCE, never, soon};
use crate::bus::{Address, BusError, MAX_MESSAGE, Question};
use crate::domain::id::WorkerName;

fn worker(name: &str) -> Address {
    Address::Worker(WorkerName::new(name).expect("a valid name"))
}

/// Answers every question with the name of who answers, and the question.
fn answer_as(name: &'static str, mut questions: BoxStream<'static, Question>) {
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let answer = [name.as_bytes(), b":", &question.payload].concat();
            (question.reply)(Bytes::from(answer)).await;
        }
    });
}

async fn ask(bus: &BusUnderTest, to: &Address, question: &'static str) -> Result<String, BusError> {
    let answer = bus.request(to, Bytes::from_static(question.as_bytes()), PATIENCE).await?;
    Ok(String::from_utf8(answer.to_vec()).expect("text"))
}

/// By who is asked.
pub async fn a_question_is_answered(bus: BusUnderTest) {
    answer_as("api", bus.serve(&Address::Api).await.expect("served"));
    assert_eq!(ask(&bus, &Address::Api, "hello").await.expect("an answer"), "api:hello");
}

/// Nobody has to wait for a timeout to learn that nobody is there.
pub async fn a_question_to_nobody_fails_at_once(bus: BusUnderTest) {
    let asked = Instant::now();
    let answer = ask(&bus, &worker("nobody"), "hello").await;
    assert!(matches!(answer, Err(BusError::NoResponder { .. })), "{answer:?}");
    assert!(asked.elapsed() < PATIENCE, "it took as long as waiting for an answer");
}

/// A question that is dropped is not answered.
pub async fn a_question_without_an_answer_times_out(bus: BusUnderTest) {
    let mut questions = bus.serve(&Address::Api).await.expect("served");
    let asked = bus.request(&Address::Api, Bytes::from_static(b"hello"), Duration::from_millis(300));
    let (answer, question) = tokio::join!(asked, questions.next());
    assert!(question.is_some());
    assert!(matches!(answer, Err(BusError::Unavailable { .. })), "{answer:?}");
}

/// Each question goes to one replica.
pub async fn servers_of_the_api_share_its_questions(bus: BusUnderTest) {
    answer_as("left", bus.serve(&Address::Api).await.expect("served"));
    answer_as("right", bus.serve(&Address::Api).await.expect("served"));
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(ask(&bus, &Address::Api, "who").await.expect("an answer"));
    }
    assert!(answers.contains(&"left:who".to_owned()) && answers.contains(&"right:who".to_owned()));
}

/// Names that begin alike are names of two.
pub async fn a_worker_hears_its_own_questions_only(bus: BusUnderTest) {
    let mut other = bus.serve(&worker("one-more")).await.expect("served");
    answer_as("one", bus.serve(&worker("one")).await.expect("served"));
    assert_eq!(ask(&bus, &worker("one"), "hello").await.expect("an answer"), "one:hello");
    never("another worker heard it", other.next()).await;
}

/// No answer goes to the wrong asker.
pub async fn many_questions_at_once_get_their_own_answers(bus: BusUnderTest) {
    answer_as("api", bus.serve(&Address::Api).await.expect("served"));
    let questions = (0..100).map(|n| {
        let bus = bus.clone();
        async move {
            let answer = bus.request(&Address::Api, Bytes::from(n.to_string()), PATIENCE).await;
            assert_eq!(answer.expect("an answer"), Bytes::from(format!("api:{n}")));
        }
    });
    join_all(questions).await;
}

/// And the error says so.
pub async fn a_question_that_is_too_large_is_refused(bus: BusUnderTest) {
    answer_as("api", bus.serve(&Address::Api).await.expect("served"));
    let question = Bytes::from(vec![b'x'; MAX_MESSAGE + 1]);
    let refused = bus.request(&Address::Api, question, PATIENCE).await;
    assert!(matches!(refused, Err(BusError::TooLarge { limit: MAX_MESSAGE, .. })), "{refused:?}");
}

/// A worker that has ended is not waited for.
pub async fn an_address_that_is_served_no_more_has_nobody(bus: BusUnderTest) {
    drop(bus.serve(&worker("gone")).await.expect("served"));
    let asked = async {
        loop {
            // The server learns of it in a moment.
            let answer = bus.request(&worker("gone"), Bytes::new(), Duration::from_millis(200)).await;
            if matches!(answer, Err(BusError::NoResponder { .. })) {
                return;
            }
        }
    };
    soon("nobody being there", asked).await;
}
