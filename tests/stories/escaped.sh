# A process of a stage that has left its session and cleared its environment is ended by its cgroup, however
# the stage ended: at the latest when the next run in the cache starts.
. "$STORIES/lib.sh"
cgroup=$(awk '/ - cgroup2 / && $4 == "/" { print $5; exit }' /proc/self/mountinfo)
cgroup=$cgroup$(sed -n 's,^0::,,p' /proc/self/cgroup)
mkdir "$cgroup/ferdag-test-$$" 2> /dev/null || { echo 'skipped: no cgroup may be made here'; exit 77; }
rmdir "$cgroup/ferdag-test-$$"
mark=8.$$ # the name of our processes
cat > x.yaml <<Y
ferdag: 2
stages:
  a:
    kind: command
    out: { o: o }
    with: { run: "echo good > o; env -i PATH=\$\$PATH setsid sh -c 'touch ../../../begun; while :; do sleep 0.05; done' $mark & until test -e ../../../begun; do sleep 0.05; done; test -e ../../../enough || sleep 60" }
Y
survives() { pgrep -f "sh -c .* $mark\$" > /dev/null; }
gone() { ! survives; }
trap 'pkill -9 -f "sh -c .* $mark\$"' EXIT
left() { find "$cgroup" -maxdepth 2 -name 'ferdag-[0-9a-f]*' | wc -l; }
start() {
    rm -f begun
    "$FERDAG" run x.yaml > out.txt 2> err &
    run=$!
    until_true test -e begun
    survives || fail 'nothing was left running'
}
before=$(left)

start
kill -9 $run
until_true gone
start
pkill -9 -P $run
wait $run
same 'exit' 1 $?
until_true gone

# Run and stage are killed at once: the next attempt ends the process.
for _ in 1 2 3; do
    start
    kill_both $run
    survives || fail 'it was ended; this proves nothing'
    start
    same 'processes' 1 "$(pgrep -cf "sh -c .* $mark\$")"
    kill -INT $run
    wait $run
    until_true gone
done

# The next run in the cache may be of any experiment.
cat > y.yaml <<'Y'
ferdag: 2
stages: { b: { kind: command, out: { o: o }, with: { run: "echo > o" } } }
Y
start
kill_both $run
survives || fail 'it was ended; this proves nothing'
"$FERDAG" run y.yaml > out.txt 2> err || fail "$(cat err)"
until_true gone
touch enough
rm begun
"$FERDAG" run x.yaml > out.txt 2> err || fail "$(cat err)"
until_true gone
same 'cgroups' "$before" "$(left)"
