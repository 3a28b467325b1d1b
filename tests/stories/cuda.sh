# An experiment with --backend cuda: results near those of `ref`, all cached when run again; a training that is
# killed, or whose GPU fails, goes on and ends with the same weights; too little memory is one line. On the
# program with doubles of CUDA's libraries, which needs no GPU.
. "$STORIES/lib.sh"
FERDAG=$(dirname "$RESTAMP")/../../double/ferdag
[ -x "$FERDAG" ] || { echo 'skipped: no build/double/ferdag (nvcc not found)'; exit 77; }
unset CUDA_VISIBLE_DEVICES FERDAG_CUDNN FERDAG_CUBLAS
cat > x.yaml <<'Y'
ferdag: 2
title: A training on a GPU
params: { precision: fp32, epochs: 2 }
stages:
  csv: { kind: synthetic_faces, with: { train: 60, public: 14, private: 14 } }
  faces: { kind: ingest_csv, in: { csv: csv } }
  net:
    kind: train_cnn
    in: { images: faces }
    with: { model: preact_resnet18, width: 1, epochs: "${epochs}", batch_size: 32, crop: 32, precision: "${precision}", checkpoint_seconds: 0 }
  features: { kind: extract_features, in: { images: faces, weights: net.best } }
  svm: { kind: train_svm, in: { features: features } }
  decide: { kind: predict_svm, in: { features: features, model: svm } }
Y
rounded() { sed -E 's/([0-9]\.[0-9]{4})[0-9]*/\1/g' "$1"; }

# Against ref: losses to four decimals, and the same decisions.
same 'on the GPU' 'csv decide faces features net svm' "$(ran x.yaml --backend cuda --out cuda)"
same 'again' '' "$(ran x.yaml --backend cuda --out cuda)"
same 'with ref' 'decide features net svm' "$(ran x.yaml --backend ref --out ref)"
same 'losses' "$(rounded ref/results/net/metrics.jsonl)" "$(rounded cuda/results/net/metrics.jsonl)"
has 'summary' '"backend": "cuda"' "$(cat cuda/results/net/summary.json)"
for split in public private; do
    for result in features/predictions decide/predictions; do
        cmp ref/results/$result/${split}_predictions.npy cuda/results/$result/${split}_predictions.npy ||
            fail "$result differ"
    done
done

# bf16, the choice on a GPU that has it, is another result; one without it computes in fp32, with the key of fp32.
same 'bf16' net "$(ran x.yaml net --set precision=bf16 --backend cuda --out bf16)"
has 'bf16' '"precision": "bf16"' "$(cat bf16/results/net/summary.json)"
FERDAG_DOUBLE_DEVICES='Tesla T4:75:40:15' "$FERDAG" run x.yaml net --set precision=bf16 --set epochs=1 --backend cuda \
    --cache old --out old > log 2>&1 || fail "sm_75: $(cat log)"
has 'sm_75' '"precision": "fp32"' "$(cat old/results/net/summary.json)"

# Killed, resumed, and stopped by an ECC error: the weights of a training that ran through.
digests() { grep -E '"(best|last|metrics|summary)":'; }
"$FERDAG" run x.yaml net --set epochs=4 --backend cuda --cache whole --json 2> err | digests > whole.txt
same 'digests' 4 "$(wc -l < whole.txt)"
"$FERDAG" run x.yaml faces --cache torn > log 2>&1 || fail "$(cat log)"
checkpointed() { ls torn/work/*/checkpoint* > /dev/null 2>&1; }
"$FERDAG" run x.yaml net --set epochs=4 --backend cuda --cache torn > log 2>&1 &
run=$!
until_true checkpointed
kill_both $run
has 'status' 'interrupted at epoch' "$("$FERDAG" status x.yaml net --set epochs=4 --backend cuda --cache torn)"
FERDAG_DOUBLE_FAIL=cudaGraphLaunch:1:214 "$FERDAG" run x.yaml net --set epochs=4 --backend cuda --cache torn > log 2>&1
same 'exit after an ECC error' 1 $?
has 'an ECC error' "uncorrectable (ECC) error; reset or replace the device; run again to resume" "$(grep '^ferdag: ' log)"
same 'lines of an ECC error' 1 "$(grep -c '^ferdag: ' log)"
"$FERDAG" run x.yaml net --set epochs=4 --backend cuda --cache torn --json 2> err | digests > torn.txt
same 'weights' "$(cat whole.txt)" "$(cat torn.txt)"

# Too little memory: one line with sizes and a remedy; then on a larger GPU.
FERDAG_DOUBLE_DEVICES='NVIDIA H200:90:132:0.001' "$FERDAG" run x.yaml net --backend cuda --cache small > log 2>&1
same 'exit without memory' 1 $?
[[ $(grep '^ferdag: ' log) =~ memory\ is\ full:\ [0-9.]+\ MB\ are\ needed,.*smaller\ batch_size ]] || fail "memory: $(cat log)"
same 'lines without memory' 1 "$(grep -c '^ferdag: ' log)"
same 'then' net "$(ran x.yaml net --backend cuda --cache small)"
