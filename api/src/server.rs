//! Puts an API replica together, starts it and ends it.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use orcaops_common::bus::Bus;
use orcaops_common::layout::RunLayout;
use orcaops_common::store::Store;
use poem::endpoint::make_sync;
use poem::listener::TcpAcceptor;
use poem::middleware::CatchPanic;
use poem::{Endpoint, EndpointExt, IntoResponse, Response, Route, Server};

use crate::allow::AllowedMethods;
use crate::config::ApiConfig;
use crate::control::Control;
use crate::error::ApiError;
use crate::generation::{Generation, Keeper};
use crate::intake::intake;
use crate::log_stream::LogStreams;
use crate::mirror::Mirror;
use crate::openapi;
use crate::problem::{Kind, Problem};
use crate::published::published;
use crate::recorder::Recorder;
use crate::request::Requests;
use crate::scheduler::Scheduler;
use crate::settling::Settling;
use crate::signals::Signals;
use crate::stopper::Stopper;
use crate::submission::Submitter;
use crate::tasks::Tasks;
use crate::upload::Uploads;

/// How long requests under way have to end once the replica is to stop.
const REQUESTS_PATIENCE: Duration = Duration::from_secs(5);
/// How long background tasks have to end after that.
const TASKS_PATIENCE: Duration = Duration::from_secs(10);

/// A running API replica. Dropped without [`Api::stop`], it ends too, but nobody waits for it.
pub struct Api {
    address: SocketAddr,
    requests: Tasks,
    background: Tasks,
}

impl Api {
    /// Binds the address and starts serving and recording. Neither store nor bus need be reachable yet:
    /// `/readyz` says whether they are, and the tasks wait for them.
    ///
    /// # Errors
    /// When the address can't be bound or the artifacts' folder can't be used.
    pub async fn start(
        config: ApiConfig,
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
    ) -> Result<Self, ApiError> {
        let unusable = |cause| ApiError::Artifacts { path: config.artifacts.clone(), cause };
        tokio::fs::create_dir_all(&config.artifacts).await.map_err(unusable)?;
        let uploads = Uploads::open(&config.artifacts, config.max_upload_bytes, Arc::clone(&bus))
            .await
            .map_err(unusable)?;
        let refused = |cause| ApiError::Bind { address: config.listen, cause };
        let listener = tokio::net::TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let acceptor = TcpAcceptor::from_tokio(listener).map_err(refused)?;

        let (requests, background) = (Tasks::new(), Tasks::new());
        let layout = RunLayout::new(&config.artifacts);
        let signals = Signals::new();
        let generation = Generation::new(Arc::clone(&bus));
        let stopper = Stopper::new(Arc::clone(&bus), background.clone());
        let (published, batcher) = published(Arc::clone(&store));
        let (intake, intake_task) = intake(Arc::clone(&store));
        let replica = config.replica.clone();

        let recorder = Recorder {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            signals: signals.clone(),
            stopper: stopper.clone(),
        };
        let control = Control {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            signals: signals.clone(),
            tasks: background.clone(),
        };
        let scheduler = Scheduler {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            generation: generation.clone(),
            signals: signals.clone(),
            replica: replica.clone(),
        };
        let mirror = Mirror::new(
            Arc::clone(&store),
            Arc::clone(&bus),
            layout.clone(),
            generation.clone(),
            signals.clone(),
            replica,
        );
        let settling = Settling {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            signals: signals.clone(),
            replica: config.replica.clone(),
            after: config.settle_after,
        };
        let keeper = Keeper {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            generation: generation.clone(),
            lease: config.bus_lease,
        };
        background.keep("generation", move |stop| keeper.clone().run(stop));
        background.keep("control", move |stop| control.clone().run(stop));
        background.keep("recorder", move |stop| recorder.clone().run(stop));
        background.keep("published", move |stop| batcher.clone().run(stop));
        background.keep("intake", move |stop| intake_task.clone().run(stop));
        background.keep("scheduler", move |stop| scheduler.clone().run(stop));
        background.keep("settling", move |stop| settling.clone().run(stop));
        background.keep("mirror", move |stop| mirror.clone().run(stop));

        let streams = LogStreams::new(
            Arc::clone(&store),
            Arc::clone(&bus),
            layout.clone(),
            signals.clone(),
            requests.clone(),
        );
        let submitter =
            Submitter { intake, bus: Arc::clone(&bus), generation, published, signals: signals.clone() };
        let app = routes()
            .data(store)
            .data(bus)
            .data(layout)
            .data(submitter)
            .data(streams)
            .data(stopper)
            .data(signals)
            .data(uploads)
            .with(CatchPanic::new().with_handler(panicked));
        let allowed = AllowedMethods::of(&openapi::openapi_document());
        let app = Requests { endpoint: app, allowed }.boxed();
        let stop = requests.stop_token().clone();
        requests.spawn(async move {
            let server = Server::new_with_acceptor(acceptor);
            let ended =
                server.run_with_graceful_shutdown(app, stop.cancelled(), Some(REQUESTS_PATIENCE)).await;
            if let Err(error) = ended {
                tracing::error!(error = crate::error::chain(&error), "the HTTP server ended");
            }
        });
        tracing::info!(%address, "serving");
        Ok(Self { address, requests, background })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, lets those under way end, then ends the background tasks. Nothing is lost that
    /// was answered. Calling it again does no harm.
    pub async fn stop(&self) {
        if !self.requests.end(REQUESTS_PATIENCE * 2).await {
            tracing::warn!("some requests did not end in time");
        }
        if !self.background.end(TASKS_PATIENCE).await {
            tracing::warn!("some background tasks did not end in time");
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.requests.cancel();
        self.background.cancel();
    }
}

fn routes() -> impl Endpoint<Output = Response> {
    let service = openapi::service();
    let document = openapi::openapi_document();
    let (docs, redoc) = (service.swagger_ui(), service.redoc());
    Route::new()
        .nest("/docs", docs)
        .nest("/redoc", redoc)
        .at(
            "/openapi.json",
            make_sync(move |_| Response::builder().content_type("application/json").body(document.clone())),
        )
        .nest("/", service)
        .map_to_response()
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::new(Kind::Internal, "the request failed; the service's log says why").into_response()
}
