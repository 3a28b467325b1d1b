# Bad data, from the file to the exit status: the stage that reads it fails with one line (file, line,
# what was expected), the run exits with 1, and the cache has the results of before and none of the
# failed stage. Bad YAML and wrong usage (exit 2) don't change the cache.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { limit: 0 }
inputs: { faces: { path: faces.csv }, sound: { path: sound.csv } }
stages:
  sound: { kind: ingest_csv, in: { csv: sound_csv } }
  full: { kind: ingest_csv, in: { csv: faces }, with: { max_train_rows: "${limit}" } }
  cleaned: { kind: filter_noise, in: { images: full } }
Y
sed -i 's/sound: { path/sound_csv: { path/' x.yaml
pixels=$(printf '%s ' $(seq 0 255) $(seq 0 255) $(seq 0 255) $(seq 0 255) $(seq 0 255) $(seq 0 255) $(seq 0 255) $(seq 0 255) $(seq 0 255))
pixels=${pixels% }
header=emotion,pixels,Usage
for emotion in 0 1 2 3 4 5 6; do
    for usage in Training PublicTest PrivateTest; do echo "$emotion,$pixels,$usage"; done
done > rows
{ echo $header; cat rows; } > sound.csv

# Digests of a stage's outputs in the run on stdin.
outputs() { awk -v name="\"$1\"," '$1 == "\"name\":" { on = $2 == name } on && length($2) > 60 && $1 != "\"key\":"'; }
# Every blob except logs, which are also kept for failed stages.
: | sha256sum | cut -c3-64 > logs
blobs() {
    "$FERDAG" log x.yaml full | sha256sum | cut -c3-64 >> logs
    find .ferdag/blobs -type f | sort | grep -v -f logs
}

cp sound.csv faces.csv
"$FERDAG" run x.yaml sound full --json 2> err | outputs full > first
[ -s first ] || fail "the sound file was not read: $(cat err)"
blobs > blobs.first

# refused WHAT TEXT: faces.csv is refused with the text, and the cache is as it was
refused() {
    "$FERDAG" run x.yaml sound full cleaned --json > json 2> err
    same "exit of $1" 1 $?
    grep 'ferdag:' err > message
    same "lines about $1" 1 "$(wc -l < message)"
    has "$1" "stage full failed: $PWD/faces.csv:$2" "$(cat message)"
    same "failed by $1" 'full' "$(in_state failed < json)"
    same "not run after $1" 'cleaned' "$(in_state not_run < json)"
    same "cached beside $1" 'sound' "$(in_state cached < json)"
    same "what $1 left in the cache" "$(cat blobs.first)" "$(blobs)"
    has "status of $1" 'failed   full' "$("$FERDAG" status x.yaml)"
    cp sound.csv faces.csv
    same "the sound file after $1" '' "$(ran x.yaml sound full)"
}

{ echo $header; head -n 2 rows; echo "3,${pixels% *},Training"; } > faces.csv
refused 'a short row' '4:'
has 'a short row' 'expected 2304 values, found 2303' "$(cat message)"
{ echo $header; head -n 4 rows; echo "3,256 ${pixels#* },Training"; } > faces.csv
refused 'a pixel of 256' "6:3: pixels: expected 0 to 255 with one space between (value 1 of 2304), found '256"
{ echo $header; echo "7,$pixels,Training"; cat rows; } > faces.csv
refused 'an unknown emotion' "2:1: emotion: expected 0 to 6, found '7"
{ echo $header; echo "6,$pixels,Testing"; cat rows; } > faces.csv
refused 'an unknown Usage' "2:$((${#pixels} + 4)): Usage: expected Training, PublicTest or PrivateTest, found 'Testing"
echo $header > faces.csv
refused 'no rows' '2:1: expected rows after the header, found none'
: > faces.csv
refused 'an empty file' "1:1: expected the header $header, found an empty file"
head -c 200000 "$FERDAG" > faces.csv
refused 'binary garbage' "1:1: header: expected $header, found byte 0x7f"
gzip -c sound.csv > whole.gz
head -c $(($(wc -c < whole.gz) * 2 / 3)) whole.gz > faces.csv
refused 'a cut .gz' ' truncated or damaged archive'

# A missing newline at the end, CRLF and compression give the same outputs.
same_as_first() { same "$1" "$(cat first)" "$("$FERDAG" run x.yaml full --json 2> err | outputs full)"; }
printf %s "$(cat sound.csv)" > faces.csv
same_as_first 'no newline at the end'
sed 's/$/\r/' sound.csv > faces.csv
same_as_first 'CRLF'
gzip -c sound.csv > faces.csv
same_as_first 'packed'

# Wrong usage and bad YAML: every byte of the cache is as before.
cp sound.csv faces.csv
"$FERDAG" run x.yaml sound full 2> err || fail "$(cat err)"
state() { find .ferdag -type f -exec sha256sum {} + | sort; }
state > before
sed 's/kind: filter_noise/kind: filter_niose/' x.yaml > bad.yaml
for words in 'bad.yaml' 'x.yaml --set limit=many' 'x.yaml nothing' 'x.yaml -j none'; do
    # shellcheck disable=SC2086
    "$FERDAG" run $words > printed 2> err
    same "exit of run $words" 2 $?
    same "lines of run $words" 1 "$(wc -l < err)"
    same "the cache after run $words" "$(cat before)" "$(state)"
