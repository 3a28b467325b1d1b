# The lines that a terminal shows while stages run, on screens of several sizes: they fill at most half of the
# screen, each is narrower than it, long names are cut in the middle, and at the end all are removed.
. "$STORIES/lib.sh"
long=$(printf 'long%.0s' $(seq 30)) # 120 characters
cat > x.yaml <<Y
ferdag: 2
params: { go: "$PWD/go" }
stages:
  train:
    for: { set: [$long, full, cleaned], model: [a, b, c, d, e] }
    kind: command
    out: { o: o }
    with: { run: "echo '\\tノイズのある画像を訓練データから除いてからもう一度学習する: \${model} \${set}'; until [ -e \${go} ]; do sleep 0.1; done; echo > o" }
Y
# lines NAME: the lines that are not empty
lines() { screen "$1" | grep -v '^$'; }

start() { terminal "$1" "$2" "$3" "$FERDAG run x.yaml -j 20 --cache cache-$1"; }
start large 80 24
start small 40 10
start tiny 10 3
start flat 120 2
terminal background 80 24 "bash -ic '$FERDAG run x.yaml -j 20 --cache cache-background & wait'"
until_true shows large "+5 more running"
until_true shows small '+12 more running'
# all_run NAME: all its stages run
all_run() { [ "$(grep -rl ノイズ "cache-$1" --include=log.txt | wc -l)" = 15 ]; }
for name in large small background; do until_true all_run $name; done
sleep 1.2 # the last lines of output are read; what ends now has taken a second
same 'lines of 80x24' 12 "$(lines large | wc -l)"
has 'more than fit' '  +5 more running' "$(lines large | tail -2)"
has 'the total' ' 0/15 stages · 00:0' "$(lines large | tail -1)"
lines large | grep -q '^  train/full/a .*s  *ノイズのある画像' || fail "a short name: $(lines large)"
lines large | head -1 | grep -q '^  train/longlonglon.*…/a  ' || fail "a long name: $(lines large)"
same 'lines of 40x10' 5 "$(lines small | wc -l)"
same 'its total' '0/15 · 00:0' "$(lines small | tail -1 | sed 's/[0-9]$//')"
same 'the screen of 10x3' '15 runnin 0/15 · 00' "$(lines tiny | paste -sd' ')"
same 'the screen of a run in the background' '' "$(lines background | grep '[─·]')"
same 'lines of 120x2' 1 "$(lines flat | wc -l)"

# A name takes a third of the screen at most; some output is left of each line.
same 'lines with output' 10 "$(lines large | grep -c 's  *ノイズのある画像')"
same 'lines with output, narrow' 3 "$(lines small | grep -c 's  *ノイズの')"

touch go
for name in large small tiny flat background; do
    until_true grep -q '15 ran' $name.raw
done
same 'the end' '15 stages: 0 cached, 15 ran, 0 failed' "$(screen large | grep -v '^✓' | head -1 | sed 's/ in .*//')"
screen large -S - | grep 'more running\|stages ·' && fail 'lines are left'
screen small -S - | grep 'more running\|stages ·' && fail 'lines are left on the small screen'
tr '\r' '\n' < large.raw | grep -a -B1 '^15 stages' | grep -aq '\[J$' || fail 'the summary stands over what was drawn'
has 'a kept line in the background' '✓ train/full/a  done in' "$(screen background -S -)"
has 'a long name that is kept' '✓ train/' "$(screen small -S -)"
same 'columns of kept lines' 39 "$(screen small -S - -J | grep '^✓ train/long' | LC_ALL=C.UTF-8 wc -L)"

# All that was redrawn was narrower than the screen: the terminal never had to cut it.
# widest NAME: columns of the widest redrawn line
widest() {
    tr '\r' '\n' < "$1.raw" | grep -a '\[2K' | sed 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/\x1b[()].//g' | LC_ALL=C.UTF-8 wc -L
}
for size in 'large 80' 'small 40' 'tiny 10'; do
    read -r name width <<< "$size"
    [ "$(widest "$name")" -lt "$width" ] || fail "$name: a line of $(widest "$name") columns"
    [ "$(widest "$name")" -gt $((width - 3)) ] || fail "$name: nothing of full width was drawn; this proves nothing"
done

# `status` of a stage with a long name: the reason is below it, in the column of the others.
terminal states 160 40 "$FERDAG status x.yaml --cache cache-large --set go=elsewhere"
until_true shows states 'stale    train/full/e'
screen states | grep -q '^stale    train/full/a  *param run: ' || fail "a short name: $(screen states)"
same 'long names' 5 "$(screen states | grep -A1 '^stale    train/longlong.*[a-e]$' | grep -c '^ \{46\}param run: ')"
