# Errors in the YAML: one line with the place and what would be right, exit 2, no cache created.
. "$STORIES/lib.sh"
echo data > data.txt

# bad EXPECTED-TEXT: the YAML on stdin is refused with this text
bad() {
    cat > bad.yaml
    "$FERDAG" run bad.yaml > out 2> err
    local status=$?
    [ $status -eq 2 ] || fail "expected exit 2, got $status for '$1': $(cat bad.yaml; cat err)"
    [ "$(wc -l < err)" -eq 1 ] || fail "expected one line for '$1': $(cat err)"
    has "message" "$1" "$(cat err)"
    [ ! -e .ferdag ] || fail "the cache was touched for '$1'"
    "$FERDAG" check bad.yaml > out 2> err
    status=$?
    [ $status -eq 2 ] || [[ $1 == *'cannot open'* || $1 == *'regular file'* ]] || fail "check passed '$1'"
}

# stages EXPECTED-TEXT STAGES: like bad, for a file whose stages begin on line 4
stages() { printf 'ferdag: 2\ninputs: { data: { path: data.txt } }\nstages:\n%s\n' "$2" | bad "$1"; }

bad 'bad.yaml:1:1: the file is empty' <<< ''
bad 'bad.yaml:1:1: expected a map' <<< 'hello'
bad "bad.yaml:2:1: unknown key 'stagse' of the file (did you mean 'stages'?)" <<< $'ferdag: 2\nstagse: {}'
bad 'ferdag: expected 2' <<< $'ferdag: 3\nstages: { a: { kind: command, out: { b: b }, with: { run: x } } }'
bad 'format 1 was replaced by format 2; `ferdag migrate bad.yaml` rewrites the file' <<< $'ferdag: 1\nstages: { a: { kind: command, out: { b: b }, with: { run: x } } }'
bad "expected 'ferdag: 2'" <<< 'stages: { a: { kind: command, out: { b: b }, with: { run: x } } }'
bad 'no stages' <<< 'ferdag: 2'
bad 'stages: expected a map, not a list' <<< $'ferdag: 2\nstages: [a]'
bad "bad.yaml:3:1: key 'ferdag' was given before, on line 1" <<< $'ferdag: 2\nstages: {}\nferdag: 2'
bad 'bad.yaml:2:' <<< $'ferdag: 2\nstages: { a: [ }'
bad 'tags are not supported' <<< 'ferdag: !!int 1'
bad 'this alias names no anchor' <<< 'ferdag: *one'
bad 'expected one document' <<< $'ferdag: 2\n---\nferdag: 2'
bad 'cannot open' <<< $'ferdag: 2\ninclude: nowhere.yaml'
bad 'bad.yaml includes itself' <<< $'ferdag: 2\ninclude: [bad.yaml]'
bad "bad.yaml:3:30: unknown kind 'comand' (did you mean 'command'?)" <<< $'ferdag: 2\nstages:\n  a: { out: { b: b }, kind:  comand }'

