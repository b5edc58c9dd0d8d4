//! Questions: plain request and reply. What is not answered is asked again by who needs the answer.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::{Request, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::NatsBus;
use crate::bus::{Address, BusError, MAX_MESSAGE, Question};

/// The group whose members share the questions to the API.
const API_GROUP: &str = "api";

impl NatsBus {
    pub(super) async fn ask(
        &self,
        to: &Address,
        question: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, BusError> {
        if question.len() > MAX_MESSAGE {
            let (what, size) = ("a question".to_owned(), question.len());
            return Err(BusError::TooLarge { what, size, limit: MAX_MESSAGE });
        }
        let subject = subject(to);
        let request = Request::new().payload(question).timeout(Some(timeout));
        match self.client.send_request(subject.clone(), request).await {
            Ok(answer) => Ok(answer.payload),
            Err(e) if e.kind() == RequestErrorKind::NoResponders => {
                Err(BusError::NoResponder { address: subject })
            }
            Err(e) => Err(self.unavailable(e)),
        }
    }

    pub(super) async fn listen(&self, at: &Address) -> Result<BoxStream<'static, Question>, BusError> {
        let subject = subject(at);
        let subscribed = match at {
            Address::Api => self.client.queue_subscribe(subject, API_GROUP.to_owned()).await,
            Address::Worker(_) => self.client.subscribe(subject).await,
        };
        let subscriber: Subscriber = subscribed.map_err(|e| self.unavailable(e))?;
        // Known to the server before anybody is told that this address is served.
        self.client.flush().await.map_err(|e| self.unavailable(e))?;
        let client = self.client.clone();
        let questions = subscriber.filter_map(move |message| {
            let client = client.clone();
            async move {
                let reply_to = message.reply?;
                let reply = move |answer: Bytes| {
                    let sent = async move {
                        if let Err(e) = client.publish(reply_to, answer).await {
                            tracing::debug!(error = %e, "an answer was not sent");
                        }
                    };
                    Box::pin(sent) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
                };
                Some(Question { payload: message.payload, reply: Box::new(reply) })
            }
        });
        Ok(questions.boxed())
    }
}

fn subject(address: &Address) -> String {
    match address {
        Address::Api => "orcaops.control.api".to_owned(),
        Address::Worker(name) => format!("orcaops.control.worker.{name}"),
    }
}
