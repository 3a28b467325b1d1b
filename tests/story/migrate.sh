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

# What can't be renamed is said, and a file that can't be read leaves all as it was.
cat > asks.yaml << 'Y'
ferdag: 1
stages: { s: { kind: command, out: { o: o }, with: { run: ":" } } }
tables: { t: { columns: [c], rows: [r], cell: "@s:/a", asks: [{ check: above, left: t/r/c, right: 1, text: x }] } }
Y
"$FERDAG" migrate asks.yaml > out 2> err || fail "asks: $(cat err)"
has 'asks' 'warning: asks.yaml:3:56: change this by hand:' "$(cat err)"
printf 'ferdag: 1\ninclude: broken.yaml\n' > top.yaml
printf 'a: [\n' > broken.yaml
"$FERDAG" migrate top.yaml > out 2> err
same 'exit with a broken file' 2 $?
has 'a broken file' 'broken.yaml:2:' "$(cat err)"
same 'the file that includes it' 'ferdag: 1' "$(head -1 top.yaml)"
