# A long training is announced before it starts, by a trial that leaves no trace: not when it is
# stopped in the middle, not where it fails, not when all is cached.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { epochs: 100000, width: 8 }
stages:
  faces: { kind: synthetic_faces, with: { train: 120, public: 40, private: 40 } }
  full: { kind: ingest_csv, in: { csv: faces } }
  fewer: { kind: command, in: { x: faces, after: full }, out: { y: y.csv }, with: { run: "sleep 0.8642; head -n -1 x > y.csv" } }
  slow: { kind: ingest_csv, in: { csv: fewer } }
  train:
    for: { set: [full, slow], lr: [0.05, 0.01] }
    kind: train_cnn
    in: { images: "${set}" }
    with: { model: resnext29, width: "${width}", epochs: "${epochs}", batch_size: 32, lr: "${lr}" }
Y
set -m # an interactive shell's children take SIGINT
said() { grep -q "$1" err 2> /dev/null; }
tries() { ls c/tmp/trial.*/job.json > /dev/null 2>&1; }
stop() { kill -INT "$1"; wait "$1"; }
no_trace() {
    same "$1: what is left in tmp" '' "$(ls -A c/tmp)"
    for pid in $(pgrep -f '^ferdag stage train_cnn --trial$'); do
        grep -qzx "FERDAG_PARENT=$run" "/proc/$pid/environ" 2> /dev/null && fail "$1: a trial lives on"
    done
}

# Before the first training, and before the slow stages that two of the four wait for.
"$FERDAG" run x.yaml -j 1 --cache c 2> err &
run=$!
until_true said 'train/full/0.05: started'
stop $run
same 'exit' 130 $?
no_trace 'after the line'
line=$(grep -n 'train_cnn: 4 stages to go, about .* at -j 1; stop whenever you like' err) || fail "no line: $(cat err)"
[ "${line%%:*}" -lt "$(grep -n 'fewer: done' err | cut -d: -f1)" ] || fail "the line came late: $(cat err)"
same 'one line' 1 "$(grep -c 'to go' err)"

# What is done of it only the training itself knows: the next run waits for its word.
"$FERDAG" run x.yaml -j 1 --cache c 2> err &
run=$!
until_true said 'to go'
stop $run
grep 'to go\|train/full/0.05: started' err | head -n 1 | grep -q started || fail "the line came early: $(cat err)"

# Stopped while it tries: the widest net takes a while.
"$FERDAG" run x.yaml -j 1 --cache c --set width=64 2> err &
run=$!
until_true tries
stop $run
same 'exit in a trial' 130 $?
no_trace 'stopped in a trial'

# So does the failure of a stage.
cat > fails.yaml <<'Y'
ferdag: 2
stages:
  faces: { kind: synthetic_faces, with: { train: 120, public: 40, private: 40 } }
  full: { kind: ingest_csv, in: { csv: faces } }
  wide: { kind: train_cnn, in: { images: full }, with: { model: resnext29, width: 64 } }
  fails: { kind: command, in: { x: full }, out: { y: y }, with: { run: "until ls ../../tmp/trial.*/job.json; do sleep 0.05; done; exit 1" } }
Y
"$FERDAG" run fails.yaml -j 2 --cache c 2> err &
run=$!
wait $run
same 'exit after a failure' 1 $?
no_trace 'after a failure'
said 'wide: started' && fail "started: $(cat err)"

# A trial that fails leaves the word to its stage.
cat > bad.yaml <<'Y'
ferdag: 2
stages:
  junk: { kind: command, out: { y: y/ }, with: { run: "mkdir y; echo > y/train_images.npy" } }
  train: { kind: train_cnn, in: { images: junk }, with: { model: vgg19 } }
Y
"$FERDAG" run bad.yaml --cache c 2> err && fail 'junk was trained on'
same 'words about it' 1 "$(grep -c train_images err)"

# Shorter trainings of the same: nothing is announced; then nothing is left to try.
same 'a short run' 'train/full/0.01 train/full/0.05 train/slow/0.01 train/slow/0.05' \
    "$(ran x.yaml --cache c --set epochs=1)"
said 'to go' && fail "announced: $(cat err)"
before=$(stat -c %y c/tmp)
same 'the second run' '' "$(ran x.yaml --cache c --set epochs=1)"
same 'tmp' "$before" "$(stat -c %y c/tmp)"
