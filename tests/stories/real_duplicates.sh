#!/bin/sh
# FER2013's duplicates: the counts of identical images were made by an independent program, those of
# near ones by this one.
set -eu
[ -n "${FER2013:-}" ] || { echo "skipped: FER2013 not set"; exit 77; }
[ -r "$FER2013" ] || { echo "FER2013=$FER2013 cannot be read"; exit 1; }

ln -s "$FER2013" csv
# job KIND INPUTS PARAMS THREADS
job() {
    cat > job.json <<END
{"stage": "s", "kind": "$1", "key": "00", "params": {$3}, "outputs": {}, "inputs": {$2}, "threads": $4, "backend": "auto"}
END
    "$FERDAG" stage "$1" > log 2>&1 || { cat log; exit 1; }
}
job ingest_csv '"csv": [{"path": "csv"}]' '' 1
mv images full
job find_duplicates '"images": [{"path": "full"}]' '' 2
cat > expected <<END
{"images":{"private":3589,"public":3589,"train":28709},
"lists":{"conflict":106,"duplicate":1165,"test_twins":2026},
"private_in_public":{"identical":{"images":46,"same_label":43},"with_near":{"images":134,"same_label":118}},
"private_in_train":{"identical":{"images":290,"same_label":282},"with_near":{"images":677,"same_label":633}},
"public_in_train":{"identical":{"images":280,"same_label":272},"with_near":{"images":648,"same_label":604}},
"similarity":0.80000000000000004,
"within_train":{"identical":{"conflicting_groups":39,"conflicting_rows":106,"groups":1033,"surplus":1232},
"with_near":{"conflicting_groups":208,"conflicting_rows":732,"groups":2001,"surplus":3075}}}
END
same() {
    tr -d ' \n' < expected > a
    tr -d ' \n' < summary.json > b
    cmp a b || { cat summary.json; exit 1; }
}
same
sha256sum pairs.csv within.csv test_twins.csv twins.json near_pairs.png > digests
job find_duplicates '"images": [{"path": "full"}]' '' 1 # one thread gives the same bytes
sha256sum -c --quiet digests
same

# The lists that the stage writes are lists that drop_rows takes.
job drop_rows '"images": [{"path": "full"}], "rows": [{"path": "within.csv"}]' '' 1
grep -q '"kept_total": 27438' summary.json || { cat summary.json; exit 1; }
job drop_rows '"images": [{"path": "full"}], "rows": [{"path": "test_twins.csv"}]' '"choose": "random"' 1
grep -q '"removed_total": 2026' summary.json || { cat summary.json; exit 1; }
