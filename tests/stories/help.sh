# The help of the program and of each command, the refusal of options that belong to other commands,
# the version, and the man page, which all come from the same tables.
. "$STORIES/lib.sh"

# The list fits a screen of 80x24 with room for the prompt, and so do the lines of each command's help.
narrow() { awk -v name="$1" 'length($0) > 80 || /[ \t]$/ { print name ": " $0; bad = 1 } END { exit bad }' "$2" || fail "$1: see above"; }
"$FERDAG" --help > list || fail "--help: $?"
narrow '--help' list
[ "$(wc -l < list)" -le 23 ] || fail "--help takes $(wc -l < list) lines"
for words in 'help' '-h' 'help --help'; do
    # shellcheck disable=SC2086 # words of a command line
    "$FERDAG" $words > other || fail "$words: $?"
    [ "$words" = 'help --help' ] || cmp list other || fail "$words: another list"
done

awk '/^  [a-z]/ { print $1 }' list > names
[ "$(wc -l < names)" -ge 14 ] || fail "commands: $(paste -sd' ' names)"
while read -r name; do
    "$FERDAG" "$name" --help > text || fail "$name --help: $?"
    "$FERDAG" help "$name" > other || fail "help $name: $?"
    cmp text other || fail "help $name is not $name --help"
    narrow "$name --help" text
    has "$name --help" "usage: ferdag $name" "$(head -1 text)"
    grep -q '^Options:' text || fail "$name: no options"
    grep -q '^  0 .*success' text || fail "$name: no exit status"
    grep -q '^Examples:' text || fail "$name: no example"
done < names
"$FERDAG" run nowhere.yaml --help > other || fail "--help behind operands: $?"
has 'run' '--keep-going' "$(cat other)"
[[ $(cat other) != *--repair* ]] || fail 'the help of run has an option of fsck'
has 'exits of run' '  130  interrupted' "$(cat other)"
[[ $("$FERDAG" fsck --help) != *interrupted\ *130* ]] || fail 'fsck never returns 130'

# refused TEXT ARGUMENT...
refused() {
    local text=$1
    shift
    "$FERDAG" "$@" > out 2> err
    same "exit of $*" 2 $?
    has "$*" "$text" "$(cat err)"
    [ ! -s out ] || fail "$*: it printed $(cat out)"
}
refused '--repair is an option of fsck, not of run' run x.yaml --repair
refused '--dry-run is an option of run, not of graph' graph x.yaml -n
refused '--set is an option of run, report, verify, check, status, ' fsck --set a=b
refused "unknown option --repiar (did you mean '--repair'?)" fsck --repiar
refused '`ferdag --version` prints the version' run --version
for word in --foo -V; do refused "unknown option $word; \`ferdag --help\` lists the commands" $word; done
refused "unknown command 'rnu' (did you mean 'run'?)" rnu --help
refused "unknown command 'rnu' (did you mean 'run'?)" help rnu
refused 'options follow the command' --json status x.yaml
refused "unknown shell 'fish': expected bash or zsh" completion fish
refused 'usage: ferdag COMMAND'
refused 'needs FILE; usage: ferdag run FILE [STAGE...] [OPTION...]' run

# Each command has its own text of an option, and of exit status 2.
has 'graph' 'draw each stage of a matrix' "$("$FERDAG" graph --help)"
has 'explain' 'also explain stages that are cached' "$("$FERDAG" explain --help)"
for name in kinds schema completion help fsck; do same "status 2 of $name" '2 wrong usage' "$("$FERDAG" $name --help | awk '/^  2 /{ $1 = $1; print }')"; done
has 'status 2 of run' 'an error in the experiment file' "$("$FERDAG" run --help | grep '^  2')"

# A cache that is a file is refused; one that does not exist is likely a mistake for commands that only read.
printf 'ferdag: 2\nstages: { s: { kind: command, out: { o: o }, with: { run: "echo > o" } } }\n' > x.yaml
touch file
for name in run status check report fsck; do
    words=(x.yaml)
    [ $name = fsck ] && words=()
    refused 'file is not a folder' $name "${words[@]}" --cache file
done
for name in status explain graph show; do
    "$FERDAG" $name x.yaml --cache none > out 2> err
    has "$name without a cache" 'ferdag: warning: no cache at none' "$(cat err)"
done
[ ! -e none ] || fail 'a command that reads made a cache'
"$FERDAG" run x.yaml --cache none -nj1 > out 2> err || fail "-nj1: $(cat err)"
same 'run without a cache' '' "$(grep warning err)"

# One line with the version, which comes from one file, and one with the libraries.
"$FERDAG" --version > version || fail "--version: $?"
same 'lines of --version' 2 "$(wc -l < version)"
[[ $(head -1 version) =~ ^ferdag\ $(cat "$STORIES/../../VERSION")(\ \(commit\ [0-9a-f]{12}(\+changes)?\))?$ ]] ||
    fail "--version: $(head -1 version)"
has 'libraries' 'openblas ' "$(tail -1 version)"

# With --verbose, a line for each library, for the numerics, and for what CUDA finds.
"$FERDAG" --version --verbose > verbose || fail "--version --verbose: $?"
same 'the first lines' "$(cat version)" "$(head -2 verbose)"
for name in numerics.net numerics.blas numerics.products oneDNN OpenBLAS SQLite CUDA; do
    same "lines of $name" 1 "$(grep -c "^$name: [^ ]" verbose)"
done

# The man page has no warnings and names every command, every option and its environment.
"$FERDAG" help --man > ferdag.1 || fail "help --man: $?"
while read -r name; do
    grep -q "^\.SS \"ferdag $name" ferdag.1 || fail "the man page lacks $name"
    "$FERDAG" "$name" --help | sed -n 's/^  .*--\([a-z-]*\).*/\1/p'
done < names | sort -u > options
while read -r option; do
    grep -qF "\\-\\-${option//-/\\-}" ferdag.1 || fail "the man page lacks --$option"
done < options
for word in FERDAG_CACHE FERDAG_EXPERIMENTS NO_COLOR; do grep -q "fB$word" ferdag.1 || fail "the man page lacks $word"; done
checked=
if command -v groff > tool; then
    groff -man -ww -Tutf8 ferdag.1 > page 2> err || fail "groff: $?"
    [ ! -s err ] || fail "groff: $(cat err)"
    checked=1
fi
if command -v mandoc > tool; then
    mandoc -T lint ferdag.1 > err || fail "mandoc: $(cat err)"
    checked=1
fi
[ -n "$checked" ] || { echo 'skipped: neither groff nor mandoc is installed'; exit 77; }
