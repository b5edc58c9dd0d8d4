//! The API that a command talks to: a server's, or one of its own.

use orcaops_common::domain::id::{JobId, PoolName};
use orcaops_common::domain::job::JobSpec;

use crate::client::Client;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::wiring::Local;

/// What a command needs of the API when it has one of its own.
pub(crate) enum Need {
    /// To look at jobs.
    Looking,
    /// To look at containers.
    Containers,
    /// To run a job of this pool.
    Running(PoolName),
    /// To run a job that is given the folders and ports of this machine that it names: whoever wrote it down here
    /// may use them anyway.
    RunningOwn(Box<JobSpec>),
}

/// An API to talk to.
pub(crate) struct Session {
    /// The way to it.
    pub(crate) client: Client,
    local: Option<Local>,
}

impl Session {
    /// The server that the settings name; without one, an API over the home folder, in this process.
    pub(crate) async fn open(settings: &Settings, need: Need) -> Result<Self, Failure> {
        let key = settings.layer().api_key.as_deref();
        if let Some(url) = settings.layer().url.as_deref() {
            return Ok(Self { client: Client::new(url, key)?, local: None });
        }
        let local = match need {
            Need::Looking => Local::embedded(settings, None, None).await?,
            Need::Containers => Local::looking_on(settings).await?,
            Need::Running(pool) => Local::embedded(settings, Some(pool), None).await?,
            Need::RunningOwn(spec) => Local::embedded(settings, Some(spec.pool.clone()), Some(&spec)).await?,
        };
        let client = Client::new(&format!("http://{}", local.address()), None)?;
        Ok(Self { client, local: Some(local) })
    }

    /// Whether it is one of the command's own.
    pub(crate) fn is_own(&self) -> bool {
        self.local.is_some()
    }

    /// Ends what was started for it.
    pub(crate) async fn close(self, ran: Option<&JobId>) {
        if let Some(local) = self.local {
            local.stop(ran).await;
        }
    }
}
