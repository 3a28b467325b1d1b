# Tables and report are written to out/, replaced only when they change, and written again when deleted.
# Results of failed stages are missing in them. One changed number reruns only its stage, the tables and the
# report.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
title: A story
params: { good: 0.5, status: 1, label: Row }
stages:
  good: { kind: command, out: { m: m.json }, with: { run: "echo '{\"public\": {\"accuracy\": ${good}}}' > m.json" } }
  other: { kind: command, out: { m: m.json }, with: { run: "echo '{\"public\": {\"accuracy\": 0.25}}' > m.json" } }
  bad: { kind: command, out: { m: m.json }, with: { run: "exit ${status}" } }
tables:
  first:
    title: Accuracies
    columns: { a: { label: Accuracy, split: public } }
    rows: { good: { label: "${label}" }, other: {}, bad: {} }
    cell: "@${row}:/${split}/accuracy"
Y
"$FERDAG" run x.yaml 2> err
same 'exit without -k' 1 $?
[[ ! -e out/x/report.pdf && ! -e out/x/tables ]] || fail 'a report without its numbers'
"$FERDAG" run x.yaml -k --json > json 2> err
same 'exit with -k' 1 $?
has 'the report is named' 'report: out/x/report.pdf' "$(cat err)"
[ -s out/x/report.pdf ] || fail 'no report'
table=$(cat out/x/tables/first.csv)
has 'a number' '0.5' "$table"
has 'what is missing' 'bad' "$table"

"$FERDAG" run x.yaml -k --json 2> err | grep -v '"seconds": 0' > json
same 'again: only the failed stage is tried' '' "$(in_state ran < json)"
stamp=$(stat -c %y%i out/x/report.pdf)
touch -d '1 hour ago' out/x/tables/first.csv
echo spoiled > out/x/tables/first.md
rm out/x/tables/cells.json
"$FERDAG" report x.yaml 2> err || fail "$(cat err)"
same 'an unchanged report stays' "$stamp" "$(stat -c %y%i out/x/report.pdf)"
[ -e out/x/tables/cells.json ] || fail 'a deleted file did not come back'
same 'files of tables without claims' 'cells.json first.csv first.md' "$(cd out/x/tables && printf '%s\n' * | paste -sd' ')"
[ ! -e out/x/cells.json ] || fail 'cells.json is published twice'
has 'a spoiled table is mended' 'Accuracies' "$(cat out/x/tables/first.md)"

"$FERDAG" run x.yaml -k --json --set good=0.75 > json 2> err
same 'one number changed' 'good report tables' "$(in_state ran < json)"
has 'the new number' '0.75' "$(cat out/x,good=0.75/tables/first.csv)"
"$FERDAG" run x.yaml -k --json --set label=Line > json 2> err
same 'one label changed' 'report tables' "$(in_state ran < json)"
"$FERDAG" report x.yaml --set good=0.875 --json > json 2> err
same 'report alone runs no other stage' 'report tables' "$(in_state ran < json)"
has 'and shows what is missing' 'not run' "$(cat out/x,good=0.875/tables/first.csv)"

# If the report fails, here because gnuplot fails, the earlier one stays, and the tables are new. The next
# report that succeeds removes the files that are no longer part of it.
sed 's/^tables:/report:\n  curves: [{ lines: { good: "@good" } }]\ntables:/; s/first:/second:/' x.yaml > y.yaml
"$FERDAG" run y.yaml -k > printed 2> err
[ -s out/y/plots/curves-1.pdf ] || fail "no plot: $(cat err)"
sha256sum out/y/report.pdf out/y/plots/* > before
mkdir broken
printf '#!/bin/sh\nexit 1\n' > broken/gnuplot
chmod +x broken/gnuplot
sed -i 's/second:/third:/' y.yaml
PATH=$PWD/broken:$PATH "$FERDAG" run y.yaml -k > printed 2> err
has 'the report' 'stage report failed: gnuplot failed' "$(cat err)"
sha256sum --quiet -c before || fail 'the earlier report is gone, or another'
[ -s out/y/tables/third.csv ] || fail 'no new table'
[ ! -e out/y/tables/second.csv ] || fail 'a table that is no more stayed'
sed -i '/^report:/d; /curves:/d' y.yaml
"$FERDAG" run y.yaml -k > printed 2> err
[ -s out/y/report.pdf ] || fail 'no report'
[ ! -e out/y/plots ] || fail 'plots that are no more stayed'
