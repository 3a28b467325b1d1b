# A command can't change its inputs: neither blobs, although their owner (or root) runs it, nor the
# user's files; whether it succeeds, fails, is killed, or sets the files' times back.
. "$STORIES/lib.sh"
mkdir data bin
echo mine > mine.txt
head -c 9000000 /dev/zero > large.bin
echo one > data/one
head -c 9000000 /dev/zero > data/two
cat > spoil.sh <<'B'
# spoil.sh FILE...: tries to overwrite the files in every way, and sets the times back
for f; do
    chmod -R u+w "$f" 2> /dev/null
    for g in "$f" "$f"/*; do
        [ -f "$g" ] || continue
        real=$(readlink -f "$g")
        printf X | dd of="$g" conv=notrunc status=none 2> /dev/null
        printf X | dd of="$real" conv=notrunc status=none 2> /dev/null
        touch -r /bin/sh "$real" 2> /dev/null
        rm -f "$g" 2> /dev/null
        echo X > "$g" 2> /dev/null
    done
done
B
cat > x.yaml <<'Y'
ferdag: 2
params: { end: "exit 1" }
inputs: { mine: { path: mine.txt }, large: { path: large.bin }, data: { path: data/ } }
stages:
  small: { kind: command, out: { o: o, d: d/ }, with: { run: "echo sound > o; mkdir d; echo sound > d/a" } }
  big:   { kind: command, out: { o: o, d: d/ }, with: { run: "head -c 9000000 /dev/zero > o; mkdir d; cp o d/a; echo b > d/b" } }
  vandal_small: { kind: command, in: { a: small, b: small.d, c: mine }, out: { o: o }, with: { run: "sh ../../../spoil.sh a b c; echo > o; touch ../../../spoiled; ${end}" } }
  vandal_big: { kind: command, in: { a: big, b: big.d, c: large, e: data }, out: { o: o }, with: { run: "sh ../../../spoil.sh a b c e; echo > o; touch ../../../spoiled; ${end}" } }
  reader: { kind: command, in: { a: small, b: small.d, c: mine, e: big, f: big.d, g: large, h: data },
            out: { o: o }, with: { run: "until test -e ../../../spoiled; do sleep 0.05; done; sleep 0.3; cat a b/a c e f/a f/b g h/one h/two | sha256sum > o" } }
Y
sound=$({ echo sound; echo sound; echo mine; cat large.bin large.bin; echo b; cat large.bin; echo one; cat large.bin; } | sha256sum)
# Many files, and a large one among them: their folder is one mount.
mkdir many
for i in $(seq 200); do echo "$i" > "many/$i"; done
cp large.bin many/0
cat > m.yaml <<'Y'
ferdag: 2
inputs: { many: { path: many } }
stages:
  m: { kind: command, in: { a: many }, out: { o: o }, with: { run: "sh ../../../spoil.sh a; ls -U a | wc -l > o; echo > written" } }
Y
before=$(cat many/* | sha256sum)
"$FERDAG" run m.yaml 2> err || fail "many files: $(cat err)"
same 'many files' "$before" "$(cat many/* | sha256sum)"
sums() { sha256sum mine.txt large.bin data/one data/two; }
before=$(sums)
blobs() { find "$1/blobs" -type f -exec sha256sum {} + | awk '{ n = split($2, p, "/"); if ($1 != p[n-1] p[n]) print }'; }

# attempt CACHE [--set ...]
attempt() {
    rm -f spoiled
    "$FERDAG" run x.yaml -j 3 -k --cache "$@" > out.txt 2> err
    same "the user's files, $*" "$before" "$(sums)"
    same "blobs, $*" '' "$(blobs "$1")"
    same "what the sibling read, $*" "$sound" "$(cat "$("$FERDAG" show x.yaml reader --cache "$@" | awk '$1 == "output" { getline; print $1 }')")"
    "$FERDAG" fsck --cache "$1" > out.txt 2> err || fail "fsck: $(cat out.txt)"
}
attempt fails
has 'they failed' 'vandal_big failed' "$("$FERDAG" run x.yaml -k --cache fails 2>&1)"
attempt killed --set 'end="kill -9 $PPID; sleep 9"'
attempt succeeds --set end=true
same 'they succeeded' '5' "$("$FERDAG" status x.yaml --cache succeeds --set end=true | grep -c cached)"

# If bubblewrap doesn't work, all inputs are copied, and the log has a line about that.
printf '#!/bin/sh\nexit 1\n' > bin/bwrap
chmod +x bin/bwrap
PATH=$PWD/bin:$PATH attempt copies
has 'the log' 'bubblewrap' "$("$FERDAG" log x.yaml vandal_big --cache copies)"

# A large input, which is mounted, looks like a small one: a regular file; in a folder too.
cat > f.yaml <<'Y'
ferdag: 2
inputs: { x: sized, y: other }
stages:
  a: { kind: command, in: { x: x, y: y }, out: { o: o }, with: { run: "{ find x y -type f | sort; tar cf t.tar x y; tar tvf t.tar | cut -c1 | sort | uniq -c; } > o" } }
Y
mkdir sized
echo > other
for i in 1 2 3; do head -c 1000000 /dev/zero > "sized/f$i"; done
seen() {
    "$FERDAG" run f.yaml > out.txt 2> err || fail "$(cat err)"
    grep -v "x/f[4-9]" "$("$FERDAG" show f.yaml a | awk '$1 == "output" { getline; print $1 }')"
}
small=$(seen | grep -v ' [-d]$')
for i in 4 5 6 7; do head -c 3000000 /dev/zero > "sized/f$i"; done
same 'what is seen of large inputs' "$small" "$(seen | grep -v ' [-d]$')"
head -c 9000000 /dev/zero > other
same 'what is seen of a large file' "$small" "$(seen | grep -v ' [-d]$')"

# While the stage runs, the user saves another version of an input (by rename, or in place and back), or
# changes a link: the stage reads the bytes that were hashed or fails, and changes no version.
cat > v.yaml <<'Y'
ferdag: 2
params: { n: 0 }
inputs: { x: now/big }
stages:
  a: { kind: command, in: { x: x }, out: { o: o }, with: { run: "touch ../../../begun; until test -e ../../../swapped; do sleep 0.05; done; (echo evil >> x) 2>&-; head -c 9 x > o; touch ../../../read; until test -e ../../../back; do sleep 0.05; done # ${n}" } }
Y
mkdir v1 v2
{ echo version=1; head -c 9000000 /dev/zero; } > v1/big
{ echo version=2; head -c 9000000 /dev/zero; } > v2/big
sums=$(sha256sum v1/big v2/big)
ln -s v1 now
# during N SWAP BACK: runs these while the stage runs; prints its result, or how it failed
during() {
    rm -f begun swapped read back
    "$FERDAG" run v.yaml --set "n=$1" > out.txt 2> err &
    run=$!
    until_true test -e begun
    eval "$2"
    touch swapped
    until_true test -e read
    eval "$3"
    touch back
    if wait $run; then
        cat "$("$FERDAG" show v.yaml a --set "n=$1" | awk '$1 == "output" { getline; print $1 }')"
    else
        grep -o 'changed after the run began; run again' err | head -n 1
    fi
}
same 'a link that was moved and moved back' version=1 "$(during 1 'ln -sfn v2 now' 'ln -sfn v1 now')"
same 'a folder that was moved and moved back' version=1 \
    "$(during 2 'mv v1 t; mv v2 v1; mv t v2' 'mv v1 t; mv v2 v1; mv t v2')"
same 'neither was written to' "$sums" "$(sha256sum v1/big v2/big)"
same 'another version, saved by rename' 'changed after the run began; run again' \
    "$(during 3 'cp v2/big new; mv new v1/big' true)"
same 'that version' "$(sha256sum < v2/big)" "$(sha256sum < v1/big)"
same 'a change that was undone' 'changed after the run began; run again' \
    "$(during 4 'printf version=3 | dd of=v1/big conv=notrunc status=none' 'printf version=2 | dd of=v1/big conv=notrunc status=none')"
