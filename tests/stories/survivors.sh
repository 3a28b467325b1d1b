# All processes that a stage started end with it, also those in sessions of their own, however the stage
# ended. A process that survives nevertheless can't write into the next attempt.
. "$STORIES/lib.sh"
mark=7.$$ # the name of our processes; another run of this story may be active
cat > x.yaml <<Y
ferdag: 2
params: { end: "sleep 60" }
stages:
  a: { kind: command, out: { o: o }, with: { run: "pwd > ../../../where; echo good > o; echo > ../../../n; setsid sh -c 'touch ../../../begun; while :; do sleep 0.5; echo evil >> o 2>&-; echo evil >> \\"\$\$PWD\\"/o 2>&-; done' $mark & until test -e ../../../begun; do sleep 0.05; done; \${end}" } }
Y
survives() { pgrep -f "sh -c .* $mark\$" > /dev/null; }
gone() { ! survives; }
trap 'pkill -9 -f "sh -c .* $mark\$"' EXIT
start() {
    rm -f begun
    setsid "$FERDAG" run x.yaml --cache "$1" "${@:2}" > out.txt 2> err &
    run=$!
    until_true test -e begun
    survives || fail 'nothing was left running'
}
# then CACHE WHAT: checks the result of the next attempt
then_good() {
    rm -f begun
    "$FERDAG" run x.yaml --cache "$1" --set end=true > out.txt 2> err || fail "$2: $(cat err)"
    same "the result after $2" 'good' "$(cat "$("$FERDAG" show x.yaml a --cache "$1" --set end=true | awk '$1 == "output" { getline; print $1 }')")"
    until_true gone
}

# Cases: the run is killed, the stage, both at once, all by Ctrl-C; or the stage ends by itself.
start killed
kill -9 $run
until_true gone
start stage
pkill -9 -P $run
wait $run
same 'exit' 1 $?
until_true gone
start interrupted
kill -INT $run
wait $run
until_true gone
then_good ended 'a good end'

# Both killed at once: the orphan continues in the folder of its attempt until the next attempt of the key.
for _ in 1 2 3; do
    start both
    where=$(cat where)
    kill_both $run
    survives || fail 'it was ended; this proves nothing'
    start both
    [ "$where" != "$(cat where)" ] || fail 'the next attempt has the same folder'
    [ ! -e "$where" ] || fail 'the old folder is still there'
    same 'processes' 1 "$(pgrep -cf "sh -c .* $mark\$")"
    kill -9 $run
    wait $run 2> /dev/null
    until_true gone
done
