# An experiment file states the numerics of the machine where its stages run. With this machine's own text the
# keys are the same; with another the keys differ, and a stage that runs here fails before it computes.
. "$STORIES/lib.sh"
own() { "$FERDAG" --version --verbose | sed -n "s/^numerics\.$1: //p"; }
cat > x.yaml <<'Y'
ferdag: 2
stages:
  faces: { kind: synthetic_faces, with: { train: 40, public: 10, private: 10 } }
  full: { kind: ingest_csv, in: { csv: faces } }
  net: { kind: train_cnn, in: { images: full }, with: { model: resnet18, width: 1, epochs: 1, batch_size: 16 } }
  features: { kind: extract_features, in: { images: full, weights: net } }
  regression: { kind: logistic_regression, in: { features: features }, with: { max_iterations: 5 } }
Y
net=$(own net) blas=$(own blas)
if [ -z "$net" ] || [ -z "$blas" ] || [ -z "$(own products)" ]; then fail "--version --verbose: $(own net), $(own blas)"; fi
"$FERDAG" run x.yaml --cache c 2> err || fail "$(cat err)"
# stated TEXT: the file with that section
stated() { cat x.yaml; printf 'params: { cpu: "%s" }\nnumerics: %s\n' "${net#* }" "$1"; }
stated "{ net: \"${net%% *} \${cpu}\", blas: $blas }" > own.yaml
same 'our own' '' "$(would_run own.yaml --cache c)"
"$FERDAG" run own.yaml --cache c --force net --force regression 2> err || fail "our own: $(cat err)"
has 'our own' '3 cached, 2 ran' "$(cat err)"

stated '{ net: "cpu other" }' > own.yaml
same 'another CPU' net "$(would_run own.yaml --cache c)"
has 'explain' 'numerics' "$("$FERDAG" explain own.yaml net --cache c)"
"$FERDAG" run own.yaml --cache c 2> err
same 'exit of another CPU' 1 $?
has 'another CPU' "stage net failed: numerics: the stage was planned for 'cpu other threads=1', and this process computes with '$net threads=1'; " "$(cat err)"
stated '{ blas: openblas 0.0.0 None }' > other.yaml
same 'another BLAS' regression "$(would_run other.yaml --cache c)"

# What isn't a text of this kind.
wrong() {
    stated "$1" > wrong.yaml
    "$FERDAG" check wrong.yaml 2> err && fail "accepted: $1"
    has "$1" "$2" "$(cat err)"
}
wrong '{ net: "H200" }' "numerics.net: expected the name of a backend and its properties, as \`ferdag --version --verbose\` prints them on the machine of the run, not 'H200'"
wrong '{ nets: "cpu avx2" }' "unknown key 'nets' of numerics (did you mean 'net'?)"
wrong '[cpu]' 'numerics: expected a map, not a list'
