# An installed ferdag: make install into an empty folder, experiments found by name from any folder,
# and nothing left after make uninstall.
. "$STORIES/lib.sh"
root=$(realpath "$STORIES/../..")
[ "$(realpath "$FERDAG")" = "$root/ferdag" ] || { echo 'skipped: FERDAG is not the program of this folder'; exit 77; }

# build TARGET: in the source folder, without building ferdag again
build() { env -u MAKEFLAGS -u MAKELEVEL make -s -C "$root" -o ferdag "$1" DESTDIR="$PWD/root" PREFIX=/opt/f > built 2>&1 || fail "make $1: $(cat built)"; }
build install
same 'what is installed' "bin/ferdag share/bash-completion/completions/ferdag share/doc/ferdag/cache.md share/doc/ferdag/experiments.md share/ferdag/docs/ferdag.schema.json \
$(cd "$root" && printf 'share/ferdag/%s\n' experiments/*.yaml | paste -sd' ') share/man/man1/ferdag.1 share/zsh/site-functions/_ferdag" \
    "$(cd root/opt/f && find . -type f | sed 's,^\./,,' | LC_ALL=C sort | paste -sd' ')"
ferdag=$PWD/root/opt/f/bin/ferdag installed=$PWD/root/opt/f/share/ferdag/experiments
bash -n root/opt/f/share/bash-completion/completions/ferdag || fail 'the completion for bash'
has 'man page' '.TH FERDAG 1' "$(head -1 root/opt/f/share/man/man1/ferdag.1)"

# By name from another folder; what the experiment includes is found, and nothing is written there.
unset FERDAG_EXPERIMENTS
mkdir elsewhere
cd elsewhere || fail 'no folder'
for name in demo demo.yaml; do
    "$ferdag" check "$name" > printed 2> err || fail "check $name: $(cat err)"
    has "check $name" "$installed/demo.yaml: " "$(cat printed)"
    "$ferdag" status "$name" faces > printed 2> err || fail "status $name: $(cat err)"
    same "status $name" 'missing  faces' "$(cat printed)"
done
same 'files beside the installed ones' 9 "$(find "$installed" -mindepth 1 | wc -l)"

# A file in the current folder wins, with or without its ending; FERDAG_EXPERIMENTS names another
# folder; a folder of that name is no file.
mkdir quick more
"$ferdag" check quick > printed 2> err || fail "a folder of that name: $(cat err)"
printf 'ferdag: 2\nstages: { mine: { kind: command, out: { o: o }, with: { run: "echo > o" } } }\n' > demo.yaml
for name in demo demo.yaml; do
    "$ferdag" check "$name" > printed 2> err || fail "check $name: $(cat err)"
    same "$name in the current folder" 'demo.yaml: 1 stage, no errors' "$(cat printed)"
done
same 'with a folder' './demo.yaml: 1 stage, no errors' "$("$ferdag" check ./demo 2>&1)"
while read -r name hint; do
    "$ferdag" check "$name" > printed 2> err
    same "exit of $name" 2 $?
    has "$name" "(did you mean '$hint'?)" "$(cat err)"
done <<< $'demo.yam demo.yaml\n./dmeo ./demo.yaml'
"$ferdag" check '' > printed 2> err
same 'an empty name' 'ferdag: the name of the experiment file is empty' "$(cat err)"
cp demo.yaml more/other.yaml
FERDAG_EXPERIMENTS=$PWD/more "$ferdag" check other > printed 2> err || fail "FERDAG_EXPERIMENTS: $(cat err)"
same 'FERDAG_EXPERIMENTS' "$PWD/more/other.yaml: 1 stage, no errors" "$(cat printed)"

# The cache is in the current folder.
FERDAG_EXPERIMENTS=$PWD/more "$ferdag" run other > printed 2> err || fail "run other: $(cat err)"
[ -d .ferdag ] || fail 'the cache is not in the current folder'
same 'files in the folder of experiments' 'other.yaml' "$(ls -A more)"

# A file that is not there: the message lists the installed experiments, without the files that they
# include.
for name in experiments/papre.yaml papre papre.yaml; do
    "$ferdag" run "$name" > printed 2> err
    same "exit of run $name" 2 $?
    same "run $name" "ferdag: cannot open $name: No such file or directory (did you mean 'paper'?); installed experiments: cleaning, cpu, demo, paper, precision, quick" "$(cat err)"
done
"$ferdag" run more > printed 2> err
same 'exit of a folder' 2 $?
has 'a folder' 'Is a directory' "$(cat err)"
FERDAG_EXPERIMENTS=$PWD/quick "$ferdag" run papre > printed 2> err
same 'nothing is installed' 'ferdag: cannot open papre: No such file or directory' "$(cat err)"
cd ..

# A file of the user's stays, and with it its folder; without it nothing stays but empty folders that
# other programs have too.
touch "$installed/mine.yaml"
build uninstall
same 'after uninstall' "$installed/mine.yaml" "$(find "$PWD/root" ! -type d)"
rm "$installed/mine.yaml"
build uninstall
same 'files after uninstall' '' "$(find root ! -type d)"
same 'folders after uninstall' '' "$(find root -name '*ferdag*')"
