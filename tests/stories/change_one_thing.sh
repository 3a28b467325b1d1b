# One change reruns exactly the stages that depend on it; comments, order, names and formatting rerun nothing.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { word: hello, sets: [a, b] }
inputs: { source: { path: source.txt } }
stages:
  read: { kind: command, in: { s: source }, out: { t: t.txt }, with: { run: "sort s > t.txt" } }
  each:
    for: { set: "${sets}" }
    kind: command
    in: { t: read }
    out: { u: u.txt }
    with: { run: "(cat t; echo ${set}) > u.txt" }
  loud: { kind: command, in: { u: each/a }, out: { v: v.txt }, with: { run: "(cat u; echo ${word}) > v.txt" } }
  join: { kind: command, in: { v: loud, u: each/b.u }, out: { w: w.txt }, with: { run: "cat v u > w.txt" } }
Y
printf '1\n2\n' > source.txt
same 'dry run, nothing cached' 'read' "$(would_run x.yaml)"
[ ! -e .ferdag ] || fail 'a dry run made a cache'
same 'first run' 'each/a each/b join loud read' "$(ran x.yaml)"
same 'second run' '' "$(ran x.yaml)"
same 'a param' 'join loud' "$(ran x.yaml --set word=goodbye)"
same 'the param as it was' '' "$(ran x.yaml)"
same 'one more of a matrix' 'each/c' "$(ran x.yaml --set 'sets=[a,b,c]')"
same 'one stage of many' '' "$(ran x.yaml each/a)"

cat > y.yaml <<'Y'
# The same in another order, with other names and quotes.
stages:
  together:
    with: { run: 'cat v u > w.txt' }
    out: { result: w.txt }
    kind: command
    in: { u: one/b, v: shout }
  one:
    for: { set: [b, a] }
    with:
      run: "(cat t; echo ${set}) > u.txt"   # so that the two outputs differ
    in: { t: lines }
    kind: command
    out: { u: "u.txt" }
  shout: { kind: command, in: { u: one/a }, out: { v: v.txt }, with: { run: "(cat u; echo ${word}) > v.txt" } }
  lines: { kind: command, in: { s: raw }, out: { t: t.txt }, with: { run: "sort s > t.txt" } }
inputs: { raw: { path: ./source.txt } }
params:
  word: "hello"
ferdag: 2
Y
same 'order, comments, quotes, names of stages' 'together' "$(ran y.yaml)"
sed -i 's/result: w.txt/w: w.txt/' y.yaml
same 'and of the port' '' "$(ran y.yaml)"

sleep 0.01
printf '2\n1\n' > source.txt
same 'early cutoff: the input changed, what is made of it did not' 'read' "$(ran x.yaml)"
printf '2\n3\n' > source.txt
same 'the input changed' 'each/a each/b join loud read' "$(ran x.yaml)"
touch source.txt
same 'touched' '' "$(ran x.yaml)"
same 'forced' 'loud' "$(ran x.yaml --force loud)"
