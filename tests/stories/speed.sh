# A second run of 80 stages executes none and takes less than 0.2 s.
. "$STORIES/lib.sh"
{
    echo 'ferdag: 2'
    echo 'inputs: { big: { path: big } }'
    echo 'stages:'
    for i in $(seq 40); do
        echo "  a$i: { kind: command, in: { i: big }, out: { o: o }, with: { run: \"echo $i > o\" } }"
        echo "  b$i: { kind: command, in: { i: a$i }, out: { o: o }, with: { run: \"cat i i > o\" } }"
    done
} > x.yaml
truncate -s 300M big
touch -d '1 hour ago' big
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"
sleep 2.1 # the file's change time must have settled for the stat cache to trust it
"$FERDAG" run x.yaml 2> err || fail "$(cat err)"
best=1000000
for i in 1 2 3 4 5; do # the best of five, as other processes of the machine take time too
    start=$(date +%s%N)
    "$FERDAG" run x.yaml 2> err || fail "$(cat err)"
    took=$((($(date +%s%N) - start) / 1000000))
    has 'nothing ran' '80 stages: 80 cached, 0 ran' "$(cat err)"
    [ $took -lt $best ] && best=$took
done
[ $best -lt 200 ] || fail "the second run took $best ms"
echo "second run: $best ms"
