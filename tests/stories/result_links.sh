# After a run out/NAME/results has a link to each current result under its own name. Only links to results
# that are no longer current are removed.
. "$STORIES/lib.sh"
mkdir project
cd project || fail 'no folder'
cat > x.yaml <<'Y'
ferdag: 2
params: { word: one, status: 0 }
stages:
  a: { kind: command, out: { t: text.txt }, with: { run: "echo ${word} > text.txt; exit ${status}" } }
  b: { for: { n: [1, 0.5] }, kind: command, out: { o: sub/b.json, f: folder/ }, with: { run: "mkdir -p sub folder/deep; echo ${n} > sub/b.json; echo in > folder/deep/file; ln -s deep/file folder/link" } }
Y
results=out/x/results
links() { (cd $results && find . ! -type d ! -name .ferdag-files -printf '%P\n' | LC_ALL=C sort | paste -sd' '); }
every='a/text.txt b/0.5/folder/deep/file b/0.5/folder/link b/0.5/sub/b.json b/1/folder/deep/file b/1/folder/link b/1/sub/b.json'
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"
has 'where they are' "results: $results" "$(cat err)"
same 'links' "$every" "$(links)"
same 'what they lead to' 'one 1 0.5 in' "$(cat $results/a/text.txt $results/b/{1,0.5}/sub/b.json $results/b/1/folder/link | paste -sd' ')"
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"
grep -q '^results:' err && fail 'a run without news names them'

# They are relative, so that the project can be moved; from a folder below and of another cache too.
cd ..
mv project moved
cd moved || fail 'not moved'
same 'after a move' one "$(cat $results/a/text.txt)"
mkdir below
(cd below && "$FERDAG" run ../x.yaml 2> err && cat $results/a/text.txt) > printed || fail "below: $(cat below/err)"
same 'from a folder below' one "$(cat printed)"
"$FERDAG" run x.yaml --cache ../far/cache --out far 2> err || fail "$(cat err)"
has 'of another cache' "$(realpath ../far)/cache/blobs/" "$(readlink far/results/a/text.txt)"
same 'what it leads to' one "$(cat far/results/a/text.txt)"

# A run of one stage leaves those of others alone; an edit moves a link, a failure removes it.
sed -i 's/word: one/word: two/' x.yaml
"$FERDAG" run x.yaml b 2> err || fail "$(cat err)"
same 'after a run of b' "$every" "$(links)"
"$FERDAG" run x.yaml a 2> err || fail "$(cat err)"
same 'after a run of a' "$every" "$(links)"
same 'the new result' two "$(cat $results/a/text.txt)"
sed -i 's/status: 0/status: 1/' x.yaml
"$FERDAG" run x.yaml 2> err && fail 'it did not fail'
same 'after a failure' "${every#a/text.txt }" "$(links)"
[ ! -e $results/a ] || fail 'an empty folder stayed'

# Files of a user stay, also in the place of a link, and what a link of a user leads to.
sed -i 's/status: 1/status: 0/; s/n: \[1, 0.5\]/n: [2, 0.5]/' x.yaml
echo mine > $results/b/1/notes
rm $results/b/1/sub/b.json
echo mine > $results/b/1/sub/b.json
mkdir elsewhere
ln -s nowhere elsewhere/file
rm -r $results/b/1/folder/deep
ln -s ../../../../../../elsewhere $results/b/1/folder/deep
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"
same 'after an edit' "a/text.txt b/0.5/folder/deep/file b/0.5/folder/link b/0.5/sub/b.json b/1/folder/deep b/1/notes b/1/sub/b.json b/2/folder/deep/file b/2/folder/link b/2/sub/b.json" "$(links)"
[ -L elsewhere/file ] || fail 'a file was removed through a link'
rm $results/a/text.txt
echo mine > $results/a/text.txt
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"
same 'a file in the place of a link' mine "$(cat $results/a/text.txt)"

# Who writes through a link changes the cache's file. That is seen, and the stage runs again.
file=$results/b/2/sub/b.json
echo changed > $file 2> err && [ "$(id -u)" != 0 ] && fail 'the cache can be written through a link'
chmod u+w $file
echo changed > $file
same 'the next run' b/2 "$(ran x.yaml)"
same 'after it' 2 "$(cat $file)"

# Where they can't be, the run is done all the same.
rm -r out
touch out
"$FERDAG" run x.yaml 2> err || fail "out is a file: $(cat err)"
has 'the message' "no links to the results in $results: " "$(cat err)"
