# Folders of killed attempts: fsck lists them, and a later run removes them when they are old enough
# (those with a checkpoint later than others). Folders of running or recent attempts stay.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { lr: 0.05, seconds: 600 }
stages:
  faces: { kind: synthetic_faces, with: { train: 120, public: 40, private: 40 } }
  full: { kind: ingest_csv, in: { csv: faces } }
  net: { kind: train_cnn, in: { images: full }, with: { model: resnet18, width: 8, epochs: 2000, batch_size: 32, lr: "${lr}", checkpoint_seconds: 0 } }
  wait: { kind: command, out: { o: o }, with: { run: "sleep ${seconds}; echo > o" } }
  empty: { kind: command, out: { o: o }, with: { run: ": > o" } }
  bad: { kind: ingest_csv, in: { csv: empty } }
  quick: { kind: command, out: { o: o }, with: { run: "echo > o" } }
Y
ls_work() { ls .ferdag/work 2> /dev/null; }
checkpointed() { ls .ferdag/work/*/checkpoint* > /dev/null 2>&1; }
waiting() { grep -lq '"wait"' .ferdag/work/*/job.json 2> /dev/null; }

"$FERDAG" run x.yaml net > printed 2> err &
first=$!
until_true checkpointed
kill -9 $first
"$FERDAG" run x.yaml wait > printed 2> err &
second=$!
until_true waiting
"$FERDAG" fsck > out.txt 2> err || fail "fsck: $(cat out.txt err)"
has 'the one that runs' '  wait  key ' "$(grep '^running' out.txt)"
has 'the one that was killed' 'interrupted  net  key ' "$(cat out.txt)"
has 'the one that was killed' ': it can be resumed; its folder is removed in 30 days' "$(grep '^interrupted' out.txt)"
has 'as JSON' '"stage": "net"' "$("$FERDAG" fsck --json | sed -n '/"attempts"/,$p')"
kill -9 $second
wait $first $second 2> /dev/null
unlocked() { [[ $("$FERDAG" fsck) != *running* ]]; }
until_true unlocked
has 'both were killed' ': it has no checkpoint; its folder is removed in 1 day' "$("$FERDAG" fsck | grep '  wait  key ')"
same 'folders' 2 "$(find .ferdag/work -mindepth 1 -maxdepth 1 -type d | wc -l)"

"$FERDAG" run x.yaml bad > out 2> err && fail 'it read an empty CSV'
has 'the one that failed' ': it has no checkpoint' "$("$FERDAG" fsck | grep '^failed *bad  key ')"
has 'its state in JSON' '"state": "failed"' "$("$FERDAG" fsck --json)"
bad=$(grep -l '"stage": "bad"' .ferdag/work/*/job.json)
rm -r "$(dirname "$bad")"

folder() { dirname "$(grep -l "\"stage\": \"$1\"" .ferdag/work/*/job.json)"; }
net=$(folder net) wait=$(folder wait)
[[ -n $net && -n $wait ]] || fail "folders: $(ls_work)"
: > .ferdag/work/"$(printf '%064d' 7)".lock
age() { find "$1" -exec touch -h -d "$2" {} +; }
age "$wait" '2 days ago'
age "$net" '2 days ago'
"$FERDAG" run x.yaml quick > printed 2> err || fail "$(cat err)"
[ ! -e "$wait" ] || fail 'it is still there after two days'
[ -e "$net" ] || fail 'a checkpoint went after two days'
same 'locks left' '' "$(ls_work | grep '^00.*lock')"
age "$net" '31 days ago'
"$FERDAG" run x.yaml quick > printed 2> err || fail "$(cat err)"
same 'all is gone' '' "$(ls_work)"
"$FERDAG" fsck > out.txt 2> err || fail "fsck: $(cat out.txt err)"
same 'nothing to list' '' "$(cat out.txt)"
