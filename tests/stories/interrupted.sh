# SIGINT: stages are stopped, exit 130, finished results stay; the second run continues.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
stages:
  a: { kind: command, out: { o: o }, with: { run: "echo a > o" } }
  b: { kind: command, in: { i: a }, out: { o: o }, with: { run: "test -e ${go} || sleep 8.8642; cat i > o" } }
  c: { kind: command, in: { i: b }, out: { o: o }, with: { run: "cat i > o" } }
params: { go: "$PWD/../../../go" }
Y
sleeping() { pgrep -f '^sleep 8.8642$' > /dev/null; }
set -m # an interactive shell's children take SIGINT
"$FERDAG" run x.yaml --json > json 2> err &
run=$!
until_true sleeping
has 'status meanwhile' 'running  b' "$("$FERDAG" status x.yaml)"
same 'explain meanwhile' 'b is running (another ferdag computes it)' "$("$FERDAG" explain x.yaml b)"
has 'show meanwhile' 'no result yet: running' "$("$FERDAG" show x.yaml b)"
"$FERDAG" get x.yaml b here > printed 2>&1 && fail 'get of a running stage'
same 'get meanwhile' 'ferdag: b has no current result (running)' "$(cat printed)"
kill -INT $run
wait $run
same 'exit' 130 $?
same 'ran' 'a' "$(in_state ran < json)"
same 'not run' 'b c' "$(in_state not_run < json)"
sleeping && fail 'a child lives on'
has 'the message' 'ferdag: interrupted; the same command continues the run' "$(cat err)"
has 'status' 'interrupted; it starts over when run again' "$("$FERDAG" status x.yaml b)"
same 'the others' 'cached missing' "$("$FERDAG" status x.yaml a c | cut -d' ' -f1 | paste -sd' ')"
touch go
same 'the next run' 'b c' "$(ran x.yaml)"
