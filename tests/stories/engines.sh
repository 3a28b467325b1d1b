# choose_engines times cuDNN's engines; a training that reads its result uses them, and has them in its key. On the
# program with doubles of CUDA's libraries, which needs no GPU.
. "$STORIES/lib.sh"
cpu=$FERDAG FERDAG=$(dirname "$RESTAMP")/../../double/ferdag
cat > x.yaml <<'Y'
ferdag: 2
title: Engines
params: { batch: 21 }
stages:
  csv: { kind: synthetic_faces, with: { train: 21, public: 7, private: 7 } }
  faces: { kind: ingest_csv, in: { csv: csv } }
  engines:
    kind: choose_engines
    in: { images: faces }
    with: { model: vgg19, width: 1, batch_size: "${batch}", crop: 32, precision: auto }
  usual:
    kind: train_cnn
    in: { images: faces }
    with: { model: vgg19, width: 1, batch_size: 21, crop: 32, precision: auto, epochs: 1 }
  net:
    kind: train_cnn
    in: { images: faces, engines: engines }
    with: { model: vgg19, width: 1, batch_size: 21, crop: 32, precision: auto, epochs: 1 }
  features:
    kind: extract_features
    in: { images: faces, weights: net, engines: engines }
    with: { precision: auto }
Y
# engines BACKEND: prints engines.json.
engines() {
    rm -f "got-$1"
    "$FERDAG" get x.yaml engines "got-$1" --backend "$1" > log 2>&1 || fail "$(cat log)"
    cat "got-$1"
}
key() { "$FERDAG" show x.yaml "$1" --backend cuda | awk '$1 == "key" { print $2 }'; }

# On a CPU there is nothing to choose, and the same experiment runs.
mine=$FERDAG FERDAG=$cpu
same 'on the CPU' 'csv engines faces features net usual' "$(ran x.yaml --backend cpu)"
has 'on the CPU' '"note": "the backend cpu has no choice of engines"' "$(engines cpu)"
FERDAG=$mine
[ -x "$FERDAG" ] || { echo 'skipped: no build/double/ferdag (nvcc not found)'; exit 77; }

# The double has two engines that fit: 106, the usual one, and 107.
export FERDAG_DOUBLE_SLOW_ENGINE=107
same 'on a GPU' 'engines features net usual' "$(ran x.yaml --backend cuda)"
[[ $(engines cuda) != *'engine 107'* ]] || fail "the slow engine was chosen: $(engines cuda)"
first=$(key net)
[ "$first" != "$(key usual)" ] || fail 'the key of a training lacks the engines'
# Chosen again, equal engines have the same bytes: the training stays.
same 'again' 'engines' "$(ran x.yaml --backend cuda --force engines)"

# Batches that leave a smaller last one.
same 'batches of 16' 'engines' "$(ran x.yaml engines --backend cuda --set batch=16)"
"$FERDAG" get x.yaml engines last --backend cuda --set batch=16 > log 2>&1 || fail "$(cat log)"
for images in '16 images of 32x32, gradient of the weights' '5 images of 32x32, gradient of the weights' '7 images of 32x32, forward'; do
    has 'a batch' "of $images" "$(cat last)"
done

# Other engines: the trainings that read them run again.
export FERDAG_DOUBLE_SLOW_ENGINE=106
same 'other engines' 'engines features net' "$(ran x.yaml --backend cuda --force engines)"
text=$(engines cuda)
has 'the GPU' '"numerics": "cuda NVIDIA H200 sm_90 132 cudnn 9.19.0"' "$text"
has 'an engine' 'forward, bf16": "mode_A 6 engine 107 parts 1"' "$text"
[[ $text != *'engine 106'* ]] || fail "the slow engine was chosen: $text"
has 'the log' 'another engine is faster than the usual one' "$("$FERDAG" log x.yaml engines --backend cuda)"
[ "$first" != "$(key net)" ] || fail 'other engines, and the same key'
unset FERDAG_DOUBLE_SLOW_ENGINE

# A file from elsewhere.
cat > y.yaml <<'Y'
ferdag: 2
title: A given file
inputs: { engines: engines.json }
stages:
  csv: { kind: synthetic_faces, with: { train: 21, public: 7, private: 7 } }
  faces: { kind: ingest_csv, in: { csv: csv } }
  net:
    kind: train_cnn
    in: { images: faces, engines: engines }
    with: { model: vgg19, width: 1, batch_size: 21, crop: 32, precision: auto, epochs: 1 }
Y
# refused WHAT WORD: the training refuses engines.json
refused() {
    "$FERDAG" run y.yaml --backend cuda > log 2>&1 && fail "$1: no error"
    has "$1" "$2" "$(cat log)"
    has "$1" 'run choose_engines again' "$(cat log)"
}
printf '%s\n' "$text" > engines.json
same 'the same bytes, the same key' '' "$(ran y.yaml --backend cuda)"
echo "${text/H200/H100}" > engines.json
refused 'another GPU' "it is for 'cuda NVIDIA H100 sm_90 132 cudnn 9.19.0', and this stage computes on 'cuda NVIDIA H200"
echo "${text/9.19.0/9.18.1}" > engines.json
refused 'another cuDNN' 'cudnn 9.18.1'
echo "${text//engine 107/engine 106}" > engines.json
refused 'another list' 'engine 106 isn'\''t at place 6'
echo "${text/parts 1/parts 1 or 2}" > engines.json
refused 'no engine' 'is no engine of'
head -c 200 <<< "$text" > engines.json
refused 'half a file' 'engines.json'
echo '{"numerics": "cuda", "engines": {"a": 1}}' > engines.json
refused 'no text' 'engines.json'
echo '{"numerics": "cuda", "engines": [], "more": 1}' > engines.json
refused 'another file' 'engines.json'
engines cpu > engines.json
refused 'of the CPU' "it is for 'cpu'"
