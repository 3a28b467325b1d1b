# Functions for all stories. A story runs in an empty folder; FERDAG is the path of the program.
set -u
shopt -s lastpipe # a `fail` at the end of a pipe ends the story

fail() {
    echo "FAILED: $*"
    exit 1
}

# same WHAT EXPECTED GOT: fails if the two texts differ
same() { [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"; }

# has WHAT WORD TEXT: fails if the text doesn't contain the word
has() { [[ $3 == *"$2"* ]] || fail "$1: expected '$2' in: $3"; }

# Names of the stages in a state, of `run --json` or `run -n --json`, sorted, on one line.
in_state() { awk -v state="\"$1\"" '
    $1 == "\"name\":" { name = $2; gsub(/[",]/, "", name) }
    $1 == "\"state\":" { s = $2; gsub(/,/, "", s); if (s == state) print name }' | sort | paste -sd' '; }

# Runs, and prints the names of the stages that ran.
ran() { "$FERDAG" run "$@" --json 2>err | in_state ran; }

# Prints the names of the stages that would certainly run.
would_run() { "$FERDAG" run -n "$@" --json 2>err | in_state would_run; }

# Waits until a command succeeds, at most ten seconds.
until_true() {
    for _ in $(seq 200); do
        "$@" && return 0
        sleep 0.05
    done
    fail "not true after ten seconds: $*"
}

# kill_both RUN: kills the run and its stage at the same time, so that neither can react to the other's end.
kill_both() {
    local run=$1 stage
    stage=$(pgrep -P "$run")
    kill -STOP "$run" "$stage"
    kill -KILL "$run" "$stage"
    wait "$run" 2> /dev/null
}

# ---- terminals: sessions of a separate tmux server, by name ----

# terminal NAME WIDTH HEIGHT COMMAND: opens a terminal that runs the command and stays open after it
terminal() {
    command -v tmux > /dev/null || { echo 'skipped: no tmux'; exit 77; }
    trap 'tmux -L "ferdag-$$" kill-server 2> /dev/null' EXIT
    env -u TMUX tmux -u -L "ferdag-$$" -f /dev/null new-session -d -s "$1" -x "$2" -y "$3" \
        "tmux -L ferdag-$$ pipe-pane -t '$1' 'cat > $1.raw'; env -u NO_COLOR LC_ALL=C.UTF-8 $4; sleep 300"
}

# screen NAME OPTION...: prints the terminal's text; -e with colours, -S - with the lines that scrolled off
screen() { tmux -u -L "ferdag-$$" capture-pane -p -t "$@"; }

# shows NAME WORD: whether the terminal shows the word
shows() { [[ $(screen "$1") == *"$2"* ]]; }

resize() { tmux -L "ferdag-$$" resize-window -t "$1" -x "$2" -y "$3"; }
