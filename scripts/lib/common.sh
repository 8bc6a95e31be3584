# shellcheck shell=bash
# Sourced by the scripts beside this folder: where the repository is, how to talk to the person at the
# terminal, and how two callers of one set-up step keep out of each other's way. Everything that the scripts
# fetch or build stays below target/, so `rm -r target` undoes it (all but a target that rustup added).

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
ME=${0##*/}

# Messages go to stderr: stdout carries only what a caller may want to capture.
say() {
    if [ -t 2 ]; then
        printf '\033[1m%s:\033[0m %s\n' "$ME" "$*" >&2
    else
        printf '%s: %s\n' "$ME" "$*" >&2
    fi
}

# die "what is missing" "how to get it"
die() {
    say "error: $1"
    if [ $# -gt 1 ]; then say "help: $2"; fi
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# need CMD "how to get it"
need() { has "$1" || die "$1 is not installed" "$2"; }

# limit SECONDS CMD...: no longer than that, where the machine has `timeout` (in the foreground, or Ctrl-C would
# not reach the command).
limit() {
    local seconds=$1
    shift
    if has timeout; then timeout --foreground -k 5 "$seconds" "$@"; else "$@"; fi
}

# lock NAME: one caller at a time from here until unlock or exit. Where there is no flock nobody waits: do not
# start two set-ups at once there.
lock() {
    mkdir -p "$ROOT/target/.locks"
    exec 9>"$ROOT/target/.locks/$1"
    if has flock && ! flock -n 9; then
        say "waiting for another run that does the same"
        flock 9
    fi
}
unlock() { exec 9>&-; }

# make_work FOLDER: sets WORK to a new folder in FOLDER that is gone when the script ends. To be called with the
# lock held: it also clears what a killed run left (without flock that may be another run's, at work).
make_work() {
    mkdir -p "$1"
    if has flock; then rm -rf "$1"/work.*; fi
    WORK=$(mktemp -d "$1/work.XXXXXX")
    trap 'rm -rf "$WORK"' EXIT
    # Some of the commands in between survive Ctrl-C, and bash then goes on as well.
    trap 'exit 130' INT
}

# Where cargo puts its outputs; it reads a relative CARGO_TARGET_DIR from the folder it is started in, which
# for these scripts is the root.
cargo_target_dir() {
    local dir=${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-target}}
    case $dir in
        /*) printf '%s\n' "$dir" ;;
        *) printf '%s\n' "$ROOT/$dir" ;;
    esac
}

WASM_TARGET=wasm32-wasip1

# The sysroot of the compiler that cargo would use in the root (rust-toolchain.toml and RUSTC count).
rust_sysroot() { (cd "$ROOT" && "${RUSTC:-rustc}" --print sysroot); }

# has_wasm_std SYSROOT
has_wasm_std() { compgen -G "$1/lib/rustlib/$WASM_TARGET/lib/libstd-*.rlib" >/dev/null; }

PYTHON=${PYTHON:-python3}
PYTHON_HELP="Debian, Ubuntu: apt-get install python3-pip python3-venv"

# python_with_pip FOLDER: prints an interpreter that has pip; makes a virtual environment in FOLDER if it must.
python_with_pip() {
    need "$PYTHON" "$PYTHON_HELP"
    if "$PYTHON" -m pip --version >/dev/null 2>&1; then
        printf '%s\n' "$PYTHON"
    elif "$PYTHON" -m venv "$1" >/dev/null 2>&1; then
        printf '%s\n' "$1/bin/python"
    else
        die "$PYTHON has neither pip nor a complete venv" "$PYTHON_HELP"
    fi
}

# apt_prepare FOLDER "what to do where that fails": a private package index of Debian's in FOLDER: fresh, without
# root, and without touching the machine's own lists. Use it as `apt-get -c FOLDER/conf`.
apt_prepare() {
    local dir=$1 cmd
    for cmd in apt-get apt-cache dpkg; do need "$cmd" "$2"; done
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    cat >"$dir/conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State::lists "$dir/lists";
Dir::Cache "$dir/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    say "reading Debian's package index"
    limit 300 apt-get -c "$dir/conf" -qq update >&2 9>&- || die "apt-get could not read the package index" "$2"
}

# apt_fetch FOLDER INTO "what to do where that fails" PACKAGE...: fetches packages by the index in FOLDER and
# unpacks them into INTO. Nothing is installed.
apt_fetch() {
    local dir=$1 into=$2 help=$3 deb
    shift 3
    mkdir -p "$dir/debs" "$into"
    (cd "$dir/debs" && limit 1200 apt-get -c "$dir/conf" -qq download "$@" >&2 9>&-) ||
        die "apt-get could not fetch $*" "$help"
    for deb in "$dir"/debs/*.deb; do dpkg -x "$deb" "$into"; done
    rm -rf "$dir/debs"
}
