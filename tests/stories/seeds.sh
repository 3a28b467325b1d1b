# A cell over seeds: mean and deviation in cells.json, the CSV and the report; another seed runs only its own
# stages; with one seed the table looks as one without `over`; if one seed is missing there is no mean.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
title: Seeds
params: { seed: 1, seeds: ["${seed}"], broken: none }
stages:
  data:
    kind: command
    out:  { o: o }
    with: { run: "echo ${seed} > o" }
  train:
    for:  { model: [a, b], seed: "${seeds}" }
    kind: command
    in:   { data: data }
    out:  { m: m.json }
    with: { run: "[ ${model}${seed} != ${broken} ] && echo '{\"public\": {\"accuracy\": 0.7${seed}, \"n\": 400}, \"confusion\": [[1, ${seed}], [0, 9]]}' > m.json" }
tables:
  first:
    columns: { public: { label: Public }, n: { label: Images, scale: 1, digits: 0, over: ~, cell: "@train/${row}/*.m:/public/n" } }
    rows:    { a: {}, b: {}, d: { label: Difference, sum: [a, -b] } }
    over:    { seed: "${seeds}" }
    cell:    "@train/${row}/${seed}.m:/public/accuracy"
    scale:   100
report:
  headline: [{ cell: first/a/public, label: Net a }]
  confusion_matrices: [{ title: Net a, matrix: "@train/a/*.m:/confusion" }]
Y
"$FERDAG" check x.yaml 2> err && fail 'a star in a table'
has 'a star is for figures' "unknown stage or input 'train/a/*'" "$(cat err)"
sed -i 's/, n: { label: Images.*} }$/ }/' x.yaml

# ---- one seed ----
same 'one seed' 'data report tables train/a/1 train/b/1' "$(ran x.yaml)"
one=$(cat out/x/tables/first.csv)
same 'no more columns' $'row,Public ours,Public paper,Public difference\na,71.00,,\nb,71.00,,\nDifference,0.00,,' "$one"
grep -v ' over: ' x.yaml | sed 's,@train/${row}/${seed}.m,@train/${row}/1.m,' > plain.yaml
same 'a table without over' 'report tables' "$(ran plain.yaml)"
cmp out/x/tables/first.md out/plain/tables/first.md || fail 'one seed looks different'
cmp out/x/tables/first.csv out/plain/tables/first.csv || fail 'one seed looks different in the CSV'

# ---- more seeds ----
same 'two seeds' 'report tables train/a/2 train/b/2' "$(ran x.yaml --set seeds=2)"
same 'three seeds' 'report tables train/a/3 train/b/3' "$(ran x.yaml --set seeds=3)"
same 'two of them' 'report tables' "$(ran x.yaml --set 'seeds=[1, 3]')"
out="out/x,seeds=3"
same 'the CSV' $'row,Public ours,Public paper,Public difference,Public sd,Public min,Public max,Public n
a,72.00,,,1.00,71.00,73.00,3\nb,72.00,,,1.00,71.00,73.00,3\nDifference,0.00,,,0.00,0.00,0.00,3' "$(cat "$out/tables/first.csv")"
cell=$(tr -d ' \n' < "$out/tables/cells.json")
has 'the cell' '"over":{"axis":"seed","max":73.0,"mean":72.0,"min":71.0,"n":3,"sd":1.0,"values":["1","2","3"]}' "$cell"
has 'sources' '"stage":"train/a/3"' "$cell"
has 'the table' '| a | 72.00 ± 1.00 |' "$(cat "$out/tables/first.md")"
has 'its note' 'Mean ± standard deviation of 3 runs (seeds 1, 2, 3).' "$(cat "$out/tables/first.md")"
has 'the headline' 'Net a: **72.00 ± 1.00**' "$(cat "$out/report.md")"
has 'figures' 'a figure shows one run' "$(cat "$out/report.md")"

# ---- a seed that fails ----
"$FERDAG" run x.yaml -k --set seeds=4 --set broken=b4 > printed 2> err
same 'a seed fails' 1 $?
table=$(cat out/x*broken=b4*/tables/first.csv)
has 'the other row' 'a,72.50,,,1.29,71.00,74.00,4' "$table"
has 'no mean of three' 'b,not run: seed 4,,,,,,' "$table"
has 'nor a sum' 'Difference,not run: seed 4,,,,,,' "$table"

# ---- errors ----
for bad in 0 -1 2.5 many; do
    "$FERDAG" run x.yaml --set seeds=$bad 2> err && fail "seeds=$bad"
    same "seeds=$bad" "ferdag: --set seeds:1:1: seeds: expected a list, or an integer n from 1 to 10000 for 1 to n, not '$bad'" "$(cat err)"
done
sed 's,over:    { seed: "${seeds}" },over: { seed: 2 },' x.yaml > less.yaml
"$FERDAG" check less.yaml 2> err && fail 'a seed that no stage has'
has 'the reference of seed 2' "unknown stage or input 'train/a/2'" "$(cat err)"
