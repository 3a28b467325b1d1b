# A misspelled word in any section of an experiment is never ignored: `check` and `run` both refuse it, with
# its line and what would be right, before anything runs. All of them are reported at once.
. "$STORIES/lib.sh"
echo data > data.txt
echo 'print("hi")' > tidy.py
base='ferdag: 2
title: Small
params: { width: 4, widths: { vgg19: 8 }, seeds: [1, 2], unused_by_stages: 7 }
inputs: { data: { path: data.txt } }
stages:
  faces:  { kind: synthetic_faces, with: { train: 90, seed: 3 } }
  full:   { kind: ingest_csv, in: { csv: faces } }
  net:    { kind: train_cnn, in: { images: full }, with: { model: vgg19, width: "${widths.vgg19}", epochs: 1, flip: true, lr: 0.1 }, needs: { cpu: 1, mem: 500M, gpu: 0 } }
  look:   { kind: extract_features, in: { images: full, weights: net.best }, with: { features_view: center } }
  knn:    { for: { seed: "${seeds}", k: [1, 3] }, kind: knn, in: { features: look }, with: { k: "${k}" } }
  score:  { for: { seed: "${seeds}", k: [1, 3] }, kind: metrics, in: { predictions: "knn/${seed}/${k}" } }
  tidy:   { kind: command, in: { x: data, all: "score/*/*" }, files: [tidy.py], env: [LANG], out: { o: o.json, d: d/ }, with: { run: "python3 tidy.py" } }
tables:
  t1:
    title: Accuracies
    row_header: Model
    columns: { public: { label: Public, split: public }, private: { label: Private, split: private }, both: { sum: [public, private] } }
    rows: { one: { label: One, of: 1/1, bold: true }, two: { label: Two, of: 2/3 }, total: { sum: [one, two] } }
    cell: "@score/${of}.metrics:/${split}/accuracy"
    scale: 100
    digits: 2
    unit: "%"
  t2: { columns: [c], rows: { r: { cell: "@tidy.o:/anything" }, s: { cell: "@net.summary:/best_public_accuracy" } }, commas: true }
paper:
  source: Someone, 2020
  t1: { one: { public: 70.1, private: 71.2 } }
  value_names: { vgg19: VGG19 }
  settings: { width: { label: Width, value: 64, param: train_cnn.width, group_by: model, where: { flip: true } }, unused_by_stages: { label: L, value: 7 } }
claims:
  best:
    title: One is best
    text: One is best.
    rule: It is above.
    smaller_settings: harder
    checks:
      - { check: above, left: t1/one/public, right: t1/two/public, margin: 0.5, text: above }
      - { check: rank, left: t1/one/public, among: "t1/one|two/public", top: 1, text: rank }
      - { check: mean, left: "t1/*/private", right: "t1/*/public", min: 0, max: 5, text: mean, informational: true }
      - { check: reaches, left: "t1/one/*", at_least: 1, text: reaches }
report:
  data: drawn faces
  comparable: false
  note: A note.
  headline: [{ cell: t1/one/public, label: One }]
  curves: [{ title: Loss, lines: { net: "@net.metrics" } }]
  confusion_matrices: [{ title: C, matrix: "@score/1/1.metrics:/public/confusion" }]
  classes: [a, b, c, d, e, f, g]
'
printf '%s' "$base" > base.yaml
"$FERDAG" check base.yaml > printed 2> err || fail "the base file: $(cat err)"
same 'the base file' 'base.yaml: 15 stages, no errors' "$(cat printed)"

tried=0
# wrong OLD NEW EXPECTED: replaces the first OLD by NEW and expects that message for the line of NEW.
wrong() {
    local old=$1 new=$2 expected=$3 before line command
    [[ $base == *"$old"* ]] || fail "the base file has no '$old'"
    before=${base%%"$old"*}
    printf '%s' "$before$new${base#*"$old"}" > bad.yaml
    line=$(($(printf '%s' "$before" | wc -l) + 1))
    for command in check run; do
        "$FERDAG" $command bad.yaml > printed 2> err
        [ $? -eq 2 ] || fail "$command accepts '$new': $(cat err)"
        grep -qF "bad.yaml:$line:" err || fail "$command of '$new': no line $line in: $(cat err)"
        has "$command of '$new'" "$expected" "$(grep -F "bad.yaml:$line:" err)"
        [ ! -e .ferdag ] || fail "the cache was touched for '$new'"
    done
    [ "$(grep -vc warning: err)" -eq 1 ] || fail "'$new' is reported more than once: $(cat err)"
    tried=$((tried + 1))
}

