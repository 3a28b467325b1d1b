# The same digests at any -j; no more CPUs at a time than -j, counted by needs.cpu.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { all: [1, 2, 3, 4, 5, 6] }
stages:
  a:
    for: { v: "${all}" }
    kind: command
    out: { o: o }
    with: { run: "echo + >> ../../../seen; sleep 0.05; echo - >> ../../../seen; echo ${v} > o" }
  wide:
    kind: command
    needs: { cpu: 3 }
    out: { o: o }
    with: { run: "echo wide >> ../../../seen; sleep 0.05; echo ewide >> ../../../seen; echo $$OMP_NUM_THREADS > o" }
  b: { kind: command, in: { w: a/1, x: a/6, y: wide }, out: { o: o }, with: { run: "cat w x y > o" } }
Y
digests() { grep '"o":' | sort; }
most() { awk '$0 == "+" {n++; if (n > m) m = n} $0 == "-" {n--} END {print m}' seen; }
rm -f seen; "$FERDAG" run x.yaml -j 1 --json --cache c1 2> err | digests > one.txt
same 'at most one' 1 "$(most)"
rm -f seen; "$FERDAG" run x.yaml -j 4 --json --cache c4 2> err | digests > four.txt
[ "$(most)" -gt 1 ] || fail 'nothing ran side by side'
[ "$(most)" -le 4 ] || fail 'more than four side by side'
same 'digests' "$(cat one.txt)" "$(cat four.txt)"
[ -s one.txt ] || fail 'no digests'
