# Stages get specific GPUs and see no others; a whole run may be restricted to some; what can't be had is
# reported before anything runs. On the program with doubles of CUDA's libraries, which needs no GPU.
. "$STORIES/lib.sh"
FERDAG=$(dirname "$RESTAMP")/../../double/ferdag
[ -x "$FERDAG" ] || { echo 'skipped: no build/double/ferdag (nvcc not found)'; exit 77; }
unset CUDA_VISIBLE_DEVICES FERDAG_CUDNN FERDAG_CUBLAS
two='NVIDIA H200:90:132:139;NVIDIA H200:90:132:139'
export FERDAG_DOUBLE_DEVICES=$two
visible() { cat "$@" | paste -sd' '; }

# Whole GPUs: two stages at a time, each with its own. Parts: of one GPU, together.
cat > x.yaml <<'Y'
ferdag: 2
params: { n: [1, 2], m: [1, 2, 3, 4] }
stages:
  whole: { for: { n: "${n}" }, kind: command, needs: { gpu: 1 }, out: { o: o }, with: { run: "echo whole ${n}; echo \"$CUDA_VISIBLE_DEVICES\" > o; sleep 0.5" } }
  part: { for: { n: "${m}" }, kind: command, needs: { gpu: 0.25 }, out: { o: o }, with: { run: "echo part ${n}; echo \"$CUDA_VISIBLE_DEVICES\" > o; sleep 0.5" } }
  both: { kind: command, needs: { gpu: 2 }, out: { o: o }, with: { run: "echo both; echo \"$CUDA_VISIBLE_DEVICES\" > o" } }
  some: { kind: command, needs: { gpu: optional }, out: { o: o }, with: { run: "echo some; echo \"$CUDA_VISIBLE_DEVICES\" > o" } }
  none: { kind: command, out: { o: o }, with: { run: "echo none; echo \"$CUDA_VISIBLE_DEVICES\" > o" } }
Y
"$FERDAG" run x.yaml whole -j 8 2> err || fail "whole: $(cat err)"
same 'two whole GPUs' '0 1' "$(visible out/x/results/whole/*/o)"
"$FERDAG" run x.yaml part -j 8 2> err || fail "part: $(cat err)"
same 'four quarters' '0 0 0 0' "$(visible out/x/results/part/*/o)"
"$FERDAG" run x.yaml both some none -j 8 2> err || fail "both: $(cat err)"
same 'both GPUs' '0,1' "$(cat out/x/results/both/o)"
same 'optional' '0' "$(cat out/x/results/some/o)"
same 'without GPU' '' "$(cat out/x/results/none/o)"

# Restricted: by --gpus, and by the variable that CUDA reads, to whose list numbers refer.
"$FERDAG" run x.yaml whole some --gpus 1 --cache one --out one 2> err || fail "--gpus 1: $(cat err)"
same '--gpus 1' '1 1 1' "$(visible one/results/whole/*/o one/results/some/o)"
FERDAG_DOUBLE_DEVICES="$two;$two" CUDA_VISIBLE_DEVICES=3,1 \
    "$FERDAG" run x.yaml both --cache mapped --out mapped 2> err || fail "mapped: $(cat err)"
same 'two of four' '3,1' "$(cat mapped/results/both/o)"
FERDAG_DOUBLE_DEVICES="$two;$two" CUDA_VISIBLE_DEVICES=3,1 \
    "$FERDAG" run x.yaml some --gpus 1 --cache inner --out inner 2> err || fail "inner: $(cat err)"
same 'the second of two' '1' "$(cat inner/results/some/o)"
"$FERDAG" run x.yaml some none --gpus none --cache no --out no 2> err || fail "--gpus none: $(cat err)"
same '--gpus none' ' ' "$(visible no/results/some/o no/results/none/o)"

# refused WHAT TEXT COMMAND...: exits with 2, and the one line on stderr has the text
refused() {
    "${@:3}" > printed 2> err
    same "exit of $1" 2 $?
    same "lines of $1" 1 "$(wc -l < err)"
    has "$1" "$2" "$(cat err)"
}
refused 'a third GPU' '--gpus 0,2: there is no GPU 2; ' "$FERDAG" run x.yaml --gpus 0,2
refused 'a GPU twice' '--gpus 1,1: 1 is listed twice' "$FERDAG" run x.yaml --gpus 1,1
refused 'a word' "--gpus all: expected numbers or UUIDs of GPUs, such as 0,2" "$FERDAG" status x.yaml --gpus all
sed 's/gpu: 2/gpu: 3/' x.yaml > many.yaml
refused 'three GPUs' "many.yaml:6:3: stage 'both' needs 3 GPUs, and there are 2" "$FERDAG" run many.yaml both
[ ! -e out/many ] || fail 'something ran'

# --backend cuda where it can't be used: one line with the cause and the remedy.
for command in run status check explain show log graph; do
    refused "$command without driver" '--backend cuda: there is no NVIDIA driver; install one that supports CUDA ' \
        env FERDAG_DOUBLE_DRIVER=none "$FERDAG" "$command" x.yaml --backend cuda
