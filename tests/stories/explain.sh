# explain and status say what changed, in the terms of the YAML.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { word: one }
inputs: { source: { path: "${SOURCE:-source.txt}" } }
stages:
  a: { kind: command, in: { s: source }, out: { t: t }, with: { run: "echo ${word} > t; cat s >> t; echo said" } }
  b: { kind: command, in: { t: a }, out: { u: u }, with: { run: "cat t t > u" } }
Y
echo 1 > source.txt
has 'status before' 'missing  a' "$("$FERDAG" status x.yaml)"
"$FERDAG" run x.yaml 2>err || fail "$(cat err)"
has 'status after' 'cached   b' "$("$FERDAG" status x.yaml)"
text=$("$FERDAG" explain x.yaml --set word=two)
has 'the param' 'param run: "echo one' "$text"
has 'the param, new' 'echo two' "$text"
has 'what waits' 'input t: a must run first' "$text"
[[ $text != *'input t: removed'* ]] || fail "an input that isn't known yet counts as gone: $text"
has 'status' 'stale    b' "$("$FERDAG" status x.yaml --set word=two)"

# What is cached is counted, unless it was named or --all asks for it; JSON has all.
same 'all cached' 'all 2 stages are cached' "$("$FERDAG" explain x.yaml)"
same 'a cached stage that was named' 'a is cached' "$("$FERDAG" explain x.yaml a)"
same 'all of them' 'a is cached b is cached' "$("$FERDAG" explain x.yaml --all | paste -sd' ')"
same 'JSON' '2' "$("$FERDAG" explain x.yaml --json | grep -c '"cached"')"
sed 's/cat t t/cat t/' x.yaml > cat.yaml
cp x.yaml kept.yaml
mv cat.yaml x.yaml
same 'the rest' '1 cached stage not shown; --all shows it' "$("$FERDAG" explain x.yaml | tail -n 1)"

# If an input must run first, the other changes are certain and shown as well.
text=$("$FERDAG" explain x.yaml b --set word=two)
has 'a stage that waits' 'b may run' "$text"
has 'its own change' 'param run: "cat t t > u" -> "cat t > u"' "$text"
has 'its input' 'input t: a must run first' "$text"
has 'status' '(and 1 more reason)' "$("$FERDAG" status x.yaml b --set word=two)"
mv kept.yaml x.yaml
echo 2 > other.txt
has 'the input' 'input s (other.txt): content changed (4355a46b19d3 -> 53c234e5e847)' "$(SOURCE=other.txt "$FERDAG" explain x.yaml a)"
has 'the log' 'said' "$("$FERDAG" log x.yaml a)"
has 'show' 'input  s' "$("$FERDAG" show x.yaml a)"
rm -f .ferdag/blobs/*/"$("$FERDAG" show x.yaml b | sed -n '/output u/{n;s,.*blobs/../,,p}')"
has 'a blob that is gone' 'output u: missing from the cache' "$("$FERDAG" explain x.yaml b)"
same 'and is made again' 'b' "$(ran x.yaml)"

# A long value is cut to the part that changed, in JSON it is complete; names are not cut.
cat > long.yaml <<'Y'
ferdag: 2
params: { word: one }
stages:
  tabulate_everything_there_is: { kind: command, out: { everything_there_is: o.json }, with: { run: "echo 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 > x; echo '{ \"${word}\": 1 }' > o.json; echo 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 > y" } }
tables: { t: { rows: [one, two], columns: [c], cell: "@tabulate_everything_there_is:/${row}" } }
Y
"$FERDAG" run long.yaml --out pages 2>err || fail "$(cat err)"
text=$("$FERDAG" explain long.yaml --set word=two tabulate_everything_there_is)
has 'what changed' "echo '{ \\\"one" "$text"
has 'what it became' "-> ... 1 1 > x; echo '{ \\\"two\\\": 1 }' > o.json; echo 2 2" "$text"
has 'its end' '...' "${text##*-> }"
has 'status' "echo '{ \\\"two" "$("$FERDAG" status long.yaml --set word=two)"
text=$("$FERDAG" explain long.yaml --set word=two tabulate_everything_there_is --json)
has 'the whole in JSON' '2 2 2 > y' "$text"
has 'the whole in JSON, from its beginning' 'echo 1 1 1 1 1' "$text"
sed -i 's/tables: { t:/tables: { u:/; s/echo 2/echo 3/' long.yaml
"$FERDAG" run long.yaml tabulate_everything_there_is 2>err || fail "$(cat err)"
text=$("$FERDAG" explain long.yaml tables)
grep -q 'input .*: tabulate_everything_there_is.everything_there_is [0-9a-f]\{12\}' <<< "$text" || fail "a name: $text"

# Of an environment variable only a digest is stored; an edited script is named as a file.
cat > e.yaml <<'Y'
ferdag: 2
stages:
  a: { kind: command, files: [tidy.sh], env: [ZED], out: { o: o }, with: { run: "sh tidy.sh > o" } }
Y
echo 'echo 1' > tidy.sh
ZED=1 "$FERDAG" run e.yaml 2> err || fail "$(cat err)"
echo 'echo 2' > tidy.sh
text=$(ZED=2 "$FERDAG" explain e.yaml)
has 'a variable' 'environment variable ZED: its value changed' "$text"
grep -q '^  file tidy.sh: content changed ([0-9a-f]\{12\} -> [0-9a-f]\{12\})$' <<< "$text" || fail "a file: $text"
key=$("$FERDAG" show e.yaml a --json | awk -F'"' '$2 == "key" { print $4; exit }')
has 'what it was compared with' "  (compared with its last result, key ${key:0:12})" "$text"
has 'the same in JSON' "\"compared_with\": \"$key\"" "$(ZED=2 "$FERDAG" explain e.yaml --json)"
has 'a variable that is not set' 'ZED: is not set now' "$("$FERDAG" explain e.yaml)"

# `show` marks a param that is cut, and has the digest of each output.
printf 'ferdag: 2\nstages: { a: { kind: command, out: { o: o }, with: { run: "echo %0300d > o" } } }\n' 0 > show.yaml
"$FERDAG" run show.yaml 2> err || fail "$(cat err)"
text=$("$FERDAG" show show.yaml)
grep -q '^  param  run  *"echo 0*\.\.\.$' <<< "$text" || fail "a long param: $text"
grep -q '^  output o  *[0-9a-f]\{12\}  *301 bytes$' <<< "$text" || fail "an output: $text"

# Numbers are shown with the digits that tell them apart.
cat > f.yaml <<'Y'
ferdag: 2
params: { noise: 0.05 }
stages:
  faces: { kind: synthetic_faces, with: { train: 40, public: 20, private: 20, noise: "${noise}" } }
Y
"$FERDAG" run f.yaml 2> err || fail "$(cat err)"
has 'a number' 'param noise: 0.05 -> 0.1' "$("$FERDAG" explain f.yaml --set noise=0.1)"

# Memory and time of processes that the stage started count as its own.
cat > y.yaml <<'Y'
ferdag: 2
stages:
  big: { kind: command, out: { o: o }, with: { run: "awk 'BEGIN { s = \"x\"; while (length(s) < 40000000) s = s s; print length(s) }' > o" } }
Y
"$FERDAG" run y.yaml 2>err || fail "$(cat err)"
peak=$("$FERDAG" show y.yaml big --json | sed -n 's/.*"peak_bytes": \([0-9]*\).*/\1/p')
[ "$peak" -gt 40000000 ] || fail "peak memory of 40 MB was seen as $peak"

