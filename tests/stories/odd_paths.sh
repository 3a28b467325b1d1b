# The names of the experiment file, its folders, an input and the cache may be invalid UTF-8. Everything
# works; in JSON each bad byte of such a path is a "?".
. "$STORIES/lib.sh"
for tool in groff gnuplot; do
    command -v $tool > tool || { echo "skipped: $tool is not installed"; exit 77; }
done
home=$'caf\xe9' file=$'caf\xe9.yaml' cache=$'ca\xff\xc3che'
mkdir "$home" || { echo 'skipped: this file system takes UTF-8 alone'; exit 77; }
cd "$home" || fail 'no folder'
echo outside > $'out\xe9side.txt'
echo near > near.txt
cat > "$file" <<'Y'
ferdag: 2
inputs: { outside: { path: "${OUTSIDE}" }, near: near.txt }
params: { value: 3 }
stages:
  one:
    kind: command
    in: { x: outside, y: near }
    out: { m: m.json, t: t/ }
    with: { run: "mkdir t && cat x y > \"$(printf 't/\\351')\" && echo '{\"v\": ${value}}' > m.json" }
  two: { kind: ingest_csv, in: { csv: outside } }
tables:
  t: { columns: { a: { label: A } }, rows: { r: { label: R } }, cell: "@one.m:/v" }
Y
export OUTSIDE=$'out\xe9side.txt'

# ferdag COMMAND [OPTION...] [STAGE...]: runs it with that file and cache, and stderr in the file err
ferdag() { "$FERDAG" "$1" --cache "$cache" "${@:2}" 2> err; }
# utf8 TEXT: fails if the text isn't UTF-8
utf8() { iconv -f UTF-8 -t UTF-8 <<< "$1" > /dev/null || fail "no UTF-8: $1"; }

"$FERDAG" check "$file" 2> err || fail "check: $(cat err)"
ferdag run "$file" one report || fail "run: $(cat err)"
report=$(sed -n 's/^report: //p' err | tail -n 1)
[[ $report == $'out/caf\xe9@ca'*/report.pdf ]] || fail "the report: $report"
[ -s "$report" ] || fail 'no report'
tree=$(ferdag show "$file" one) # its file's name is no UTF-8 either
has 'a file in a folder' $'    \xe9 ' "$tree"
json=$(ferdag run "$file" one report --json) || fail "run --json: $(cat err)"
utf8 "$json"
has 'the report in JSON' '"report": "out/caf?@ca' "$json"
same 'status' '3' "$(ferdag status "$file" one report tables | grep -c cached)"
json=$(ferdag status "$file" --json) || fail "status --json: $(cat err)"
utf8 "$json"
same 'status in JSON' '3' "$(grep -c '"cached"' <<< "$json")"
has 'show' "$cache/blobs/" "$(ferdag show "$file" one)"
json=$(ferdag show "$file" --json) || fail "show --json: $(cat err)"
utf8 "$json"
has 'show in JSON' '/caf?/ca??che/blobs/' "$json"
has 'explain' 'param run' "$(ferdag explain "$file" one --set value=4)"
ferdag run -n --json "$file" > json || fail "run -n --json: $(cat err)"
ferdag report "$file" || fail "report: $(cat err)"
ferdag report "$file" --set value=5 || fail "report of what is not there: $(cat err)"
ferdag fsck || fail "fsck: $(cat err)"

# The error of a failed stage names the file.
ferdag run "$file" two && fail 'a CSV of faces was found'
has 'the message' 'out?side.txt' "$(cat err)"
json=$(ferdag run -k --json "$file")
utf8 "$json"
has 'the message in JSON' 'out?side.txt' "$json"
has 'status' 'out?side.txt' "$(ferdag status "$file" two)"
