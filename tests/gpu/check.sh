#!/bin/bash
# Checks the cuda backend on this machine's GPU in at most five minutes: check_gpu, then two training
# steps under compute-sanitizer where that works. Continues after a failure; ends with
# "N passed, N failed, N skipped".
# Usage: check.sh [FOLDER [options of check_gpu]]; FOLDER has check_gpu (build/gpu), and files are
# written there, too. SANITIZER is the path of compute-sanitizer; empty: none.
# It needs the driver and cuDNN only, so FOLDER and tests/gpu may be carried to another machine.
folder=${1:-build/gpu}
shift
program=$folder/check_gpu
limit=230     # seconds for check_gpu
sanitizer=25  # ... and for each tool of compute-sanitizer
. "$(dirname "$0")/libraries.sh"

passed=0 failed=0 skipped=0
log=$folder/check.log
: >"$log" || exit 2

say() { printf '%s\n' "$1" | tee -a "$log"; }

# Adds the lines of an output to the counts. The last line of check_gpu has the counts, unless it died.
count() {
    local summary
    summary=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$1" | tail -n 1)
    if [ -n "$summary" ]; then
        read -r p f s < <(printf '%s\n' "$summary" | tr -dc '0-9 \n')
    else
        p=$(grep -c '^passed ' "$1") f=$(grep -c '^FAILED ' "$1") s=$(grep -c '^skipped ' "$1")
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

part=$folder/check.part
timeout -k 5 $((limit + 20)) "$program" --folder "$folder" --limit "$limit" "$@" 2>&1 | tee "$part" | grep -v -E '^[0-9]+ passed,'
status=${PIPESTATUS[0]}
cat "$part" >>"$log"
count "$part"
if grep -q '^skipped: no CUDA device' "$part"; then
    skipped=$((skipped + 2))
    say "$passed passed, $failed failed, $skipped skipped"
    rm -f "$part"
    exit 0
fi
if [ "$status" -gt 1 ]; then
    failed=$((failed + 1))
    say "FAILED check_gpu ended with status $status (124: out of time)"
fi

# One tool of compute-sanitizer on two steps of each net.
sanitize() {
    local tool=$1 name="two steps of each net under compute-sanitizer, $1"
    if [ -z "$checker" ]; then
        skipped=$((skipped + 1))
        say "skipped $name: compute-sanitizer not found"
        return
    fi
    timeout -k 5 "$sanitizer" "$checker" --tool "$tool" --error-exitcode 9 "$program" --steps 2 >"$part" 2>&1
    status=$?
    cat "$part" >>"$log"
    if [ $status -eq 124 ] || [ $status -eq 137 ]; then
        skipped=$((skipped + 1))
        say "skipped $name: not finished in $sanitizer s"
    elif grep -q -i -E 'not supported|failed to initialize|unable to|Target application returned an error' "$part" &&
        ! grep -q '^passed ' "$part"; then
        skipped=$((skipped + 1))
        say "skipped $name: it doesn't work on this device: $(grep -m 1 -i -E 'not supported|failed to|unable to|error' "$part")"
    elif [ $status -eq 0 ] && grep -q -E 'ERROR SUMMARY: 0 errors|RACECHECK SUMMARY: 0 hazards' "$part"; then
        passed=$((passed + 1))
        say "passed $name"
    else
        failed=$((failed + 1))
        say "FAILED $name (status $status):"
        grep '=========' "$part" | head -n 20
    fi
}

checker=${SANITIZER-$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer" 2>/dev/null)}
sanitize memcheck
sanitize racecheck
rm -f "$part"
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
