# A program shows its progress on a terminal: by the examples of docs/experiments.md, and by its last line of
# output; with large inputs too, which are mounted. What it writes to that file neither changes its result nor
# its log, whatever it is.
. "$STORIES/lib.sh"
doc="$STORIES/../../docs/experiments.md"
# example LANGUAGE: the block in it that is about FERDAG_PROGRESS
example() {
    sed -n '/^\*\*Progress/,/^The program may overwrite/p' "$doc" | sed -n "/^\`\`\`$1/,/^\`\`\`\$/p" | grep -v '^```'
}
example sh > report.sh
example python > report.py
for file in report.sh report.py; do grep -q FERDAG_PROGRESS $file || fail 'the examples are gone'; done
head -c 6000000 /dev/zero | tr '\0' x > large.txt
cat > x.yaml <<Y
ferdag: 2
params: { go: "$PWD/go" }
inputs: { large: large.txt }
stages:
  shell:  { kind: command, files: [report.sh], out: { o: o }, with: { run: "sh report.sh; \${wait}; echo done > o" } }
  mounted: { kind: command, files: [report.sh], in: { x: large }, out: { o: o }, with: { run: "sh report.sh; \${wait}; wc -c < x > o" } }
  output: { kind: command, out: { o: o }, with: { run: "printf 'first\\\\n\\\\033[2J\\\\033[31mlast\\\\twords\\\\033[0m\\\\n\\\\n'; \${wait}; echo done > o" } }
  never:  { kind: command, out: { o: o }, with: { run: "rm -f \$\${FERDAG_PROGRESS}; \${wait}; echo done > o" } }
  wild:   { kind: command, out: { o: o }, with: { run: "sh wild.sh; \${wait}; echo done > o" }, files: [wild.sh] }
  ends:   { kind: command, in: { x: shell }, out: { o: o }, with: { run: "echo 9/10 > \$\${FERDAG_PROGRESS}; kill -9 \$\$\$\$" } }
  lists:  { kind: command, out: { o: o }, with: { run: "ls -A > list; cat list; mv list o" } }
  python: { kind: command, files: [report.py], out: { o: o }, with: { run: "python3 report.py; \${wait}; echo done > o" } }
Y
sed -i 's/\${wait}/until [ -e ${go} ]; do sleep 0.1; done/' x.yaml
command -v python3 > /dev/null || sed -i '/report.py/d' x.yaml
# Bytes that are no report, and no regular file in its place: ignored. Then a report.
cat > wild.sh <<'E'
head -c 1000000 /dev/urandom > "$FERDAG_PROGRESS"
sleep 0.4
head -c 1000000 /dev/zero > "$FERDAG_PROGRESS" # no line
sleep 0.4
rm "$FERDAG_PROGRESS"; mkfifo "$FERDAG_PROGRESS"
sleep 0.4
rm "$FERDAG_PROGRESS"; mkdir "$FERDAG_PROGRESS"
sleep 0.4
rmdir "$FERDAG_PROGRESS"; ln -s /dev/zero "$FERDAG_PROGRESS"
sleep 0.4
rm "$FERDAG_PROGRESS"
printf '{"done": 1, "total": 2, "error": "never shown", "unit": "\\u001b[2Jstep", "note": "%%n%%s"}\n3/4' > "$FERDAG_PROGRESS"
E
terminal t 100 24 "$FERDAG run x.yaml -k -j 8"
# line STAGE: the line of the stage on the screen
line() { screen t | sed -n "s/^  $1  *//p"; }
until_true shows t 'step 1/2'
has 'the example for a shell' 'epoch 3/3' "$(line shell)"
has 'its note' '· loss 0.3' "$(line shell)"
has 'with a large input' 'epoch 3/3' "$(line mounted)"
has 'the last line of output' 's         last words' "$(line output)"
has 'a report after all sorts of things' 'step 1/2 · %n%s' "$(line wild)"
[[ $(line never) =~ ^[0-9]+' s'$ ]] || fail "without report or output: $(line never)"
grep -q report.py x.yaml && has 'the example for Python' 'loss 0.3 · 640 images/s' "$(line python)"
[[ $(screen t) != *'never shown'* ]] || fail 'a program can set an error'
touch go
until_true shows t '1 failed in'
has 'a program that is killed' "ends  failed: 'echo 9/10" "$(screen t)"

"$FERDAG" log x.yaml output > log || fail 'log'
printf 'first\n\033[2J\033[31mlast\twords\033[0m\n\n' | cmp - log || fail 'the log has other bytes'
same 'the log of a large result' 6000000 "$("$FERDAG" show x.yaml mounted --json | sed -n 's/.*"path": "\(.*\)".*/\1/p' | head -1 | xargs cat)"
same 'what a program finds in its folder' 'job.json list log.txt' "$("$FERDAG" log x.yaml lists | paste -sd' ')"
same 'what would run again' 'ends' "$(would_run x.yaml)"
