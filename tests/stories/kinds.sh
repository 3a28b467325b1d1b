# The tables of the kinds: lines of at most 80 columns, aligned, and numbers as people write them. JSON
# has them unchanged.
. "$STORIES/lib.sh"
"$FERDAG" kinds > list
for kind in $("$FERDAG" kinds --json | awk -F'"' '/^    "name":/ { print $4 }'); do
    has 'the list' "$kind" "$(cat list)"
    "$FERDAG" kinds "$kind" > "kind.$kind" || fail "kinds $kind"
    head -n 1 "kind.$kind" | grep -q "^$kind (version [0-9]*): " || fail "the first line of $kind"
done
[ "$(wc -l < list)" -gt 15 ] || fail 'where are the kinds?'
long=$(awk 'length($0) > 80' list kind.*)
same 'lines that are too long' '' "$long"
same 'blanks at the end' '' "$(grep -n ' $' list kind.*)"
odd=$(grep -hE '[0-9]\.[0-9]*0+( |$)|e[+-]?0|[0-9]{8}' kind.*)
same 'odd numbers' '' "$odd"

# param KIND NAME: its row, one blank between words
param() { sed -n '/^params/,$p' "kind.$1" | awk -v name="$2" '$1 == name { $1 = $1; print; exit }'; }
has 'a default with digits' 'width int 64 1 to 512' "$(param train_cnn width)"
has 'a small number' 'lr real 0.01 1e-8 to 100' "$(param train_cnn lr)"
has 'a default of 1e-3' 'tolerance real 0.001 1e-9 to 1' "$(param train_svm tolerance)"
has 'a large number' 'coef0 real 0 -1e9 to 1e9' "$(param train_svm coef0)"
has 'a param without a default' 'model enum required vgg19,' "$(param train_cnn model)"
has 'the file of an output' 'best.safetensors' "$(grep '^  best ' kind.train_cnn)"
has 'what an output holds' 'values: /public|private/accuracy' "$(cat kind.metrics)"

# Columns begin at the same place.
same 'the column of defaults' 1 "$(awk '/^params/ { on = 1 } on && match($0, / (bool|int|real) /) { print RSTART }' kind.train_cnn |
    sort -u | wc -l)"

"$FERDAG" kinds trian_cnn > out 2> err
same 'exit of an unknown kind' 2 $?
has 'its name' "did you mean 'train_cnn'" "$(cat err)"
exit 0
