# The lines that a run with a failure leaves on a terminal, and their colours. No colours with NO_COLOR, on a
# dumb terminal and in a pipe; ASCII in a locale that is not UTF-8; the end of a run that Ctrl-C stops.
. "$STORIES/lib.sh"
cat > x.yaml <<Y
ferdag: 2
params: { go: "$PWD/go" }
stages:
  slow: { kind: command, out: { o: o }, with: { run: "sleep 1; echo > o" } }
  quick: { kind: command, out: { o: o }, with: { run: "echo > o" } }
  bad: { kind: command, in: { x: slow }, out: { o: o }, with: { run: "seq 30; printf '\\\\033[31mred\\\\n'; exit 3" } }
  other: { kind: command, in: { x: slow }, out: { o: o }, with: { run: "until [ -e \${go} ]; do sleep 0.1; done; echo > o" } }
Y
escape=$'\033'
run="$FERDAG run x.yaml -k -j 4"

terminal colours 80 24 "env FERDAG_CACHE=cache-colours $run"
terminal bare 80 24 "env NO_COLOR=1 FERDAG_CACHE=cache-bare $run"
terminal ascii 80 24 "env LC_ALL=C FERDAG_CACHE=cache-ascii $run"
terminal dumb 80 24 "env TERM=dumb FERDAG_CACHE=cache-dumb $run"
for name in colours bare; do
    until_true shows $name '✗ bad  failed'
    until_true shows $name '2/4 stages · 1 failed · 00:0'
done
has 'the mark of a stage that is done' "${escape}[32m✓" "$(screen colours -e)"
has 'a failure' "${escape}[31m✗ bad  failed: 'seq 30" "$(screen colours -e)"
has 'the count of failures' "${escape}[31m1 failed${escape}[39m" "$(screen colours -e)"
has 'a name' "${escape}[1mother" "$(screen colours -e)"
same 'a quick stage leaves no line' '' "$(screen colours -S - | grep 'quick  done in 0')"
cat > expected <<'E'
    ...
    21
    22
    23
    24
    25
    26
    27
    28
    29
    30
    ?[31mred
  all of its log: ferdag log x.yaml bad
E
screen colours | sed -n '/✗ bad/,/all of its/p' | tail -n +2 | diff expected - || fail 'the end of the log'
touch go
for name in colours bare ascii dumb; do until_true shows $name '3 ran, 1 failed in'; done

# sequences NAME: the escape sequences that it got, by their last character
sequences() { grep -ao "$escape"'[^A-Za-z]*[A-Za-z]' "$1.raw" | sed 's/.*\(.\)$/\1/' | sort -u | paste -sd' '; }
has 'colours' 'm' "$(sequences colours)"
same 'with NO_COLOR, rows are erased, and the cursor moves' 'A J K h l' "$(sequences bare)"
same 'on a dumb terminal' '' "$(sequences dumb)"
has 'in another locale' '+ slow  done in' "$(screen ascii -S -)"
has 'in another locale' 'x bad  failed' "$(screen ascii -S -)"
same 'bytes beyond ASCII' 0 "$(LC_ALL=C grep -ac $'[\x80-\xff]' ascii.raw)"

# Plain lines: on a dumb terminal and in a pipe.
cat > expected <<'E'
bad: started
ferdag: stage bad failed: 'seq 30; printf '\033[31mred\n'; exit 3' ended with status 3
other: done in
other: started
quick: done in
quick: started
slow: done in
slow: started
E
# shellcheck disable=SC2086 # words of a command line
FERDAG_CACHE=cache-pipe $run 2>&1 | cat > pipe
for name in dumb.raw pipe; do
    tr -d '\r' < $name | sed 's/done in .*/done in/' | grep -a 'started\|done\|failed:' | LC_ALL=C sort | diff expected - ||
        fail "plain lines: $name"
done
grep -a "$escape" pipe && fail 'an escape sequence in a pipe'

# Ctrl-C.
rm go
terminal stopped 80 24 "seq -f 'line %g' 3; trap '' INT; (trap - INT; FERDAG_CACHE=cache-stopped exec $run); echo \"exit \$?\""
until_true shows stopped '2/4 stages · 1 failed'
tmux -L "ferdag-$$" send-keys -t stopped C-c
until_true shows stopped 'exit 130'
same 'what is left' "line 3
cache: cache-stopped
✓ slow  done in
✗ bad  failed:
ferdag: a warning
other: stopped
4 stages: 0 cached, 2 ran, 1 failed, 1 not run in
results:
exit 130" "$(screen stopped -S - | sed '/^ /d; /quick/d; /^line [12]/d; /^$/d; s/\( in\|failed:\) .*/\1/; s/^^C//; s/^ferdag: .*/ferdag: a warning/; s/^results: .*/results:/')"
has 'a warning' "${escape}[33mferdag: " "$(screen stopped -e)"

# After a failure without -k the total says that no new stages start.
terminal failing 80 24 "env FERDAG_CACHE=cache-failing $FERDAG run x.yaml -j 4"
until_true shows failing '1 failed · stopping · 00:0'
touch go
until_true shows failing '3 ran, 1 failed'

# `status` on a terminal: one row for each stage, its reason cut at the end.
terminal states 70 24 "$FERDAG status x.yaml --cache cache-colours"
until_true shows states 'failed   bad'
same 'a reason that is cut' 70 "$(screen states | grep '^failed   bad  .*\.\.\.$' | LC_ALL=C.UTF-8 wc -L)"
same 'rows' 4 "$(screen states | grep -vc '^$')"
