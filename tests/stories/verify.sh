# `verify`: the verdicts of claims from what is cached, as text and as JSON, and its exit status: 0, 3 if a
# claim is not reproduced, 1 if one is not run, 2 for a wrong name. It runs no stage but `tables`.
. "$STORIES/lib.sh"
echo 0.71 > data.txt
cat > x.yaml <<'Y'
ferdag: 2
title: Four claims
params: { good: 0.71 }
inputs: { data: data.txt }
stages:
  one:   { kind: command, out: { metrics: m.json }, with: { run: "echo '{\"accuracy\": ${good}, \"n\": 1000}' > m.json" } }
  two:   { kind: command, out: { metrics: m.json }, with: { run: "echo '{\"accuracy\": 0.60, \"n\": 1000}' > m.json" } }
  three: { kind: command, in: { x: data }, out: { metrics: m.json }, with: { run: "echo \"{\\\"accuracy\\\": $(cat x), \\\"n\\\": 1000}\" > m.json" } }
tables:
  t:
    rows: { one: { label: Model one }, two: { label: Model two }, three: { label: Model three } }
    columns: { accuracy: { label: Accuracy } }
    cell: "@${row}.metrics:/accuracy"
    scale: 100
    digits: 1
claims:
  better: { title: One beats two, checks: [ { check: above, left: t/one/accuracy, right: t/two/accuracy, text: Above two } ] }
  worse:
    title: "Both are above 80, a title that is too long for a line of eighty columns and has\na second line, \e[31m and colours"
    checks: [ { check: above, left: t/one|two/accuracy, right: 80, text: Above 80 } ]
  near: { title: One is above 70.5, checks: [ { check: above, left: t/one/accuracy, right: 70.5, text: Above a number } ] }
  later: { title: Three beats two, checks: [ { check: above, left: t/three/accuracy, right: t/two/accuracy, text: Above two } ] }
Y

# verify STATUS ARGUMENT...: fails if the exit status is another; its text is in `printed`
verify() {
    local status=$1
    shift
    "$FERDAG" verify x.yaml "$@" > printed 2> err
    same "exit of verify $*" "$status" $?
}

# Wrong names, and files without claims: before a cache is made.
verify 2 betterr
same 'a misspelled claim' "ferdag: x.yaml: unknown claim 'betterr' (did you mean 'better'?)" "$(cat err)"
verify 2 better elephant
same 'a claim that does not exist' "ferdag: x.yaml: unknown claim 'elephant'" "$(cat err)"
for claims in '' 'claims: {}' 'stages: { tables: { kind: synthetic_faces } }'; do
    printf 'ferdag: 2\n%s\n' "${claims:-title: None}" > none.yaml
    [[ $claims == stages* ]] || echo 'stages: { s: { kind: synthetic_faces } }' >> none.yaml
    "$FERDAG" verify none.yaml > printed 2> err
    same "exit with '$claims'" 2 $?
    has 'no claims' 'none.yaml: nothing to verify: it has no section `claims`' "$(cat err)"
done
[ ! -e .ferdag ] || fail 'a wrong command line made a cache'
verify 2 --out here
has 'an option of others' '--out is an option of run and report, not of verify' "$(cat err)"

# Nothing has run: only `tables` runs, and no report is written.
verify 1
same 'the counts' '0 reproduced, 0 not reproduced, 0 not decided, 4 not run' "$(tail -1 printed)"
has 'a claim' 'not run         better: One beats two' "$(cat printed)"
same 'results in the cache' 1 "$(find .ferdag/results -name '*.json' | wc -l)"
[ ! -e out ] || fail 'verify wrote a report'

# One claim is reproduced, one not, one not decided, one not run: 3 comes before 1.
"$FERDAG" run x.yaml one two > ran.txt 2> err || fail "run: $(cat err)"
verify 3
cp printed whole
same 'the counts' '1 reproduced, 1 not reproduced, 1 not decided, 1 not run' "$(tail -1 whole)"
same 'verdicts' 'reproduced better:
not reproduced worse:
not decided near:
not run later:' "$(grep -E '^(not )?[dr]' whole | sed -E 's/^((not )?[a-z]+) +([a-z]+:).*/\1 \3/')"
has 'a check of several comparisons' '    fails    Above 80: 0 of 2 hold, 2 fail' "$(cat whole)"
has 'a check of one' '    open     Above a number: 71.0 − 70.5 = +0.5 [' "$(cat whole)"
has 'a missing number' '    missing  Above two: not run against 60.0' "$(cat whole)"
same 'checks of a claim that is reproduced' '' "$(sed -n '/^reproduced/,/^not/p' whole | grep '^    holds')"
same 'the report' '' "$(find . -name '*.pdf')"

