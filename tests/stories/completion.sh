# Completion in the shell: the script is sourced in a real bash and called as bash calls it.
. "$STORIES/lib.sh"
mkdir bin installed sub
cp "$FERDAG" bin/ferdag
PATH=$PWD/bin:$PATH
export FERDAG_EXPERIMENTS=$PWD/installed
cat > mine.yaml <<'Y'
ferdag: 2
params: { width: 4, of: { a: 1 } }
stages:
  full:  { kind: command, out: { o: o }, with: { run: "echo > o" } }
  train: { for: { set: [big, small], model: [x, y] }, kind: command, in: { i: full }, out: { o: o, log: l }, with: { run: "echo ${width} ${of.a} > o" } }
Y
cp mine.yaml installed/given.yaml
echo 'params: {}' > installed/part.yaml
printf 'ferdag: 2\nstages: [\n' > broken.yaml
touch mine.txt

ferdag completion bash > script || fail "completion bash: $?"
bash -n script || fail 'the script for bash has errors'
# shellcheck source=/dev/null
. ./script
[[ $(complete -p ferdag) == *_ferdag* ]] || fail 'no completion is set'
compopt() { [ "$2" = nospace ] && nospace=1; } # it works only while the shell completes

# completes EXPECTED WORD...: the completions of the last word, sorted
completes() {
    local expected=$1
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) nospace=
    _ferdag
    same "$*" "$expected" "$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd' ')"
}
completes 'schema show status' ferdag s
completes '--help' ferdag --h
completes '--jobs --json' ferdag run mine.yaml --j
completes '--cache --help --json --repair' ferdag fsck --
completes 'bin broken.yaml given installed mine.yaml sub' ferdag run ''
completes 'mine.yaml' ferdag check mi
completes 'bin broken.yaml installed mine.yaml sub' ferdag migrate ''
completes 'full train train/' ferdag status mine.yaml ''
completes 'train train/' ferdag status mine.yaml tr
[ -n "$nospace" ] || fail 'train/ may go on, so no blank may follow it'
completes 'train/big train/big/ train/small train/small/' ferdag status mine.yaml full train/
completes 'train/big/x train/big/y' ferdag run mine.yaml -n train/big/
same 'a completed group as a stage' 2 "$(ferdag status mine.yaml train/big/ | wc -l)"
completes 'train/small/y' ferdag run given --force train/small/y
[ -z "$nospace" ] || fail 'a whole stage'
completes 'full' ferdag run --cache c -j2 mine.yaml f
completes '' ferdag status broken.yaml ''
completes '' ferdag status nowhere.yaml ''
completes 'of. width=' ferdag run mine.yaml --set ''
completes 'of.a=' ferdag run mine.yaml --set of.
completes '' ferdag run mine.yaml -nj ''
completes 'cpu cuda' ferdag run mine.yaml --backend c
completes 'cpu cuda' ferdag run mine.yaml --backend = c
completes 'auto cpu cuda ref' ferdag run mine.yaml --backend =
completes 'sub' ferdag run mine.yaml --cache s
completes '' ferdag run mine.yaml -j ''
completes '' ferdag graph mine.yaml ''
completes 'train_cnn train_svm' ferdag kinds train_
completes 'schema show status' ferdag help s
completes 'bash zsh' ferdag completion ''
completes '' ferdag nonsense ''
# shellcheck disable=SC2088 # the script expands it
HOME=$PWD completes 'full' ferdag status '~/mine.yaml' f

# In zsh a value stands in one word with its option.
same 'a value behind =' '--backend=cpu --backend=cuda' "$(ferdag complete -- 3 ferdag run mine.yaml --backend=c | cut -f1 | paste -sd' ')"
same 'descriptions' "explain	$(ferdag --help | sed -n 's/^  explain *//p')" "$(ferdag complete -- 1 ferdag ex)"
ferdag completion zsh > script || fail "completion zsh: $?"
same 'the first line for zsh' '#compdef ferdag' "$(head -1 script)"
if command -v zsh > tool; then
    zsh -n script || fail 'the script for zsh has errors'
fi
