# Changed bytes in the cache are never served, even if size and times are as before. A cache that was
# moved is not read again; one that was copied is read once.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
stages:
  one: { kind: command, out: { o: o, d: d/ }, with: { run: "echo first > o; mkdir d; cp o d/file" } }
  two: { kind: command, in: { a: one, b: one.d }, out: { o: o }, with: { run: "cat a b/file > o" } }
Y
same 'a first run' 'one two' "$(ran x.yaml --cache a)"
output() { "$FERDAG" show x.yaml "$1" --cache "${2:-a}" | awk '$1 == "output" { getline; print $1 }' | head -n 1; }
# alter FILE: other bytes, the same size and times
alter() {
    touch -r "$1" stamp
    chmod u+w "$1"
    printf X | dd of="$1" bs=1 count=1 conv=notrunc status=none
    touch -r stamp "$1"
    chmod a-w "$1"
}

# An output, and an output that another stage reads.
alter "$(output two)"
same 'the last one' 'two' "$(ran x.yaml --cache a)"
has 'what was found' 'output o of stage two is damaged (the bytes of ' "$(cat err)"
has 'what is done' 'moved to damaged/' "$(cat err)"
same 'its bytes' 'first first' "$(paste -sd' ' "$(output two)")"
alter "$(output one)"
same 'status' '0' "$("$FERDAG" status x.yaml --cache a 2> err | grep -c cached)"
has 'its reader' 'two may have been computed from the damaged bytes: removed from the cache, so that they run again' "$(cat err)"
same 'the first one, and what may have read it damaged' 'one two' "$(ran x.yaml --cache a)"
same 'its bytes' 'first' "$(cat "$(output one)")"

# A file in a folder, of another size.
file=$(grep -lx first a/blobs/*/* | head -n 1)
chmod u+w "$file"
echo more >> "$file"
same 'status of another size' '0' "$("$FERDAG" status x.yaml --cache a 2> err | grep -c cached)"
[[ $(cat err) == *'output '[od]' of stage one is damaged (blob '????????????' has another size than was stored); it is moved to damaged/'* ]] ||
    fail "another size: $(cat err)"
same 'the first one, and what may have read it damaged' 'one two' "$(ran x.yaml --cache a)"

# Changed while it is in use: the stage that read it fails, and both run again.
cat > y.yaml <<'Y'
ferdag: 2
stages:
  one: { kind: synthetic_faces, with: { train: 50, public: 7, private: 7 } }
  two: { kind: command, in: { a: one, b: one.truth, c: one.sheet }, out: { o: o }, with: { run: "touch ../../../reads; until test -e ../../../altered; do sleep 0.05; done; cat a > o" } }
Y
"$FERDAG" run y.yaml --cache a > out.txt 2> err &
run=$!
until_true test -e reads
alter "$("$FERDAG" show y.yaml one --cache a | awk '$1 == "output" && $2 == "csv" { getline; print $1 }')"
touch altered
wait $run
same 'exit' 1 $?
has 'the reason' 'stage two failed: its input a is damaged or gone; run again: one makes it anew' "$(cat err)"
same 'both run again' 'one two' "$(ran y.yaml --cache a)"

# Moved: the files' metadata is as before. Copied: it is new, so that each blob is read once.
mv a b
same 'moved' '' "$(ran x.yaml --cache b)"
cp -r b c
same 'copied' '' "$(ran x.yaml --cache c)"
alter "$(output two c)"
same 'a copy that was altered' 'two' "$(ran x.yaml --cache c)"
cp -r b d
alter "$(output two b)"
cp -r b e # the damage is copied along
same 'damage in a copy' 'two' "$(ran x.yaml --cache e)"

# However damage is found, stages that read the damaged bytes run again: here b did.
cat > r.yaml <<'Y'
ferdag: 2
params: { v: 1 }
stages:
  a: { kind: command, out: { o: a.txt }, with: { run: "echo value=1234567890 > a.txt" } }
  b: { kind: command, in: { x: a }, out: { o: b.txt }, with: { run: "cut -c1-16 x > b.txt # ${v}" } }
  z: { kind: command, out: { o: z.txt }, with: { run: "sleep 0.3; echo value=1234567890 > z.txt" } }
Y
export FERDAG_CACHE=r
result() { cat "$("$FERDAG" show r.yaml b --set v=2 | awk '$1 == "output" { getline; print $1 }')"; }
# rotten: damages an output in the cache, so that b computes a wrong result from it
rotten() {
    rm -rf r copy
    "$FERDAG" run r.yaml 2> err || fail "$(cat err)"
    blob=$("$FERDAG" show r.yaml a | awk '$1 == "output" { getline; print $1 }')
    alter "$blob"
    "$RESTAMP" r "$(echo "${blob#*blobs/}" | tr -d /)" || fail 'no restamp'
    "$FERDAG" run r.yaml --set v=2 2> err || fail "$(cat err)"
    same 'the wrong result' Xalue=1234567890 "$(result)"
}
right() {
    "$FERDAG" run r.yaml --set v=2 > out.txt 2> err || fail "$1: $(cat err)"
    same "$1" value=1234567890 "$(result)"
}
rotten
cp -r r copy
rm -r r
mv copy r # the stamps differ: the next run reads the blobs
right 'found by a run'
rotten
cp -r r copy
rm -r r
mv copy r
"$FERDAG" status r.yaml --set v=2 > out.txt 2> err
"$FERDAG" fsck --repair > out.txt 2> err
right 'found by status'
rotten
"$FERDAG" run r.yaml --set v=2 --force z > out.txt 2> err
same 'exit of a run that had taken the wrong result' 1 $?
has 'why' 'stage b: its cached result may have been computed from damaged bytes; run again' "$(cat err)"
has 'found by a stage that makes it anew' 'b may have been computed from the damaged bytes' "$(cat err)"
right 'found by a stage that makes it anew'
rotten
rm -f r/index.sqlite*
"$FERDAG" fsck --repair > out.txt 2> err
right 'without an index'
rotten
"$SQL" r "delete from result where stage = 'b'" || fail sql
"$FERDAG" fsck --repair > out.txt 2> err
right 'without the row of its reader'
