//! The connection to the servers.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use tokio::sync::Mutex;

use super::credentials::{Credentials, without_credentials};
use super::stream;
use crate::bus::BusError;

/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How soon a connection that died without a word is noticed.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The longest pause between attempts to connect again.
const MAX_RECONNECT_PAUSE: Duration = Duration::from_secs(2);
/// How long the generation is taken for unchanged.
const GENERATION_CACHE: Duration = Duration::from_secs(2);

/// A bus carried by NATS with JetStream.
pub struct NatsBus {
    pub(super) client: Client,
    pub(super) jetstream: Context,
    /// Where the servers are, without credentials.
    pub(super) address: String,
    generation: Mutex<Option<(Instant, String)>>,
}

impl NatsBus {
    /// Connects to one of the servers, comma-separated `nats://user:password@host:port` or
    /// `nats://token@host:port`, and makes what is not there yet: streams and the object store. The first
    /// credentials named count for all of them.
    ///
    /// # Errors
    /// When an address can't be read, no server can be reached within a few seconds, or JetStream is off.
    pub async fn connect(urls: &str) -> Result<Self, BusError> {
        let address = without_credentials(urls);
        let unavailable = |cause| BusError::Unavailable { address: address.clone(), cause };
        let servers: Vec<ServerAddr> = urls
            .split(',')
            .map(|url| url.trim().parse())
            .collect::<Result<_, std::io::Error>>()
            .map_err(|e| unavailable(Box::new(e)))?;
        let options = match Credentials::of(&servers) {
            Some(Credentials::User { name, password }) => {
                ConnectOptions::with_user_and_password(name, password)
            }
            Some(Credentials::Token(token)) => ConnectOptions::with_token(token),
            None => ConnectOptions::new(),
        };
        let client = options
            .name("orcaops")
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(ANSWER_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .reconnect_delay_callback(|attempts| {
                let pause = Duration::from_millis(50 * u64::try_from(attempts.min(40)).unwrap_or(40));
                pause.min(MAX_RECONNECT_PAUSE)
            })
            .event_callback(|event| async move {
                match event {
                    Event::Connected => tracing::info!("connected to NATS"),
                    Event::Disconnected => tracing::warn!("lost the connection to NATS; connecting again"),
                    other => tracing::debug!(event = %other, "NATS"),
                }
            })
            .connect(servers)
            .await
            .map_err(|e| unavailable(Box::new(e)))?;
        let jetstream =
            jetstream::context::ContextBuilder::new().timeout(ANSWER_TIMEOUT).build(client.clone());
        let bus = Self { client, jetstream, address, generation: Mutex::default() };
        bus.make_streams().await?;
        Ok(bus)
    }

    /// Whether the server answers.
    pub(super) async fn check(&self) -> Result<(), BusError> {
        self.jetstream.query_account().await.map(drop).map_err(|e| self.unavailable(e))
    }

    /// The moment when the stream of jobs was made: it changes when everything was lost.
    pub(super) async fn jobs_generation(&self) -> Result<String, BusError> {
        if let Some((at, generation)) = &*self.generation.lock().await
            && at.elapsed() < GENERATION_CACHE
        {
            return Ok(generation.clone());
        }
        // Not under the lock: making the stream again forgets the generation.
        let generation = self.stream(&stream::JOBS).await?.cached_info().created.to_string();
        *self.generation.lock().await = Some((Instant::now(), generation.clone()));
        Ok(generation)
    }

    /// Forgets the generation, because something has vanished.
    pub(super) async fn doubt_generation(&self) {
        *self.generation.lock().await = None;
    }
}
