# The project's image, built from the sources. Needs a registry; see Dockerfile.prebuilt for one that does not.
ARG BUILDER=rust:1.95-bookworm
# The program is linked to glibc: the base's must not be older than the builder's.
ARG BASE=debian:bookworm-slim

FROM ${BUILDER} AS builder
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p orcaops-cli --bin orcaops

FROM ${BASE}
RUN echo 'orcaops:x:10001:10001:OrcaOps:/var/lib/orcaops:/bin/sh' >> /etc/passwd \
    && echo 'orcaops:x:10001:' >> /etc/group \
    && mkdir -p /var/lib/orcaops \
    && chown 10001:10001 /var/lib/orcaops
COPY --from=builder /src/target/release/orcaops /usr/local/bin/orcaops
ENV ORCAOPS_HOME=/var/lib/orcaops
WORKDIR /var/lib/orcaops
USER 10001:10001
ENTRYPOINT ["orcaops"]
CMD ["--help"]
