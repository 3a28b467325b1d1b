# After a failure, the end of the stage's log is printed, with the command for all of it. `log` also works
# after the YAML file has changed.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { status: 3 }
stages:
  a: { kind: command, out: { o: o }, with: { run: "seq 100; printf '10%%\\r100%%\\n\\033[31mred\\377\\n'; exit ${status}" } }
  b: { kind: command, in: { x: a }, out: { o: o }, with: { run: "cp x o" } }
  good: { kind: command, out: { o: o }, with: { run: "echo fine; echo > o" } }
Y
"$FERDAG" run x.yaml -k --set status=4 > printed 2> err
same 'exit' 1 $?
cat > expected <<'E'
    ...
    92
    93
    94
    95
    96
    97
    98
    99
    100
    100%
    ?[31mred?
  all of its log: ferdag log x.yaml a --set status=4
E
sed -n '/^ferdag: stage a failed/,/all of its log/p' err | tail -n +2 > shown
diff expected shown || fail 'the end of the log'
read -ra command <<< "$(sed -n 's/^  all of its log: ferdag //p' err)"
"$FERDAG" "${command[@]}" > log 2> err || fail "the command: $(cat err)"
same 'lines of the log' 103 "$(wc -l < log)"
same 'nothing else is said' '' "$(cat err)"

"$FERDAG" log x.yaml a > log 2> err || fail "log without --set: $(cat err)"
same 'its first line' 1 "$(head -1 log)"
has 'that it is older' 'a: this log is from an earlier run; inputs or params have changed since' "$(cat err)"
"$FERDAG" run x.yaml -k --set status=0 > printed 2> err # fails as well: no output
has 'another cause' 'it ended without its output o' "$(cat err)"
"$FERDAG" log x.yaml b > log 2> err
same 'exit of log of what never ran' 1 $?
has 'what never ran' 'no log: b has not run yet' "$(cat err)"
"$FERDAG" log x.yaml good > log 2> err || fail "$(cat err)"
same 'the log of a result' fine "$(cat log)"
"$FERDAG" log x.yaml > log 2> err || fail "$(cat err)"
same 'the logs of all' '==> a <== ==> good <==' "$(grep '^==>' log | paste -sd' ')"
