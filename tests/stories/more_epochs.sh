# A training with more epochs continues the shorter one and ends with the bytes of a training from the start;
# where it can't continue, it starts from the beginning and its log has the reason.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { epochs: 2, schedule: step, patience: 0, lr: 0.05, seed: 1 }
stages:
  faces: { kind: synthetic_faces, with: { train: 120, public: 40, private: 40 } }
  full: { kind: ingest_csv, in: { csv: faces } }
  net:
    kind: train_cnn
    in: { images: full }
    with: { model: resnet18, width: 8, epochs: "${epochs}", batch_size: 32, lr: "${lr}", seed: "${seed}",
            schedule: "${schedule}", early_stop_patience: "${patience}", checkpoint_seconds: 0 }
Y
digests() { grep -E '"(best|last|metrics|summary|.state)":'; }
# train CACHE [--set epochs=N ...]: runs, and prints the digests of its outputs.
train() { "$FERDAG" run x.yaml net --json --cache "$@" 2> err | digests; }
log_of() { "$FERDAG" log x.yaml net --cache "$@"; }
# output PORT CACHE ...: prints the path of an output.
output() { "$FERDAG" show x.yaml net --cache "${@:2}" | awk -v port="$1" '$1 == "output" && $2 == port { getline; print $1 }'; }
from_start() { has "$1" 'epoch 1: ' "$(log_of "${@:2}")"; }
origin() { "$FERDAG" show x.yaml net --cache "$@" | grep 'continued from'; }

# Two epochs, then four.
fresh=$(train fresh --set epochs=4)
same 'outputs' 5 "$(wc -l <<< "$fresh")"
two=$(train two)
same 'outputs' 5 "$(wc -l <<< "$two")"
cp -r two four
has 'explain' 'it may continue from epochs 2 of key' "$("$FERDAG" explain x.yaml net --set epochs=4 --cache four)"
same 'four epochs after two' "$fresh" "$(train four --set epochs=4)"
has 'the run' 'net: continues from epochs 2 of key' "$(cat err)"
log=$(log_of four --set epochs=4)
has 'log' 'goes on after epoch 2 of the training of 2 epochs' "$log"
has 'log' 'epoch 3: ' "$log"
[[ $log != *'epoch 2: '* ]] || fail "trained epoch 2 again: $log"
has 'show' 'epochs 2 of key' "$(origin four --set epochs=4)"
same 'the shorter one' '' "$(ran x.yaml net --cache four)"

# Fewer epochs, another seed and a forced stage begin at the beginning.
same 'two epochs after four' "$two" "$(train fresh)"
from_start 'fewer' fresh
train four --set epochs=3 --set seed=2 > /dev/null
from_start 'another seed' four --set epochs=3 --set seed=2
same 'forced' "$fresh" "$(train four --set epochs=4 --force net)"
[[ $(cat err) != *'gave other outputs'* ]] || fail "forced: $(cat err)"
from_start 'forced' four --set epochs=4
same 'forced' '' "$(origin four --set epochs=4)"

# Killed during the added epochs.
checkpointed() { ls four/work/*/checkpoint.safetensors > /dev/null 2>&1; }
"$FERDAG" run x.yaml --set epochs=7 --cache four > printed 2> err &
run=$!
until_true checkpointed
kill -9 $run
wait $run 2> /dev/null
seven=$(train four --set epochs=7)
log=$(log_of four --set epochs=7)
has 'log' 'goes on after epoch 4 of the training of 4 epochs' "$log"
has 'log' ', batch ' "$log"
has 'show' 'epochs 4 of key' "$(origin four --set epochs=7)"
same 'killed' "$(train fresh --set epochs=7 --force net)" "$seven"

# A state that is damaged, cut or missing, or that belongs to damaged weights.
damage() { # CACHE PORT
    rm -rf "$1"
    cp -r two "$1"
    local path
    path=$(output "$2" "$1")
    chmod u+w "$path"
    printf 'damage' | dd of="$path" bs=1 seek=$(($(stat -c %s "$path") - 100)) conv=notrunc status=none
}
for port in .state last; do
    damage bad $port
    same "damaged $port" "$fresh" "$(train bad --set epochs=4)"
    has "damaged $port" 'moved to damaged/' "$(cat err)"
    from_start "damaged $port" bad --set epochs=4
done
damage bad .state
truncate -s -1 "$(output .state bad)"
same 'without its state' '' "$(ran x.yaml net --cache bad)"
same 'cut' "$fresh" "$(train bad --set epochs=4)"
has 'cut' 'it left no state' "$(log_of bad --set epochs=4)"

# Under the cosine schedule the first epochs depend on how many there are.
train two --set schedule=cosine > /dev/null
same 'states of cosine' '' "$(output .state two --set schedule=cosine)"
train two --set schedule=cosine --set epochs=4 > /dev/null
log=$(log_of two --set schedule=cosine --set epochs=4)
has 'cosine' 'does not go on from the training of 2 epochs' "$log"
has 'cosine' 'its learning rates were not those of 4 epochs' "$log"
from_start 'cosine' two --set schedule=cosine --set epochs=4

# A training that stopped early stays stopped.
slow=(--set lr=1e-8 --set patience=1)
early=$(train two "${slow[@]}" --set epochs=5)
train two "${slow[@]}" --set epochs=7 > later.txt
has 'stopped early' 'of the training of 5 epochs' "$(log_of two "${slow[@]}" --set epochs=7)"
[[ $(log_of two "${slow[@]}" --set epochs=7) != *'epoch 5: '* ]] || fail 'it never stopped early'
same 'stopped early' "$(grep -v .state <<< "$early")" "$(grep -v .state later.txt)"
