# Blobs whose bytes changed while their metadata didn't: a run doesn't notice; fsck does and names the
# outputs. After --repair exactly their stages run again, and those that may have read the damage.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
stages:
  one: { kind: command, out: { t: t.txt }, with: { run: "echo first > t.txt" } }
  two: { kind: command, in: { t: one }, out: { u: u.txt }, with: { run: "tr a-z A-Z < t > u.txt" } }
  faces: { kind: synthetic_faces, with: { train: 100, public: 20, private: 20 } }
  set: { kind: ingest_csv, in: { csv: faces } }
Y
export FERDAG_CACHE=cache
"$FERDAG" fsck 2> err && fail 'there is no cache'
same 'without a cache' 2 $?
has 'the reason' 'cannot open cache cache' "$(cat err)"
"$FERDAG" run x.yaml --json > first.json 2> err || fail "$(cat err)"
"$FERDAG" fsck > out.txt 2> err || fail "a sound cache: $(cat out.txt err)"
same 'nothing to say' '' "$(cat out.txt)"
has 'it looked' ': no damage' "$(cat err)"

# digest STAGE: the digest of its main output; blob DIGEST: the file of a blob
digest() { "$FERDAG" show x.yaml "$1" --json 2> err | sed '/"outputs"/,$!d' | grep -o '"digest": "[0-9a-f]*"' | head -n 1 | cut -d'"' -f4; }
blob() { echo "cache/blobs/${1:0:2}/${1:2}"; }
# alter DIGEST: changes the first byte of a blob, not its size
alter() {
    local file
    file=$(blob "$1")
    chmod u+w "$file"
    printf X | dd of="$file" bs=1 count=1 conv=notrunc status=none
    chmod a-w "$file"
}
# rot DIGEST: the same, with unchanged metadata, as a failing disk does
rot() {
    alter "$1"
    "$RESTAMP" cache "$1" || fail 'no restamp'
}
two=$(digest two)
one=$(digest one)
inner=$(awk '/train_images/ { print $1 }' "$(blob "$(digest set)")")
[ -f "$(blob "$inner")" ] || fail 'no file of the tree'
rot "$two"
rot "$inner"
same 'a run does not notice' '' "$(ran x.yaml)"

"$FERDAG" fsck > out.txt 2> err
same 'exit of damage' 1 $?
has 'a file' "damaged  two.u  blob ${two:0:12}: the bytes of " "$(cat out.txt)"
has 'a file of a tree' "damaged  set.images  blob ${inner:0:12}: the bytes of " "$(cat out.txt)"
same 'no more than that' 2 "$(wc -l < out.txt)"
has 'advice' 'fsck --repair' "$(cat err)"
same 'it changed nothing' '' "$(ran x.yaml)"

"$FERDAG" fsck --repair --json > json 2> err || fail "it did not repair: $(cat err)"
has 'as JSON' "\"digest\": \"$two\"" "$(cat json)"
[ -f "cache/damaged/$two" ] || fail 'the damaged blob is gone'
"$FERDAG" fsck > out.txt 2> err || fail "still damaged: $(cat out.txt)"
same 'the results of damaged blobs are removed' '' "$(cat out.txt)"
same 'what runs again' 'set two' "$(ran x.yaml)"
same 'the same bytes' "$two" "$(digest two)"
same 'its bytes' 'FIRST' "$(cat "$(blob "$two")")"
"$FERDAG" fsck > out.txt 2> err || fail "not repaired: $(cat out.txt)"
same 'nothing to say' '' "$(cat out.txt)"

# What was computed from damaged bytes runs again too; `two` read them while they were right, as fsck
# has verified since.
rot "$one"
echo '  three: { kind: command, in: { t: one }, out: { u: u.txt }, with: { run: "cp t u.txt" } }' >> x.yaml
same 'what reads it' 'three' "$(ran x.yaml)"
"$FERDAG" fsck > out.txt 2> err
same 'exit of damage' 1 $?
has 'who may have read it' 'affected three ' "$(cat out.txt)"
same 'nobody else' 2 "$(wc -l < out.txt)"
"$FERDAG" fsck --repair > out.txt 2> err || fail "it did not repair: $(cat err)"
same 'what runs again' 'one three' "$(ran x.yaml)"
same 'its bytes' 'first' "$(cat "$(blob "$(digest three)")")"

# A training reads its inputs before it starts, and is not affected then.
cat > t.yaml <<'Y'
ferdag: 2
stages:
  faces: { kind: synthetic_faces, with: { train: 100, public: 20, private: 20 } }
  set: { kind: ingest_csv, in: { csv: faces } }
  net: { kind: train_cnn, in: { images: set }, with: { model: resnet18, width: 1, epochs: 1, batch_size: 50 } }
Y
rot "$inner"
"$FERDAG" run t.yaml > out.txt 2> err && fail 'it trained on damaged images'
has 'the reason' 'stage net failed: an input of it is damaged' "$(cat err)"
has 'what is done' 'moved to damaged/' "$(cat err)"
same 'what runs again' 'net set' "$(ran t.yaml)"
rot "$inner"
"$FERDAG" fsck > out.txt 2> err
same 'exit of damage' 1 $?
grep -q 'affected net' out.txt && fail "it verified its inputs: $(cat out.txt)"
"$FERDAG" fsck --repair > out.txt 2> err
same 'what runs again' 'set' "$(ran t.yaml)"

