//! Answers what the API asks of this worker.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use orcaops_common::bus::{Address, Question};
use orcaops_common::domain::control::{Stopped, WorkerCall};

use crate::attempt::Context;

/// The pause before the bus is asked again for questions.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Answers questions, for ever.
pub(crate) async fn serve(context: Arc<Context>) {
    let address = Address::Worker(context.config.name.clone());
    loop {
        match context.bus.serve(&address).await {
            Ok(mut questions) => {
                while let Some(question) = questions.next().await {
                    answer(&context, question).await;
                }
            }
            Err(e) => tracing::warn!(error = %e, "cannot listen for questions"),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn answer(context: &Context, question: Question) {
    let call: WorkerCall = match serde_json::from_slice(&question.payload) {
        Ok(call) => call,
        Err(e) => {
            tracing::warn!(error = %e, "a question cannot be read");
            return;
        }
    };
    let WorkerCall::Stop(wish) = call;
    let found = context.registry.stop(&wish);
    tracing::info!(job.id = %wish.job_id, reason = ?wish.reason, found, "asked to stop an attempt");
    let answer = serde_json::to_vec(&Stopped { found }).unwrap_or_default();
    (question.reply)(Bytes::from(answer)).await;
}
