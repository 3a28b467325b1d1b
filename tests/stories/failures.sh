# A stage that fails: the stages that depend on it don't run; -k runs the others; its log is kept.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { status: 3 }
stages:
  bad: { kind: command, out: { o: o }, with: { run: "echo hint; echo x > o; exit ${status}" } }
  after: { kind: command, in: { o: bad }, out: { p: p }, with: { run: "cat o > p" } }
  slow: { kind: command, out: { o: o }, with: { run: "sleep 0.2; echo y > o" } }
  slower: { kind: command, in: { o: slow }, out: { o2: o2 }, with: { run: "cat o > o2" } }
Y
"$FERDAG" run x.yaml -j 2 --json > json 2> err
same 'exit' 1 $?
same 'failed' 'bad' "$(in_state failed < json)"
same 'what was running finishes, nothing new starts' 'slow' "$(in_state ran < json)"
same 'not run' 'after slower' "$(in_state not_run < json)"
has 'the message' 'stage bad failed' "$(cat err)"
has 'the status' 'ended with status 3' "$(cat err)"
has 'the log' 'hint' "$("$FERDAG" log x.yaml bad)"
same 'status' "failed   bad 'echo hint; echo x > o; exit 3' ended with status 3" "$("$FERDAG" status x.yaml bad | tr -s ' ' | sed 's/^failed/failed  /')"
same 'explain' "bad would run: failed: 'echo hint; echo x > o; exit 3' ended with status 3" "$("$FERDAG" explain x.yaml bad | paste -sd' ' | tr -s ' ')"
has 'show' "no result yet: it failed: 'echo hint" "$("$FERDAG" show x.yaml bad)"
"$FERDAG" get x.yaml bad here > printed 2>&1 && fail 'get of a stage that failed'
same 'get' "ferdag: bad failed: 'echo hint; echo x > o; exit 3' ended with status 3; see: ferdag log x.yaml bad" "$(cat printed)"
"$FERDAG" run x.yaml -k --json > json 2> err
same 'exit with -k' 1 $?
same 'with -k' 'slower' "$(in_state ran < json)"
same 'not run with -k' 'after' "$(in_state not_run < json)"
same 'mended' 'after bad' "$(ran x.yaml --set status=0)"

cat > y.yaml <<'Y'
ferdag: 2
stages:
  none: { kind: command, out: { o: o }, with: { run: "true" } }
Y
"$FERDAG" run y.yaml 2> err
same 'exit without an output' 1 $?
has 'no output' "without its output o, the file 'o'" "$(cat err)"
cat > z.yaml <<'Y'
ferdag: 2
stages:
  killed: { kind: command, out: { o: o }, with: { run: "kill -KILL $$PPID; sleep 5" } }
Y
"$FERDAG" run z.yaml 2> err
same 'exit when killed' 1 $?
has 'killed' 'killed by signal 9' "$(cat err)"

# A log that is not UTF-8.
printf 'ferdag: 2\nstages:\n  odd: { kind: command, out: { o: "o" }, with: { run: "exit 4 # %0199d\303\251" } }\n' 0 > odd.yaml
"$FERDAG" run odd.yaml 2> err
same 'exit of odd words' 1 $?
has 'odd words' 'ended with status 4' "$(cat err)"

# Errors name an input from outside by its path, and a stage's output by the port that reads it.
printf 'emotion,pixels,Usage\n0,1 2 3,Training\n' > faces.csv
cat > i.yaml <<'Y'
ferdag: 2
inputs: { faces: { path: faces.csv } }
stages:
  full: { kind: ingest_csv, in: { csv: faces } }
  made: { kind: command, out: { o: o.csv }, with: { run: "echo 0,1 > o.csv" } }
  again: { kind: ingest_csv, in: { csv: made } }
Y
"$FERDAG" run i.yaml -k 2> err
same 'exit of a bad CSV' 1 $?
has 'where the CSV is wrong' "stage full failed: $(pwd -P)/faces.csv:2:8: pixels: expected 2304 values" "$(cat err)"
has 'where an output is wrong' "stage again failed: csv:1:1: header" "$(cat err)"

# A full disk under stdout: the error names the cause.
"$FERDAG" kinds --json > /dev/full 2> err
same 'exit with stdout full' 1 $?
same 'stdout full' 'ferdag: cannot write to stdout: No space left on device' "$(cat err)"

# A job.json written by hand may be wrong in any way.
job() {
    printf '%s' "$2" > job.json
    "$FERDAG" stage "$1" 2> err
    same "exit of $2" 1 $?
    same "message of $2" "ferdag: job.json$3" "$(cat err)"
}
job command '[1]' ':1:1: expected an object'
job command '{"params": 1}' ': params: expected an object'
job train_cnn '{"params": {"model": "vgg"}}' \
    ": param model of train_cnn: unknown value 'vgg'; expected vgg19, resnet18, preact_resnet18 or resnext29"
job knn '{"params": {"k": 0}}' ': param k of knn: 0 is out of range; expected 1 to 1000'
