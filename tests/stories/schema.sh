# docs/ferdag.schema.json equals the output of `ferdag schema`, and the experiments name it for editors.
. "$STORIES/lib.sh"
root=$STORIES/../..
"$FERDAG" schema > now.json || fail "schema: $?"
cmp now.json "$root/docs/ferdag.schema.json" || fail 'docs/ferdag.schema.json is old: make schema'
for file in "$root"/experiments/*.yaml; do
    same "the first line of $file" '# yaml-language-server: $schema=../docs/ferdag.schema.json' "$(head -1 "$file")"
done
