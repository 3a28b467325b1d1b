# SVMs and kNN with --backend cuda decide as on the CPU. The keys of SVMs then have the GPU and the version of
# cuBLAS; those of kNN don't, so its result is taken from the cache. On the program with doubles of CUDA's
# libraries, which needs no GPU.
. "$STORIES/lib.sh"
cpu=$FERDAG FERDAG=$(dirname "$RESTAMP")/../../double/ferdag
[ -x "$FERDAG" ] || { echo 'skipped: no build/double/ferdag (nvcc not found)'; exit 77; }
export FERDAG_DOUBLE_SUMS=float32 # other rounding than the CPU's
cat > make.yaml <<'Y'
ferdag: 2
title: Features
stages:
  csv: { kind: synthetic_faces, with: { train: 210, public: 35, private: 35 } }
  faces: { kind: ingest_csv, in: { csv: csv } }
  net: { kind: train_cnn, in: { images: faces }, with: { model: resnet18, width: 4, epochs: 1 } }
  features: { kind: extract_features, in: { images: faces, weights: net.best } }
Y
cat > x.yaml <<'Y'
ferdag: 2
title: Products
params: { kernels: [linear, poly, rbf, sigmoid] }
inputs: { features: { path: features } }
stages:
  svm:
    for: { kernel: "${kernels}" }
    kind: train_svm
    in: { features: features }
    with: { kernel: "${kernel}", tolerance: 1.0e-6 }
  predict: { for: { kernel: "${kernels}" }, kind: predict_svm, in: { features: features, model: "svm/${kernel}" } }
  search: { kind: cross_validate_svm, in: { features: features }, with: { kernel: rbf, c: [0.1, 1], folds: 3, tolerance: 1.0e-6 } }
  knn: { kind: knn, in: { features: features } }
Y
"$cpu" run make.yaml --backend cpu > log 2>&1 || fail "no features: $(cat log)"
"$cpu" get make.yaml features features --backend cpu > log 2>&1 || fail "no features: $(cat log)"
all='predict/linear predict/poly predict/rbf predict/sigmoid search svm/linear svm/poly svm/rbf svm/sigmoid'
same 'on the CPU' "knn $all" "$(ran x.yaml --backend cpu)"
same 'the same keys without CUDA' '' "$("$cpu" run -n x.yaml --backend cpu --json 2> err | in_state would_run)"
same 'on the GPU, all but kNN' "$all" "$(ran x.yaml --backend cuda)"
for stage in predict/linear predict/poly predict/rbf predict/sigmoid search; do
    for backend in cpu cuda; do
        "$FERDAG" get x.yaml "$stage" "$backend-${stage//\//-}" --backend $backend > log 2>&1 || fail "$(cat log)"
    done
    diff -r "cpu-${stage//\//-}" "cuda-${stage//\//-}" > log || fail "$stage differs: $(cat log)"
done

# kNN on the GPU, in a cache of its own.
same 'kNN' knn "$(ran x.yaml knn --backend cuda --cache other)"
"$FERDAG" get x.yaml knn cpu-knn --backend cpu > log 2>&1 || fail "$(cat log)"
"$FERDAG" get x.yaml knn cuda-knn --backend cuda --cache other > log 2>&1 || fail "$(cat log)"
diff -r cpu-knn cuda-knn > log || fail "knn differs: $(cat log)"

# A failure of the GPU is one line, and the run goes on where it stopped.
FERDAG_DOUBLE_FAIL=cudaEventSynchronize:2:214 "$FERDAG" run x.yaml knn --backend cuda --cache third > log 2>&1 &&
    fail 'no error after an ECC error'
has 'the cause' 'uncorrectable (ECC) error' "$(cat log)"
same 'again' knn "$(ran x.yaml knn --backend cuda --cache third)"
