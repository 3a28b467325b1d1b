# A cache without write permission can be read: status, show, log, explain, a dry run, a report, verdicts, and a run
# in which everything is cached. A run of other stages fails with an error, and the cache doesn't change.
. "$STORIES/lib.sh"
for tool in groff gnuplot; do
    command -v $tool > tool || { echo "skipped: $tool is not installed"; exit 77; }
done
place=$(mktemp -d) || fail 'no folder'
trap 'chmod -R u+w "$place"; rm -rf "$place"' EXIT
chmod 755 "$place"
cp "$FERDAG" "$place/program"
mkdir "$place/desk"
cache='../c%3F?# 1' # a name that means something else in a URI
cd "$place/desk" || fail 'no folder'
cat > x.yaml <<'Y'
ferdag: 2
params: { value: 0.25, seconds: 0 }
stages:
  one: { kind: command, out: { m: m.json }, with: { run: "echo said; echo '{\"v\": ${value}}' > m.json" } }
  two: { kind: command, in: { m: one }, out: { n: n.json }, with: { run: "sleep ${seconds}; cp m n.json" } }
tables:
  t: { title: T, columns: { a: { label: A } }, rows: { r: { label: R } }, cell: "@two:/v" }
claims:
  c: { checks: [ { check: above, left: t/r/a, right: 0.1, text: Above } ] }
Y
../program run --cache "$cache" x.yaml 2> err || fail "$(cat err)"

# A user without write permission: another user if this one is root, who may write everywhere.
user=()
if [ "$(id -u)" = 0 ]; then
    command -v setpriv > tool || { echo 'skipped: root may write everywhere, and there is no setpriv'; exit 77; }
    user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    "${user[@]}" ../program kinds > kinds || { echo 'skipped: another user cannot reach the temporary folder'; exit 77; }
    chown -R 65534:65534 .
fi
lock() { chmod -R a-w "$cache"; }
unlock() { chmod -R u+w "$cache"; }
ferdag() { "${user[@]}" ../program "$1" --cache "$cache" "${@:2}"; }
state() { find "$cache" -type f -printf '%p %s %T@\n' | grep -v -e -shm | sort; }
lock
"${user[@]}" touch "$cache/x" 2> err && { echo 'skipped: permissions do not bind here'; exit 77; }
before=$(state)

# read_all VALUE: every command that only reads, after a run with that value
read_all() {
    same 'status' '4' "$(ferdag status x.yaml --set value="$1" 2> err | grep -c cached)"
    [ ! -s err ] || fail "status: $(cat err)"
    has 'show' 'm.json' "$(ferdag show x.yaml one --set value="$1")"
    same 'log' 'said' "$(ferdag log x.yaml one --set value="$1")"
    has 'explain' 'param run' "$(ferdag explain x.yaml one --set value=7)"
    has 'a dry run' 'would run one' "$(ferdag run -n x.yaml --set value=7 2> err | tr -s ' ')"
}
read_all 0.25
ferdag report x.yaml --out out 2> err || fail "report: $(cat err)"
[ -s out/report.pdf ] || fail 'no report'
has 'verify' '1 reproduced' "$(ferdag verify x.yaml 2> err)"
[ ! -s err ] || fail "verify: $(cat err)"
ferdag run x.yaml 2> err || fail "a run of what is there: $(cat err)"

# A stage that isn't cached can't run, and nothing is written.
ferdag run x.yaml --set value=7 2> err && fail 'it ran'
has 'the reason' "can't be written, and stage 'one' is to run" "$(cat err)"
ferdag report x.yaml --set value=7 2> err && fail 'it made a report'
has 'the reason' "can't be written, and stage 'tables' is to run" "$(cat err)"
ferdag verify x.yaml --set value=7 > out.txt 2> err
same 'exit of verify' 1 $?
has 'the reason' "can't be written, and stage 'tables' is to run" "$(cat err)"
same 'the cache' "$before" "$(state)"

# A killed run leaves its last results in the index's log: they are read by the files beside it.
# Without those files they can't be read: that is an error, and no older state of the index is used.
unlock
../program run --cache "$cache" x.yaml --set value=0.5 --set seconds=60 2> err &
run=$!
done_one() { ../program status --cache "$cache" x.yaml one --set value=0.5 | grep -q cached; }
until_true done_one
kill -9 $run
wait $run 2> gone
[ -s "$cache/index.sqlite-wal" ] || fail 'no log was left'
lock
same 'what it had done' '1' "$(ferdag status x.yaml one --set value=0.5 | grep -c cached)"
unlock
rm "$cache/index.sqlite-shm"
lock
ferdag status x.yaml > out.txt 2> err && fail 'it read an index without its last changes'
has 'the reason' 'index.sqlite-wal, which can only be read where' "$(cat err)"
unlock
