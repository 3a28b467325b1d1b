# Nothing outside the cache changes: files behind links, the calling shell, a run under nohup. Names that
# no file can have are refused before anything is created.
. "$STORIES/lib.sh"
mkdir mine
echo photo > mine/photo
echo note > mine/note
cat > x.yaml <<'Y'
ferdag: 2
stages:
  tree: { kind: command, out: { o: o/ }, with: { run: "ln -s ../../../mine o" } }
  file: { kind: command, out: { o: sub/note }, with: { run: "ln -s ../../../mine sub" } }
  uses: { kind: command, in: { t: tree, f: file }, out: { o: o }, with: { run: "cat t/photo t/note f > o" } }
Y
same 'outputs behind links' 'file tree uses' "$(ran x.yaml)"
same 'the files behind them' '644 644' "$(stat -c %a mine/note mine/photo | paste -sd' ')"
echo other > mine/photo
same 'the blobs are copies' '' "$(ran x.yaml)"
paste -sd' ' "$("$FERDAG" show x.yaml uses | awk '$1 == "output" { getline; print $1 }')" | read -r text
same 'what was read' 'photo note note' "$text"
cat > d.yaml <<'Y'
ferdag: 2
stages:
  deep: { kind: command, out: { o: o/ }, with: { run: "mkdir o; ln -s ../../../../mine o/m" } }
Y
"$FERDAG" run d.yaml 2> err
same 'exit of a link to a folder in a folder' 1 $?
has 'a link to a folder in a folder' 'is not a regular file' "$(cat err)"

cat > f.yaml <<'Y'
ferdag: 2
stages:
  fifo: { kind: command, out: { o: o }, with: { run: "mkfifo o" } }
  folder: { kind: command, out: { o: o }, with: { run: "mkdir o" } }
  file: { kind: command, out: { o: o/ }, with: { run: "echo > o" } }
Y
"$FERDAG" run f.yaml -k 2> err
same 'exit of odd outputs' 1 $?
has 'a FIFO' 'stage fifo failed: output o: ' "$(cat err)"
has 'a folder' "stage folder failed: its output o, 'o', is a folder, not a file" "$(cat err)"
has 'a file' "stage file failed: its output o, 'o', is no folder" "$(cat err)"

# What a stage leaves running, even in a session of its own, can't write to a result.
cat > l.yaml <<'Y'
ferdag: 2
stages:
  a: { kind: command, out: { o: o }, with: { run: "echo good > o; (setsid sh -c 'touch ../../../begun.a; sleep 1; echo evil' >> o &); until test -e ../../../begun.a; do sleep 0.05; done" } }
  b: { kind: command, in: { i: a }, out: { o: o }, with: { run: "sleep 1.5; cat i > o" } }
Y
same 'in spite of what was left running' 'a b' "$(ran l.yaml)"

# A run under nohup ignores SIGHUP.
cat > n.yaml <<'Y'
ferdag: 2
stages:
  slow: { kind: command, out: { o: o }, with: { run: "touch ../../../begun; sleep 1; echo > o" } }
Y
nohup "$FERDAG" run n.yaml > printed 2> err &
run=$!
until_true test -e begun
kill -HUP $run
wait $run
same 'exit under nohup' 0 $?

# Names of inputs must be valid names of files; no output may be inside another.
bad() {
    printf 'ferdag: 2\nstages:\n  a: { kind: command, out: { o: o }, with: { run: ":" } }\n  b: { kind: command, %s, with: { run: ":" } }\n' "$2" > bad.yaml
    "$FERDAG" run bad.yaml 2> err
    same "exit of $2" 2 $?
    same "lines for $2" 1 "$(wc -l < err)"
    has "$2" "$1" "$(cat err)"
}
bad "bad.yaml:4:29: in: 'x y' can't name an input" 'in: { "x\ny": a }, out: { p: p }'
bad "can't name an input" "in: { $(printf 'x%.0s' {1..201}): a }, out: { p: p }"
bad "bad.yaml:4:40: out: two ports share the file 'd/f'" 'out: { p: d/, q: d/f }'
