# No experiment file within the limits takes long to check, whatever it has many of. Each of these files
# took 4 to 100 seconds when a search was linear.
. "$STORIES/lib.sh"
echo data > data.txt
one='stages: { s: { kind: command, out: { o: o }, with: { run: ":" } } }'

# soon NAME EXPECTED [OPTION...]: the YAML on stdin is checked in time, with this text in the output
soon() {
    local name=$1 expected=$2
    shift 2
    cat > "$name.yaml"
    timeout 5 "$FERDAG" check "$name.yaml" "$@" > err 2>&1
    [ $? -lt 124 ] || fail "$name: more than 5 seconds"
    has "$name" "$expected" "$(cut -c 1-300 err)"
}

# numbers FORMAT COUNT: the format for 0, 1, ..., separated by ", "
numbers() { seq -s ', ' -f "$1" 0 $(($2 - 1)); }

{ echo 'ferdag: 2'; echo 'params:'; echo '  a:'; seq -f '  - &a%.0f x' 40000; echo '  b:'; seq -f '  - *a%.0f' 40000; echo "$one"
} | soon anchors '1 stage, no errors'
{ echo 'ferdag: 2'; echo 'params:'; echo '  a:'; seq -f '  - &a%.0f x' 40000; echo '  b:'; yes '  - *a1' | head -40000; echo "$one"
} | soon first_anchor '1 stage, no errors'
{ seq -f '%%TAG !a%.0f! x' 100000; echo '---'; echo 'ferdag: 2'; echo "$one"; } | soon tags 'tags.yaml:1:1: tags are not supported'

{ echo 'ferdag: 2'; echo 'params:'; seq -f '  p%.0f: 1' 60000; echo '  q: { r: s }'
  echo "stages: { s: { kind: command, out: { o: o }, with: { run: \"$(yes '${q.r}' | head -30000 | tr -d '\n')\" } } }"
} | soon dotted_names '1 stage, no errors'
{ echo 'ferdag: 2'; echo 'params:'; seq -f '  p%.0f: 1' 90000
  echo "stages: { s: { kind: command, out: { o: o }, with: { run: \"$(yes '${p45000}' | head -40000 | tr -d '\n')\" } } }"
} | soon set_params '1 stage, no errors' --set p1=2

{ echo 'ferdag: 2'; echo 'inputs:'; seq -f '  e%.0f: data.txt' 45000; echo 'stages:'
  seq -f '  s%.0f: { kind: command, in: { x: e40000 }, out: { o: o }, with: { run: ":" } }' 5000
  echo 'tables:'
  for i in {0..9}; do echo "  t$i: { columns: [a, b, c, d, e, f, g, h, i, j], cell: '@\${row}:/\${column}', rows: [$(seq -s ', ' -f 's%.0f' $((i * 500 + 1)) $((i * 500 + 500)))] }"; done
} | soon inputs_and_references '5002 stages, no errors'
# ports FORMAT COUNT: "&" is 0, 1, ...
ports() { seq 0 $(($2 - 1)) | sed "s,.*,$1," | paste -sd,; }
{ echo 'ferdag: 2'; echo 'stages:'; echo "  a: { kind: command, out: { $(ports 'x&: f&' 48000), y: f40000/y }, with: { run: \":\" } }"
} | soon shared_file "out: two ports share the file 'f40000/y'"
{ echo 'ferdag: 2'; echo 'stages:'; echo "  a: { kind: command, out: { $(ports 'x&: f&' 48000) }, with: { run: \":\" } }"
  echo "  b: { kind: command, in: { $(ports 'y&: a.x&' 48000) }, out: { o: o }, with: { run: \":\" } }"
} | soon ports '2 stages, no errors'
{ echo 'ferdag: 2'; echo 'stages:'
  echo "  s: { for: { i: [$(numbers %.0f 100)] }, kind: command, out: { $(ports 'x&: f&' 990) }, with: { run: \":\" } }"
  echo 'tables:'
  for i in {0..16}; do echo "  t$i: { rows: [$(numbers '"%.0f"' 100)], columns: [$(seq -s ', ' -f x%.0f $((i * 58)) $((i * 58 + 57)))], cell: '@s/\${row}.\${column}:/a' }"; done
} | soon sources '102 stages, no errors'
{ echo 'ferdag: 2'; echo 'stages: { s: { kind: command, out: { o: o }, with: { run: ":" } } }'
  echo "tables: { t: { rows: [$(numbers r%.0f 500)], columns: { $(numbers 'c%.0f: {' 60 | sed "s/{/{ $(numbers 'v%.0f: 1' 190) }/g") },"
  echo "  cell: '@s:/$(yes '${v189}' | head -150 | tr -d '\n')' } }"
} | soon variables 'expands to more than 5000000 values'

{ echo 'params:'; seq -f '  p%.0f: 1' 90000; } > large.yaml
echo 'params: { a: 1 }' > small.yaml
{ echo 'ferdag: 2'; echo "include: [large.yaml, $(yes small.yaml | head -190 | paste -sd,)]"; echo "$one"
} | soon includes 'include: more than 3000000 entries to merge'
{ echo 'ferdag: 2'; echo "include: [large.yaml, small.yaml, small.yaml]"; echo "$one"; } | soon few_includes '1 stage, no errors'

# Thousands of errors, each of which needs a search for the nearest name; many comparisons, large tables.
{ echo 'ferdag: 2'; echo 'stages:'
  echo "  a: { for: { x: [$(numbers value_number_%.0f 60)], y: [$(numbers value_number_%.0f 60)] }, kind: command, in: { p: 'nosuch_stage/\${x}/\${y}' }, out: { o: o }, with: { run: '\${x} \${y}' } }"
} | soon unknown_stages "unknown stage or input 'nosuch_stage/value_number_0/value_number_0'"
has 'the rest of unknown_stages' 'and 3500 more' "$(cat err)"
{ echo 'ferdag: 2'; echo 'params:'; seq -f '  param_%.0f: 1' 4000; echo 'stages:'
  seq 0 3999 | sed 's/.*/  st&: { kind: synthetic_faces, with: { seed: "${params_&}" } }/'
} | soon unknown_params "unknown param 'params_0'"
table="rows: [$(numbers r%.0f 500)], columns: [$(numbers c%.0f 60)], cell: '@s:/x'"
{ echo 'ferdag: 2'; echo "$one"; echo "tables: { t: { $table } }"
  echo "claims: { k: { title: K, checks: [$(yes '{ check: above, left: t/*/c0, right: t/r0/*, text: x }' | head -900 | paste -sd,)] } }"
} | soon pairs 'the claims compare more than 10000 pairs of cells'
{ echo 'ferdag: 2'; echo "$one"; echo 'tables:'; for i in 0 1 2; do echo "  t$i: { $table, unit: $(yes u | head -60 | tr -d '\n') }"; done
} | soon cells 'the tables have too many cells: together they would take more than 60 MB'
