#!/usr/bin/env bash
# Usage: ORCAOPS_URL=http://host:8000 submit.sh IMAGE FOLDER COMMAND
#
# Runs a shell command as a job over a folder, with curl and jq alone, for machines that have no orcaops: uploads
# the folder, submits the job, follows its log, and exits with 0 if it succeeded, with 1 if not.
# It may be repeated: the same job id with the same spec is the same job.
set -euo pipefail

api=${ORCAOPS_URL:?set ORCAOPS_URL to the address of the API, for example http://127.0.0.1:8000}/orcaops
image=$1 folder=$2 command=$3
job=${JOB_ID:-ci-$(date +%s)-$RANDOM}

request() {
    curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused \
        ${ORCAOPS_API_KEY:+-H "Authorization: Bearer $ORCAOPS_API_KEY"} "$@"
}

# The tar goes through a file, so that a broken connection can be tried again.
tar=$(mktemp)
trap 'rm -f "$tar"' EXIT
tar -C "$folder" --exclude-vcs -cf "$tar" .
object=$(request -H 'Content-Type: application/x-tar' --data-binary "@$tar" "$api/uploads" | jq -r .object)

jq -n --arg job "$job" --arg image "$image" --arg object "$object" --arg command "$command" '{
    job_id: $job,
    sandbox: {image: $image, env: {CI: "true"}},
    inputs: [{path: ".", object: $object}],
    workdir: "/workspace",
    commands: [{command: $command, timeout_seconds: 1800}]
}' | request -H 'Content-Type: application/json' --data-binary @- "$api/jobs" >/dev/null
echo "job $job" >&2

# Server-sent events: lines of `data:` hold a line of output as JSON; the event `done` is the last.
request --no-buffer -H 'Last-Event-ID: 0-0' "$api/jobs/$job/logs/stream" | while IFS= read -r line; do
    case $line in
        data:*) jq -r 'select(.line) | .line' <<<"${line#data:}" ;;
    esac
done

status=$(request "$api/jobs/$job" | jq -r .status)
echo "job $job: $status" >&2
[ "$status" = success ]
