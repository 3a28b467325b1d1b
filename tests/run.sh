#!/bin/bash
# Runs the built unit programs and the stories; one line each, and at the end
# "N passed, N failed, N skipped", which counts the cmocka tests one by one and each story as one.
# Skipped tests count neither as passed nor as failed; their reasons are below their program.
# With arguments, only those whose name contains one of them. BUILD is the build folder, FERDAG the program.
cd "$(dirname "$0")/.." || exit 1
root=$PWD
build=${BUILD:-build}
export FERDAG=${FERDAG:-$root/ferdag}
RESTAMP=$(realpath -m "$build/tests/stories/restamp")
SQL=$(realpath -m "$build/tests/stories/sql")
export RESTAMP SQL
[ -n "$FER2013" ] && FER2013=$(realpath -m "$FER2013") && export FER2013
unset FERDAG_CACHE
passed=0 failed=0 skipped=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

wanted() {
    [ $# -lt 2 ] && return 0
    local name=$1 word
    shift
    for word; do [[ $name == *"$word"* ]] && return 0; done
    return 1
}

# Sum of the numbers in cmocka's lines "[  WORD  ] N test(s)".
count() { sed -n "s/^\[ *$1 *\] \([0-9]*\) test(s).*/\1/p" "$scratch/output" | awk '{n += $1} END {print n + 0}'; }

show_output() { sed 's/^/    /' "$scratch/output" | tail -n 40; }

for program in "$build"/tests/unit/*/test_*; do
    name=$(basename "$program")
    { [ -x "$program" ] && [[ $name != *.d && $name != *.o ]] && wanted "$name" "$@"; } || continue
    timeout 300 "$program" >"$scratch/output" 2>&1
    status=$?
    p=$(count PASSED) f=$(count FAILED) s=$(count SKIPPED)
    [ $status -ne 0 ] && [ "$f" -eq 0 ] && f=1 # it crashed before cmocka printed the failure
    [ $((p + f + s)) -eq 0 ] && f=1            # exit status 0, but no test ran
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-40s %d passed, %d failed, %d skipped\n' "$name" "$p" "$f" "$s"
    [ "$s" -gt 0 ] && grep '^skipped: ' "$scratch/output" | sort -u | sed 's/^/    /'
    [ "$f" -gt 0 ] && { [ $status -gt 1 ] && echo "    exit status $status"; show_output; }
done

# Tests of the cuda backend are built where nvcc is.
for source in tests/unit/*/test_cuda_*.c*; do
    name=$(basename "${source%.c*}")
    { [ -f "$source" ] && [ ! -x "$build/${source%.c*}" ] && wanted "$name" "$@"; } || continue
    skipped=$((skipped + 1))
    printf '%-40s skipped: nvcc not found\n' "$name"
done

for story in tests/stories/*.sh; do
    name=$(basename "$story" .sh)
    { [ -f "$story" ] && [ "$name" != lib ] && wanted "$name" "$@"; } || continue
    folder=$scratch/$name
    mkdir -p "$folder"
    start=$(date +%s.%N)
    (cd "$folder" && STORIES=$root/tests/stories timeout 300 bash "$root/$story") >"$scratch/output" 2>&1
    status=$?
    seconds=$(awk "BEGIN {printf \"%.1f\", $(date +%s.%N) - $start}")
    case $status in
    0) passed=$((passed + 1)) word=passed ;;
    77) skipped=$((skipped + 1)) word=$(grep -m1 '^skipped:' "$scratch/output" || echo 'skipped') ;;
    *) failed=$((failed + 1)) word=FAILED ;;
    esac
    printf 'story %-34s %s (%s s)\n' "$name" "$word" "$seconds"
    [ $status -ne 0 ] && [ $status -ne 77 ] && show_output
    rm -rf "$folder"
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
