# The checks and benches for a GPU (make check-gpu, make bench-gpu), in their short form on doubles of CUDA
# and cuDNN: they pass, count what fails and what is skipped, and go on after a failure. The model of
# a step (make gpu-model) is what the doubles count.
. "$STORIES/lib.sh"
double=$(dirname "$RESTAMP")/../../double gpu=$STORIES/../gpu
[ -x "$double/check_gpu" ] || { echo 'skipped: no build/double/check_gpu (nvcc not found)'; exit 77; }
export FERDAG_DOUBLE_DEVICES="NVIDIA H200:90:132:1" SANITIZER=""
mkdir gpu
cp "$double"/check_gpu "$double"/bench_gpu gpu/
ln -s "$(realpath "$double")" double

"$gpu/check.sh" gpu --short >all || fail "check.sh: $(grep -v ^passed all)"
[[ $(tail -n 1 all) =~ ^([0-9]+)\ passed,\ 0\ failed,\ 2\ skipped$ ]] || fail "the last line of $(tail -n 5 all)"
same 'the lines of what passed' "${BASH_REMATCH[1]}" "$(grep -c '^passed ' all)"
has 'the description of the device' 'NVIDIA H200' "$(cat gpu/device.json)"
has 'what is skipped' 'compute-sanitizer not found' "$(grep ^skipped all)"

# A failed launch: one item fails, and the others run.
FERDAG_DOUBLE_FAIL=launch:40:9 "$gpu/check.sh" gpu --short --only operations >one && fail 'a failure went unnoticed'
same 'failures' 1 "$(grep -c '^FAILED ' one)"
has 'the counts' ' passed, 1 failed, 2 skipped' "$(tail -n 1 one)"

# Without a device all is skipped.
FERDAG_DOUBLE_DEVICES="" "$gpu/check.sh" gpu >none || fail 'no device is a failure'
same 'counts without a device' '0 passed, 0 failed, 7 skipped' "$(tail -n 1 none)"
FERDAG_DOUBLE_DEVICES="" "$gpu/bench.sh" gpu >none || fail 'no device is a failure of the bench'
same 'counts of the bench without a device' '0 passed, 0 failed, 1 skipped' "$(tail -n 1 none)"

printf 'train 0\npredict 0\n' | gpu/bench_gpu -i -m vgg19 -w 2 -b 2 -n 2 >speed || fail "bench_gpu: $(cat speed)"
has 'the device' 'NVIDIA H200' "$(head -n 1 speed)"
same 'lines of bench_gpu' 3 "$(wc -l <speed)"

"$double/counts" >counts || fail "the model isn't what the doubles count: $(grep -v '| |$' counts)"

# The tables of docs/gpu.md are those of the model.
"$double/../tests/gpu/model" >model || fail 'the model failed'
while IFS= read -r line; do
    grep -qxF -- "$line" "$STORIES/../../docs/gpu.md" || fail "docs/gpu.md lacks a line of make gpu-model: $line"
done <model