# Text is cut between characters, and a name that is not UTF-8 is no error.
cat > u.yaml <<'Y'
ferdag: 2
params: { word: a }
stages:
  words: { kind: command, out: { o: o }, with: { run: "echo ${word} > o # éééééééééééééééééééééééééééééé" } }
  names: { kind: command, out: { o: o/ }, with: { run: "mkdir o; mkfifo \"$(printf 'o/\\377')\"" } }
Y
"$FERDAG" run -k u.yaml --json > json 2>err
has 'the name in JSON' 'o/? is not a regular file' "$(cat json)"
has 'the name in status' 'o/? is not a regular file' "$("$FERDAG" status u.yaml names)"
for word in b bb; do
    "$FERDAG" explain u.yaml words --set word=$word > printed 2>err || fail "words cut: $(cat err)"
    has 'words cut' 'é...' "$(cat printed)"
    iconv -f UTF-8 -t UTF-8 printed > /dev/null || fail 'cut within a character'
done

# If many inputs must run first, five are named and the others counted; JSON names all.
cat > many.yaml <<'Y'
ferdag: 2
stages:
  one: { for: { n: [1, 2, 3, 4, 5, 6, 7] }, kind: command, out: { o: o }, with: { run: "echo ${n} > o" } }
  all: { kind: command, in: { i: "one/*" }, out: { o: o }, with: { run: "cat i/* > o" } }
Y
text=$("$FERDAG" explain many.yaml all)
same 'inputs that are named' 5 "$(grep -c 'must run first' <<< "$text")"
has 'the others' 'and 2 more inputs like these' "$text"
same 'inputs in JSON' 7 "$("$FERDAG" explain many.yaml all --json | grep -c 'must run first')"

# A command that only reads doesn't create a cache.
mkdir empty
has 'status of no cache' 'missing  a' "$("$FERDAG" status x.yaml --cache empty)"
same 'what it left there' '' "$(ls -A empty)"
