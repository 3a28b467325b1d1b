#!/bin/bash
# Measures the cuda backend on this machine's GPU, against PyTorch on the same GPU where PYTHON has
# it, in at most five minutes; ends with "N passed, N failed, N skipped".
# Usage: bench.sh [FOLDER [options of bench_gpu.py]]; FOLDER has bench_gpu (build/gpu).
folder=${1:-build/gpu}
shift
here=$(dirname "$0")
. "$here/libraries.sh"

output=$("$folder/bench_gpu" -i -w 16 -b 2 -n 1 </dev/null 2>&1)
status=$?
if [ $status -eq 77 ]; then
    printf '%s\n' "$output"
    exit 0
fi
if [ $status -ne 0 ]; then
    printf 'FAILED bench_gpu: %s\n0 passed, 1 failed, 0 skipped\n' "$output"
    exit 1
fi
if "$python" -c 'import torch' 2>/dev/null; then
    exec timeout -k 10 290 "$python" "$here/bench_gpu.py" "$folder" "$@"
fi
echo "No PyTorch here (PYTHON=... picks another Python): the speed of ferdag alone."
echo
timeout -k 5 300 "$folder/bench_gpu" | tee "$folder/bench.log"
exit "${PIPESTATUS[0]}"
