# The last line of tests/run.sh: a skipped test isn't a passed one, and a program without tests fails.
. "$STORIES/lib.sh"
mkdir -p made/tests/unit/any

# program NAME STATUS: prints the lines of its input and ends
program() {
    local file=made/tests/unit/any/test_$1
    { echo '#!/bin/sh' && echo 'cat <<"END"' && cat && echo 'END' && echo "exit $2"; } > "$file"
    chmod +x "$file"
}

# counts NAME: the last line, when no program but this one runs
counts() { BUILD=$PWD/made FERDAG=$FERDAG bash "$STORIES/../run.sh" "test_$1" > out.txt; tail -n 1 out.txt; }

program all_skipped 0 << 'E'
[ RUN      ] one
skipped: this CPU has no bf16 instructions
[  SKIPPED ] one
[==========] 1 test(s) run.
[  PASSED  ] 0 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] one

 1 SKIPPED TEST(S)
E
same 'only skipped tests' '0 passed, 0 failed, 1 skipped' "$(counts all_skipped)"
has 'the reason' 'skipped: this CPU has no bf16 instructions' "$(cat out.txt)"

program mixed 1 << 'E'
[  PASSED  ] 5 test(s).
[  SKIPPED ] 2 test(s), listed below:
[  SKIPPED ] a
[  SKIPPED ] b

 2 SKIPPED TEST(S)
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] c

 1 FAILED TEST(S)
[  PASSED  ] 3 test(s).
    [  PASSED  ] 9 test(s).
E
same 'two groups of tests' '8 passed, 1 failed, 2 skipped' "$(counts mixed)"

program empty 0 < /dev/null
same 'no test at all' '0 passed, 1 failed, 0 skipped' "$(counts empty)"

program died 139 << 'E'
[ RUN      ] one
E
same 'a program that died' '0 passed, 1 failed, 0 skipped' "$(counts died)"
