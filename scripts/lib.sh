# Words and small steps that the scripts beside this file share. It is sourced, never run.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# What the scripts fetch or build for themselves. Cargo's own folder may lie elsewhere.
TOOLS=$ROOT/target/tools
CARGO_OUT=${CARGO_TARGET_DIR:-$ROOT/target}

# The label by which an image tells what it was made from.
RECIPE_LABEL=orcaops.recipe

say() { printf '%s\n' "$*" >&2; }

# What went wrong, then what to do about it, a line each.
fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    if [ $# -gt 0 ]; then printf '       %s\n' "$@" >&2; fi
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail "this needs root: $*" "Run it as root, or install sudo, then try again."
    fi
}

# Installs Debian packages on this machine.
apt_install() {
    have apt-get || fail "missing on this machine: $*" \
        "Only Debian's and Ubuntu's package manager is known here; install the equivalent by hand, then try again."
    say "installing from Debian's packages: $*"
    as_root apt-get -qq update || say "the package lists could not be renewed; trying with those at hand"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold "$@" >&2
}

# The recipe that an image was made from; nothing when there is no such image.
image_recipe() {
    docker image inspect --format "{{index .Config.Labels \"$RECIPE_LABEL\"}}" "$1" 2>/dev/null || true
}

# Whether an image is here, or can be pulled within three minutes.
obtain_image() {
    docker image inspect "$1" >/dev/null 2>&1 && return 0
    say "pulling $1"
    timeout 180 docker pull --quiet "$1" >/dev/null 2>&1
}

# Makes the folder $2 an image named $1. Further arguments are the image's settings, as in a Dockerfile.
import_image() {
    local name=$1 folder=$2 setting old
    shift 2
    local changes=()
    for setting in "$@"; do changes+=(--change "$setting"); done
    old=$(docker image inspect --format '{{.Id}}' "$name" 2>/dev/null || true)
    tar -C "$folder" --owner=0 --group=0 --numeric-owner -c . | docker import "${changes[@]}" - "$name" >/dev/null
    # The one it replaces, unless something still runs in it.
    if [ -n "$old" ]; then docker image rm "$old" >/dev/null 2>&1 || true; fi
}

# The group that may use the engine's socket.
docker_gid() {
    local socket=/var/run/docker.sock
    case ${DOCKER_HOST:-} in unix://*) socket=${DOCKER_HOST#unix://} ;; esac
    stat -Lc %g "$socket" 2>/dev/null || echo 0
}