# At most 80 columns, and no byte that a terminal takes for a command.
awk 'length($0) > 80 || /[ \t]$/ { print; bad = 1 } END { exit bad }' whole || fail 'wide lines: see above'
grep -q $'\033' whole && fail 'an escape sequence in a pipe'
same 'a title of two lines' 1 "$(grep -c 'has a second line' <(paste -sd' ' whole | tr -s ' '))"

# Some claims only; the exit status is theirs.
verify 0 better
same 'one claim' '1 reproduced, 0 not reproduced, 0 not decided, 0 not run' "$(tail -1 printed)"
verify 0 near better near
same 'in the order of the file' 'better near' "$(sed -nE 's/^(reproduced|not decided) +([a-z]+):.*/\2/p' printed | paste -sd' ')"
verify 1 better later
verify 3 later worse
verify 3 worse

# With --verbose also the comparisons.
verify 0 better --verbose
has 'a check' '    holds    Above two' "$(cat printed)"
has 'a comparison' '             holds    Model two: 71.0 − 60.0 = +11.0 [' "$(cat printed)"

# As JSON.
verify 3 --json
mv printed whole.json
verify 1 later better --json
has 'a verdict' '"verdict": "not reproduced"' "$(cat whole.json)"
if command -v python3 > python; then
    python3 - <<'P' || fail 'the JSON: see above'
import json
whole, part = json.load(open('whole.json')), json.load(open('printed'))
assert list(whole) == ['experiment', 'claims', 'counts'], list(whole)
assert whole['experiment'] == 'x'
assert whole['counts'] == {'reproduced': 1, 'not_reproduced': 1, 'not_decided': 1, 'not_run': 1}, whole['counts']
assert [c['verdict'] for c in whole['claims']] == ['reproduced', 'not reproduced', 'not decided', 'not run']
assert part['claims'] == [whole['claims'][0], whole['claims'][3]]
assert part['counts'] == {'reproduced': 1, 'not_reproduced': 0, 'not_decided': 0, 'not_run': 1}
P
fi

# An input that is missing: what depends on it is not run.
mv data.txt elsewhere
verify 1 later
has 'a missing input' 'warning: input data is missing' "$(cat err)"
verify 0 better
mv elsewhere data.txt

# Another value of a param has other verdicts.
"$FERDAG" run x.yaml one --set good=0.55 > ran.txt 2> err || fail "run: $(cat err)"
verify 3 better --set good=0.55
verify 1 better --set good=0.56

# A full disk is an error, a reader that goes away is none.
for name in better worse later; do
    "$FERDAG" verify x.yaml $name > /dev/full 2> err
    same "exit of verify $name on a full disk" 1 $?
    has 'the error' 'cannot write to stdout' "$(cat err)"
done

# When all has run, nothing runs again; and damage in the cache is found.
"$FERDAG" run x.yaml one two three > ran.txt 2> err || fail "run: $(cat err)"
verify 0 better near later
verify 0 later
same 'what it said' '' "$(cat err)"
verify 3 --json
"$FERDAG" get x.yaml tables . > printed.path 2> err || fail "get: $(cat err)"
if [ -s python ]; then
    python3 -c 'import json; assert json.load(open("printed"))["claims"] == json.load(open("tables/cells.json"))["claims"]' ||
        fail 'the claims are not those of cells.json'
fi
cells=$("$FERDAG" show x.yaml tables | awk '$1 == "output" { getline; print $1 }')
digest=$(awk '$NF == "cells.json" { print $1 }' "$cells")
cells=$(find .ferdag/blobs -type f -path "*${digest:2}")
[ -s "$cells" ] || fail "no file has the digest $digest"
chmod u+w "$cells"
sed -i 's/"reproduced"/"REPRODUCED"/' "$cells"
verify 0 later
has 'damage' 'damaged' "$(cat err)"
same 'the claim' '1 reproduced, 0 not reproduced, 0 not decided, 0 not run' "$(tail -1 printed)"

# Completion.
same 'the command' 'verify' "$("$FERDAG" complete -- 1 ferdag ve | cut -f1)"
same 'completed claims' 'better near' "$("$FERDAG" complete -- 3 ferdag verify x.yaml '' | cut -f1 | grep -x 'better\|near' | paste -sd' ')"

# Colours on a terminal only, and not with NO_COLOR.
terminal colours 100 40 "$FERDAG verify x.yaml"
terminal bare 60 40 "env NO_COLOR=1 $FERDAG verify x.yaml"
for name in colours bare; do until_true shows $name '2 reproduced, 1 not reproduced'; done
escape=$'\033'
has 'reproduced' "${escape}[32mreproduced" "$(screen colours -e)"
has 'not reproduced' "${escape}[31mnot reproduced" "$(screen colours -e)"
has 'not decided' "${escape}[33mnot decided" "$(screen colours -e)"
same 'colours with NO_COLOR' 0 "$(grep -ac "$escape\[3" bare.raw)"
