# A pipe whose reader has ended, as in `ferdag kinds | head -1`, is not an error: the command prints no
# message, does its work, and its exit status doesn't depend on the reader. (Ending by SIGPIPE would
# give 141 or 0, depending on timing.) A full disk is an error with exit status 1.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { status: 0 }
stages:
  a: { kind: command, out: { o: o }, with: { run: "seq 200000; echo a > o" } }
  b: { kind: command, in: { i: a }, out: { o: o }, with: { run: "echo b > o; exit ${status}" } }
Y

# closed STATUS ARGUMENT...: runs ferdag with a stdout whose reader has ended
closed() {
    local status=$1
    shift
    { sleep 0.1; "$FERDAG" "$@" 2> err; echo $? > status; } | sh -c 'exec <&-'
    same "exit of $*" "$status" "$(cat status)"
    [[ $(cat err) != *'cannot write'* && $(cat err) != *'Broken pipe'* ]] || fail "$*: $(cat err)"
}
# quiet ARGUMENT...: the same, with exit status 0 and nothing on stderr
quiet() {
    closed 0 "$@"
    [ ! -s err ] || fail "$*: $(cat err)"
}
closed 0 run x.yaml a --json
same 'the run was finished' 'cached' "$("$FERDAG" status x.yaml a | cut -d' ' -f1)"
closed 1 run x.yaml --json --set status=3
has 'its failure' "stage b failed" "$(cat err)"
closed 0 run -n x.yaml
closed 0 run -n x.yaml --json
for command in 'kinds' 'kinds --json' 'kinds knn' '--help' 'run --help' 'status x.yaml' 'status x.yaml --json' \
    'explain x.yaml' 'show x.yaml' 'show x.yaml --json' 'graph x.yaml' 'log x.yaml a'; do
    # shellcheck disable=SC2086 # words of a command line
    quiet $command
done
closed 2 kinds nothing
has 'its own error' "unknown kind 'nothing'" "$(cat err)"
same 'what was read' 'a' "$("$FERDAG" log x.yaml a 2> err | head -1 | sed s/1/a/)"
[ ! -s err ] || fail "log | head: $(cat err)"

[ -e /dev/full ] || exit 0
for command in 'kinds' 'kinds --json' '--help' 'status x.yaml' 'show x.yaml --json' 'graph x.yaml' 'log x.yaml a' \
    'run x.yaml --json' 'run -n x.yaml --json'; do
    # shellcheck disable=SC2086
    "$FERDAG" $command > /dev/full 2> err
    same "exit of $command on a full disk" 1 $?
    has "$command on a full disk" 'cannot write to stdout' "$(cat err)"
done
"$FERDAG" kinds >&- 2> err
same 'exit without stdout' 1 $?