stages "bad.yaml:4:22: unknown key 'widht' of stages.a (did you mean 'with'?)" '  a: { kind: command,widht: {} }'
stages "stage 'a' has no kind" '  a: { with: {} }'
stages "unknown param 'rum' of kind command (did you mean 'run'?)" '  a: { kind: command, out: { b: b }, with: { rum: "x" } }'
stages "param 'run' of kind command must be given" '  a: { kind: command, out: { b: b } }'
stages "kind command needs 'out:" '  a: { kind: command, with: { run: "x" } }'
stages 'out: only kind command takes it, not kind ingest_csv' '  a: { kind: ingest_csv, in: { csv: data }, out: { b: b } }'
stages "unknown stage or input 'dat' (did you mean 'data'?)" '  a: { kind: command, in: { x: dat }, out: { b: b }, with: { run: "x" } }'
stages "unknown output 'c' of stage 'a' (kind command)" $'  a: { kind: command, out: { b: b }, with: { run: "x" } }\n  d: { kind: command, in: { x: a.c }, out: { b: b }, with: { run: "x" } }'
stages "unknown input port 'cvs' of kind ingest_csv (did you mean 'csv'?)" '  a: { kind: ingest_csv, in: { cvs: data } }'
stages "input port 'csv' of kind ingest_csv must be given" '  a: { kind: ingest_csv }'
stages 'takes one input, not a list' '  a: { kind: ingest_csv, in: { csv: [data, data] } }'
stages "max_train_rows: expected an integer, not 'many'" '  a: { kind: ingest_csv, in: { csv: data }, with: { max_train_rows: many } }'
stages 'max_train_rows: -1 is out of range' '  a: { kind: ingest_csv, in: { csv: data }, with: { max_train_rows: -1 } }'
stages 'takes a folder of files, and data is a file' '  a: { kind: knn, in: { features: data } }'
stages 'cycle: a -> a' '  a: { kind: command, in: { x: a }, out: { b: b }, with: { run: "x" } }'
stages 'cycle: a -> c -> b -> a' $'  a: { kind: command, in: { x: b }, out: { o: o }, with: { run: "x" } }\n  b: { kind: command, in: { x: c }, out: { o: o }, with: { run: "x" } }\n  c: { kind: command, in: { x: a }, out: { o: o }, with: { run: "x" } }'
stages "unknown param 'wrod'" '  a: { kind: command, out: { b: b }, with: { run: "${wrod}" } }'
stages "'\${' without its '}'" '  a: { kind: command, out: { b: b }, with: { run: "${word" } }'
stages 'is a matrix; name one of its stages' $'  a: { for: { v: [1, 2] }, kind: command, out: { b: b }, with: { run: "x" } }\n  c: { kind: command, in: { x: a }, out: { b: b }, with: { run: "x" } }'
stages 'stages.a.for.v: expected a list, or an integer n' '  a: { for: { v: x }, kind: command, out: { b: b }, with: { run: "x" } }'
stages 'is given twice' '  a: { for: { v: [1, 1] }, kind: command, out: { b: b }, with: { run: "x" } }'
stages 'becomes part of a name' '  a: { for: { v: [../x] }, kind: command, out: { b: b }, with: { run: "x" } }'
stages "inside the stage's folder" '  a: { kind: command, out: { b: ../b }, with: { run: "x" } }'
stages 'cpu: 0 is out of range; expected 1 to 1024' '  a: { kind: command, needs: { cpu: 0 }, out: { b: b }, with: { run: "x" } }'
stages 'mem: expected a size above 0 such as 500M, 1.5G or 2GiB' '  a: { kind: command, needs: { mem: lots }, out: { b: b }, with: { run: "x" } }'
stages "gpu: expected a number of GPUs (0, 1, 2, ... or a part of one such as 0.25) or optional, not 'maybe'" '  a: { kind: command, needs: { gpu: maybe }, out: { b: b }, with: { run: "x" } }'
stages "'data' is the name of an input already" '  data: { kind: command, out: { b: b }, with: { run: "x" } }'
stages "can't name a stage" '  "a b": { kind: command, out: { b: b }, with: { run: "x" } }'

bad "bad.yaml:2:25: input 'data': cannot open" <<< $'ferdag: 2\ninputs: { data: { path: nowhere.txt } }\nstages: { a: { kind: command, in: { x: data }, out: { b: b }, with: { run: "x" } } }'
bad 'the folder holds the cache' <<< $'ferdag: 2\ninputs: { data: { path: . } }\nstages: { a: { kind: command, in: { x: data }, out: { b: b }, with: { run: "x" } } }'
bad "unknown param or environment variable 'NOWHERE_AT_ALL'" <<< $'ferdag: 2\ninputs: { data: { path: "${NOWHERE_AT_ALL}" } }\nstages: { a: { kind: command, out: { b: b }, with: { run: x } } }'
bad "param 'a' is made of itself" <<< $'ferdag: 2\nparams: { a: "${b}", b: "${a}" }\ninputs: { data: { path: "${a}" } }\nstages: { a: { kind: command, out: { b: b }, with: { run: x } } }'

