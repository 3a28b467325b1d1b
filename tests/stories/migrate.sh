# A file of format 1 is refused with the new name of each old one; `migrate` rewrites it and what it
# includes, with comments and layout, and then it means the same.
. "$STORIES/lib.sh"
echo data > data.txt
cat > old.yaml << 'Y'
# A comment about batch: 32 and kind: predict, which stays.
ferdag: 1   # the format
include: [parts/tables.yaml]
inputs: { data: { path: data.txt } }
params: { batch: 16, limit: 7 }   # names of one's own stay
stages:
  full:   { kind: ingest_csv, in: { csv: data }, with: { limit: "${limit}" } }
  train:
    kind: train_cnn
    in: { images: full }
    with: { model: vgg19, "batch": "${batch}",    evaluate: center }   # batch, evaluate
  features: { kind: extract_features, in: { images: full, weights: train }, with: { evaluate: center, view: center } }
  svm:    { kind: train_svm, in: { features: features } }
  p:      { kind: predict, in: { features: features, model: svm } }
  forest: { kind: random_forest, in: { features: features }, with: { depth: 3 } }
Y
mkdir parts
cat > parts/tables.yaml << 'Y'
tables:
  t: # stub
    stub: Model
    columns: { c: { label: C, by: 1 } }
    rows: { r: { strong: true }, q: {} }
    cell: "@p.summary:/${row}/${column}/${by}"
paper:
  names: { vgg19: VGG19 }
  settings: { batch: { label: Batch, value: 1, of: train_cnn.batch, by: model, where: { evaluate: center } } }
