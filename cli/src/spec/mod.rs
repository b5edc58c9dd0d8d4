//! The job that `orcaops run` submits: from flags, or from a file with flags laid over it.

mod container;
mod error;
mod file;
mod flags;

use orcaops_common::domain::id::JobId;
use orcaops_common::domain::job::{DEFAULT_WORKDIR, Encoding, Input, JobSpec};
use serde_json::Value;

use crate::args::RunArgs;

pub(crate) use error::{SpecError, lines, located};
pub(crate) use flags::variable;

/// The job that these arguments ask for, with an id of its own, so that its submission can be repeated.
pub(crate) fn of(args: &RunArgs, lookup: impl Fn(&str) -> Option<String>) -> Result<JobSpec, SpecError> {
    let (mut value, origin) = match &args.spec {
        Some(path) => {
            let document = file::read(path)?;
            (document.value.clone(), error::Origin::File(path.clone(), document))
        }
        None => (flags::command(args), error::Origin::Flags),
    };
    flags::lay_over(&mut value, args, lookup)?;
    container::lay_over(&mut value, &args.container)?;
    let mut spec = parse(&value, origin)?;
    spec.job_id.get_or_insert_with(JobId::generate);
    Ok(spec)
}

/// Checks a job that was put together here.
pub(crate) fn check(spec: &JobSpec) -> Result<(), SpecError> {
    let value = serde_json::to_value(spec).unwrap_or_default();
    parse(&value, error::Origin::Flags).map(drop)
}

/// Makes an uploaded folder the job's working folder.
pub(crate) fn add_upload(spec: &mut JobSpec, object: String) {
    // The folder's contents go right into the working folder, where files named by the spec may be laid over.
    let input = Input {
        path: ".".to_owned(),
        content: None,
        encoding: Encoding::default(),
        object: Some(object),
        executable: false,
    };
    spec.inputs.insert(0, input);
    spec.workdir.get_or_insert_with(|| DEFAULT_WORKDIR.to_owned());
}

fn parse(value: &Value, origin: error::Origin) -> Result<JobSpec, SpecError> {
    JobSpec::from_json(value).map_err(|invalid| SpecError::invalid(origin, value, invalid.errors))
}

#[cfg(test)]
mod tests;
