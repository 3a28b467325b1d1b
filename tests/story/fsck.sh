# Blobs whose bytes changed behind the cache's back: a run doesn't notice, fsck does and names the
# outputs; with --mend exactly their stages run again, to the same bytes.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 1
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
has 'it looked' ' 0 damaged; 0 outputs missing' "$(cat err)"

# digest STAGE: of its main output; blob DIGEST: its file
digest() { "$FERDAG" show x.yaml "$1" --json 2> err | sed '/"outputs"/,$!d' | grep -o '"digest": "[0-9a-f]*"' | head -n 1 | cut -d'"' -f4; }
blob() { echo "cache/blobs/${1:0:2}/${1:2}"; }
# alter DIGEST: another first byte, the same size
alter() {
    local file
    file=$(blob "$1")
    chmod u+w "$file"
    printf X | dd of="$file" bs=1 count=1 conv=notrunc status=none
    chmod a-w "$file"
}
two=$(digest two)
inner=$(awk '/train_images/ { print $1 }' "$(blob "$(digest set)")")
[ -f "$(blob "$inner")" ] || fail 'no file of the tree'
alter "$two"
alter "$inner"
same 'a run does not notice' '' "$(ran x.yaml)"

"$FERDAG" fsck > out.txt 2> err
same 'exit of damage' 1 $?
has 'a file' "damaged  $two  two.u: its bytes have another digest" "$(cat out.txt)"
has 'a file of a tree' "damaged  $inner  set.images: its bytes" "$(cat out.txt)"
same 'no more than that' 2 "$(grep -c damaged out.txt)"
has 'advice' 'with --mend' "$(cat err)"
same 'it changed nothing' '' "$(ran x.yaml)"

"$FERDAG" fsck --mend --json > json 2> err || fail "it did not mend: $(cat err)"
has 'as JSON' "\"digest\": \"$two\"" "$(cat json)"
[ -f "cache/damaged/$two" ] || fail 'the damaged blob is gone'
"$FERDAG" fsck > out.txt 2> err || fail "still damaged: $(cat out.txt)"
has 'what is missing now' 'missing  two.u' "$(cat out.txt)"
same 'what runs again' 'set two' "$(ran x.yaml)"
same 'the same bytes' "$two" "$(digest two)"
same 'its bytes' 'FIRST' "$(cat "$(blob "$two")")"
"$FERDAG" fsck > out.txt 2> err || fail "not mended: $(cat out.txt)"
same 'nothing to say' '' "$(cat out.txt)"

# What isn't a blob's business is left alone; what stands in a blob's place isn't.
touch cache/blobs/note "$(dirname "$(blob "$two")")/note"
"$FERDAG" fsck > out.txt 2> err || fail "a strange file: $(cat out.txt)"
mv "$(blob "$two")" elsewhere
ln -s "$PWD/elsewhere" "$(blob "$two")"
"$FERDAG" fsck > out.txt 2> err && fail 'a link in place of a blob'
has 'a link' 'it is no regular file' "$(cat out.txt)"

# An index that is unsound
dd if=/dev/urandom of=cache/index.sqlite bs=4096 seek=2 count=3 conv=notrunc status=none
rm -f cache/index.sqlite-*
"$FERDAG" fsck > out.txt 2> err && fail 'a damaged index'
has 'the index' 'index.sqlite' "$(cat err)"
