# A result whose rows in the index are lost in part or as a whole is restored from its record; if the record
# is lost too, it is computed again.
. "$STORIES/lib.sh"
cat > x.yaml <<'Y'
ferdag: 2
stages:
  one: { kind: command, out: { a: a, b: b }, with: { run: "echo a > a; echo b > b" } }
  two: { kind: command, in: { x: one.a, y: one.b }, out: { o: o }, with: { run: "cat x y > o" } }
Y
sql() { "$SQL" .ferdag "$1" || fail "sql $1"; }
whole() {
    same "$1: cached" 2 "$("$FERDAG" status x.yaml | grep -c '^cached')"
    same "$1: outputs" 3 "$("$FERDAG" show x.yaml | grep -c '^  output')"
    "$FERDAG" fsck > out.txt 2> err || fail "$1: fsck: $(cat out.txt err)"
}
same 'the first run' 'one two' "$(ran x.yaml)"
whole 'at first'
for statement in "DELETE FROM output WHERE port = 'b'" "DELETE FROM output" "DELETE FROM complete" \
    "DELETE FROM result WHERE stage = 'one'" "DELETE FROM result; DELETE FROM output" \
    "UPDATE output SET digest = 'nonsense' WHERE port = 'a'"; do
    sql "$statement"
    same "a run after $statement" '' "$(ran x.yaml)"
    same "exit after $statement" 0 $?
    whole "$statement"
done

# The record lost as well.
rm -r .ferdag/results
sql "DELETE FROM output WHERE port = 'b'"
same 'without records' one "$(ran x.yaml)"
"$FERDAG" fsck --repair > out.txt 2> err || fail "repair: $(cat err)" # `two` has no record
whole 'without records'
sql "DELETE FROM output; DELETE FROM complete"
rm -r .ferdag/results
same 'without anything' 'one two' "$(ran x.yaml)"
whole 'without anything'

# A folder in place of a record.
record=$(find .ferdag/results -name '*.json' | head -n 1)
rm "$record"
mkdir "$record"
"$FERDAG" fsck --repair > out.txt 2> err || fail "a folder as a record: $(cat err)"
whole 'a folder as a record'

# fsck finds it.
sql "DELETE FROM output WHERE port = 'b'"
rm .ferdag/results/*/*
"$FERDAG" fsck > out.txt 2> err
same 'fsck is not content' 1 $?

# A missing table: doing what the message advises works.
rm -rf .ferdag
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"
for table in blob result output complete latest column; do
    case $table in
        column) sql 'ALTER TABLE blob RENAME COLUMN mtime_ns TO mtime_nr' ;;
        *) sql "DROP TABLE $table" ;;
    esac
    "$FERDAG" run x.yaml > out.txt 2> err && fail "a run without the table $table"
    has "the advice without $table" 'fsck --repair' "$(cat err)"
    "$FERDAG" fsck --repair > out.txt 2> err || fail "repair without $table: $(cat err)"
    same "a run after the repair of $table" '' "$(ran x.yaml)"
done
