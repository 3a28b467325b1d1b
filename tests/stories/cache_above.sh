# Without --cache and FERDAG_CACHE the cache is found by looking into the folders above, as git finds
# .git. A folder that another user made is not used.
. "$STORIES/lib.sh"
mkdir -p project/sub/deep alone
cd project || fail 'no folder'
cat > x.yaml <<'Y'
ferdag: 2
params: { n: 1 }
stages:
  s: { kind: command, out: { m: m.json }, with: { run: "echo '{\"n\": ${n}}' > m.json" } }
Y
same 'here' s "$(ran x.yaml)"
same 'its cache is not named' '' "$(grep '^cache:' err)"
cd sub/deep || fail 'no folder'
same 'two folders below' '' "$(ran ../../x.yaml)"
same 'the cache is named' 'cache: ../../.ferdag' "$(grep '^cache:' err)"
same 'status' 'cached   s' "$("$FERDAG" status ../../x.yaml)"
same 'get' '{"n": 1}' "$("$FERDAG" get ../../x.yaml s m.json > path && cat m.json)"
"$FERDAG" fsck > printed 2>&1 || fail "fsck: $(cat printed)"
[ ! -e .ferdag ] || fail 'a cache in the subfolder'

# --cache and FERDAG_CACHE come first, and so does .ferdag in the current folder, even an empty one.
same 'with --cache' s "$(ran ../../x.yaml --cache here)"
same 'with FERDAG_CACHE' s "$(FERDAG_CACHE=there ran ../../x.yaml)"
same 'it is named' 'cache: there' "$(grep '^cache:' err)"
mkdir .ferdag
same 'with a folder of its own' s "$(ran ../../x.yaml)"
rm -r .ferdag
mkdir ../.ferdag
same 'past a folder that is no cache' '' "$(ran ../../x.yaml)"
rmdir ../.ferdag
touch ../.ferdag
same 'past a file' '' "$(ran ../../x.yaml)"
rm ../.ferdag
same 'outside the project' 's' "$(cd ../../../alone && ran ../project/x.yaml)"
[ -d ../../../alone/.ferdag ] || fail 'no cache where there is none above'

# One that may not be written is read; what has to run can't.
chmod -R a-w ../../.ferdag
if [ "$(id -u)" != 0 ]; then
    same 'reading' '' "$(ran ../../x.yaml)"
    "$FERDAG" run ../../x.yaml --set n=2 2> err && fail 'it ran'
    has 'the reason' "can't be written, and stage 's' is to run" "$(cat err)"
fi
chmod -R u+w ../../.ferdag

# Another user's cache is not used, and above all not by root.
if [ "$(id -u)" = 0 ] && chown 65534 ../../.ferdag 2> err; then
    same 'with another owner above' s "$(ran ../../x.yaml)"
    [ -d .ferdag ] || fail "another user's cache was taken"
fi
exit 0