done

# A data set that is well-formed but unusable for a stage: that stage fails.
cat > y.yaml <<'Y'
ferdag: 2
params: { min_face: 24, max_faces: 1 }
inputs: { faces: { path: faces.csv } }
stages:
  drawn: { kind: synthetic_faces, with: { train: 60, public: 14, private: 14 } }
  all: { kind: ingest_csv, in: { csv: drawn } }
  clean: { kind: filter_noise, in: { images: all }, with: { min_face: 48, threshold: 0.1 } }
  full: { kind: ingest_csv, in: { csv: faces } }
  cleaned: { kind: filter_noise, in: { images: full } }
  net: { kind: train_cnn, in: { images: full }, with: { model: resnet18, width: 2, epochs: 1 } }
Y
# unusable STAGE TEXT
unusable() {
    "$FERDAG" run y.yaml "$1" --json > json 2> err
    same "exit of $1" 1 $?
    same "who failed for $1" "$1" "$(in_state failed < json)"
    has "$1" "stage $1 failed: $2" "$(grep 'ferdag:' err)"
}
unusable clean 'all 60 training images are noise by these rules; lower min_face'
grep -v '^1,.*Training' sound.csv > faces.csv
unusable net 'images: the training split has no image of class disgust'
grep -v Training sound.csv > faces.csv
unusable net 'images: the training split has no image of class angry (0 images'
unusable cleaned 'images: the training split is empty'

# Outputs of programs that the report can't use: the report prints the reason in their place, and
# shows everything else.
for tool in groff gnuplot pdftotext; do
    command -v $tool > tool || { echo "skipped: $tool is not installed"; exit 77; }
done
# reported WHAT TEXT SECTION EXPECTED
reported() {
    printf '%s' "$2" > written
    cat > p.yaml <<Y
ferdag: 2
stages:
  a: { kind: command, files: [written], out: { o: o, p: p }, with: { run: "cp written o; echo no picture > p" } }
  b: { kind: command, out: { n: n.json }, with: { run: "echo '{\"x\": 4.25}' > n.json" } }
tables:
  t: { columns: [c], rows: { of_b: { cell: "@b.n:/x" }, of_a: { cell: "@a.o:/x" } } }
claims:
  c: { checks: [{ check: above, left: t/of_a/c, right: t/of_b/c, text: above }] }
report:
  $3
Y
    "$FERDAG" run p.yaml > json 2> err || fail "$1: the run failed: $(cat err)"
    pdftotext -layout out/p/report.pdf report.txt
    tr -s ' \n' '  ' < report.txt > words
    has "$1" "$4" "$(cat words)"
    has "all else of $1" '4.25' "$(cat words)"
}
matrix='confusion_matrices: [{ title: Conf, matrix: "@a.o" }]'
curves='curves: [{ title: Curve, lines: { one: "@a.o" } }]'
reported 'a number as a matrix' '7' "$matrix" 'Conf: @a.o: expected a matrix of 1 to 50 rows.'
reported 'a ragged matrix' '[[1,2],[3]]' "$matrix" 'Conf: @a.o: row 2 of the matrix: expected 2 counts.'
reported 'negative counts' '[[1,2],[3,-1]]' "$matrix" 'Conf: @a.o: row 2 of the matrix: expected counts.'
reported 'no such matrix' '{}' "${matrix/@a.o/@a.o:/y}" 'Conf: @a.o:/y: no such value.'
reported 'text as JSON' '{bad' "$matrix" 'Conf: @a.o: line 1, column '
has 'the table of it' 'of_a,not JSON,' "$(cat out/p/tables/t.csv)"
has 'the reason below the table' '@a.o: line 1, column 4: neither JSON nor JSON lines: ' "$(cat words)"
has 'the claim' 'not JSON against 4.25' "$(cat out/p/tables/claims.md)"
has 'the claim in the report' 'not JSON against 4.25 missing' "$(cat words)"
reported 'a text for a number' '{"x": "4"}' "$matrix" 'not a number against 4.25 missing'
reported 'no number' '{}' "$matrix" 'no such value against 4.25 missing'
reported 'text as a PNG' '1' 'pictures: [{ title: Pic, file: "@a.p" }]' 'Pic @a.p: not a PNG: '
reported 'a number as curves' '7' "$curves" 'Curve, one: @a.o: expected JSON lines with the numbers epoch and public_accuracy.'
reported 'text as curves' 'bad' "$curves" 'Curve, one: @a.o: line 1, column '
reported 'points beyond any plot' '{"epoch": 1, "public_accuracy": 1e307}' "$curves" 'no points'
reported 'too few names' '[[1,2,3],[4,5,6],[7,8,9]]' "$matrix
  classes: [cat, dog]" 'Conf: 3 classes, but 2 names are given.'
[[ $(cat words) != *dog* ]] || fail 'two names for three classes are shown'
reported 'too many names' '[[1,2],[4,5]]' "$matrix
  classes: [cat, dog, cow]" 'Conf: 2 classes, but 3 names are given.'
reported 'names for all' '[[1,2],[4,5]]' "$matrix
  classes: [cat, dog]" 'dog'
[[ $(cat words) != *'are given'* ]] || fail 'two names for two classes are a mistake'
