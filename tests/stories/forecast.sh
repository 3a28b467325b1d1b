# A long run prints how long it will take: before it starts a stage, if the cache has results of similar
# stages; else once a stage has reported progress for some seconds; never from results of other data.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { epochs: 100000, nap: 0, lr: 0.05 }
stages:
  faces: { kind: synthetic_faces, with: { train: 120, public: 40, private: 40 } }
  full: { kind: ingest_csv, in: { csv: faces } }
  first: { kind: command, out: { y: y }, with: { run: "sleep ${nap}; echo > y" } }
  second: { kind: command, in: { x: first }, out: { y: y }, with: { run: "cp x y" } }
  net:
    kind: train_cnn
    in: { images: full }
    with: { model: resnext29, width: 8, epochs: "${epochs}", batch_size: 32, lr: "${lr}" }
Y
set -m # an interactive shell's children take SIGINT
said() { grep -q "$1" err 2> /dev/null; }
# interrupt_when TEXT FILE [OPTION...]: runs until stderr has the text, and a moment longer.
interrupt_when() {
    "$FERDAG" run "${@:2}" -j 1 2> err &
    run=$!
    until_true said "$1"
    sleep 0.5
    kill -INT $run
    wait $run
    same 'exit' 130 $?
}
line_of() { grep -n "$1" err | head -n 1 | cut -d: -f1; }

# Nothing is known: no line until the training has reported progress for some seconds.
started=$SECONDS
interrupt_when 'to go' x.yaml --cache new
[ "$(line_of 'net: started')" -lt "$(line_of 'to go')" ] || fail "an estimate from nothing: $(cat err)"
[ $((SECONDS - started)) -ge 4 ] || fail 'the rate was observed too shortly'
has 'the line' '2 stages to go, about ' "$(cat err)"
has 'the line' ' at -j 1, not counting 1 of unknown length; you can stop at any time, the same command resumes' "$(cat err)"
same 'one line' 1 "$(grep -c 'to go' err)"

# A short training gets no line. A longer one afterwards has an estimate before it starts.
same 'a short run' 'faces first full net second' "$(ran x.yaml --cache c --set epochs=1)"
said 'to go' && fail "a line about a short run: $(cat err)"
cp -r c other
interrupt_when 'net: started' x.yaml --cache c --set nap=1.7
said 'to go' || fail "no line: $(cat err)"
[ "$(line_of 'to go')" -lt "$(line_of 'first: done')" ] || fail "the line came late: $(cat err)"

# Another experiment with other data: same names and params, but no estimate, as the time may differ.
sed 's/train: 120/train: 150/' x.yaml > z.yaml
interrupt_when 'net: started' z.yaml --cache other --set nap=1.7
said 'to go' && fail "an estimate from other data: $(cat err)"
exit 0
