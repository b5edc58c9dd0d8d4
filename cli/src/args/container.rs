//! What `orcaops run` may ask of the job's container, in the words that Docker's users know.

use clap::Args;

/// Flags that say what the container gets and what becomes of it.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Container options")]
pub(crate) struct ContainerArgs {
    /// CPUs the job may use, for example 0.5
    #[arg(long, value_name = "N")]
    pub(crate) cpu: Option<f64>,
    /// Memory the job may use, for example 512m or 2g
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Processes and threads the job may have at once
    #[arg(long, value_name = "N")]
    pub(crate) pids: Option<u32>,
    /// What the job may write to the container's file system, for example 10g; not every engine can
    #[arg(long, value_name = "SIZE")]
    pub(crate) disk: Option<String>,
    /// GPUs the job gets
    #[arg(long, value_name = "N")]
    pub(crate) gpus: Option<u32>,
    /// Run as this user of the image: a name or number, a group after a colon if wanted
    #[arg(short, long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Network: default, none, or one that the worker's operator allows
    #[arg(long, value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// Publish a port on the worker's host, where its operator allows it. Repeatable
    #[arg(short, long, value_name = "HOST:CONTAINER")]
    pub(crate) publish: Vec<String>,
    /// Mount a folder of the worker's host, where its operator allows it. Repeatable
    #[arg(short, long, value_name = "HOST:PATH[:ro]")]
    pub(crate) volume: Vec<String>,
    /// Mount a folder that lives on between jobs which name its key. Repeatable
    #[arg(long, value_name = "KEY:PATH")]
    pub(crate) cache: Vec<String>,
    /// Mount a folder in memory. Repeatable
    #[arg(long, value_name = "PATH[:SIZE]")]
    pub(crate) tmpfs: Vec<String>,
    /// Label the container. Repeatable
    #[arg(short, long, value_name = "K=V")]
    pub(crate) label: Vec<String>,
    /// When to pull the image: always, if_not_present, never [default: if_not_present]
    #[arg(long, value_name = "WHEN")]
    pub(crate) pull: Option<String>,
    /// Credential to pull with, by the name that the worker's operator gave it
    #[arg(long, value_name = "NAME")]
    pub(crate) registry_auth: Option<String>,
    /// When to keep the container: always_remove, remove_on_completion, keep_on_completion,
    /// remove_on_timeout, never_remove [default: always_remove]
    #[arg(long, value_name = "POLICY")]
    pub(crate) cleanup_policy: Option<String>,
}
