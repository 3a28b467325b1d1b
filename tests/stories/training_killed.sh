# A training that is killed, with the run that started it, goes on from its checkpoint and ends with the
# weights of one that was not; SIGINT likewise.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
stages:
  faces: { kind: synthetic_faces, with: { train: 120, public: 40, private: 40 } }
  full: { kind: ingest_csv, in: { csv: faces } }
  net:
    kind: train_cnn
    in: { images: full }
    with: { model: resnet18, width: 8, epochs: 5, batch_size: 32, lr: 0.05, checkpoint_seconds: 0 }
Y
digests() { grep -E '"(best|last|metrics|summary)":'; }
"$FERDAG" run x.yaml --cache whole --json 2> err | digests > whole.txt
[ "$(wc -l < whole.txt)" -eq 4 ] || fail "no weights: $(cat err)"
"$FERDAG" run x.yaml full --cache torn 2> err || fail "$(cat err)"

checkpointed() { ls torn/work/*/checkpoint* > /dev/null 2>&1; }
"$FERDAG" run x.yaml --cache torn > printed 2> err &
run=$!
until_true checkpointed
sleep 0.1
text=$("$FERDAG" status x.yaml net --cache torn)
[[ $text =~ ^'running  net '.*' epoch '[0-9.]+' of 5'(, .*)?$ ]] || fail "status of a running training: $text"
kill -9 $run
wait $run 2> /dev/null

# status tells how far it was.
interrupted='interrupted at epoch [0-9.]+ of 5; it resumes when run again'
text=$("$FERDAG" status x.yaml net --cache torn)
[[ $text =~ ^'missing  net '.*$interrupted$ ]] || fail "status of a killed training: $text"
json=$("$FERDAG" status x.yaml net --cache torn --json)
for word in '"interrupted": true' '"resumes": true' '"total": 5.0' '"unit": "epoch"'; do
    has 'status --json' "$word" "$json"
done
[[ $("$FERDAG" explain x.yaml net --cache torn) =~ $interrupted ]] || fail 'explain'
set -m
"$FERDAG" run x.yaml --cache torn > printed 2> err &
run=$!
sleep 0.2
kill -INT $run
wait $run
status=$?
[ $status -eq 130 ] || [ $status -eq 0 ] || fail "exit $status of the interrupted run: $(cat err)"
"$FERDAG" run x.yaml --cache torn --json 2> err | digests > torn.txt
same 'weights' "$(cat whole.txt)" "$(cat torn.txt)"
"$FERDAG" show x.yaml net --cache torn | grep -q train_cnn || fail 'show'
