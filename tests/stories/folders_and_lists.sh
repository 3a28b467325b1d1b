# A folder is an input; all stages of a matrix, or a list, are one input: a folder whose files have the
# values of the matrix as names, or the places in the list. A change to one file in it runs what reads it.
. "$STORIES/lib.sh"
mkdir -p data/deep data/empty
echo one > data/1.txt
echo two > data/deep/2.txt
printf '#!/bin/sh\necho ran\n' > data/tool.sh
chmod +x data/tool.sh
ln -s 1.txt data/link.txt
cat > x.yaml <<'Y'
ferdag: 2
inputs: { data: { path: data/ }, single: x.txt }
params: { list: [p, q] }
stages:
  look: { kind: command, in: { d: data }, out: { o: o }, with: { run: "(cd d && find . | LC_ALL=C sort && ./tool.sh && cat link.txt deep/2.txt) > o" } }
  m:    { for: { a: "${list}", b: [1, 2] }, kind: command, out: { o: o.txt, t: t/ }, with: { run: "echo ${a}${b} > o.txt; mkdir t; echo ${a}${b} > t/f" } }
  all:  { kind: command, in: { x: "m/*/*" }, out: { o: o }, with: { run: "(find x -type f | LC_ALL=C sort; cat x/p/2) > o" } }
  some: { kind: command, in: { x: "m/p/*", y: "m/*/1.t" }, out: { o: o }, with: { run: "find x y | LC_ALL=C sort > o" } }
  list: { kind: command, in: { x: [look, single, m/q/1], one: ["m/p/1"] }, out: { o: o }, with: { run: "(find x one | LC_ALL=C sort) > o" } }
  none: { kind: command, in: { x: ~ }, out: { o: o }, with: { run: "ls > o" } }
Y
echo s > x.txt
output() { cat "$("$FERDAG" show x.yaml "$1" --json | tr -d '", ' | sed -n 's/^path://p' | head -1)"; }

same 'the first run' 'all list look m/p/1 m/p/2 m/q/1 m/q/2 none some' "$(ran x.yaml)"
same 'what is in the folder' '. ./1.txt ./deep ./deep/2.txt ./empty ./link.txt ./tool.sh ran one two' "$(output look | paste -sd' ')"
same 'all of a matrix' 'x/p/1 x/p/2 x/q/1 x/q/2 p2' "$(output all | paste -sd' ')"
same 'a part of it, and another port' 'x x/1 x/2 y y/p y/p/f y/q y/q/f' "$(output some | paste -sd' ')"
same 'a list' 'one one/0 x x/0 x/1 x/2' "$(output list | paste -sd' ')"
same 'again' '' "$(ran x.yaml)"

sed -i 's/list: \[p, q\]/list: [p, q, r]/' x.yaml
same 'one more of the matrix' 'all m/r/1 m/r/2 some' "$(ran x.yaml)"
sed -i 's/list: \[p, q, r\]/list: [p, q]/' x.yaml
same 'one less' '' "$(ran x.yaml)"
echo changed > data/deep/2.txt
same 'another file in the folder' 'list look' "$(ran x.yaml)"
touch data/1.txt
same 'a touched one' '' "$(ran x.yaml)"
chmod -x data/tool.sh
has 'a bit less' 'would run look' "$("$FERDAG" run -n x.yaml 2> err | tr -s ' ')"
chmod +x data/tool.sh
mkdir data/more
has 'an empty folder more' 'would run look' "$("$FERDAG" run -n x.yaml 2> err | tr -s ' ')"
rmdir data/more
mv data/1.txt data/3.txt && ln -sf 3.txt data/link.txt
same 'a renamed file' 'list look' "$(ran x.yaml)"

# Links in an input folder are followed.
mkdir ../far
echo far > ../far/f
ln -s "$PWD/../far" data/far
same 'a link to a folder elsewhere' 'list look' "$(ran x.yaml)"
has 'it is in the folder' './far/f' "$(output look)"
echo farther > ../far/f
same 'what it leads to changed' 'look' "$(ran x.yaml)"
rm -r ../far data/far

# Inputs that don't exist or can't be hashed are reported before anything runs.
ln -s nowhere data/dangling
"$FERDAG" run x.yaml 2> err > printed && fail 'a link to nothing was taken'
has 'a link to nothing' 'data/dangling' "$(cat err)"
rm data/dangling
ln -s .. data/deep/loop
"$FERDAG" run x.yaml 2> err > printed && fail 'a loop of links was taken'
has 'a loop' 'data/deep/loop' "$(cat err)"
rm data/deep/loop
mkfifo data/pipe
"$FERDAG" run x.yaml 2> err > printed && fail 'a pipe was taken for a file'
has 'the pipe' 'data/pipe' "$(cat err)"
rm data/pipe
refused() {
    sed "$1" x.yaml > bad.yaml
    "$FERDAG" check bad.yaml > printed 2> err
    same "exit for $1" 2 $?
    has "$1" "$2" "$(cat err)"
}
refused 's,"m/\*/\*","m/*",' "'m/*' names no stage; a star stands for one value of a matrix"
refused 's,"m/\*/1.t","m/*/1.u",' "unknown output 'u'"
refused 's,\[look,\[[look],' "in.x: expected one value, not a list"
sed -i 's,path: data/,path: data2/,' x.yaml
"$FERDAG" run x.yaml 2> err > printed
same 'exit without the folder' 2 $?
has 'the folder' "input 'data': cannot open" "$(cat err)"
