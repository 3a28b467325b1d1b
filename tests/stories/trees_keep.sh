# A folder of outputs keeps more than its files: executable bits, empty folders, links inside the folder,
# whatever the order of the names. A read-only folder that a command left doesn't block later runs.
. "$STORIES/lib.sh"
place=$(mktemp -d) || fail 'no folder'
trap 'chmod -R u+w "$place" 2> /dev/null; rm -rf "$place"' EXIT
chmod 755 "$place"
cp "$FERDAG" "$place/ferdag"
cd "$place" || fail 'no folder'
cat > x.yaml <<'Y'
ferdag: 2
params: { n: 1 }
stages:
  # ckpt-1 sorts before latest, zz after it; a link into a folder, and one up and down again
  make:
    kind: command
    out: { t: t/ }
    with:
      run: |
        mkdir -p t/a/b t/empty/er t/zz
        ln -s ckpt-3 t/latest; ln -s zz t/an; ln -s zz/ckpt-9 t/a/../direct; ln -s ../../ckpt-3 t/a/b/up
        echo ${n} > t/ckpt-3; echo nine > t/zz/ckpt-9
        printf '#!/bin/sh\necho ran\n' > t/tool; chmod 755 t/tool; chmod 444 t/ckpt-3
  use:
    kind: command
    in: { t: make }
    out: { o: o, again: again/ }
    with: { run: "(cat t/latest t/an/ckpt-9 t/direct t/a/b/up; t/tool; find t -type d -empty; find t -type l | LC_ALL=C sort; readlink t/latest) > o && cp -a t again && chmod -R u+w again" }
  third: { kind: command, in: { t: use.again }, out: { o: o }, with: { run: "(t/tool; readlink t/a/b/up; find t -empty -type d) > o" } }
Y
cat > expected <<'E'
1
nine
nine
1
ran
t/empty/er
t/a/b/up
t/an
t/direct
t/latest
ckpt-3
E
story() {
    ./ferdag run x.yaml --json > json 2> err || fail "run: $(cat err)"
    file=$(./ferdag show x.yaml use --json | tr -d '", ' | sed -n 's/^path://p' | head -1)
    diff expected "$file" || fail 'what the second stage saw'
    file=$(./ferdag show x.yaml third --json | tr -d '", ' | sed -n 's/^path://p' | head -1)
    same 'what the third stage saw' 'ran ../../ckpt-3 t/empty/er' "$(paste -sd' ' "$file")"
}
story
digests() { ./ferdag show x.yaml --json | grep -a '"digest"' | sort; }
digests > first
for _ in 1 2 3; do # the order in which a folder lists its names differs
    ./ferdag run x.yaml --json --force make --force use > json 2> err || fail "forced: $(cat err)"
    [[ $(cat err) != *'other outputs'* ]] || fail 'a forced run gave other outputs'
done
digests | cmp first - || fail 'the digests changed'
show=$(./ferdag show x.yaml make)
has 'show: a link' 'latest -> ckpt-3' "$show"
has 'show: an empty folder' 'empty/er/' "$show"
./ferdag fsck > printed 2> err || fail "fsck: $(cat err)"

# A link out of the folder becomes a copy of its target; a broken link is refused.
printf 'ferdag: 2\nstages: { a: { kind: command, out: { t: t/ }, with: { run: "mkdir t; echo far > far; ln -s ../far t/far" } } }\n' > out.yaml
./ferdag run out.yaml > printed 2> err || fail "a link that leads out: $(cat err)"
file=$(./ferdag show out.yaml a | awk '$1 == "far" { print $2, $3, $5 }')
same 'what it leads to' '4 bytes ' "$file"
printf 'ferdag: 2\nstages: { a: { kind: command, out: { t: t/ }, with: { run: "mkdir t; ln -s t/../../x t/up" } } }\n' > out.yaml
./ferdag run out.yaml > printed 2> err && fail 'a link to nothing was taken'
has 'a link to nothing' "t/up is a symbolic link to nothing" "$(cat err)"

# Read-only folders, as Go's module cache has them, also for a user whom permissions bind.
user=()
if [ "$(id -u)" = 0 ]; then
    if command -v setpriv > tool; then
        chown -R 65534:65534 "$place"
        user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    fi
fi
cat > ro.yaml <<'Y'
ferdag: 2
params: { end: 1 }
stages:
  a: { kind: command, out: { t: t/ }, with: { run: "mkdir -p junk/deep t/sub; echo x > junk/deep/x; echo y > t/sub/y; chmod -R a-w junk t/sub; exit ${end}" } }
Y
HOME=$place "${user[@]}" ./ferdag run ro.yaml > printed 2> err && fail 'it did not fail'
HOME=$place "${user[@]}" ./ferdag run ro.yaml > printed 2> err
has 'the same failure again' 'ended with status 1' "$(cat err)"
HOME=$place "${user[@]}" ./ferdag run ro.yaml --set end=0 > printed 2> err || fail "a read-only output: $(cat err)"
HOME=$place "${user[@]}" ./ferdag run ro.yaml --set end=0 --force a > printed 2> err || fail "once more: $(cat err)"
same 'folders left' '' "$(find .ferdag/work -mindepth 1 ! -name '*.lock')"
