# Everything that a program can see of its inputs and environment is in its key, so a cached result is always
# the right one.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { cpu: 1 }
inputs: { x: x }
stages:
  a: { kind: command, in: { x: x }, out: { o: o }, needs: { cpu: "${cpu}" }, with: { run: "{ test -d x && echo folder || echo file; test -x x && echo exec; echo $$OMP_NUM_THREADS; } > o" } }
Y
seen() {
    "$FERDAG" run x.yaml "$@" > out.txt 2> err || fail "$(cat err)"
    paste -sd' ' "$("$FERDAG" show x.yaml a "$@" | awk '$1 == "output" { getline; print $1 }')"
}
mkdir x
same 'an empty folder' 'folder exec 1' "$(seen)"
rmdir x
: > x
same 'an empty file' 'file 1' "$(seen)"
chmod +x x
same 'a program' 'file exec 1' "$(seen)"
chmod -x x
same 'no program' 'file 1' "$(seen)"
same 'on two cores' 'file 2' "$(seen --set cpu=2)"

# A folder, and a file with the bytes of its manifest.
rm x
mkdir x
echo hello > x/f
same 'a folder' 'folder exec 1' "$(seen)"
rm -r x
echo "$(echo hello | sha256sum | cut -c1-64) 6 f" > x
same 'a file' 'file 1' "$(seen)"

# Outputs of a stage: an empty folder, an empty file.
cat > r.yaml <<'Y'
ferdag: 2
stages:
  one: { kind: command, out: { r: r/ }, with: { run: "mkdir r" } }
  two: { kind: command, out: { r: r }, with: { run: ": > r" } }
  a: { kind: command, in: { x: one }, out: { o: o }, with: { run: "test -d x && echo folder > o || echo file > o" } }
  b: { kind: command, in: { x: two }, out: { o: o }, with: { run: "test -d x && echo folder > o || echo file > o" } }
Y
"$FERDAG" run r.yaml > out.txt 2> err || fail "$(cat err)"
for stage in a b; do cat "$("$FERDAG" show r.yaml $stage | awk '$1 == "output" { getline; print $1 }')"; done > both
same 'of earlier stages' 'folder file' "$(paste -sd' ' both)"
