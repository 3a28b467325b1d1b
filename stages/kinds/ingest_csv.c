/* ingest_csv: converts FER2013's CSV, compressed or not, to arrays for each split. The file is read
 * as a stream, so memory holds the images only, a byte per pixel. `max_train_rows` selects a
 * smaller data set with the same shares of the classes. */
#include <errno.h>
#include <stdlib.h>
#include "stages/data/csv_faces.h"
#include "stages/data/csv_source.h"
#include "stages/job.h"
#include "stages/data/stratify.h"

static int read_csv(struct job *job, struct csv_faces *faces, struct error *err)
{
    const char *path = job_input(job, "csv", 0), *name = job_input_name(job, "csv", 0);
    struct csv_source *source = NULL;
    int rc = csv_faces_begin(faces, name, err);
    if (rc == 0)
        rc = csv_source_open(&source, path, name, err);
    double last = clock_monotonic();
    while (rc == 0) {
        const char *block;
        size_t size;
        rc = csv_source_next(source, &block, &size, err);
        if (rc < 0 || size == 0)
            break;
        rc = csv_faces_feed(faces, block, size, err);
        if (clock_report_due(&last)) {
            double share = csv_source_fraction(source);
            job_progress(job, (double)faces->rows, (double)faces->rows / (share > 0 ? share : 1),
                         "row", 0, NULL, NULL);
        }
    }
    csv_source_close(source);
    return rc < 0 ? rc : csv_faces_finish(faces, err);
}

/* Keeps `limit` training rows, and the same share of the other splits, at least one row. */
static int take_subset(struct images splits[SPLITS], size_t limit, uint64_t seed, struct error *err)
{
    size_t train = splits[SPLIT_TRAIN].n;
    if (limit == 0 || limit >= train)
        return 0;
    int rc = 0;
    for (int s = 0; s < SPLITS && rc == 0; s++) {
        size_t n = splits[s].n, wanted = (n * limit + train / 2) / train;
        if (n == 0)
            continue;
        uint8_t *keep = malloc(n);
        if (!keep)
            return error_set(err, ENOMEM, "out of memory for a subset of %zu rows", n);
        rc = stratify(splits[s].labels.data, n, wanted > 0 ? wanted : 1, seed, (uint64_t)s, keep,
                      err);
        if (rc == 0)
            images_keep(&splits[s], keep);
        free(keep);
    }
    return rc;
}

static int run(struct job *job, struct error *err)
{
    struct csv_faces faces;
    int rc = read_csv(job, &faces, err);
    if (rc == 0)
        rc = take_subset(faces.splits, (size_t)job_int(job, "max_train_rows"),
                         (uint64_t)job_int(job, "seed"), err);
    if (rc == 0)
        rc = images_write_set(job_output(job, "images"), job_output(job, "counts"), faces.splits,
                              err);
    csv_faces_free(&faces);
    return rc;
}

static const struct port inputs[] = {
    {.name = "csv",
     .form = PORT_FILE,
     .text = "emotion,pixels,Usage with 48x48 faces; .csv, .gz, .xz, .bz2, .zst, or a tar that "
             "holds it"},
    {0},
};

static const struct port outputs[] = {
    {.name = "images",
     .form = PORT_TREE,
     .file = "images",
     .text = "for each split images (n, 48, 48), labels (n) and rows (n) as .npy; counts.json"},
    {.name = "counts",
     .form = PORT_FILE,
     .file = "counts.json",
     .holds = COUNTS_HOLDS,
     .text = "rows of each class in each split"},
    {0},
};

static const struct param params[] = {
    {.name = "max_train_rows",
     .was = "limit",
     .key_name = "limit",
     .type = PARAM_INT,
     .standard = "0",
     .min = 0,
     .max = CSV_MAX_ROWS,
     .text =
         "training rows to keep, with equal shares of classes; other splits shrink alike; 0: all"},
    SEED_PARAM("seed of the rows that max_train_rows keeps"),
    {0},
};

const struct kind kind_ingest_csv = {
    .name = "ingest_csv",
    .version = 1,
    .text = "reads FER2013's CSV into arrays for each split",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
