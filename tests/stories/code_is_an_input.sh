# A command's scripts are declared with `files`, copied into its folder and hashed: an edit runs it again.
# It sees a few fixed environment variables and those that it declares; these are part of its key.
. "$STORIES/lib.sh"
mkdir -p project/lib/deep elsewhere
cd project || exit 1
cat > x.yaml <<'Y'
ferdag: 2
stages:
  tidy:
    kind: command
    files: [tidy.sh, lib/]
    env: [COLOUR, SIZE]
    out: { o: o.txt, seen: seen.txt }
    with: { run: "./tidy.sh > o.txt && env | sort > seen.txt" }
  use: { kind: command, in: { x: tidy }, out: { o: o }, with: { run: "cp x o" } }
Y
printf '#!/bin/sh\n. ./lib/deep/part.sh\nsay "$COLOUR"\n' > tidy.sh
chmod +x tidy.sh
printf 'say() { echo "said $1"; }\n' > lib/deep/part.sh
output() { cat "$("$FERDAG" show "$1" tidy --json | tr -d '", ' | sed -n "/^port:$2\$/,/^path:/s/^path://p")"; }

export COLOUR=red UNDECLARED=secret LANG=de_DE.UTF-8 LC_ALL=C TZ=Asia/Tokyo
same 'the first run' 'tidy use' "$(ran x.yaml)"
same 'what it said' 'said red' "$(output x.yaml o)"
same 'again' '' "$(ran x.yaml)"
seen=$(output x.yaml seen)
has 'a declared variable' 'COLOUR=red' "$seen"
has 'the language, whatever ours' 'LANG=C.UTF-8' "$seen"
has 'the time zone' 'TZ=UTC' "$seen"
[[ $seen != *UNDECLARED* && $seen != *SIZE* && $seen != *FERDAG_CACHE* ]] || fail "it sees: $seen"
same 'what isn'"'"'t among the few' '' "$(cut -d= -f1 <<< "$seen" | grep -vxE 'COLOUR|CUDA_VISIBLE_DEVICES|FERDAG_ATTEMPT|FERDAG_PROGRESS|HOME|LANG|LC_ALL|LOGNAME|OLDPWD|OMP_NUM_THREADS|OPENBLAS_NUM_THREADS|PATH|PWD|SHELL|SHLVL|TERM|TMPDIR|TZ|USER|_' | paste -sd' ')"

UNDECLARED=other same 'another undeclared variable' '' "$(UNDECLARED=other ran x.yaml)"
same 'another declared one' 'tidy use' "$(COLOUR=blue ran x.yaml)"
has 'explain says which' 'COLOUR' "$(COLOUR=green "$FERDAG" explain x.yaml tidy)"
same 'one that was not set' 'tidy' "$(SIZE=1 ran x.yaml)"
same 'and as it was' '' "$(ran x.yaml)"

echo 'say "and more"' >> tidy.sh
same 'an edited script' 'tidy use' "$(ran x.yaml)"
has 'explain names the file' 'tidy.sh' "$(echo '# a comment' >> tidy.sh; "$FERDAG" explain x.yaml tidy)"
same 'a comment in it: its outputs are the same' 'tidy' "$(ran x.yaml)"
sed -i 's/said/told/' lib/deep/part.sh
same 'an edited file in a folder' 'tidy use' "$(ran x.yaml)"
has 'its output' 'told red' "$(output x.yaml o)"
touch lib/new.sh
same 'a new file in a folder' 'tidy' "$(ran x.yaml)"
chmod -x tidy.sh
has 'a script that is not executable any more' 'would run' "$("$FERDAG" run -n x.yaml)"
chmod +x tidy.sh

# Paths are relative to the YAML file that has them, whatever file includes it and wherever ferdag runs.
cd ../elsewhere || exit 1
echo 'ferdag: 2' > top.yaml
echo 'include: ../project/x.yaml' >> top.yaml
same 'from elsewhere' '' "$(ran ../project/x.yaml --cache ../project/.ferdag)"
same 'included' '' "$(ran top.yaml --cache ../project/.ferdag)"
cd ../project || exit 1

# A file outside the YAML's folder has the last part of its path as name.
echo 'echo far' > ../elsewhere/far.sh
printf 'ferdag: 2\nstages: { a: { kind: command, files: [../elsewhere/far.sh], out: { o: o }, with: { run: "sh far.sh > o" } } }\n' > far.yaml
same 'a file from elsewhere' a "$(ran far.yaml)"

# The stage works on copies.
cp tidy.sh kept.sh
sed 's,\./tidy\.sh > o,echo spoiled > tidy.sh; rm -rf lib; echo > o,' x.yaml > spoil.yaml
"$FERDAG" run spoil.yaml > printed 2> err || fail "spoil: $(cat err)"
cmp tidy.sh kept.sh || fail 'a stage changed its script'
[ -e lib/deep/part.sh ] || fail 'a stage removed its library'

# Errors in `files` and `env` are found before the run.
refused() {
    cat > bad.yaml
    "$FERDAG" run bad.yaml > printed 2> err
    same "exit for '$1'" 2 $?
    has 'the message' "$1" "$(cat err)"
}
stage() { printf 'ferdag: 2\nstages:\n  a: { kind: command, out: { o: o }, with: { run: "echo > o" }, %s }\n' "$1"; }
stage 'files: [none.sh]' | refused "bad.yaml:3:73: input 'none.sh': cannot open"
stage 'files: [tidy.sh, ./tidy.sh]' | refused "two inputs of stage 'a' have the name 'tidy.sh'"
stage 'files: [lib, lib/deep/part.sh]' | refused "two inputs of stage 'a' have the name 'lib'"
stage 'files: [lib/..]' | refused "files: '..' can't be the name of a file in the stage's folder"
stage 'files: [job.json]' | refused "files: 'job.json' can't be the name"
stage 'files: [o]' | refused "an input and an output of stage 'a' have the name 'o'"
stage 'files: [.]' | refused "can't be the name of a file in the stage's folder"
stage 'env: [PATH=1]' | refused 'env: expected the name of an environment variable'
