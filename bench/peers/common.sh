# shellcheck shell=bash
# What `run` and `run_mail` share: their options, what must be there, a throw-away Redis, worker processes, the table.
#
# Sourced by one of them, with `all` set to the peers that it knows, and with its arguments. Then the script says how many
# jobs each gets, in `jobs`, and how one is measured, in a function `measure`, and calls `measure_peers` and `table`.

here=$(cd "$(dirname "$0")" && pwd)
say() { printf '\033[1m%s\033[0m\n' "peers: $*" >&2; }
die() { say "$*"; exit 2; }

quick=1
peers=()
for argument in "$@"; do
    case $argument in
        --quick) quick=10 ;;
        -h | --help) sed -n '2,/^set /p' "$0" | sed 's/^# \{0,1\}//; /^set /d'; exit 0 ;;
        *)
            case " ${all:?} " in
                *" $argument "*) peers+=("$argument") ;;
                *) die "there is no peer $argument; there are ${all// /, }" ;;
            esac ;;
    esac
done
[ ${#peers[@]} -gt 0 ] || read -ra peers <<<"$all"
cores=${CORES:-$(nproc)}

command -v redis-server >/dev/null || die "redis-server is not installed"
command -v python3 >/dev/null || die "python3 is not installed"

# ---- What is started here is stopped here, by its id

work=$(mktemp -d "${TMPDIR:-/tmp}/postrider-peers.XXXXXX")
dir=$(realpath -m "${PEERS_DIR:-$work/installed}")
redis=""
workers=()

stop_workers() {
    local pid
    for pid in ${workers[@]+"${workers[@]}"}; do kill -TERM -- "-$pid" 2>/dev/null || true; done
    for pid in ${workers[@]+"${workers[@]}"}; do
        for _ in $(seq 50); do kill -0 -- "-$pid" 2>/dev/null || break; sleep 0.1; done
        kill -KILL -- "-$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    workers=()
}

clean_up() {
    status=$?
    trap - EXIT
    stop_workers
    [ -z "$redis" ] || kill "$redis" 2>/dev/null || true
    [ -z "$redis" ] || wait "$redis" 2>/dev/null || true
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# In a process group of its own: a worker may have children.
start_worker() {
    set -m
    "$@" </dev/null >>"$work/workers.log" 2>&1 &
    set +m
    workers+=($!)
}

# ---- What must be there

postrider=$(realpath -m "${POSTRIDER:-$here/../../target/release/postrider}")
need_postrider() { [ -x "$postrider" ] || die "there is no $postrider: cargo build --release, or set POSTRIDER"; }

# Whether what a list asks for is installed in a folder: a copy of the list is put there afterwards.
installed() { cmp -s "$here/$1" "$2/installed"; }

mkdir -p "$dir/node"
if ! installed requirements.txt "$dir/venv"; then
    say "installing Celery, and what watches the others, in $dir/venv"
    python3 -m venv "$dir/venv"
    "$dir/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$dir/venv/installed"
fi
has() {
    case $1 in
        celery) ;;
        bullmq)
            if ! { command -v node && command -v npm; } >/dev/null; then
                say "bullmq is left out: node or npm is not installed"
                return 1
            fi
            if ! installed package.json "$dir/node"; then
                say "installing BullMQ in $dir/node"
                cp "$here/package.json" "$dir/node/"
                (cd "$dir/node" && npm install --silent --no-fund --no-audit --ignore-scripts >&2) || die "npm install fails"
                cp "$here/package.json" "$dir/node/installed"
            fi ;;
        sidekiq)
            if ! { command -v sidekiq >/dev/null && ruby -e 'require "sidekiq"' 2>/dev/null; }; then
                say "sidekiq is left out: it is not installed (Debian: ruby-sidekiq)"
                return 1
            fi ;;
        postrider) need_postrider ;;
    esac
}

for _ in 1 2 3 4 5; do
    port=$((12000 + RANDOM % 2000))
    redis-server --port "$port" --bind 127.0.0.1 --save "" --appendonly no --dir "$work" --loglevel warning \
        >"$work/redis.log" 2>&1 &
    redis=$!
    for _ in $(seq 50); do
        if redis-cli -p "$port" ping 2>/dev/null | grep -q PONG; then break 2; fi
        kill -0 "$redis" 2>/dev/null || break
        sleep 0.1
    done
    kill "$redis" 2>/dev/null || true
    redis=""
done
[ -n "$redis" ] || { cat "$work/redis.log" >&2; die "redis-server does not start"; }
export PEERS_REDIS="redis://127.0.0.1:$port/0"
python=$dir/venv/bin/python

export PYTHONPATH=$here NODE_PATH=$dir/node/node_modules
cd "$work" || exit

# The version of an installed package.
python_version() { "$python" -c 'import sys; from importlib.metadata import version; print(version(sys.argv[1]))' "$1"; }
node_version() { node -p "require('$1/package.json').version"; }

# celery_workers MODULE: prefork, a process a core.
celery_workers() {
    start_worker "$dir/venv/bin/celery" -A "$1" worker -c "$cores" -l error --without-gossip --without-mingle --without-heartbeat
}

# a_core COMMAND…: a worker process a core.
a_core() { for _ in $(seq "$cores"); do start_worker "$@"; done; }

# drained PEER N: waits until its queue is empty; jobs a second.
drained() { "$python" "$here/watch.py" drain "$1" "$2" || unwell; }
unwell() { cat "$work/workers.log" >&2; return 1; }

# ---- The table

rows=()
measure_peers() {
    local peer count
    for peer in "${peers[@]}"; do
        has "$peer" || continue
        count=$((${jobs[$peer]:?} / quick))
        say "$peer: $count jobs"
        : >"$work/workers.log"
        redis-cli -p "$port" FLUSHALL >/dev/null
        # Not in a subshell: what it starts must be known here.
        measure "$peer" "$count" >"$work/rows"
        mapfile -t -O "${#rows[@]}" rows <"$work/rows"
    done
    [ ${#rows[@]} -gt 0 ] || die "nothing was measured"
}

# table COLUMN…: a row is a name and a value a column, with | between them.
table() {
    local row name plain values note="" width=0
    [ "$quick" = 1 ] || note=" (--quick: too few jobs to compare)"
    for row in "${rows[@]}"; do
        # A multiplication sign is two bytes and one column.
        name=${row%%|*} plain=${name//×/x}
        [ ${#plain} -le "$width" ] || width=${#plain}
    done
    echo "$(date -u +%F), $cores cores, Redis $(redis-server --version | sed -n 's/.* v=\([^ ]*\).*/\1/p'), no persistence$note"
    echo
    printf '| %*s |' "$width" ""
    printf ' %11s |' "$@"
    printf '\n|%s|' "$(printf -- '-%.0s' $(seq $((width + 2))))"
    printf -- '------------:%.0s|' "$@"
    echo
    for row in "${rows[@]}"; do
        name=${row%%|*} plain=${name//×/x}
        IFS='|' read -ra values <<<"${row#*|}"
        printf '| %s%*s |' "$name" $((width - ${#plain})) ""
        printf ' %11s |' "${values[@]}"
        echo
    done
}