# the file
wrong 'tables:' 'table:' "unknown key 'table' of the file (did you mean 'tables'?)"
wrong 'title: Small' 'titel: Small' "unknown key 'titel' of the file (did you mean 'title'?)"
wrong 'title: Small' 'title: [Small]' 'title: expected one value, not a list'
wrong 'paper:' 'papers:' "unknown key 'papers' of the file (did you mean 'paper'?)"
# inputs and params
wrong '{ path: data.txt }' '{ pth: data.txt }' "unknown key 'pth' of inputs.data (did you mean 'path'?)"
wrong 'width: "${widths.vgg19}"' 'width: "${widths.vgg91}"' "unknown param 'widths.vgg91' (did you mean 'widths.vgg19'?)"
wrong 'width: "${widths.vgg19}"' 'width: "${title}"' "unknown param 'title'"
# stages
wrong 'train: 90' 'trian: 90' "unknown param 'trian' of kind synthetic_faces (did you mean 'train'?)"
wrong 'kind: ingest_csv' 'kind: ingest_cvs' "unknown kind 'ingest_cvs' (did you mean 'ingest_csv'?)"
wrong '{ csv: faces }' '{ csv: fces }' "unknown stage or input 'fces' (did you mean 'faces'?)"
wrong 'model: vgg19' 'model: vgg91' "model: unknown value 'vgg91' (did you mean 'vgg19'?); expected vgg19, resnet18, preact_resnet18 or resnext29"
wrong 'flip: true' 'flip: yes' "flip: expected true or false, not 'yes'"
wrong 'lr: 0.1' 'lr: 1e9' 'lr: 1e9 is out of range; expected 1e-08 to 100'
wrong 'cpu: 1' 'cpus: 1' "unknown key 'cpus' of stages.net.needs (did you mean 'cpu'?)"
wrong 'mem: 500M' 'mem: 500MiBs' 'mem: expected a size above 0 such as 500M'
wrong 'gpu: 0' 'gpu: optonal' "gpu: expected a number of GPUs (0, 1, 2, ... or a part of one such as 0.25) or optional, not 'optonal' (did you mean 'optional'?)"
wrong 'gpu: 0' 'gpu: none' "gpu: write 0 in place of 'none'"
wrong 'gpu: 0' 'gpu: required' "gpu: write 1 in place of 'required'"
wrong 'gpu: 0' 'gpu: 1.5' "gpu: 1.5 is out of range; expected 0, a part of one GPU from 0.01 on, or a whole number up to 64"
wrong 'gpu: 0' 'gpu: -1' "gpu: -1 is out of range; expected 0, a part of one GPU from 0.01 on, or a whole number up to 64"
wrong 'weights: net.best' 'weights: net.bets' "unknown output 'bets' of stage 'net' (kind train_cnn)"
wrong 'predictions: "knn/${seed}/${k}' 'predictions: "knn/${seed}/${j}' "unknown param or variable 'j'"
wrong 'files: [tidy.py]' 'file: [tidy.py]' "unknown key 'file' of stages.tidy (did you mean 'files'?)"
wrong 'env: [LANG]' 'env: [LA NG]' 'env: expected the name of an environment variable'
wrong '"score/*/*"' '"scores/*/*"' "'scores/*/*' names no stage"
# tables
wrong 'scale: 100' 'scael: 100' "unknown key 'scael' of tables.t1 (did you mean 'scale'?)"
wrong 'digits: 2' 'digits: 2.5' "digits: expected an integer, not '2.5'"
wrong 'unit: "%"' 'units: "%"' "unknown key 'units' of tables.t1 (did you mean 'unit'?)"
wrong 'label: Public, split' 'lable: Public, split' "'lable' is neither a setting nor used in a cell (did you mean 'label'?)"
wrong 'bold: true' 'blod: true' "'blod' is neither a setting nor used in a cell (did you mean 'bold'?)"
wrong 'sum: [public, private]' 'sum: [public, privat]' "sum: there is no 'privat' among the columns (did you mean 'private'?)"
wrong '/${split}/accuracy' '/${split}/acuracy' "score/1/1.metrics has no number at '/public/acuracy' (did you mean '/public/accuracy'?)"
wrong '@score/${of}' '@scor/${of}' "unknown stage or input 'scor/1/1'"
wrong '@net.summary' '@net.sumary' "unknown output 'sumary' of stage 'net'"
wrong 'commas: true' 'commas: maybe' "commas: expected true or false, not 'maybe'"
# paper
wrong 'source: Someone' 'sources: Someone' "unknown key or table 'sources' of paper (did you mean 'source'?)"
wrong 'source: Someone' 'sorce: Someone' "unknown key or table 'sorce' of paper (did you mean 'source'?)"
wrong 'source: Someone' 'author: Someone' 'paper.author: expected a map, not a scalar'
wrong '{ one: { public: 70.1' '{ on: { public: 70.1' "(did you mean 'one'?)"
wrong 'public: 70.1' 'pubic: 70.1' "(did you mean 'public'?)"
wrong 'private: 71.2' 'private: about 71' "expected a number"
wrong 'param: train_cnn.width' 'param: train_cnn.widht' "(did you mean 'width'?)"
wrong 'group_by: model' 'group_by: mdel' "(did you mean 'model'?)"
wrong 'label: Width' 'lable: Width' "unknown key 'lable' of paper.settings.width (did you mean 'label'?)"
wrong 'unused_by_stages: { label: L' 'unused_by_stage: { label: L' "(did you mean 'unused_by_stages'?)"
# values that no param can have
wrong 'label: Width, value: 64' 'label: Width, value: none' "value: expected an integer, not 'none'"
wrong 'label: Width, value: 64' 'label: Width, value: 6.4' "value: expected an integer, not '6.4'"
wrong 'where: { flip: true }' 'where: { flip: yes }' "where/flip: expected true or false, not 'yes'"
wrong 'where: { flip: true }' 'where: { seed: three }' "where/seed: expected an integer, not 'three'"
wrong 'where: { flip: true }' 'where: { seed: ~ }' "where/seed: expected an integer, not 'null'"
wrong 'where: { flip: true }' 'where: { lr: small }' "where/lr: expected a number, not 'small'"
wrong 'where: { flip: true }' 'where: { schedule: stepp }' "where/schedule: unknown value 'stepp' (did you mean 'step'?)"
wrong 'where: { flip: true }' 'where: { schedule: 5 }' "where/schedule: expected a text, not '5'"
wrong 'param: train_cnn.width, group_by: model, where: { flip: true }' 'param: train_cnn.schedule' "value: expected a text, not '64'"
wrong 'value_names: { vgg19: VGG19 }' 'value_names: { vgg91: VGG19 }' "value_names: no stage has the value 'vgg91' (did you mean 'vgg19'?)"
# claims
wrong 'check: above' 'check: abov' "check: unknown value 'abov' (did you mean 'above'?)"
wrong 'smaller_settings: harder' 'smaller_setting: harder' "unknown key 'smaller_setting' of claims.best (did you mean 'smaller_settings'?)"
wrong 'right: t1/two/public' 'right: t1/tow/public' "(did you mean 'two'?)"
wrong 'margin: 0.5' 'margn: 0.5' "unknown key 'margn' of claims.best.checks (did you mean 'margin'?)"
wrong 'among: "t1/one|two/public"' 'among: "t1/one|three/public"' "'three'"
wrong 'top: 1' 'top: first' "top: expected an integer, not 'first'"
wrong 'informational: true' 'informatonal: true' "unknown key 'informatonal' of claims.best.checks (did you mean 'informational'?)"
wrong 'left: "t1/*/private"' 'left: "t3/*/private"' "(did you mean 't1'?)"
wrong 'at_least: 1' 'at_least: 9' "9"
wrong ', text: reaches' '' "key 'text' of claims.best.checks must be given"
# report
wrong 'comparable: false' 'comparabel: false' "unknown key 'comparabel' of report (did you mean 'comparable'?)"
wrong 'comparable: false' 'comparable: no' "comparable: expected true or false, not 'no'"
wrong 'cell: t1/one/public, label: One' 'cell: t1/one/publik, label: One' "(did you mean 'public'?)"
wrong '"@net.metrics"' '"@net.summary"' 'expected JSON lines'
wrong 'metrics:/public/confusion' 'metrics:/public/confuson' "did you mean '/public/confusion'?"
wrong 'headline:' 'headlines:' "unknown key 'headlines' of report (did you mean 'headline'?)"
wrong '  t2: { columns: [c]' '  claims: { columns: [c]' "'claims' can't name a table: the claims are written to tables/claims.csv and .md"
wrong '  t2: { columns: [c]' '  settings: { columns: [c]' "'settings' can't name a table: paper.settings is no table's numbers"
wrong 'min: 0, max: 5' 'min: 5, max: 1' 'min: 5 is above max: 1'
# claims about numbers that aren't ours
# theirs OLD NEW EXPECTED: like `wrong`, with a table that has only numbers of others
theirs() {
    local whole=$base
    base=${base/'  t2: {'/"  t3: { columns: [c], rows: [x, z] }
  t2: {"}
    base=${base/'  value_names:'/"  t3: { x: { c: 1 }, z: { c: 2 } }
  value_names:"}
    wrong "$@"
    base=$whole
}
theirs 'left: t1/one/public, right: t1/two/public' 'left: t3/z/c, right: t3/x/c' 'left t3/z/c and right t3/x/c: neither is a number of ours'
theirs 'left: t1/one/public, right: t1/two/public' 'left: t3/z/c, right: 1' 'left: t3/z/c is no number of ours'
theirs 'left: "t1/one/*"' 'left: "t3/*/c"' 'left: t3/x/c is no number of ours'
theirs 'cell: t1/one/public, label: One' 'cell: t3/x/c, label: One' "'t3/x/c' is no number of ours"
# references to places that don't exist in an output
wrong '"@tidy.o:/anything"' '"@tidy.d:/o.json"' 'expected JSON, but tidy.d is a folder'
wrong '"@tidy.o:/anything"' '"@faces.sheet:/anything"' 'expected JSON, but faces.sheet is the file sheet.png'
wrong '"@score/1/1.metrics:/public/confusion"' '"@tidy.d:/c.json"' 'expected JSON, but tidy.d is a folder'
wrong '"@score/1/1.metrics:/public/confusion"' '~' "key 'matrix' of report.confusion_matrices must be given"
wrong '"@score/1/1.metrics:/public/confusion"' '"~"' "expected a reference \"@stage.port:/pointer\", not '~'"
wrong '{ net: "@net.metrics" }' '{ net: ~ }' 'report.curves.lines: expected a text, not null'
wrong 'headline: [' 'pictures: [{ file: "@tidy.o" }]
  headline: [' 'expected a PNG, but tidy.o is the file o.json'
for name in x.txt x. x.pngg x.jpg d.png/x.gz; do
    wrong 'headline: [' "pictures: [{ file: '@tidy.d:/$name' }]
  headline: [" "expected a PNG, not '/$name' in tidy.d"
done
wrong 'headline: [' 'pictures: [{ file: "@tidy.d" }]
  headline: [' "expected a PNG, but tidy.d is a folder: name a file in it after ':'"
wrong 'headline: [' 'pictures: [{ file: "@tidy.d:/../x.png" }]
  headline: [' "'..' is not allowed in '/../x.png'"
wrong 'headline: [' 'pictures: [{ file: "@faces.sheet:/x.png" }]
  headline: [' "faces.sheet is a file: expected nothing after ':'"
wrong '{ csv: faces }' '{ csv: faces.sheet }' 'port csv of kind ingest_csv takes csv, and faces.sheet holds sheet'
wrong 'images: full, weights: net.best' 'images: full, weights: net.metrics' 'port weights of kind extract_features takes weights, and net.metrics holds metrics'
wrong 'features: look' 'features: look.logits' 'port features of kind knn takes features, and look.logits holds logits'
wrong 'files: [tidy.py]' 'files: [~]' 'files: expected the name of a file or folder'
wrong '  knn:' '  fused: { kind: fuse_features, in: { features: [] } }
  knn:' 'input port '"'features'"' of kind fuse_features: expected at least one'
# a text in quotes is no number
wrong 'scale: 100' 'scale: "100"' 'scale: expected a number, not the text "100"; leave out the quotes'
wrong 'digits: 2' "digits: '2'" 'digits: expected an integer, not the text "2"; leave out the quotes'
wrong 'commas: true' 'commas: "true"' 'commas: expected true or false, not the text "true"; leave out the quotes'
wrong 'comparable: false' 'comparable: "false"' 'comparable: expected true or false, not the text "false"'
wrong 'cpu: 1' 'cpu: "1"' 'cpu: expected an integer, not the text "1"; leave out the quotes'
wrong 'epochs: 1' 'epochs: "1"' 'epochs: expected an integer, not the text "1"; leave out the quotes'
wrong 'public: 70.1' 'public: "70.1"' 'number: expected a number, not the text "70.1"; leave out the quotes'
wrong 'ferdag: 2' 'ferdag: "2"' 'ferdag: expected 2, not the text "2"; leave out the quotes'
# invalid names and values of the wrong type
wrong 'knn:    {' 'tables: { kind: synthetic_faces, for: { x: [1] } }
  knn:    {' "the name 'tables' is taken by the stage that makes the file's tables and report; use another name"
wrong 'in: { x: data, all' 'in: { a/b: data, x: data, all' "in: 'a/b' can't name an input: expected the name of a file"
wrong 'in: { x: data, all' 'in: { d: data, x: data, all' "in: 'd' can't name an input: an output of the stage has that name"
wrong 'in: { x: data, all' 'in: { x: data.csv, all' "'data' is an input, which has no ports: write 'data'"
wrong 'out: { o: o.json, d: d/ }, with' 'out: {}, with' 'out: a command needs at least one output'
wrong 'train: 90, seed: 3' '<<: { train: 90 }, seed: 3' 'merge keys (<<) are not supported: use an alias for a whole value, ${name} for a param, or include'
wrong '{ cell: "@tidy.o:/anything" }' '{ cell: 59.5 }' "cell r/c: expected a reference \"@stage.port:/pointer\", not '59.5'"
wrong 'headline: [' 'pictures: [{ file: "@tidy.d:pic.png" }]
  headline: [' "after ':' expected the path of a file, such as :/name.png"
wrong '"@tidy.o:/anything"' '"@tidy.o:anything"' "after ':' expected a JSON pointer such as :/public/accuracy"
wrong 'left: "t1/one/*", at_least' 'left: "t1/two/*", at_least' 'the paper has no number for these cells: nothing to compare'
wrong 'min: 0, max: 5, ' '' "check mean needs 'min' and 'max'"
wrong 'columns: [c],' 'columns: [],' 'tables.t2.columns: none given; expected 1 to 60'
wrong '[a, b, c, d, e, f, g]' '[a, b, [c], d, e, f, g]' 'report.classes: expected one value, not a list'
wrong '{ x: data, all' '{ x: data, y: { a: data }, all' 'stages.tidy.in.y: expected one value or a list, not a map'
wrong 'kind: metrics, in' 'in' "stage 'score' has no kind"
wrong '{ x: data, all' '{ x: data, none: , all' "in: none: expected 'stage', 'stage.port' or an input, not nothing"
wrong '{ x: data, all' '{ x: data, none: [], all' "in: none: expected 'stage', 'stage.port' or an input, not an empty list"
wrong 'run: "python3 tidy.py"' 'run: " "' 'run: expected a command, not an empty text'
[ $tried -ge 50 ] || fail "only $tried mistakes"

# Many at once: each is reported.
all=$base
for change in 'train: 90|trian: 90' 'model: vgg19|model: vgg91' 'scale: 100|scael: 100' 'check: above|check: abov' \
    'comparable: false|comparabel: false' 'label: Width|lable: Width' 'title: Small|titel: Small' '{ path: data.txt }|{ pth: data.txt }'; do
    all=${all/"${change%|*}"/"${change#*|}"}
done
printf '%s' "$all" > all.yaml
"$FERDAG" check all.yaml > printed 2> err
same 'exit of many mistakes' 2 $?
for word in trian vgg91 scael abov comparabel lable titel pth; do has 'all at once' "'$word'" "$(cat err)"; done
same 'lines' 8 "$(wc -l < err)"
same 'in the order of the file' "$(cut -d: -f3 err)" "$(cut -d: -f3 err | sort -n)"

# Every section is checked as far as possible, whatever is wrong in it or in others; errors that only
# follow from another error are not reported.
cat > many.yaml << 'END'
ferdag: 2
params: { width: 4, p: "${nosuch_a}-${nosuch_b}" }
inputs: { data: { pth: data.txt }, "b d": x }
stages:
  faces:  { kind: synthetic_faces, with: { train: 90, seed: 3 } }
  full:   { kind: ingest_csv, in: { csv: faces } }
  net:    { kind: train_cn, in: { images: fulll, x: [fll, "fa/*"] }, env: [A B, LANG, C D], with: { model: "${mdl}" } }
  knn:    { for: { seed: [1, 1, 2], k: [1, 3] }, kind: knnn, in: { features: look }, with: { k: "${k}" } }
  score:  { for: { seed: "${seeds}" }, kind: metricss }
  ok:     { kind: command, in: { x: "${unk_a}${unk_b}${width}" }, env: [A B, LANG, C D], out: { ../x: y, z: ../z }, with: { run: "${one} ${two.${three}} ${four" } }
tables:
  t1:
    scael: 100
    columns: { public: { label: Public, split: public }, private: { label: Private, split: private } }
    rows: { one: { label: One, of: 1/1 }, two: { label: Two, of: "${nope}" }, total: { sum: [one, tow] } }
    cell: "@ok.z${of}:/${split}/accuracy"
    digits: many
  t2: { columns: [c], rws: { r: { cell: "@ok.z:/anything" } } }
  t3: { columns: [c], rows: { r: { cell: "@okk.z:/anything" } } }
paper:
  t1: { one: { public: hm, privat: 3 } }
  t2: { foo: { bar: 3 } }
  t9: { foo: { bar: 3 } }
claims:
  best:
    checks:
      - { check: above, left: t1/one/public, right: t1/tow/public, margn: 0.5, text: above }
      - { check: rank, left: t1/one/public, among: "t1/one|tow/public", top: first, text: rank }
      - { check: mean, left: "t2/*/private", right: "t2/*/public", text: mean }
      - { check: reaches, left: "t1/one/*", at_least: 1, text: reaches }
      - { check: reaches, left: "t4/one/*", at_least: 1, text: reaches }
      - { check: above, left: "t3/r/d", right: "${nosuch}", text: reaches }
report:
  headline: [{ cell: t1/one/pubic, label: One }, { cell: t2/a/b, labl: x }, { cell: t2/a/b }]
  curves: [{ title: Loss, lines: { net: "@net.metrics", x: "@knn/1/1.x", y: "@fces" } }]
  classes: a
END
"$FERDAG" check many.yaml > printed 2> err
same 'exit of many.yaml' 2 $?
said=0
while IFS='|' read -r place expected; do
    has "many.yaml:$place" "$expected" "$(grep -F "many.yaml:$place: " err)"
    said=$((said + 1))
done << 'END'
2:24|unknown param 'nosuch_a'
2:24|unknown param 'nosuch_b'
3:19|unknown key 'pth' of inputs.data (did you mean 'path'?)
3:36|'b d' can't name an input: expected letters, digits, _ and -
7:19|unknown kind 'train_cn' (did you mean 'train_cnn'?)
7:43|unknown stage or input 'fulll' (did you mean 'full'?)
7:54|unknown stage or input 'fll' (did you mean 'full'?)
7:59|'fa/*' names no stage; a star stands for one value of a matrix
7:76|env: expected the name of an environment variable, not 'A B'
7:87|env: expected the name of an environment variable, not 'C D'
7:108|unknown param 'mdl'
8:30|for: '1' is given twice
8:56|unknown kind 'knnn' (did you mean 'knn'?)
8:78|unknown stage or input 'look'
9:26|unknown param 'seeds'
9:46|unknown kind 'metricss' (did you mean 'metrics'?)
10:37|unknown param 'unk_a'
10:37|unknown param 'unk_b'
10:73|env: expected the name of an environment variable, not 'A B'
10:84|env: expected the name of an environment variable, not 'C D'
10:97|'../x' can't name a port: expected letters, digits, _ and -
10:109|out: expected a file name inside the stage's folder
10:130|unknown param 'one'
10:130|unknown param 'three'
10:130|'${' without its '}'
13:5|unknown key 'scael' of tables.t1 (did you mean 'scale'?)
15:66|unknown param 'nope'
15:99|sum: there is no 'tow' among the rows (did you mean 'two'?)
17:13|digits: expected an integer, not 'many'
18:23|unknown key 'rws' of tables.t2 (did you mean 'rows'?)
19:42|unknown stage or input 'okk' (did you mean 'ok'?)
21:24|number: expected a number, not 'hm'
21:36|paper.t1: the table has no column 'privat' (did you mean 'private'?)
23:7|paper: there is no table 't9' (did you mean 't1'?)
27:53|right: 't1/tow/public': there is no row 'tow' (did you mean 'two'?)
27:68|unknown key 'margn' of claims.best.checks (did you mean 'margin'?)
28:52|among: 't1/one|tow/public': there is no row 'tow' (did you mean 'two'?)
28:78|top: expected an integer, not 'first'
29:9|check mean needs 'min' and 'max'
31:33|left: 't4/one/*': there is no table 't4' (did you mean 't1'?)
32:31|left: 't3/r/d': there is no column 'd'
32:48|unknown param 'nosuch'
34:22|cell: 't1/one/pubic': there is no column 'pubic' (did you mean 'public'?)
34:66|unknown key 'labl' of report.headline (did you mean 'label'?)
35:77|unknown stage or input 'fces' (did you mean 'faces'?)
36:12|report.classes: expected a list, not a scalar
END
same 'lines of many.yaml' $said "$(wc -l < err)"

# An entry whose matrix can't be expanded is checked all the same, with what is allowed where nothing is near.
cat > matrix.yaml << 'END'
ferdag: 2
stages:
  faces: { kind: synthetic_faces }
  a: { for: { a: [x/y], c: [1, 1] }, kind: command, env: [A=B, "1"], out: { o: o }, in: { z: "b.${a}" }, with: { run: "${a} ${HOME}" } }
  b: { for: { a: ["${no}"] }, kind: command, out: { o: o, p: "${q}" }, needs: { cpu: 0 }, with: { run: x } }
  c: { kind: Train_CNN }
  d: { kind: ingest_csv, in: { foo: faces } }
  e: { kind: command, in: { x: faces.summary, y: nowhere, z: a.o, w: a/1.o }, out: { o: o }, with: { run: x } }
  f: { kind: command, out: { a: job.json, b: log.txt, c: .x, d: a/.x, e: a/../b, f: ./b, g: a//b, h: /b, i: .job.json }, with: { run: x } }
END
"$FERDAG" check matrix.yaml > printed 2> err
same 'exit of matrix.yaml' 2 $?
same 'matrix.yaml' "ferdag: matrix.yaml:4:19: for: a value becomes part of a name; expected letters, digits, _ - . +
ferdag: matrix.yaml:4:32: for: '1' is given twice
ferdag: matrix.yaml:4:59: env: expected the name of an environment variable, not 'A=B'
ferdag: matrix.yaml:4:64: env: expected the name of an environment variable, not '1'
ferdag: matrix.yaml:4:119: unknown param or variable 'HOME'
ferdag: matrix.yaml:5:19: unknown param 'no'
ferdag: matrix.yaml:5:62: unknown param or variable 'q'
ferdag: matrix.yaml:5:86: cpu: 0 is out of range; expected 1 to 1024
ferdag: matrix.yaml:6:14: unknown kind 'Train_CNN' (did you mean 'train_cnn'?)
ferdag: matrix.yaml:7:32: unknown input port 'foo' of kind ingest_csv; its input port is csv
ferdag: matrix.yaml:8:32: unknown output 'summary' of stage 'faces' (kind synthetic_faces); its outputs are csv, truth and sheet
ferdag: matrix.yaml:8:50: unknown stage or input 'nowhere'; the stages are faces, a, b, c, d and 2 more
ferdag: matrix.yaml:9:33: out: 'job.json' is reserved for ferdag
ferdag: matrix.yaml:9:46: out: 'log.txt' is reserved for ferdag
ferdag: matrix.yaml:9:58: out: '.x': names that start with a dot are reserved for ferdag
ferdag: matrix.yaml:9:65: out: 'a/.x': names that start with a dot are reserved for ferdag
ferdag: matrix.yaml:9:74: out: write 'a/../b' without '..'
ferdag: matrix.yaml:9:85: out: write './b' without '.'
ferdag: matrix.yaml:9:93: out: expected a file name inside the stage's folder
ferdag: matrix.yaml:9:102: out: expected a file name inside the stage's folder
ferdag: matrix.yaml:9:109: out: '.job.json': names that start with a dot are reserved for ferdag" "$(cat err)"

# Others refer to what is under a misspelled section: not reported.
printf 'ferdag: 2\ninptus: { data: { path: data.txt } }\nstages: { a: { kind: command, in: { x: data }, out: { o: o }, with: { run: x } } }\n' > bad.yaml
"$FERDAG" check bad.yaml > printed 2> err
same 'a misspelled section' "ferdag: bad.yaml:2:1: unknown key 'inptus' of the file (did you mean 'inputs'?)" "$(cat err)"

# An including file removes an input with null, at any depth.
printf 'ferdag: 2\ninclude: base.yaml\nstages: { tidy: { in: { all: } } }\n' > without.yaml
printf 'ferdag: 2\ninclude: without.yaml\nstages: { tidy: { in: { all: ~ } } }\n' > above.yaml
for file in without above; do
    "$FERDAG" check $file.yaml > printed 2> err || fail "an input taken away in $file.yaml: $(cat err)"
done

# null in the file itself means that there is no input.
printf 'ferdag: 2\nstages: { a: { kind: command, in: { x: ~, y: null }, out: { o: o }, with: { run: x } } }\n' > none.yaml
"$FERDAG" check none.yaml > printed 2> err || fail "an input that is null: $(cat err)"

# A param or an input that nothing uses is a warning.
printf 'ferdag: 2\ninputs: { data: data.txt, more: data.txt }\nstages: { a: { kind: command, in: { x: data }, out: { o: o }, with: { run: x } } }\n' > unused.yaml
"$FERDAG" check unused.yaml > printed 2> err || fail "an unused input: $(cat err)"
same 'an unused input' "ferdag: warning: unused.yaml:2:27: nothing uses the input 'more'" "$(cat err)"
same 'the result of check' 'unused.yaml: 1 stage, no errors' "$(cat printed)"

# A missing input is a warning for `check`, as the run may be on another machine, and an error for `run`.
rm data.txt
"$FERDAG" check base.yaml > printed 2> err || fail 'check refuses a missing input'
has 'check' "warning: base.yaml:4:25: input 'data': cannot open" "$(cat err)"
"$FERDAG" run base.yaml > printed 2> err
same 'exit of run' 2 $?
has 'run' "base.yaml:4:25: input 'data': cannot open" "$(cat err)"

# The same of a GPU that a stage needs.
printf 'ferdag: 2\nstages: { a: { kind: command, needs: { gpu: 1 }, out: { o: o }, with: { run: "echo > o" } } }\n' > gpu.yaml
"$FERDAG" check gpu.yaml > printed 2> err || fail "check needs a GPU: $(cat err)"
if [ -s err ]; then # there is none
    has 'check without a GPU' "ferdag: warning: gpu.yaml:2:11: stage 'a' needs a GPU, and there is none: " "$(cat err)"
    "$FERDAG" run gpu.yaml > printed 2> err
    same 'exit of run without a GPU' 2 $?
    has 'run without a GPU' "ferdag: gpu.yaml:2:11: stage 'a' needs a GPU, and there is none: " "$(cat err)"
fi

# The file of a picture needs no ending; that of JSON may have any that isn't of another format.
echo data > data.txt
for name in x x.png x.PNG d.txt/x; do
    printf '%s' "${base/headline:/"pictures: [{ file: '@tidy.d:/$name' }]
  headline:"}" > named.yaml
    "$FERDAG" check named.yaml > printed 2> err || fail "a picture $name: $(cat err)"
done
printf '%s' "${base/o: o.json/o: o.txt}" > named.yaml
"$FERDAG" check named.yaml > printed 2> err || fail "JSON in o.txt: $(cat err)"
