#!/bin/bash
# Tests that take long or need other programs: the unit tests under sanitizers, the Debian package, the
# fuzz targets, the comparisons with PyTorch and scikit-learn. Ends with "N passed, N failed, N
# skipped". Variables: PYTHON is a Python with numpy, torch, safetensors and scikit-learn (default
# python3); FUZZ_SECONDS the time for each fuzz target (default 30); FEATURES a folder of features, as
# extract_features or fuse_features writes it.
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
passed=0 failed=0 skipped=0
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT

skip() {
    skipped=$((skipped + 1))
    printf '%-40s skipped: %s\n' "$1" "$2"
}

# attempt NAME COMMAND...: runs the command and prints one line, and the end of its output if it fails. Exit
# status 77 means skipped; the command has printed the reason.
attempt() {
    local name=$1 start=$SECONDS status
    shift
    "$@" >"$output" 2>&1
    status=$?
    case $status in
    0)
        passed=$((passed + 1))
        printf '%-40s passed (%d s)\n' "$name" $((SECONDS - start))
        ;;
    77) skip "$name" "$(sed -n 's/^skipped: //p' "$output" | head -n 1)" ;;
    *)
        failed=$((failed + 1))
        printf '%-40s FAILED (%d s)\n' "$name" $((SECONDS - start))
        sed 's/^/    /' "$output" | tail -n 30
        ;;
    esac
}

# Runs a cmocka program; its output goes to $output. Exit status 77 if it skipped all of its tests.
cmocka() {
    "$@" || return
    grep -q '^\[  PASSED  \] [1-9]' "$output" || return 77
}

sanitized() {
    make -s -j2 BUILD=build/sanitized SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined' \
        OPTIMIZE=-O1 CUDA_ARCHS=90 units || return 1
}

# Starts from tests/fuzz/seeds/NAME; the inputs that the fuzzer adds are kept in
# build/fuzz/corpus/NAME for the next time.
fuzz() {
    local name=$1 short=${1#fuzz_} seeds=tests/fuzz/seeds/${1#fuzz_}
    make -s "build/fuzz/$name" || return 1
    mkdir -p "build/fuzz/corpus/$short"
    [ -d "$seeds" ] || seeds=
    OPENBLAS_NUM_THREADS=1 "build/fuzz/$name" -max_total_time="${FUZZ_SECONDS:-30}" -timeout=20 -artifact_prefix=build/fuzz/ \
        "build/fuzz/corpus/$short" ${seeds:+"$seeds"}
}

attempt 'build with sanitizers' sanitized
for program in build/sanitized/tests/unit/*/test_*; do
    { [ -x "$program" ] && [ -f "$program" ]; } || continue
    # no leak check: oneDNN's generated code and OpenBLAS keep memory until the end
    ASAN_OPTIONS=detect_leaks=0 attempt "sanitized $(basename "$program")" cmocka timeout 900 "$program"
done

# The kernels of the cuda backend with a thread of the system for each of theirs: a missing barrier is
# a race. One architecture is enough for the library, whose device code doesn't run.
cuda_races() {
    local tests='build/tsan/tests/unit/kernels/test_cuda_kernels build/tsan/tests/unit/kernels/test_cuda_head' t
    # shellcheck disable=SC2086 # two words
    make -s -j2 BUILD=build/tsan SANITIZE=-fsanitize=thread OPTIMIZE=-O1 CUDA_ARCHS=90 $tests || return 1
    for t in $tests; do timeout 900 "$t" || return 1; done
}
if [ -x build/tests/unit/kernels/test_cuda_kernels ]; then
    attempt 'cuda kernels under TSan' cuda_races
else
    skip 'cuda kernels under TSan' 'nvcc not found'
fi

all=$(build/tests/unit/kernels/test_kernels isa)
for isa in AVX2 SSE41; do
    if [ "$(ONEDNN_MAX_CPU_ISA=$isa build/tests/unit/kernels/test_kernels isa)" = "$all" ]; then
        skip "nets on a CPU of $isa" "this CPU has no more than $all, which make check used"
    else
        attempt "nets on a CPU of $isa" env ONEDNN_MAX_CPU_ISA=$isa build/tests/unit/kernels/test_nets
    fi
done

plans=build/tests/unit/kernels/test_cuda_plans
if [ -x "$plans" ]; then
    attempt 'cuDNN plans of all shapes' cmocka "$plans" all
else
    skip 'cuDNN plans of all shapes' 'nvcc not found'
fi

attempt 'Debian package' tests/package.sh

for target in tests/fuzz/fuzz_*.c; do
    name=$(basename "$target" .c)
    if ! echo 'int LLVMFuzzerTestOneInput(const char *d, long n); int LLVMFuzzerTestOneInput(const char *d, long n) { return !d && n; }' |
        clang -x c -fsanitize=fuzzer - -o /dev/null 2>/dev/null; then
        skip "$name" "clang with libFuzzer not found"
    else
        attempt "$name" fuzz "$name"
    fi
done

if "$python" -c 'import torch, safetensors' 2>/dev/null; then
    attempt 'nets against PyTorch' "$python" tests/oracles/nets.py dump build/tests/oracles/net_dump
    attempt 'nets against PyTorch in bf16' "$python" tests/oracles/nets.py dump build/tests/oracles/net_dump 16 bf16
    attempt 'weights in PyTorch' "$python" tests/oracles/weights.py "$PWD/ferdag" build/tests/oracles/net_dump
else
    skip 'nets against PyTorch' "$python has no torch and safetensors"
    skip 'nets against PyTorch in bf16' "$python has no torch and safetensors"
    skip 'weights in PyTorch' "$python has no torch and safetensors"
fi
if "$python" -c 'import jsonschema, yaml' 2>/dev/null; then
    attempt 'schema in another validator' "$python" tests/oracles/schema.py .
else
    skip 'schema in another validator' "$python has no jsonschema and yaml"
fi
if [ -z "$FEATURES" ]; then
    skip 'classifiers against scikit-learn' 'FEATURES not set'
elif "$python" -c 'import sklearn, scipy' 2>/dev/null; then
    attempt 'classifiers against scikit-learn' "$python" tests/oracles/classifiers.py "$PWD/ferdag" "$FEATURES"
else
    skip 'classifiers against scikit-learn' "$python has no scikit-learn"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
