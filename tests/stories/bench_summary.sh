# The last lines of `make bench-train`: each width's geometric mean and least ratio, of training and of
# extraction, and last of all those of training at all widths.
. "$STORIES/lib.sh"
command -v python3 > python || { echo 'skipped: python3 is not installed'; exit 77; }
lines=$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$STORIES/../bench" python3 -c '
import train
print("\n".join(train.summary({("train", 16): [2.0, 0.5], ("predict", 16): [3.0],
                               ("train", 64): [1.5], ("predict", 64): [4.0, 1.0]})))') || fail 'no summary'
same 'the lines' 'width 16: geomean 1.00 min 0.50
width 64: geomean 1.50 min 1.50
predict, width 16: geomean 3.00 min 3.00
predict, width 64: geomean 2.00 min 1.00
geomean 1.14 min 0.50' "$lines"