done
refused 'an old driver' 'the NVIDIA driver supports CUDA 11.8, and this program needs ' \
    env FERDAG_DOUBLE_DRIVER=11080 "$FERDAG" status x.yaml --backend cuda
refused 'hidden GPUs' "CUDA_VISIBLE_DEVICES, which --gpus sets too, is ''" "$FERDAG" status x.yaml --backend cuda --gpus none
refused 'GPUs that differ' "the GPUs differ: 0 is 'NVIDIA H200 sm_90 132', 1 is 'NVIDIA A100 sm_80 108'" \
    env FERDAG_DOUBLE_DEVICES='NVIDIA H200:90:132:139;NVIDIA A100:80:108:80' "$FERDAG" status x.yaml --backend cuda
FERDAG_DOUBLE_DEVICES='NVIDIA H200:90:132:139;NVIDIA A100:80:108:80' \
    "$FERDAG" status x.yaml --backend cuda --gpus 1 > printed 2> err || fail "one of them: $(cat err)"
refused 'no cuDNN' 'FERDAG_CUDNN' env FERDAG_CUDNN=/nonexistent "$FERDAG" status x.yaml --backend cuda

# Versions, and what the section `numerics` of a file for this machine contains.
"$FERDAG" --version --verbose > version
has 'CUDA' 'CUDA: ' "$(cat version)"
has 'GPU' 'GPU 1: NVIDIA H200, compute capability 9.0, 132 multiprocessors, 139.0 GiB' "$(cat version)"
has 'numerics' 'numerics.net: cuda NVIDIA H200 sm_90 132 cudnn ' "$(cat version)"
has 'no driver' 'GPU: there is no NVIDIA driver' "$(FERDAG_DOUBLE_DRIVER=none "$FERDAG" --version --verbose)"

# A net gets a GPU without asking. `auto` takes cuda, and says that results of the CPU will be made again.
cat > net.yaml <<'Y'
ferdag: 2
stages:
  faces: { kind: synthetic_faces, with: { train: 40, public: 10, private: 10 } }
  full: { kind: ingest_csv, in: { csv: faces } }
  net:
    for: { seed: [1, 2] }
    kind: train_cnn
    in: { images: full }
    with: { model: resnet18, width: 1, epochs: 1, batch_size: 16, crop: 32, seed: "${seed}" }
Y
"$FERDAG" run net.yaml --gpus none --cache c 2> err || fail "on the CPU: $(cat err)"
"$FERDAG" run net.yaml --backend cpu --cache c --out cpu 2> err || fail "$(cat err)"
has 'the same keys' '4 stages: 4 cached' "$(cat err)"
"$FERDAG" run net.yaml -n --cache c 2> err > printed
has 'another backend' 'ferdag: 2 stages have results of the backend cpu and will be computed again with cuda; `--backend cpu` keeps those results' "$(cat err)"
same 'would run' 'would run net/1 would run net/2' "$(visible printed)"
"$FERDAG" run net.yaml --backend cuda --cache c 2> err || fail "on the GPU: $(cat err)"
has 'on the GPU' '4 stages: 2 cached, 2 ran' "$(cat err)"
"$FERDAG" run net.yaml --cache c 2> err || fail "$(cat err)"
has 'auto' '4 stages: 4 cached' "$(cat err)"
has 'summary' '"backend": "cuda"' "$(cat out/net*/results/net/1/summary.json)"
sed 's/seed: \[1, 2\]/seed: [3]/' net.yaml > third.yaml
"$FERDAG" run third.yaml --cache c 2> err || fail "the third: $(cat err)"
"$FERDAG" run third.yaml -n --gpus none --cache c 2> err > printed
has 'and back' 'ferdag: 1 stage has a result of the backend cuda and will be computed again with cpu' "$(cat err)"

# A GPU that `auto` can't use.
FERDAG_CUDNN=/nonexistent "$FERDAG" run third.yaml -n --cache other > printed 2> err
has 'no cuDNN' "ferdag: nets, SVMs and kNN don't use a GPU: FERDAG_CUDNN: /nonexistent" "$(cat err)"
"$FERDAG" run third.yaml -n --cache other --gpus none > printed 2> err
[[ $(cat err) != *'a GPU'* ]] || fail "a message without need: $(cat err)"

# Numerics that the file states: planned without a GPU, refused where a stage has others.
numerics=$(sed -n 's/^numerics\.net: //p' version)
{ cat net.yaml; echo "numerics: { net: \"$numerics\" }"; } > stated.yaml
FERDAG_DOUBLE_DRIVER=none "$FERDAG" status stated.yaml net --cache c > printed 2> err || fail "stated: $(cat err)"
same 'planned without a GPU' 'cached   net/1 cached   net/2' "$(visible printed)"
refused 'another backend' "--backend cpu: the file states other numerics.net, 'cuda NVIDIA H200" \
    "$FERDAG" status stated.yaml --cache c --backend cpu
sed -i 's/cudnn [0-9.]*/cudnn 9.99.9/' stated.yaml
"$FERDAG" run stated.yaml net --cache c > printed 2> err && fail 'ran with other numerics'
has 'other numerics' "numerics: the stage was planned for 'cuda NVIDIA H200 sm_90 132 cudnn 9.99.9', and this process computes with '$numerics'" "$(cat err)"
