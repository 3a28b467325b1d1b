# `graph`: a matrix is one node with a count, --all shows each stage; each file appears once; states are
# shown if there is a cache; names are escaped. If dot is installed, it must accept the output.
. "$STORIES/lib.sh"
odd='we"ird<b>&\n#1;|`.sh'
echo 'cat "$1" > "$2"' > "$odd"
echo 1 > data.txt
cat > x.yaml <<'Y'
ferdag: 2
params: { good: 0, word: one }
inputs: { data: data.txt, unused: data2.txt }
stages:
  first: { kind: command, in: { x: data }, out: { a: a, b: b }, with: { run: "cat x > a; cat x > b" } }
  each:
    for: { n: [1, 2, 3] }
    kind: command
    in: { a: first.a, b: first.b, x: data }
    files: ['we"ird<b>&\n#1;|`.sh']
    out: { o: o }
    with: { run: "test ${n} != 2 || test ${good} = 0 || exit 1; echo ${n} ${word} > o" }
  one: { for: { n: [7] }, kind: command, in: { o: each/1 }, out: { o: q }, with: { run: "cat o > q" } }
  last: { kind: command, in: { o: "each/*" }, out: { o: p }, with: { run: "cat o/* > p" } }
Y
graph() { "$FERDAG" graph x.yaml "$@" 2> err || fail "graph $*: $(cat err)"; }
# nodes, edges: the numbers of nodes and edges in the output
nodes() { grep -c '^  n[0-9]* \['; }
edges() { grep -c -e '->'; }
valid() { command -v dot > tool || return 0; dot -Tsvg > svg 2> err || fail "dot: $(cat err)"; grep -q '</svg>' svg || fail 'no picture'; }

text=$(graph)
[ ! -e .ferdag ] || fail 'graph made a cache'
same 'nodes' 6 "$(nodes <<< "$text")"
same 'edges' 6 "$(edges <<< "$text")"
has 'the count' 'label="each ×3\ncommand"' "$text"
has 'a matrix of one' 'label="one\ncommand"' "$text"
has 'ports of one edge' 'label="a, b"' "$text"
has 'an odd name' 'label="we\"ird<b>&\\n#1;|`.sh"' "$text"
same 'an input that nothing reads' '' "$(grep unused <<< "$text")"
valid <<< "$text"
text=$(graph --all)
same 'nodes of all' 8 "$(nodes <<< "$text")"
same 'edges of all' 14 "$(edges <<< "$text")"
same 'the file' 1 "$(grep -c ird <<< "$text")"
valid <<< "$text"

text=$(graph --format mermaid --all)
same 'the first line' 'graph LR' "$(head -n 1 <<< "$text")"
same 'the file in Mermaid' 1 "$(grep -c ird <<< "$text")"
has 'its odd name' '>"we#34;ird#60;b#62;#38;#92;n#35;1;#124;#96;.sh"]' "$text"
same 'edges in Mermaid' 14 "$(edges <<< "$text")"
same 'names that are used' "$(grep -o 'n[0-9]*' <<< "$(grep -e '->' <<< "$text")" | sort -u)" \
    "$(sed -n 's/^  \(n[0-9]*\)[[(>].*/\1/p' <<< "$text" | sort -u)"

# States. If they can't be determined, the graph is printed without them.
"$FERDAG" run x.yaml -k --set good=1 > printed 2> err && fail 'it did not fail'
text=$(graph --set good=1)
has 'cached' 'label="first\ncommand\ncached", fillcolor="#d4edda"' "$text"
has 'failed' 'label="each ×3\ncommand\n1 failed, 2 of 3 cached", fillcolor="#f8d7da"' "$text"
has 'missing' 'label="last\ncommand\nmissing"' "$text"
valid <<< "$text"
has 'in Mermaid' '<br/>1 failed, 2 of 3 cached"]:::failed' "$(graph --set good=1 --format mermaid)"
"$FERDAG" run x.yaml > printed 2> err || fail "$(cat err)"
has 'stale' 'label="each ×3\ncommand\nstale"' "$(graph --set word=two)"
rm data.txt
same 'without an input' 6 "$(graph | nodes)"
has 'states without an input' 'label="first\ncommand\nstale"' "$(graph)"
rm .ferdag/index.sqlite*
mkdir .ferdag/index.sqlite
same 'without an index' 6 "$(graph | nodes)"
has 'why there are no states' 'ferdag: without the states of the stages: ' "$(cat err)"

"$FERDAG" graph x.yaml --format svg > printed 2> err
same 'exit of an unknown format' 2 $?
has 'what there is' '--format svg: expected dot or mermaid' "$(cat err)"
