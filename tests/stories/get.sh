# `get` copies an output of a current result, completely and verified; it never replaces a file.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { word: one }
stages:
  a: { kind: command, out: { t: text.txt, more: sub/more.csv }, with: { run: "echo ${word} > text.txt; mkdir sub; echo 1,2 > sub/more.csv" } }
  tree: { kind: command, out: { o: sheets/ }, with: { run: "mkdir -p sheets/deep/empty; echo 1 > sheets/one; ln -s ../one sheets/deep/link; echo 'echo ran' > sheets/tool; chmod +x sheets/tool" } }
  train: { for: { lr: [0.5, 0.25] }, kind: command, out: { o: o.txt }, with: { run: "echo ${lr} > o.txt" } }
Y
# refused EXIT MESSAGE ARGUMENT...: get fails with this status and message, and creates nothing
refused() {
    local before
    before=$(find . -path ./.ferdag -prune -o ! -name err ! -name printed ! -path "./out*" -print | sort)
    "$FERDAG" get x.yaml "${@:3}" > printed 2> err
    same "exit of get ${*:3}" "$1" $?
    has "get ${*:3}" "$2" "$(cat err)"
    same "what get ${*:3} left" "$before" "$(find . -path ./.ferdag -prune -o ! -name err ! -name printed ! -path "./out*" -print | sort)"
}
refused 1 'a has no current result (missing); compute it with: ferdag run x.yaml a' a here
[ ! -e .ferdag ] || fail 'get made a cache'
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"

umask 027
same 'what get prints' here "$("$FERDAG" get x.yaml a.t here)"
same 'the main port' one "$(cat here)"
same 'its permissions' 640 "$(stat -c %a here)"
echo changed > here
mkdir folder
same 'into a folder' folder/more.csv "$("$FERDAG" get x.yaml a.more folder)"
same 'into a folder with a slash' folder/text.txt "$("$FERDAG" get x.yaml a folder/)"
same 'its content' '1,2 one' "$(cat folder/more.csv folder/text.txt | paste -sd' ')"
same 'dots in names' here2 "$("$FERDAG" get x.yaml train/0.5.o here2)"
same 'a stage with a dot' here3 "$("$FERDAG" get x.yaml train/0.25 here3)"
same 'their content' '0.5 0.25' "$(cat here2 here3 | paste -sd' ')"
same 'a tree' copy "$("$FERDAG" get x.yaml tree copy)"
same 'a tree into a folder' folder/sheets "$("$FERDAG" get x.yaml tree.o folder)"
diff -r copy folder/sheets || fail 'two copies differ'
same 'its files' '1 ran' "$( (cat copy/deep/link; copy/tool) | paste -sd' ')"
same 'its link' ../one "$(readlink copy/deep/link)"
[ -d copy/deep/empty ] || fail 'the empty folder is missing'
same 'permissions in it' '750 640' "$(stat -c %a copy/tool copy/one | paste -sd' ')"
echo mine >> copy/one
same 'all is still cached' '' "$(ran x.yaml)"
"$FERDAG" fsck > printed 2>&1 || fail "the cache is not what it was: $(cat printed)"

refused 2 'here exists; remove it or give another name' a here
refused 2 'folder/text.txt exists' a folder
refused 2 'folder/sheets exists' tree folder
ln -s nowhere dangling
refused 2 'dangling exists' a dangling
refused 2 'cannot copy to none/: there is no folder none' a none/
refused 2 'here is a file, not a folder' a here/
refused 2 'here is a file, not a folder' a here/there
refused 2 "cannot copy to ''" a ''
if [ -d /proc/self ]; then # nothing can be created there
    for output in a tree; do
        "$FERDAG" get x.yaml $output /proc/ferdag-here > printed 2> err && fail 'a file in /proc'
        same 'a place that is not writable' 'ferdag: cannot write /proc/ferdag-here: No such file or directory' "$(cat err)"
    done
fi
refused 2 'there is no folder none' a none/here
refused 2 "unknown stage 'tre' (did you mean 'tree'?)" tre.o there
refused 2 "unknown output 'moer' of stage 'a' (kind command) (did you mean 'more'?)" a.moer there
refused 2 "'train' is a matrix; name one of its stages, such as 'train/0.5'" train there
refused 2 "'train' is a matrix" train.o there
refused 1 'a has no current result (stale: param run: "echo one' a there --set word=two
has 'what computes it' 'ferdag run x.yaml a --set word=two' "$(cat err)"

# Damaged bytes are found while they are copied, and the next run computes them again.
blob=$("$FERDAG" show x.yaml tree --json | awk -F'"' '$2 == "path" { print $4 }')
digest=$(awk '$3 == "one" { print $1 }' "$blob")
file=.ferdag/blobs/${digest:0:2}/${digest:2}
chmod u+w "$file"
echo 2 > "$file"
"$RESTAMP" .ferdag "$digest" || fail 'no restamp'
refused 1 'cannot copy tree.o, which `ferdag run x.yaml tree` computes again: it is damaged in the cache' tree there
same 'the next run' tree "$(ran x.yaml)"
same 'after it' there "$("$FERDAG" get x.yaml tree there)"
same 'its content' 1 "$(cat there/one)"

# Results can be read where an external input is missing; `run` refuses before it starts.
cat > photos.yaml <<'Y'
ferdag: 2
inputs: { photos: { path: photos.txt } }
stages:
  look: { kind: command, in: { p: photos }, out: { o: o }, with: { run: "echo looked; cat p > o" } }
  after: { kind: command, in: { i: look }, out: { o: o }, with: { run: "cat i > o" } }
  other: { kind: command, out: { o: o }, with: { run: "echo 1 > o" } }
Y
echo 1 > photos.txt
"$FERDAG" run photos.yaml 2> err || fail "$(cat err)"
mv photos.txt moved.txt
missing="input photos is missing: $(pwd -P)/photos.txt"
before=$(ls .ferdag/results .ferdag/attempts 2> /dev/null)
"$FERDAG" status photos.yaml > printed 2> err || fail "status without an input: $(cat err)"
grep -q "^stale    look  *$missing$" printed || fail "status: $(cat printed)"
grep -q '^cached   other$' printed || fail "status of another stage: $(cat printed)"
same 'explain' "look cannot run: $missing" "$("$FERDAG" explain photos.yaml look | tr -s ' \n' ' ' | sed 's/ $//')"
has 'explain of a stage behind it' 'input i: look cannot run' "$("$FERDAG" explain photos.yaml after)"
has 'run -n' "cannot run look: $missing" "$("$FERDAG" run -n photos.yaml 2> err)"
has 'its totals' '3 stages: 1 cached, 0 would run, 1 may run after them, 1 cannot run' "$(cat err)"
has 'show' 'look (not current' "$("$FERDAG" show photos.yaml look)"
same 'log' looked "$("$FERDAG" log photos.yaml look 2> err)"
"$FERDAG" get photos.yaml look photo > printed 2> err && fail 'get serves a result that may be out of date'
has 'get' "look has no current result (stale: $missing)" "$(cat err)"
"$FERDAG" get photos.yaml other photo > printed 2> err || fail "get of another stage: $(cat err)"
"$FERDAG" run photos.yaml > printed 2> err
same 'exit of run' 2 $?
has 'run' "photos.yaml:2:27: input 'photos': cannot open" "$(cat err)"
same 'what all of them wrote' "$before" "$(ls .ferdag/results .ferdag/attempts 2> /dev/null)"
mv moved.txt photos.txt
same 'with the input' '' "$(ran photos.yaml)"
