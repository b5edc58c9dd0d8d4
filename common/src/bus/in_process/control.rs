//! Questions and answers within one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use crate::bus::{Address, BusError, MAX_MESSAGE, Question};

/// How many questions may wait for one server.
const WAITING: usize = 256;

/// Who serves which address.
#[derive(Clone, Default)]
pub(super) struct Switchboard {
    servers: Arc<Mutex<HashMap<Address, Vec<mpsc::Sender<Question>>>>>,
}

impl Switchboard {
    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Vec<mpsc::Sender<Question>>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn serve(&self, at: &Address) -> BoxStream<'static, Question> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.lock().entry(at.clone()).or_default().push(sender);
        ReceiverStream::new(receiver).boxed()
    }

    /// The server whose turn it is.
    fn server(&self, at: &Address) -> Option<mpsc::Sender<Question>> {
        let mut servers = self.lock();
        let list = servers.get_mut(at)?;
        list.retain(|s| !s.is_closed());
        if list.is_empty() {
            return None;
        }
        list.rotate_left(1);
        list.last().cloned()
    }

    pub(super) async fn request(
        &self,
        to: &Address,
        question: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, BusError> {
        let address = address(to);
        if question.len() > MAX_MESSAGE {
            let (what, size) = ("a question".to_owned(), question.len());
            return Err(BusError::TooLarge { what, size, limit: MAX_MESSAGE });
        }
        let unavailable =
            |cause: &str| BusError::Unavailable { address: address.clone(), cause: cause.to_owned().into() };
        let server = self.server(to).ok_or_else(|| BusError::NoResponder { address: address.clone() })?;
        let (answer, answered) = oneshot::channel();
        let question = Question {
            payload: question,
            reply: Box::new(move |bytes| {
                Box::pin(async move {
                    // Whoever asked may have stopped waiting.
                    let _ = answer.send(bytes);
                })
            }),
        };
        let asked = async {
            let gone = |_| BusError::NoResponder { address: address.clone() };
            server.send(question).await.map_err(gone)?;
            answered.await.map_err(|_| unavailable("the question was dropped"))
        };
        tokio::time::timeout(timeout, asked).await.map_err(|_| unavailable("no answer in time"))?
    }
}

fn address(to: &Address) -> String {
    match to {
        Address::Api => "the API".to_owned(),
        Address::Worker(name) => format!("worker {name}"),
    }
}
