# A full disk ends the run with one line; the cache stays valid and the next run continues.
. "$STORIES/lib.sh"
if [ "${INSIDE:-}" != yes ]; then
    unshare -rm true 2> /dev/null || { echo 'skipped: no user namespaces here'; exit 77; }
    INSIDE=yes exec unshare -rm bash "$0"
fi
mkdir disk
mount -t tmpfs -o size=2m tmpfs disk 2> /dev/null || { echo 'skipped: cannot mount here'; exit 77; }
cat > x.yaml <<'Y'
ferdag: 2
stages:
  a: { kind: command, out: { o: o }, with: { run: "echo a > o" } }
  b: { kind: command, in: { i: a }, out: { o: o }, with: { run: "head -c 3000000 /dev/zero > o || exit 1" } }
Y
"$FERDAG" run x.yaml --cache disk/c > printed 2> err
same 'exit' 1 $?
has 'the stage that had no room' 'b' "$(cat err)"
same 'what is left' 'b' "$(would_run x.yaml --cache disk/c)"
sed -i 's/3000000/3000/' x.yaml
same 'with room' 'b' "$(ran x.yaml --cache disk/c)"

# No space for the index or for job.json: the run ends, as its stage can't start; no other process ends.
trap 'fail "the caller was told to end"' TERM
head -c 4000000 /dev/zero > disk/filler 2> /dev/null
sed -i 's/echo a/echo A/' x.yaml
"$FERDAG" run x.yaml --cache disk/c > printed 2> err
same 'exit with no room at all' 1 $?
has 'what cannot start' 'ferdag: ' "$(cat err)"
trap - TERM
rm disk/filler
same 'and after it' 'a b' "$(ran x.yaml --cache disk/c)"
