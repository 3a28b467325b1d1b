# The examples of README.md and docs/experiments.md, as they are printed.
. "$STORIES/lib.sh"
root=$STORIES/../..
cp -r "$root/experiments" "$root/docs" .
cp "$FERDAG" ferdag

# block FILE LANGUAGE N: the text of the N-th block in that language
block() { awk -v language="$2" -v n="$3" '
    /^```/ && inside { inside = 0; next }
    $0 == "```" language { inside = ++seen == n; next }
    inside' "$1"; }

# A few drawn faces instead of FER2013.
printf 'ferdag: 2\nstages: { faces: { kind: synthetic_faces, with: { train: 21, public: 7, private: 7 } } }\n' > faces.yaml
./ferdag run faces.yaml --cache other > printed 2> err || fail "$(cat err)"
cp "$(./ferdag show faces.yaml faces --cache other | awk '/output csv/ { getline; print $1 }')" fer2013.csv
export FER2013=fer2013.csv

# Your own experiment.
block "$root/README.md" yaml 1 > wider.yaml
block "$root/README.md" sh 1 > best.sh
grep -q '^    ./ferdag run wider.yaml$' "$root/README.md" || fail 'README does not say how to run it'
./ferdag check wider.yaml > printed 2> err || fail "check: $(cat err)"
same 'its result' 'wider.yaml: 5 stages, no errors' "$(cat printed)"
same 'warnings' '' "$(cat err)"
./ferdag run wider.yaml > printed 2> err || fail "run: $(cat err)"
best=$(./ferdag show wider.yaml best | awk '/output table/ { getline; print $1 }')
same 'rows of best.csv' '16 32 8' "$(cut -d, -f1 "$best" | sort | paste -sd' ')"
same 'numbers of best.csv' 3 "$(grep -cE '^[0-9]+,0\.[0-9]+$' "$best")"
echo '# edited' >> best.sh
same 'an edited script' best "$(ran wider.yaml)"

# Looking around.
grep -o '^    \./ferdag \(check\|status\|explain\|show\|log\|get\|fsck\|kinds\)[^#]*' "$root/README.md" > commands
same 'commands in README' 8 "$(wc -l < commands)"
while read -ra command; do
    command=("${command[@]/#FILE/wider.yaml}")
    "${command[@]/#STAGE/train/8}" > printed 2> err || fail "${command[*]}: $(cat err)"
done < commands

# The experiments on the real data: only a dry run.
grep -o '^    \./ferdag run experiments/[^ ]*' "$root/README.md" > commands
same 'experiments in README' 4 "$(wc -l < commands)"
while read -r command; do
    read -ra words <<< "$command"
    "${words[@]}" -n > printed 2> err || fail "$command -n: $(cat err)"
    [ "$(grep -c ' run ' printed)" -gt 50 ] || fail "$command -n: $(cat printed)"
done < commands

# docs/experiments.md: each block is checked together with the paper's experiment, which has the stages and
# tables that it names. The block on programs also runs.
n=0
cat > stages.yaml <<'Y'
inputs: { fer2013: fer2013.csv }
stages:
  full:    { kind: ingest_csv, in: { csv: fer2013 } }
  cleaned: { kind: filter_noise, in: { images: full } }
Y
while block "$root/docs/experiments.md" yaml $((n + 1)) > part.yaml && [ -s part.yaml ]; do
    n=$((n + 1))
    { echo 'ferdag: 2'
      if grep -q '^  train:' part.yaml; then # it has other models than the paper's
          echo 'include: stages.yaml'
      elif grep -q '^tables:' part.yaml; then
          printf 'include: experiments/pipeline.yaml\ninputs: { fer2013: fer2013.csv }\n'
      else
          echo 'include: [experiments/pipeline.yaml, experiments/tables.yaml, experiments/paper-claims.yaml]'
          echo 'inputs: { fer2013: fer2013.csv }'
      fi
      cat part.yaml
    } > whole.yaml
    if grep -q 'table.csv' part.yaml; then
        { echo 'ferdag: 2'; cat part.yaml; } > programs.yaml
        continue
    fi
    ./ferdag check whole.yaml > printed 2> err || fail "block $n of docs/experiments.md: $(cat err)"
done
[ $n -ge 6 ] || fail "only $n blocks in docs/experiments.md"
mkdir photos lib
echo a > photos/a
echo 'echo in lib' > lib/part.sh
echo 'train,1' > table.csv
printf '. ./lib/part.sh\ncat "$1"; echo "public,$DEPTH,$(ls "$2")"; mkdir sheets; echo > sheets/1\n' > tidy.sh
DEPTH=3 ./ferdag run programs.yaml > printed 2> err || fail "programs: $(cat err)"
same 'what it joined' 'train,1 public,3,a in lib train,1 public,3,a train,1' "$(paste -sd' ' "$(./ferdag show programs.yaml join | awk '/output o/ { getline; print $1 }')")"
