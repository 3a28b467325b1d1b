# Two runs at once on one cache: each stage runs once, both runs succeed.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { all: [1, 2, 3, 4] }
stages:
  a: { for: { v: "${all}" }, kind: command, out: { o: o }, with: { run: "sleep 0.2; echo ${v}; date +%N > o" } }
  b: { kind: command, in: { w: a/1, x: a/2, y: a/3, z: a/4 }, out: { o: o }, with: { run: "cat w x y z > o" } }
Y
"$FERDAG" run x.yaml -j 2 --json > one 2> err1 &
first=$!
"$FERDAG" run x.yaml -j 2 --json > two 2> err2
same 'exit of the second' 0 $?
wait $first
same 'exit of the first' 0 $?
same 'each ran once' 'a/1 a/2 a/3 a/4 b' "$( (in_state ran < one; in_state ran < two) | tr ' ' '\n' | sed '/^$/d' | sort | paste -sd' ')"
digests() { grep '"o":' | sort; }
same 'the same results' "$(digests < one)" "$(digests < two)"
