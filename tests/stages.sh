# Named, timed stages for the scripts that run checks. Sourced, not run.

set -euo pipefail

stage_name=start
stage_start=$SECONDS
stage_rows=()

# stage NAME: ends the stage before and begins this one.
stage() {
    stage_done
    stage_name=$1
    stage_start=$SECONDS
    printf '\n=== %s\n' "$stage_name"
}

stage_done() {
    [ "$stage_name" = start ] && return
    stage_rows+=("$(printf '%5d s  %s' $((SECONDS - stage_start)) "$stage_name")")
}

# Prints what ran and how long it took, and where it failed.
stage_summary() {
    local status=$?
    [ $status -eq 0 ] && stage_done
    printf '\n=== summary of %s\n' "$0"
    printf '%s\n' "${stage_rows[@]}"
    printf '%5d s  in all\n' "$SECONDS"
    [ $status -eq 0 ] || printf 'FAILED in stage: %s\n' "$stage_name"
    exit $status
}
trap stage_summary EXIT

# need COMMAND PACKAGE: installs Debian's PACKAGE unless COMMAND, or the file of that path, is there.
need() {
    there() { command -v "$1" >/dev/null || [[ $1 == /* && -e $1 ]]; }
    there "$1" && return
    echo "installing $2"
    as_root apt-get update -qq && as_root apt-get install -y -qq "$2" >/dev/null || true
    there "$1" || { echo "$1 is missing: apt-get install $2" >&2; return 1; }
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Backends that this CPU should have, by the flags that the kernel reports.
backends_by_flags() {
    local flags found=soft
    flags=" $(grep -m1 '^flags' /proc/cpuinfo | cut -d: -f2) "
    has() { for f in "$@"; do [[ $flags == *" $f "* ]] || return 1; done; }
    if has aes pclmulqdq pni ssse3 sse4_1; then
        found+=,aes-ni
        if has sse4_2 avx2 vaes vpclmulqdq; then
            found+=,vaes-256
            if has fma f16c avx512f avx512bw avx512vl; then found+=,vaes-512; fi
        fi
    fi
    echo "$found"
}

# test_binary PACKAGE TEST: the path of a test program, built if need be.
test_binary() {
    cargo test -q -p "$1" --test "$2" --no-run --message-format=json |
        python3 -c '
import json, sys
name = sys.argv[1]
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == name:
        print(message["executable"])
' "$2" | tail -1
}

# floors FIRST NAME... -- [CHOSEN...]: runs the functions of these names, each of them a stage; of all but the first only
# the chosen ones, if any are.
floors() {
    local first=$1 known=() floor
    shift
    while [ "$1" != -- ]; do
        known+=("$1")
        shift
    done
    shift
    for floor in "$@"; do
        [[ " ${known[*]} " == *" $floor "* ]] && continue
        echo "no such floor: $floor; there are: ${known[*]}" >&2
        trap - EXIT
        exit 2
    done
    [ $# -gt 0 ] || set -- "${known[@]}"
    for floor in "$first" "$@"; do
        stage "$floor"
        "$floor"
    done
}
