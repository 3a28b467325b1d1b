# Any text may be a title, a label, a caption, or the name of a line or class. Characters that are special in
# gnuplot or groff don't break the report, and no text leaves the page.
. "$STORIES/lib.sh"
for tool in groff gnuplot pdftotext; do
    command -v $tool > tool || { echo "skipped: $tool is not installed"; exit 77; }
done
long=$(printf 'W%.0s' $(seq 300))
texts=("'apostrophe" "''" 'say "so"' 'back\slash\n' '`touch ran`' '{brace_a^b}' '100% %d %' '@home' '$1 ${x}'
    '.sp 40' "'br" '\fBbold\s+9' 'two
lines' '' ' ' 'é Ω ≤ … “q”' '漢字' "$long" "$long $long" 'Dvořák Жук')

# quoted TEXT: as a YAML scalar in double quotes, in which ${...} and @... mean nothing
quoted() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    text=${text//\$/\$\$}
    printf '"%s"' "${text/#@/@@}"
}

cat > odd.yaml <<'Y'
ferdag: 2
params: { width: 8 }
stages:
  one:
    kind: command
    out: { metrics: m.json, log: l.jsonl }
    with:
      run: |
        echo '{"accuracy": 0.71, "n": 1000, "confusion": [[3, 1], [2, 4]]}' > m.json
        echo '{"epoch": 1, "public_accuracy": 0.5}' > l.jsonl
        echo '{"epoch": 2, "public_accuracy": 0.6}' >> l.jsonl
Y
{
    echo "title: $(quoted "${texts[0]}")"
    echo 'tables:'
    for i in "${!texts[@]}"; do
        q=$(quoted "${texts[i]}")
        echo "  t$i: { title: $q, name: $q, note: $q, row_header: $q, unit: $q, cell: '@one.metrics:/accuracy',"
        echo "    rows: { one: { label: $q, group: $q } }, columns: { accuracy: { label: $q, group: $q } } }"
    done
    echo 'claims:'
    for i in "${!texts[@]}"; do
        q=$(quoted "${texts[i]}")
        echo "  c$i: { title: $q, text: $q, rule: $q, note: $q,"
        echo "    checks: [ { check: above, left: t$i/one/accuracy, right: 0.5, text: $q } ] }"
    done
    echo "paper: { source: $(quoted "${texts[9]}"), settings: { width: { label: $(quoted "${texts[10]}"), value: 8 } } }"
    echo 'report:'
    echo "  data: $(quoted "${texts[10]}")"
    echo "  note: $(quoted "${texts[9]}")"
    echo "  headline: [ { cell: t0/one/accuracy, label: $(quoted "${texts[10]}") } ]"
    echo '  curves:'
    for text in "${texts[@]}"; do
        q=$(quoted "$text")
        printf -- '    - { title: %s, lines: { ? %s : "@one.log", other: "@one.log" } }\n' "$q" "${q/#\"@@/\"@}"
    done
    echo '  confusion_matrices:'
    for text in "${texts[@]}"; do
        echo "    - { title: $(quoted "$text"), matrix: '@one.metrics:/confusion' }"
    done
    echo "  classes: [ $(quoted "${texts[6]}"), $(quoted "$long") ]"
} >> odd.yaml
"$FERDAG" run odd.yaml 2> err || fail "$(cat err; "$FERDAG" log odd.yaml report)"

# shown FILE TEXT: the plot shows the text
shown() { has "$1" "$2" "$(pdftotext "out/odd/plots/$1" -)"; }
for i in 0 1 2 3 4 5 6 7 8 9 10 11 15; do
    shown "curves-$((i + 1)).pdf" "${texts[i]}"
    shown "confusion_matrices-$((i + 1)).pdf" "${texts[i]}"
    has 'the tables' "${texts[i]}" "$(sed 's/""/"/g' "out/odd/tables/t$i.csv")"
done
shown curves-13.pdf 'two lines'
shown curves-17.pdf '??' # no font for it: gnuplot would draw a box over all of the plot
shown curves-18.pdf 'WWW…'
shown confusion_matrices-1.pdf '100% %d %'
shown confusion_matrices-1.pdf 'WWW…'
[ "$(pdftotext out/odd/plots/curves-18.pdf - | grep -cx '5[0-9]')" -ge 2 ] || fail 'a long name left no room for the plot'
[ -z "$(find . -name ran)" ] || fail 'a title ran a program'

# The pages have each text unchanged; nothing moved, broke or left the page.
pdftotext out/odd/report.pdf report.txt
for i in 2 3 4 5 6 7 8 9 11; do
    [ "$(grep -cF "${texts[i]}" report.txt)" -ge 8 ] || fail "'${texts[i]}' is missing in the pages"
done
has 'an apostrophe' $'\u2019apostrophe' "$(cat report.txt)"
pdftotext -bbox out/odd/report.pdf boxes.html
right=$(sed -n 's/.*xMax="\([0-9.]*\)".*/\1/p' boxes.html | sort -g | tail -1)
awk "BEGIN { exit !($right < 540) }" || fail "a word ends at $right, beyond the margin"

# A character that the fonts lack is printed as "?" and named in the log, once.
has 'a letter without a sign' 'Dvo?ák ???' "$(cat report.txt)"
"$FERDAG" log odd.yaml report > log || fail 'no log'
for code in 6F22 5B57 0159 0416; do
    same "U+$code in the log" "report.pdf: the fonts lack U+$code, printed as ?" "$(grep "U+$code" log)"
done
same 'other letters are not in the log' 6 "$(grep -c 'the fonts lack' log)"
has 'the Markdown' 'Dvořák Жук' "$(cat out/odd/report.md)"
