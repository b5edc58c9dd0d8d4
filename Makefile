# All that is done with this project is a target here; .ci/run calls the same ones.

.DEFAULT_GOAL := help
.PHONY: help demo test check conformance bench images compose-test up down openapi clean-tools

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Builds OrcaOps and runs a job on this machine; needs Docker and Rust only
	@scripts/demo

test: ## Installs what is missing, runs every test, and sees that nothing is left behind
	@scripts/test

check: ## Formatting, clippy and docs, with warnings as errors
	@scripts/rust-check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

conformance: ## Runs the suites of Store and Bus on all implementations, and counts the cases
	@scripts/conformance

bench: ## Measures OrcaOps side by side with docker and Postgres; writes target/bench.json
	@scripts/bench

images: ## Sees to the compose file's images; builds local stand-ins where no registry answers
	@scripts/docker-check
	@scripts/stand-in-images

compose-test: ## Starts the compose file with three workers, runs jobs on it, and takes it down
	@scripts/compose-test

up: ## Starts a fleet with three workers in the background, at 127.0.0.1:8000
	@scripts/docker-check
	@scripts/compose up --detach --build --scale worker=3

down: ## Stops that fleet; its data stays in its volumes
	@scripts/docker-check
	@scripts/compose down

openapi: ## Writes openapi/orcaops.json again from the code
	@scripts/rust-check
	ORCAOPS_UPDATE_OPENAPI=1 cargo test --workspace --locked --test openapi

clean-tools: ## Removes what the targets above have fetched or built for themselves; images stay
	rm -rf target/tools target/debian target/test-image target/stand-in target/image target/images.env \
		target/demo target/demo-home target/leftovers target/conformance.log