head -c 100000 /dev/urandom | bad 'bad.yaml:'
printf 'ferdag: 2\ntitle: caf\xe9\n' | bad 'bad.yaml:2:11: byte 0xe9 is not UTF-8; save the file as UTF-8'
printf 'ferdag: 2\ntitle: "\x07"\n' | bad 'bad.yaml:2:9: the control character 0x07 is not allowed; in double quotes'
printf 'ferdag: 2\ntitle: x\n\0' | bad 'bad.yaml:3:1: the file contains a NUL byte; save the file as UTF-8'
printf 'ferdag: 2\ntitle: é\nstagse: é\n' | iconv -t UTF-16 | bad "bad.yaml:3:1: unknown key 'stagse'"
{ printf 'ferdag: 2\nx: '; printf '[%.0s' $(seq 10000); } | bad 'nested more than 64 deep'
{ printf 'ferdag: 2\nparams:\n'; seq -f '  p%.0f: 1' 250000; } | bad 'more than 200000 nodes'
head -c 5000000 /dev/zero | tr '\0' '#' | bad 'larger than 4194304 bytes'
{ echo 'ferdag: 2'; echo 'params:'; echo '  a0: &a0 [x, x, x, x, x, x, x, x, x, x]'
  for i in 1 2 3 4 5 6 7 8 9; do p=$((i - 1)); echo "  a$i: &a$i [*a$p, *a$p, *a$p, *a$p, *a$p, *a$p, *a$p, *a$p, *a$p, *a$p]"; done
} | bad 'aliases make this more than 200000 nodes'
{ echo 'ferdag: 2'; echo 'params:'; echo '  a0: x'
  for i in $(seq 30); do p=$((i - 1)); echo "  a$i: \"\${a$p}\${a$p}\""; done
  echo 'stages: { s: { kind: command, out: { b: b }, with: { run: "${a30}" } } }'
} | bad 'expands to more than'
{ echo 'ferdag: 2'; printf 'params: { big: "%0100000d" }\n' 0
  echo 'stages: { s: { kind: command, out: { b: b }, with: { run: ":" }, in: { a: ['; for i in $(seq 20000); do echo '"x${big}",'; done
  echo '] } } }'
} | (ulimit -v 1500000; bad 'expands to more than 5000000 values') || exit 1
# Large files are fast: each name is looked up in a map of 90,000.
{ echo 'ferdag: 2'; echo 'params:'; seq -f '  a%.0f: 1' 90000; } > large.yaml
{ echo 'ferdag: 2'; echo 'include: large.yaml'; echo 'params:'; seq -f '  b%.0f: 1' 60000
  echo 'stages: { s: { kind: command, out: { b: b }, with: { run: ":" }, in: { a: ['
  seq -f '"${a%.0f}",' 50000; echo '] } } }'
} > many.yaml
timeout 10 "$FERDAG" check many.yaml 2> err
same 'exit of a large file' 2 $?
has 'a large file' "many.yaml:60005:1: unknown stage or input '1'" "$(cat err)"
same 'the end of a large file' 'ferdag: and 49900 more' "$(tail -1 err)"
same 'lines for a large file' 101 "$(wc -l < err)"

# The command line.
printf 'ferdag: 2\nparams: { width: 1, label: { a: 1 } }\nstages: { a: { kind: command, out: { b: b }, with: { run: "echo > b" } } }\n' > good.yaml
refused() {
    local text=$1
    shift
    "$FERDAG" "$@" > out 2> err
    same "exit of $*" 2 $?
    has "message of $*" "$text" "$(cat err)"
    [ ! -e .ferdag ] || fail "the cache was touched by $*"
}
refused "unknown param 'widht' (did you mean 'width'?)" run good.yaml --set widht=2
refused '--set width:1:3: byte 0xe9 is not UTF-8' run good.yaml --set $'width=ab\xe9'
refused "unknown param 'label.b'" run good.yaml --set label.b=2
refused 'expected name=value' run good.yaml --set width
refused 'expected a map' run good.yaml --set label=2
refused "unknown stage 'b'" run good.yaml b
refused "unknown command 'rnu' (did you mean 'run'?)" rnu good.yaml
refused 'unknown option --jbos (did you mean' run good.yaml --jbos 2
refused 'expected 1 to 4096' run good.yaml -j 0
refused 'usage: ferdag run' run
refused 'cannot open' run nowhere.yaml
refused 'Is a directory' run .
refused "unknown kind 'comand'" kinds comand
