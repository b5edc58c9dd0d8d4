//! Build images.

use orcaops_common::domain::build::{BuildRequest, ParameterError};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use super::body::{ContentLength, TarBody};
use super::jobs::SubmitAnswer;
use crate::openapi::Tag;
use crate::problem::{FieldProblem, Problem};
use crate::submission::Submitter;
use crate::upload::Uploads;

pub(crate) struct ImagesApi;

#[OpenApi(prefix_path = "/orcaops", tag = "Tag::Images")]
impl ImagesApi {
    /// Build an image
    ///
    /// The body is the build's context, an uncompressed tar with a Dockerfile in it, by the rules for uploads. A build
    /// is a job: it waits, is tried again, is cancelled, logs and leaves a record as any other does. The record's
    /// `built_image` has the image's id and size. Repeating a build with the same `job_id` and the same content is
    /// safe.
    #[oai(path = "/images/build", method = "post", operation_id = "build_image")]
    #[expect(clippy::too_many_arguments, reason = "the body is the context, so all else is in the query")]
    async fn build(
        &self,
        /// The image's name, as `app`, `app:1.0` or `registry:5000/team/app`. Repeatable.
        name: Query<Vec<String>>,
        /// The version of names that have none; `latest` when absent.
        version: Query<Option<String>>,
        /// Whether each name is given to the image as `latest`, too.
        #[oai(default)]
        latest: Query<bool>,
        /// The Dockerfile's path within the context; `Dockerfile` when absent.
        dockerfile: Query<Option<String>>,
        /// The value of an `ARG`, as `NAME=VALUE`. Repeatable. Values can be seen in the image's history.
        #[oai(default)]
        arg: Query<Vec<String>>,
        /// Whether to push the image to where its names say.
        #[oai(default)]
        push: Query<bool>,
        /// Name of a credential that the worker's operator configured, to pull and push with.
        registry_auth: Query<Option<String>>,
        /// The pool of workers that may build it.
        pool: Query<Option<String>>,
        /// How long the job may live, in seconds, 10 to 86400; 3600 when absent.
        timeout: Query<Option<u32>>,
        /// Memory of the build's containers, in bytes or as `512m`.
        memory: Query<Option<String>>,
        /// CPUs of the build's containers.
        cpu: Query<Option<f64>>,
        /// The job's id; generated when absent.
        job_id: Query<Option<String>>,
        context: TarBody,
        length: ContentLength,
        uploads: Data<&Uploads>,
        submitter: Data<&Submitter>,
    ) -> Result<SubmitAnswer, Problem> {
        let request = BuildRequest {
            job_id: job_id.0,
            names: name.0,
            version: version.0,
            latest: latest.0,
            dockerfile: dockerfile.0,
            args: arg.0,
            push: push.0,
            registry_auth: registry_auth.0,
            pool: pool.0,
            timeout: timeout.0,
            memory: memory.0,
            cpu: cpu.0,
        };
        // Before the context is taken, which may be long.
        let mut spec = request.job("").map_err(invalid)?;
        let dockerfile = request.dockerfile();
        let upload = uploads.take_with(dockerfile, length.0, context.0.into_bytes_stream()).await?;
        let Some(upload) = upload else {
            let message = format!("is `{dockerfile}`, and the context has no such file; name the one it has");
            return Err(invalid(vec![ParameterError { parameter: "dockerfile", message }]));
        };
        if let Some(build) = &mut spec.build {
            build.context = upload.object;
        }
        Ok(submitter.submit(spec).await?.into())
    }
}

fn invalid(errors: Vec<ParameterError>) -> Problem {
    let problem = |e: ParameterError| FieldProblem { pointer: e.parameter.to_owned(), detail: e.message };
    Problem::invalid_parameters(errors.into_iter().map(problem).collect())
}
