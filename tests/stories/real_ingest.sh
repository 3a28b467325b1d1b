#!/bin/sh
# FER2013 itself: the counts per class and split are those of the paper's Table I.
set -eu
[ -n "${FER2013:-}" ] || { echo "skipped: FER2013 not set"; exit 77; }
[ -r "$FER2013" ] || { echo "FER2013=$FER2013 cannot be read"; exit 1; }

ln -s "$FER2013" csv
cat > job.json <<END
{"stage": "full", "kind": "ingest_csv", "key": "00", "params": {}, "outputs": {},
 "inputs": {"csv": [{"path": "csv"}]}, "threads": 1, "backend": "auto"}
END
"$FERDAG" stage ingest_csv

#                 angry disgust fear happy sad surprise neutral
cat > expected <<END
{"private":[491,55,528,879,594,416,626],"public":[467,56,496,895,653,415,607],"train":[3995,436,4097,7215,4830,3171,4965]}
END
tr -d ' \n' < counts.json > found
echo >> found
diff expected found
cmp counts.json images/counts.json

# A tenth of the training rows keeps the shares of the classes, by largest remainders.
sed 's/"params": {}/"params": {"max_train_rows": 2871, "seed": 3}/' job.json > job.new
mv job.new job.json
"$FERDAG" stage ingest_csv
cat > expected <<END
{"private":[49,5,53,88,59,42,63],"public":[47,6,50,89,65,41,61],"train":[399,44,410,722,483,317,496]}
END
tr -d ' \n' < counts.json > found
echo >> found
diff expected found
