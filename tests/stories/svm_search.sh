# C and gamma by cross-validation: the grid is a list in the YAML, its scores are in a table of the report,
# and a training uses the best point. One more C reruns the search, and the training only if the best point
# changes.
. "$STORIES/lib.sh"
for tool in groff gnuplot; do
    command -v $tool > tool || { echo "skipped: $tool is not installed"; exit 77; }
done
cat > x.yaml <<'Y'
ferdag: 2
title: A search
params: { costs: [1.0e-6, 1], weight: balanced }
stages:
  csv: { kind: synthetic_faces, with: { train: 210, public: 35, private: 35 } }
  faces: { kind: ingest_csv, in: { csv: csv } }
  net:
    kind: train_cnn
    in: { images: faces }
    with: { model: resnet18, width: 4, epochs: 1 }
  features: { kind: extract_features, in: { images: faces, weights: net.best } }
  search:
    kind: cross_validate_svm
    in: { features: features }
    with: { kernel: rbf, c: "${costs}", gamma: [0, 1.0e-9], folds: 3, class_weight: "${weight}" }
  best:
    kind: train_svm
    in: { features: features, best: search.best }
    with: { kernel: rbf, class_weight: { angry: 2 } }
tables:
  search:
    title: Accuracy of grid points in three folds
    columns: { mean: { label: Mean }, c: { label: C } }
    rows: { first: { at: /grid/0 }, second: { at: /grid/1 }, best: { at: /best } }
    cell: "@search.scores:${at}/${column}"
    digits: 6
Y
search() { "$FERDAG" run x.yaml --json "$@" 2> err | in_state ran; }
same 'first run' 'best csv faces features net report search tables' "$(search)"
table=$(cut -d, -f2,5 out/x/tables/search.csv | tr '\n' ' ')
[[ $table =~ ^'Mean ours,C ours '(0\.[0-9]+),0.000001' '(0\.[0-9]+),1.000000' '(0\.[0-9]+),1.000000' '$ ]] ||
    fail "the table: $table"
[[ ${BASH_REMATCH[3]} > ${BASH_REMATCH[1]} ]] || fail "the best isn't the best: $table"
trained=$("$FERDAG" log x.yaml best)
has 'the best is taken' 'c 1, gamma' "$trained"
has 'and said' 'best of 4: c 1, gamma' "$("$FERDAG" log x.yaml search)"
same 'a worse C more' 'report search tables' "$(search --set 'costs=[1.0e-6,1,1.0e-7]')"
same 'another best' 'best report search tables' "$(search --set 'costs=[1.0e-6,1.0e-7]')"
has 'it is taken' 'c 1e-0' "$("$FERDAG" log x.yaml best --set 'costs=[1.0e-6,1.0e-7]')"
