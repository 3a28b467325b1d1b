# kill -9 of the run and of its stage: child processes end too, no incomplete output is served, the next run continues.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
stages:
  a: { kind: command, out: { o: o }, with: { run: "echo a > o" } }
  b: { kind: command, in: { i: a }, out: { o: o }, with: { run: "echo half > o; (sleep 7.7531 & wait); echo $$USER$$(cat i) > o" } }
Y
sleeping() { pgrep -f '^sleep 7.7531$' > /dev/null; }
not_sleeping() { ! sleeping; }
"$FERDAG" run x.yaml 2> err &
run=$!
until_true sleeping
kill -9 $run
wait $run 2> /dev/null
until_true not_sleeping
same 'what is left to do' 'b' "$(would_run x.yaml)"
sed -i 's/sleep 7.7531 & wait/true/' x.yaml
same 'the next run' 'b' "$(ran x.yaml)"

# The stage's own process.
sed -i 's/true/sleep 7.7531/' x.yaml
"$FERDAG" run x.yaml 2> err &
run=$!
until_true sleeping
pkill -9 -P $run
wait $run
same 'exit' 1 $?
has 'message' 'killed by signal 9' "$(cat err)"
until_true not_sleeping
