//! Answers what the API asks of this worker.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use orcaops_common::bus::{Address, Question};
use orcaops_common::domain::control::{RunningAttempt, StopReason, Stopped, WorkerCall};
use tokio::sync::Semaphore;

use crate::attempt::Context;
use crate::{listing, sweeper};

/// How many lists of containers are made at once; more go unanswered.
const LISTS_AT_ONCE: usize = 4;
/// The pause before the bus is asked again for questions.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Answers questions, for ever.
pub(crate) async fn serve(context: Arc<Context>) {
    let address = Address::Worker(context.config.name.clone());
    let lists = Arc::new(Semaphore::new(LISTS_AT_ONCE));
    loop {
        match context.bus.serve(&address).await {
            Ok(mut questions) => {
                while let Some(question) = questions.next().await {
                    answer(&context, &lists, question).await;
                }
            }
            Err(e) => tracing::warn!(error = %e, "cannot listen for questions"),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn answer(context: &Arc<Context>, lists: &Arc<Semaphore>, question: Question) {
    let call: WorkerCall = match serde_json::from_slice(&question.payload) {
        Ok(call) => call,
        Err(e) => {
            tracing::warn!(error = %e, "a question cannot be read");
            return;
        }
    };
    match call {
        WorkerCall::Stop(wish) => {
            let found = context.registry.stop(&wish);
            tracing::info!(job.id = %wish.job_id, reason = ?wish.reason, found, "asked to stop an attempt");
            if let (StopReason::Superseded, Some(attempt)) = (wish.reason, wish.attempt) {
                let attempt = RunningAttempt { job_id: wish.job_id, attempt };
                let (context, lists) = (Arc::clone(context), Arc::clone(lists));
                tokio::spawn(async move {
                    let _permit = lists.acquire_owned().await;
                    sweeper::remove_kept(&context, &attempt).await;
                });
            }
            reply(question, &Stopped { found }).await;
        }
        WorkerCall::Containers { all } => {
            // An engine that is slow must not keep a cancellation waiting.
            let Ok(permit) = Arc::clone(lists).try_acquire_owned() else { return };
            let context = Arc::clone(context);
            tokio::spawn(async move {
                let _permit = permit;
                match listing::containers(&context.engine, &context.config, all).await {
                    Ok(containers) => reply(question, &containers).await,
                    Err(e) => tracing::warn!(error = %e, "cannot say which containers are here"),
                }
            });
        }
    }
}

async fn reply(question: Question, answer: &impl serde::Serialize) {
    let answer = serde_json::to_vec(answer).unwrap_or_default();
    (question.reply)(Bytes::from(answer)).await;
}
