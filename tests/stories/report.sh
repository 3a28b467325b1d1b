# Tables, claims and the PDF of a small experiment: their content, what a change reruns, and what is missing
# after a stage failed.
. "$STORIES/lib.sh"
for tool in groff gnuplot pdftotext; do
    command -v $tool > tool || { echo "skipped: $tool is not installed"; exit 77; }
done
cat > small.yaml <<'Y'
ferdag: 2
title: A small report
params: { good: 0.71, width: 8 }
stages:
  one: { kind: command, out: { metrics: m.json }, with: { run: "echo '{\"accuracy\": ${good}, \"n\": 1000}' > m.json" } }
  two: { kind: command, out: { metrics: m.json }, with: { run: "echo '{\"accuracy\": 0.60, \"n\": 1000}' > m.json" } }
  bad: { kind: command, out: { metrics: m.json }, with: { run: "exit 3" } }
tables:
  t:
    title: Accuracy
    row_header: Model
    rows: { two: { label: Model two }, one: { label: Model one }, bad: { label: Model three } }
    columns: { accuracy: { label: Accuracy } }
    cell: "@${row}.metrics:/accuracy"
    scale: 100
    digits: 1
    unit: "%"
paper:
  t: { one: { accuracy: 73.5 }, bad: { accuracy: 80 } }
  settings: { width: { label: Width, value: 64 } }
claims:
  better: { title: One beats two, checks: [ { check: above, left: t/one/accuracy, right: t/two/accuracy, text: Above } ] }
  best: { title: One beats three, checks: [ { check: above, left: t/one/accuracy, right: t/bad/accuracy, text: Above } ] }
Y
"$FERDAG" run -k small.yaml > out.txt 2> err && fail 'a failed stage gave exit 0'
same 'the table' 'Model,Accuracy ours,Accuracy paper,Accuracy difference
Model two,60.0,,
Model one,71.0,73.5,-2.5
Model three,not run,80.0,' "$(cat out/small/tables/t.csv)"
claims=$(cat out/small/tables/claims.csv)
has 'the first claim' '1,One beats two,reproduced' "$claims"
has 'the second claim' '2,One beats three,not run' "$claims"
pdftotext -layout out/small/report.pdf report.txt
for word in 'A small report' 'Model three' 'not run' '71.0' '73.5' '-2.5' 'reproduced' 'Width'; do
    has 'the report' "$word" "$(cat report.txt)"
done

# A changed number reruns its stage, the tables and the report.
sed -i 's/^  bad: .*/  bad: { kind: command, out: { metrics: m.json }, with: { run: "echo 3 > m.json" } }/' small.yaml
"$FERDAG" run small.yaml > out.txt 2> err || fail "it did not run: $(cat err)"
has 'no such value' 'Model three,no such value,80.0,' "$(cat out/small/tables/t.csv)"
same 'a param' 'one report tables' "$(ran small.yaml --set good=0.55)"
has 'the claim now' '1,One beats two,not reproduced' "$(cat out/small,good=0.55/tables/claims.csv)"
same 'again' '' "$(ran small.yaml --set good=0.55)"

# Another order of stages in the file reruns nothing.
sed '/^  two:/{h;d};/^  bad:/{G}' small.yaml > small.other
cmp -s small.yaml small.other && fail 'the order is the same'
cp small.yaml small.kept && cp small.other small.yaml
same 'another order' '' "$(ran small.yaml --set good=0.55)"
mv small.kept small.yaml

# The same results in another cache give the same tables and pages, apart from measured numbers.
cp out/small,good=0.55/tables/t.csv before.csv
"$FERDAG" run --cache other --set good=0.55 --out other.out small.yaml > out.txt 2> err || fail "it did not run: $(cat err)"
cmp before.csv other.out/tables/t.csv || fail 'the same results gave another table'

# A claim about a cell that doesn't exist: the error has its place in the file.
sed -i 's,t/one/accuracy,t/none/accuracy,' small.yaml
"$FERDAG" run small.yaml > out.txt 2> err && fail 'a claim about no cell was taken'
has 'the error' "t/none/accuracy" "$(cat err)"

# The first page shows the settings of each net, and no setting that no stage uses; --set changes it.
cp "$STORIES"/../../experiments/{quick,pipeline,tables,paper-claims}.yaml .
echo 'no faces' > faces.csv
page() {
    FER2013=faces.csv "$FERDAG" report --cache other --out quick quick.yaml "$@" > out.txt 2> err
    pdftotext -l 1 -layout quick/report.pdf - | tr -s ' '
}
first=$(page)
has 'widths' 'Channels of the first stage 16; ResNeXt29: 8 64' "$first"
has 'epochs' 'Epochs 14 200' "$first"
has 'the schedule' 'Learning-rate schedule cosine step' "$first"
[[ $first != *Decay* ]] || fail "a cosine has no decay: $first"
first=$(page --set schedule=step --set decay_start=5 --set width_of.resnext29=16)
has 'a decay' 'Decay starts at epoch 5 80' "$first"
has 'one width' 'Channels of the first stage 16 64' "$first"
