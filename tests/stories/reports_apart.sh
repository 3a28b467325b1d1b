# The report of a run with --set, --backend or another cache has a folder of its own; --out chooses any.
# Only files of an earlier report are ever removed from such a folder.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
params: { n: 1, word: a }
stages:
  s: { kind: command, out: { m: m.json }, with: { run: "echo '{\"n\": ${n}}' > m.json" } }
tables: { first: { columns: [n], rows: [s], cell: "@s:/${column}" } }
Y
run() { "$FERDAG" run x.yaml "$@" > json 2> err || fail "run $*: $(cat err)"; sed -n 's/^report: \(.*pdf\)$/\1/p' err; }
number() { tail -n 1 "$1/tables/first.csv" | cut -d, -f2; }

same 'the plain report' out/x/report.pdf "$(run)"
same 'with --set' out/x,n=2/report.pdf "$(run --set n=2)"
same 'with the same in another order' "$(run --set n=3 --set word=b)" "$(run --set word=b --set n=9 --set n=3)"
same 'with an odd value' 'out/x,word=a_b_' "$(run --set 'word=a/b ' | sed 's,-.*,,')"
same 'with a backend' out/x,backend=ref/report.pdf "$(run --backend ref)"
other=$(run --cache other --set n=5)
same 'with another cache' 'out/x,n=5@other' "${other%%-*}"
same 'with FERDAG_CACHE' 'out/x@third' "$(FERDAG_CACHE=$PWD/third run | sed 's,-.*,,')"
mkdir a b
[ "$(run --cache a/c)" != "$(run --cache b/c)" ] || fail 'two caches of one name share a folder'
same '.ferdag by another name is the plain cache' out/x/report.pdf "$(run --cache "$PWD/.ferdag")"
same 'with --out' "my reports/1/report.pdf" "$(run --out 'my reports/1' --set n=6)"
same 'the number of --out' 6.00 "$(number 'my reports/1')"
same 'the plain number is still there' 1.00 "$(number out/x)"
same 'that of --set too' 2.00 "$(number out/x,n=2)"
touch file
"$FERDAG" run x.yaml --out file > json 2> err
same 'exit with a file as --out' 2 $?
has 'a file as --out' "file: the report's folder cannot be created: file is a file" "$(cat err)"
value=$(printf 'v%.0s' {1..300})
[ -s "$(run --set "word=$value")" ] || fail 'a long value'

# Other files in the report's folder stay; tables that the experiment no longer has are removed.
echo mine > out/x/tables/notes.txt
mkdir out/x/tables/deep elsewhere
echo mine > out/x/tables/deep/er.csv
echo mine > elsewhere/first.csv
sed -i 's/first:/second:/' x.yaml
run > report
[ -e out/x/tables/second.csv ] || fail 'no second table'
[[ ! -e out/x/tables/first.csv && ! -e out/x/tables/first.md ]] || fail 'the first table is still there'
same 'files of others' 'mine mine' "$(cat out/x/tables/notes.txt out/x/tables/deep/er.csv | paste -sd' ')"
rm -r out/x/tables
ln -s ../../elsewhere out/x/tables
echo tables/first.csv >> out/x/.ferdag-files
printf '../../x.yaml\n/etc/hostname\n./x\n' >> out/x/.ferdag-files
run > report
[ -e elsewhere/first.csv ] || fail 'a file was removed through a link'
[ -e x.yaml ] || fail 'a file outside was removed'

# A name that consists of dots can't name a folder.
cp x.yaml ...yaml
"$FERDAG" run ...yaml > json 2> err || fail "$(cat err)"
same 'the report of ...yaml' out/experiment/report.pdf "$(sed -n 's/^report: \(.*pdf\)$/\1/p' err)"
[[ ! -e report.pdf && ! -e out/report.pdf ]] || fail 'a report outside its folder'

# If the folder can't be written, nothing runs.
rm -r out .ferdag
touch out
for command in 'run x.yaml' 'run -n x.yaml' 'check x.yaml' 'report x.yaml'; do
    read -ra words <<< "$command"
    "$FERDAG" "${words[@]}" > json 2> err
    same "exit of $command with a file called out" 2 $?
    has "$command with a file called out" "out/x: the report's folder cannot be created: out is a file" "$(cat err)"
done
grep -q 'started' err && fail 'something ran'
exit 0
