# A run is killed many times at random moments: each run continues the last, and the result is that of an
# uninterrupted run.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { all: [1, 2, 3, 4, 5, 6, 7, 8] }
stages:
  a: { for: { v: "${all}" }, kind: command, out: { o: o, d: d/ }, with: { run: "mkdir d; for i in 1 2 3; do echo ${v} $$i > d/$$i; sleep 0.02; done; head -c 200000 /dev/zero > o; echo ${v} >> o" } }
  b: { for: { v: "${all}" }, kind: command, in: { i: "a/${v}", d: "a/${v}.d" }, out: { o: o }, with: { run: "cat i d/* > p; sleep 0.02; cat p > o" } }
  c: { kind: command, in: { w: b/1, x: b/2, y: b/7, z: b/8 }, out: { o: o }, with: { run: "cat w x y z > o" } }
Y
digests() { grep -E '"(o|d)":' | sort; }
"$FERDAG" run x.yaml -j 3 --cache whole --json 2> err | digests > whole.txt
for _ in $(seq 12); do
    "$FERDAG" run x.yaml -j 3 --cache torn > printed 2> err &
    run=$!
    sleep 0.0$((RANDOM % 90 + 10))
    kill -9 $run 2> /dev/null
    wait $run 2> /dev/null
done
"$FERDAG" run x.yaml -j 3 --cache torn --json 2> err | digests > torn.txt
same 'digests' "$(cat whole.txt)" "$(cat torn.txt)"
[ "$(wc -l < whole.txt)" -eq 25 ] || fail 'not all stages gave digests'
[ -z "$(ls torn/work)" ] || fail "left in work/: $(ls torn/work)"