# Files that don't have the name of a blob are left alone; a link in a blob's place is damage.
touch cache/blobs/note "$(dirname "$(blob "$two")")/note"
"$FERDAG" fsck > out.txt 2> err || fail "a strange file: $(cat out.txt)"
mv "$(blob "$two")" elsewhere
ln -s "$PWD/elsewhere" "$(blob "$two")"
"$FERDAG" fsck > out.txt 2> err && fail 'a link in place of a blob'
has 'a link' 'is not a regular file' "$(cat out.txt)"
rm "$(blob "$two")"

# A damaged index: every command prints what to do, and doing it works.
for part in 0 1 2 4; do
    dd if=/dev/urandom of=cache/index.sqlite bs=4096 seek=$part count=3 conv=notrunc status=none
    rm -f cache/index.sqlite-*
    "$FERDAG" fsck > out.txt 2> err && fail 'a damaged index'
    has 'the index' 'index.sqlite' "$(cat err)"
    has 'what helps' 'ferdag fsck --repair' "$(cat err)"
    "$FERDAG" fsck --repair > out.txt 2> err || fail "it did not repair the index: $(cat err)"
    has 'what it did' 'index.sqlite: it could not be read; repaired: moved to damaged/ and rebuilt' "$(cat out.txt)"
    [ -s cache/damaged/index.sqlite ] || fail 'the damaged index is gone'
    "$FERDAG" fsck > out.txt 2> err || fail "not repaired: $(cat out.txt)"
    same 'what runs again' "$([ $part = 0 ] && echo two)" "$(ran x.yaml)"
done
rm cache/index.sqlite*
same 'without an index' '' "$(ran x.yaml)"

# Lost outputs are damage: --repair removes their results, and the next fsck finds nothing. An output whose
# name starts with a dot may be missing.
mkdir small && cd small || exit
cat > x.yaml <<'Y'
ferdag: 2
stages:
  one: { kind: command, out: { t: t.txt, d: d/ }, with: { run: "echo first > t.txt; mkdir d; echo second > d/e" } }
  two: { kind: command, in: { t: one }, out: { u: u.txt }, with: { run: "tr a-z A-Z < t > u.txt" } }
Y
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"
rm "$(grep -l second cache/blobs/*/*)" "$(blob "$(digest two)")"
"$FERDAG" fsck > out.txt 2> err
same 'exit of lost outputs' 1 $?
has 'a lost file' 'missing  two.u  key ' "$(cat out.txt)"
has 'a lost file of a folder' 'missing  one.d  key ' "$(cat out.txt)"
has 'what happens' ': its stage runs again in the next run; --repair removes the result' "$(cat out.txt)"
has 'counted' ': 2 missing outputs' "$(cat err)"
"$FERDAG" fsck --repair > out.txt 2> err || fail "it did not remove them: $(cat err)"
same 'each was removed' 2 "$(grep -c 'repaired: the result was removed' out.txt)"
has 'what runs again' 'repaired; the stages of 2 results run again in the next run' "$(cat err)"
"$FERDAG" fsck > out.txt 2> err || fail "still lost: $(cat out.txt)"
has 'nothing is left' ': no damage' "$(cat err)"
same 'what runs again' 'one two' "$(ran x.yaml)"
rm -r cache
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"
"$SQL" cache "UPDATE output SET port = '.d' WHERE port = 'd'" || fail sql
rm -r cache/results # so that the index counts
"$FERDAG" fsck --repair > out.txt 2> err || fail "$(cat err)"
rm "$(grep -l second cache/blobs/*/*)"
"$FERDAG" fsck > out.txt 2> err || fail "an optional output: $(cat out.txt)"
rm -r cache
cat > x.yaml <<'Y'
ferdag: 2
stages:
  one: { kind: command, out: { t: t.txt }, with: { run: "echo first > t.txt" } }
Y
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"

# Faults in the index and the records: nothing is lost, and no stage runs again.
# fault TEXT REPAIR REPAIRED: what fsck prints of the one result
fault() {
    "$FERDAG" fsck > out.txt 2> err
    same "exit of $1" 1 $?
    has "$1" "fault    one  key " "$(cat out.txt)"
    has "$1" ": $1; --repair $2" "$(cat out.txt)"
    has 'its count' '1 result, 2 blobs, ' "$(cat err)"
    has 'its count' ' bytes: 1 fault' "$(cat err)"
    has 'the advice' '`ferdag fsck --repair` repairs all of it; no stage runs again' "$(cat err)"
    "$FERDAG" fsck --repair > out.txt 2> err || fail "$1: $(cat err)"
    has "$1 repaired" ": $1; repaired: $3" "$(cat out.txt)"
    has "$1 repaired" 'repaired; no stage runs again' "$(cat err)"
    "$FERDAG" fsck > out.txt 2> err || fail "$1 is not repaired: $(cat out.txt)"
    same "a run after $1" '' "$(ran x.yaml)"
}
rm cache/index.sqlite*
fault 'it is not in the index' 'adds it from its record' 'added to the index from its record'
rm cache/results/*/*
fault 'it has no record' 'writes it from the index' 'written from the index'
chmod u+w cache/results/*/*.json
sed -i '1s/^/junk/' cache/results/*/*.json
fault 'its record is damaged' 'moves it to damaged/ and writes it from the index' \
    'moved to damaged/ and written from the index'