claims:
  a: { title: A, absolute: true, checks: [{ check: above, left: t/r/c, right: 1, by: 2, text: x, informs: true }] }
  b: { title: B, eased: true, checks: [{ check: mean, left: t/*/c, right: 1, from: 0, to: 2, text: x, least: 1 }, { check: rank, left: t/r/c, among: "t/*/c", is: 1, most: true, text: y }] }
report:
  key: [{ cell: t/r/c, label: L }]   # one
  sheets: [{ title: S, picture: "@full:/a.png", caption: key }]
  confusion: [{ title: T, matrix: "@p.summary:/confusion" }]
Y
cp -r old.yaml parts before.d 2> /dev/null || { mkdir before.d && cp -r old.yaml parts before.d/; }

"$FERDAG" check old.yaml > out 2> err
same 'exit for format 1' 2 $?
has 'the way out' "old.yaml:2:9: format 1 was replaced by format 2; \`ferdag migrate old.yaml\` rewrites the file" "$(cat err)"
while read -r old new; do
    has "the new name of $old" "'$old' is called '$new' since format 2" "$(cat err)"
done << 'N'
predict predict_svm
limit max_train_rows
batch batch_size
evaluate evaluation_view
view features_view
depth max_depth
stub row_header
strong bold
names value_names
of param
by group_by
by margin
informs informational
from min
to max
least at_least
is top
most majority
key headline
sheets pictures
picture file
confusion confusion_matrices
absolute smaller_settings
eased smaller_settings
N

"$FERDAG" migrate old.yaml > out 2> err || fail "migrate: $(cat err)"
has 'what changed' 'old.yaml: 8 changes' "$(cat out)"
has 'what changed' 'parts/tables.yaml: 22 changes' "$(cat out)"
diff before.d/old.yaml old.yaml > changes
cat > expected << 'D'
2c2
< ferdag: 1   # the format
---
> ferdag: 2   # the format
7c7
<   full:   { kind: ingest_csv, in: { csv: data }, with: { limit: "${limit}" } }
---
>   full:   { kind: ingest_csv, in: { csv: data }, with: { max_train_rows: "${limit}" } }
11,12c11,12
<     with: { model: vgg19, "batch": "${batch}",    evaluate: center }   # batch, evaluate
<   features: { kind: extract_features, in: { images: full, weights: train }, with: { evaluate: center, view: center } }
---
>     with: { model: vgg19, "batch_size": "${batch}",    evaluation_view: center }   # batch, evaluate
>   features: { kind: extract_features, in: { images: full, weights: train }, with: { evaluation_view: center, features_view: center } }
14,15c14,15
<   p:      { kind: predict, in: { features: features, model: svm } }
<   forest: { kind: random_forest, in: { features: features }, with: { depth: 3 } }
---
>   p:      { kind: predict_svm, in: { features: features, model: svm } }
>   forest: { kind: random_forest, in: { features: features }, with: { max_depth: 3 } }
D
diff expected changes || fail 'old.yaml was rewritten otherwise'
cat > expected << 'Y'
tables:
  t: # stub
    row_header: Model
    columns: { c: { label: C, by: 1 } }
    rows: { r: { bold: true }, q: {} }
    cell: "@p.summary:/${row}/${column}/${by}"
paper:
  value_names: { vgg19: VGG19 }
  settings: { batch: { label: Batch, value: 1, param: train_cnn.batch_size, group_by: model, where: { evaluation_view: center } } }
claims:
  a: { title: A, smaller_settings: harder, checks: [{ check: above, left: t/r/c, right: 1, margin: 2, text: x, informational: true }] }
  b: { title: B, smaller_settings: easier, checks: [{ check: mean, left: t/*/c, right: 1, min: 0, max: 2, text: x, at_least: 1 }, { check: rank, left: t/r/c, among: "t/*/c", top: 1, majority: true, text: y }] }
report:
  headline: [{ cell: t/r/c, label: L }]   # one
  pictures: [{ title: S, file: "@full:/a.png", caption: key }]
  confusion_matrices: [{ title: T, matrix: "@p.summary:/confusion" }]
Y
diff expected parts/tables.yaml || fail 'parts/tables.yaml was rewritten otherwise'

cp old.yaml once.yaml
"$FERDAG" migrate old.yaml > out || fail 'a second time'
has 'a second time' 'old.yaml: nothing to change' "$(cat out)"
cmp old.yaml once.yaml || fail 'the second time changed something'

# What can't be renamed is reported; if a file can't be read, no file changes.
cat > asks.yaml << 'Y'
ferdag: 1
stages: { s: { kind: command, out: { o: o }, with: { run: ":" } } }
tables: { t: { columns: [c], rows: [r], cell: "@s:/a", asks: [{ check: above, left: t/r/c, right: 1, text: x }] } }
Y
"$FERDAG" migrate asks.yaml > out 2> err
same 'exit with work left' 1 $?
has 'asks' 'warning: asks.yaml:3:56: change this by hand:' "$(cat err)"
same 'asks' 'asks.yaml: 1 change, 1 left to do by hand' "$(tail -1 out)"
printf 'ferdag: 1\ninclude: broken.yaml\n' > top.yaml
printf 'a: [\n' > broken.yaml
"$FERDAG" migrate top.yaml > out 2> err
same 'exit with a broken file' 2 $?
has 'a broken file' 'broken.yaml:2:' "$(cat err)"
same 'the file that includes it' 'ferdag: 1' "$(head -1 top.yaml)"
"$FERDAG" migrate --help > out
has 'the exit status in the help' 'work is left to do by hand' "$(cat out)"

# migrated WHAT FILE: migrates it with nothing left to do.
migrated() { "$FERDAG" migrate "$2" > out 2> err || fail "$1: $(cat out err)"; }

# by_hand WHAT FILE WORD...: something is left to do by hand, and the warnings contain each word.
by_hand() {
    local what=$1 file=$2
    shift 2
    "$FERDAG" migrate "$file" > out 2> err
    same "$what: exit" 1 $?
    has "$what: the last line" 'left to do by hand' "$(tail -1 out)"
    for word; do has "$what" "$word" "$(cat err)"; done
}

# refused WHAT FILE WORD: an error with the word, and the file doesn't change.
refused() {
    cp "$2" as_it_was 2> /dev/null || : > as_it_was
    "$FERDAG" migrate "$2" > out 2> err
    same "$1: exit" 2 $?
    has "$1" "$3" "$(cat err)"
    [ ! -f "$2" ] || cmp as_it_was "$2" || fail "$1: the file was changed"
}

# Two flags became one key, which can't be there twice: in one file, or in two that are merged.
stages='stages: { s: { kind: command, out: { o: o }, with: { run: "" } } }'
checks='checks: [{ check: above, left: t/r/c, right: 1, text: x }]'
printf 'ferdag: 1\nclaims:\n  a: { absolute: true, eased: true, %s }\n' "$checks" > flags.yaml
by_hand 'both flags' flags.yaml 'flags.yaml:3:8: change this by hand:' \
    "flags.yaml:3:24: change this by hand: 'absolute' and 'eased' are one key now" \
    'choose harder (absolute) or easier (eased)'
has 'both flags stay' 'absolute: true, eased: true' "$(cat flags.yaml)"
printf 'ferdag: 1\nclaims:\n  a: { absolute: true, eased: false, %s }\n' "$checks" > flags.yaml
by_hand 'one flag of two' flags.yaml 'flags.yaml:3:8: ' 'write smaller_settings: harder if absolute'
printf 'ferdag: 1\ninclude: flag.yaml\nclaims: { a: { eased: true } }\n' > flags.yaml
printf 'claims: { a: { absolute: true, %s } }\n' "$checks" > flag.yaml
by_hand 'flags in two files' flags.yaml 'flags.yaml:3:16: ' 'flag.yaml:1:16: '
same 'the last line for two files' 'in all: 1 change, 2 left to do by hand' "$(tail -1 out)"
printf 'ferdag: 1\nparams: { y: &y true }\nclaims: { a: { absolute: *y, %s } }\n' "$checks" > flags.yaml
by_hand 'a flag by an alias' flags.yaml "flags.yaml:3:16: change this by hand: 'absolute: true' is"
has 'a flag by an alias stays' 'absolute: *y' "$(cat flags.yaml)"
printf 'ferdag: 1\nstages: { s: { kind: train_cnn, with: { batch: 1, batch_size: 2 } } }\n' > twice.yaml
by_hand 'the new name stands there' twice.yaml 'twice.yaml:2:41: ' "'batch_size' now, which stands here"

# Only format 1 is rewritten. In format 2 an old name may be a variable of cells.
cat > two.yaml << Y
ferdag: 2
include: part.yaml
$stages
tables: { t: { columns: [c], rows: { r: { strong: true } }, cell: "@\${strong}.counts:/x" } }
Y
echo 'tables: { u: { columns: [c], rows: { r: { strong: s } }, cell: "@${strong}.counts:/x" } }' > part.yaml
cp two.yaml two.before
cp part.yaml part.before
migrated 'format 2' two.yaml
has 'format 2' 'two.yaml: nothing to change' "$(cat out)"
cmp two.yaml two.before || fail 'a file of format 2 was changed'
cmp part.yaml part.before || fail 'what a file of format 2 includes was changed'
for version in 3 0 1.0 '[1]' '~'; do
    printf 'ferdag: %s\nstages: { s: { kind: predict } }\n' "$version" > other.yaml
    refused "format $version" other.yaml 'other.yaml:1:9: ferdag: expected 1 or 2: this program reads formats 1 and 2'
done
refused 'a file that only others include' part.yaml "part.yaml:1:1: key 'ferdag' must be given"
printf 'ferdag: 1\ninclude: [one.yaml, two.yaml, none.yaml]\n' > top.yaml
printf 'ferdag: 1\nstages: { o: { kind: predict } }\n' > one.yaml
printf 'stages: { n: { kind: predict } }\n' > none.yaml
migrated 'includes of both formats' top.yaml
cmp two.yaml two.before || fail 'an include of format 2 was changed'
same 'an include of format 1' $'ferdag: 2\nstages: { o: { kind: predict_svm } }' "$(cat one.yaml)"
same 'an include that says no format' 'stages: { n: { kind: predict_svm } }' "$(cat none.yaml)"
printf 'ferdag: 1\ninclude: other.yaml\n' > top.yaml
refused 'an include of another format' top.yaml 'other.yaml:1:9: ferdag: expected 1 or 2'
cat > variable.yaml << Y
ferdag: 1
$stages
tables:
  t: { columns: [c], rows: { r: { strong: true } }, cell: "@s.o:/\${strong}" }
  u: { columns: [c], rows: { r: { bold: s } }, cell: "@\${bold}.o:/x" }
  v: { columns: [c], rows: { r: { strong: s } }, cell: "@\${strong}.o:/x" }
  w: { columns: [c], rows: { r: { strong: "\${yes}" }, q: { strong: "\${\${no}}" } } }
params: { yes: true }
Y
by_hand 'variables of cells' variable.yaml "variable.yaml:4:59: change this by hand: the row's 'strong'" \
    "variable.yaml:5:35: change this by hand: 'bold' is a setting since format 2" \
    "variable.yaml:7:60: change this by hand: 'strong' is called 'bold' now if it is a setting"
has 'a setting by a param' 'r: { bold: "${yes}" }' "$(cat variable.yaml)"
has 'a variable that was no setting' 'v: { columns: [c], rows: { r: { strong: s } }' "$(cat variable.yaml)"

# A key under an anchor is renamed only if that is right for each of its aliases.
cat > alias.yaml << 'Y'
ferdag: 1
params: { o: &o { limit: 5 }, k: &k predict }
stages:
  a: { kind: ingest_csv, with: *o }
  b: { kind: ingest_csv, with: { limit: "${o.limit}" } }
  c: { kind: train_cnn, with: &t { batch: 1 } }
  d: { kind: train_cnn, with: *t }
  e: { kind: *k }
  f: { kind: extract_features, with: &f { batch: 1, evaluate: center } }
  g: { kind: knn, with: *f }
Y
by_hand 'aliases' alias.yaml "alias.yaml:2:19: change this by hand: 'limit' is called 'max_train_rows' now, but an alias" \
    "alias.yaml:2:34: change this by hand: 'predict' is called" "alias.yaml:9:43: change this by hand: 'batch'"
has 'the key and its reference stay' 'o: &o { limit: 5 }, k: &k predict' "$(cat alias.yaml)"
has 'a key that is right everywhere' 'c: { kind: train_cnn, with: &t { batch_size: 1 } }' "$(cat alias.yaml)"

# Values that are used through "${...}" are checked where they are written.
cat > behind.yaml << 'Y'
ferdag: 1
params: { k: predict, c: knn, o: { limit: 5 }, w: { seed: 1 }, n: { a: { batch: 1 } }, which: a }
stages:
  a: { kind: "${k}" }
  b: { kind: "${k2}", for: { k2: [knn, predict] } }
  c: { kind: "${k2}", for: { k2: "${two}" }, with: { limit: 5 } }
  d: { kind: ingest_csv, with: "${o}" }
  e: { kind: train_cnn, with: "${n.${which}}" }
  f: { with: { batch: 1 } }
  g: { kind: "${k2}", for: { k2: [random_forest, decision_tree] }, with: { depth: 3 } }
  h: { kind: "${c}" }
  i: { kind: ingest_csv, with: "${w}" }
paper: { settings: { batch: { of: "${which}" } } }
tables: { t: { columns: [c], rows: "${rows}" } }
Y
by_hand 'references' behind.yaml "behind.yaml:2:14: change this by hand: kind 'predict' is called 'predict_svm' now" \
    "behind.yaml:5:40: change this by hand: kind 'predict'" 'behind.yaml:6:14: ' 'behind.yaml:6:52: ' \
    "behind.yaml:2:36: change this by hand: 'limit' is called 'max_train_rows' now, where behind.yaml:7:32 uses it" \
    'behind.yaml:8:31: ' 'behind.yaml:9:14: ' 'behind.yaml:13:35: ' 'behind.yaml:14:36: '
[[ $(grep -c 'by hand' err) = 9 ]] || fail "references: more than that is left: $(cat err)"
has 'kinds that agree' 'with: { max_depth: 3 }' "$(cat behind.yaml)"

# Encodings and line ends, and YAML that isn't rewritten.
printf '\xef\xbb\xbfferdag: 1\nstages: { s: { kind: predict } }\n' > mark.yaml
migrated 'a byte order mark' mark.yaml
printf '\xef\xbb\xbfferdag: 2\nstages: { s: { kind: predict_svm } }\n' | cmp - mark.yaml || fail 'a byte order mark'
printf 'ferdag: 1\rstages:\r  # \xc2\x85  s: { kind: predict }\r\n' > ends.yaml
migrated 'other ends of lines' ends.yaml
printf 'ferdag: 2\rstages:\r  # \xc2\x85  s: { kind: predict_svm }\r\n' | cmp - ends.yaml || fail 'other ends of lines'
{ printf '\xff\xfe' && printf 'ferdag: 1\n' | sed 's/./&\x00/g; s/$/\n\x00/' | head -c 20; } > wide.yaml
refused 'UTF-16' wide.yaml 'wide.yaml:1:1: UTF-16 is not supported by migrate; save the file as UTF-8'
cat > keys.yaml << 'Y'
ferdag: 1
stages: { s: { kind: train_cnn, with: { "b\x61tch": 1, &e evaluate: center } } }
Y
by_hand 'keys' keys.yaml "keys.yaml:2:41: change this by hand: 'batch' is called 'batch_size' now; escapes" \
    "keys.yaml:2:56: change this by hand: 'evaluate' is"

# One file by two paths is one file; what it includes is looked for by each path.
mkdir -p sub
printf 'ferdag: 1\ninclude: [sub/a.yaml, sub/../sub/a.yaml, link.yaml]\n' > paths.yaml
printf 'include: b.yaml\nstages: { s: { kind: predict } }\n' > sub/a.yaml
ln -s sub/a.yaml link.yaml
printf 'stages: { t: { kind: predict } }\n' > b.yaml
printf 'stages: { u: { kind: predict } }\n' > sub/b.yaml
migrated 'one file by two paths' paths.yaml
[[ $(grep -c ': 1 change$' out) = 4 ]] || fail "one file by two paths: $(cat out)"
has 'by the link' predict_svm "$(cat b.yaml)"
[ -L link.yaml ] || fail 'a link became a file'

# A file that isn't an experiment is refused as by `check`.
echo '- a' > list.yaml
refused 'a list' list.yaml 'list.yaml:1:1: expected a map with ferdag, params, inputs, stages ..., not a list'
echo 'plain text' > text.yaml
refused 'plain text' text.yaml 'text.yaml:1:1: expected a map with ferdag, params, inputs, stages ..., not a scalar'
refused 'a folder' sub 'cannot read sub: Is a directory'
refused 'no file' absent.yaml 'cannot open absent.yaml: No such file'
printf 'ferdag: 1\ninclude: [absent.yaml]\n' > top.yaml
refused 'an absent include' top.yaml 'top.yaml:2:11: cannot open absent.yaml: No such file'
printf 'ferdag: 1\ninclude: [[]]\n' > top.yaml
refused 'an include that is no name' top.yaml 'top.yaml:2:11: include: expected the name of a file'

# The file's mode stays; a read-only file, or one with several hard links, doesn't change.
printf 'ferdag: 1\ninclude: locked.yaml\n' > top.yaml
printf 'stages: { s: { kind: predict } }\n' > locked.yaml
chmod 0444 locked.yaml
refused 'an include that is read-only' top.yaml "locked.yaml can't be rewritten: it is read-only"
same 'the mode of what was refused' 444 "$(stat -c %a locked.yaml)"
chmod 0640 locked.yaml
ln locked.yaml second.yaml
refused 'a file with two names' top.yaml "locked.yaml can't be rewritten: it has several names (hard links)"
rm second.yaml
migrated 'what may be written' top.yaml
same 'the mode' 640 "$(stat -c %a locked.yaml)"

# The words of needs.gpu became numbers; `check` refuses them in a file of format 2, which migrate leaves as it is.
gpus() {
    cat << Y
ferdag: $1
params: { some: required }
stages:
  a: { kind: command, needs: { gpu: none }, out: { o: o }, with: { run: x } }
  b: { kind: command, needs: { cpu: 2, "gpu": 'required' }, out: { o: o }, with: { run: x } } # gpu: none
  c: { kind: command, needs: { gpu: optional }, out: { o: o }, with: { run: x } }
Y
}
gpus 1 > gpus.yaml
migrated 'needs.gpu' gpus.yaml
same 'needs.gpu' "$(gpus 2 | sed "s/gpu: none }/gpu: 0 }/; s/'required'/'1'/")" "$(cat gpus.yaml)"
echo '  d: { kind: command, needs: { gpu: "${some}" }, out: { o: o }, with: { run: x } }' > d
{ gpus 1; cat d; } > gpus.yaml
"$FERDAG" migrate gpus.yaml > out 2> err
same 'exit of gpu in a param' 1 $?
has 'gpu in a param' "gpus.yaml:2:17: change this by hand: 'required' is called '1' now, where gpus.yaml:7:37 uses it" "$(cat err)"
gpus 2 > gpus.yaml
migrated 'format 2' gpus.yaml
same 'format 2' "$(gpus 2)" "$(cat gpus.yaml)"
"$FERDAG" check gpus.yaml 2> err && fail 'words of needs.gpu in format 2'
has 'a word' "gpus.yaml:4:37: gpu: write 0 in place of 'none'" "$(cat err)"
has 'a word' "gpus.yaml:5:47: gpu: write 1 in place of 'required'" "$(cat err)"
