# A claim's verdict doesn't depend on how its numbers are shown: uncertainties are scaled with them.
. "$STORIES/lib.sh"
for tool in groff gnuplot; do
    command -v $tool > tool || { echo "skipped: $tool is not installed"; exit 77; }
done
cat > x.yaml <<'Y'
ferdag: 2
params: { scale: 100, unit: "%", digits: 2 }
stages:
  a: { kind: command, out: { m: m.json }, with: { run: "echo '{\"accuracy\": 0.706, \"n\": 3589, \"time\": {\"median\": 2, \"first_quartile\": 1.8, \"third_quartile\": 2.1}}' > m.json" } }
  b: { kind: command, out: { m: m.json }, with: { run: "echo '{\"accuracy\": 0.700, \"n\": 3589, \"time\": {\"median\": 1.9, \"first_quartile\": 1.8, \"third_quartile\": 2.1}}' > m.json" } }
  c: { kind: command, out: { m: m.json }, with: { run: "echo '{\"accuracy\": 0.650, \"n\": 3589, \"time\": {\"median\": 1, \"first_quartile\": 0.9, \"third_quartile\": 1.1}}' > m.json" } }
tables:
  t:
    columns: { acc: { place: accuracy }, time: { place: time/median } }
    rows: [a, b, c]
    cell: "@${row}:/${place}"
    scale: "${scale}"
    unit: "${unit}"
    digits: "${digits}"
claims:
  near: { title: Within the error, text: x, checks: [{ check: above, left: t/a/acc, right: t/b/acc, text: near }] }
  far:  { title: Beyond it, text: x, checks: [{ check: above, left: t/a/acc, right: t/c/acc, text: far }] }
  slow: { title: Times within their spread, text: x, checks: [{ check: below, left: t/b/time, right: t/a/time, text: slow }] }
  fast: { title: Times beyond it, text: x, checks: [{ check: below, left: t/c/time, right: t/a/time, text: fast }] }
Y
for settings in 'scale=100 unit="%"' 'scale=100 unit=' 'scale=1 unit=' 'scale=1 unit="%" digits=0' 'scale=1000 unit=points' 'scale=0.01 unit="%" digits=6'; do
    options=()
    for setting in $settings; do options+=(--set "$setting"); done
    "$FERDAG" run x.yaml --out out "${options[@]}" > json 2> err || fail "$settings: $(cat err)"
    same "verdicts with $settings" '1,Within the error,not decided 2,Beyond it,reproduced 3,Times within their spread,not decided 4,Times beyond it,reproduced' \
        "$(tail -n +2 out/tables/claims.csv | cut -d, -f1-3 | paste -sd' ')"
done
