# A terminal that becomes narrower, wider, lower or higher during a run: the lines above stay, and each
# redrawn line is there once. Names and output are so long that the narrow screen wraps them.
. "$STORIES/lib.sh"
cat > x.yaml <<Y
ferdag: 2
params: { go: "$PWD/go" }
stages:
  fit:
    for: { model: [vgg19, resnet18, alexnet] }
    kind: command
    out: { o: o }
    with: { run: "echo the last line of output of \${model}, which is longer than narrow; until [ -e \${go} ]; do sleep 0.1; done; echo > o" }
  first: { kind: command, out: { o: o }, with: { run: "sleep 1; echo > o" } }
Y
terminal t 80 24 "seq -f 'line %g' 12; $FERDAG run x.yaml -j 4"
until_true shows t '✓ first'
until_true shows t 'of resnet18'

# problem TOTAL: prints what is wrong with the screen and the lines above it; the total line contains TOTAL
problem() {
    local all line
    all=$(screen t -S -)
    for line in $'line 1\n' $'line 12\n' '✓ first' 'vgg19 ' '/resnet18 ' '/alexnet ' "$1"; do
        [[ $all == *"$line"* ]] || echo "'$line' is missing"
        [[ ${all#*"$line"} != *"$line"* ]] || echo "'$line' is there twice"
    done
    [ "$(grep -v '^$' <<< "$all" | sed '1,/✓ first/d' | wc -l)" = 4 ] || echo 'not four lines at the end'
}
right() { [ -z "$(problem "$1")" ]; }

# once WHEN TOTAL: waits until each line is there once
once() {
    for _ in $(seq 40); do
        right "$2" && return
        sleep 0.05
    done
    fail "$1: $(problem "$2"): $(screen t -S -)"
}
once 'at first' '─ 1/4'
resize t 50 24
once 'narrower' $'\n1/4'
resize t 120 24
once 'wider' '─ 1/4'
resize t 62 24
once 'a little narrower' '─ 1/4'
resize t 62 10
once 'lower' '─ 1/4'
resize t 40 10
once 'narrower and low' $'\n1/4'
same 'lines of the screen' 10 "$(screen t | wc -l)"
resize t 80 24
once 'large again' '─ 1/4'
touch go
until_true shows t '4 ran, 0 failed in'
same 'the end' "$(echo 'line 12' && printf '✓\n%.0s' 1 2 3 4 && echo '4 stages: 0 cached, 4 ran, 0 failed' && echo 'results: out/x/results')" \
    "$(screen t -S - | grep -v '^$' | sed '1,/line 11/d; s/^✓.*/✓/; s/ in .*//')"
