/* drop_rows: removes rows from the training split: those of lists, or as many of each class drawn
 * at random, which shows the effect of a smaller training split alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "base/text.h"
#include "stages/data/drop.h"
#include "stages/data/formats.h"
#include "stages/data/row_list.h"
#include "stages/job.h"

static const int32_t *find_row(const struct row_list *list, int32_t row)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->rows[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->n && list->rows[low] == row ? &list->rows[low] : NULL;
}

/* Sets drop[i] for each image whose row is listed. -EINVAL if a listed row isn't there. */
static int mark(const struct images *train, const struct row_list *list, const char *name,
                uint8_t *drop, struct error *err)
{
    const int32_t *rows = train->rows.data;
    uint8_t *found = calloc(list->n + 1, 1);
    if (!found)
        return error_set(err, ENOMEM, "out of memory for %zu rows", list->n);
    for (size_t i = 0; i < train->n; i++) {
        const int32_t *listed = find_row(list, rows[i]);
        if (listed)
            drop[i] = found[listed - list->rows] = 1;
    }
    const uint8_t *lacks = memchr(found, 0, list->n + 1);
    size_t k = (size_t)(lacks - found);
    free(found);
    return k == list->n
               ? 0
               : error_set(err, EINVAL, "%s: row %d is not in the training split of images", name,
                           list->rows[k]);
}

static int mark_lists(const struct job *job, const struct images *train, uint8_t *drop,
                      struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < job_input_count(job, "rows") && rc == 0; i++) {
        const char *name = job_input_name(job, "rows", i);
        struct row_list list;
        rc = row_list_read(job_input(job, "rows", i), name, &list, err);
        if (rc == 0)
            rc = mark(train, &list, name, drop, err);
        row_list_free(&list);
    }
    return rc;
}

/* Replaces the marked rows by as many of each class, drawn from all rows. */
static int draw(const struct images *train, uint64_t seed, uint8_t *drop, struct error *err)
{
    const uint8_t *labels = train->labels.data;
    size_t wanted[CLASSES] = {0};
    uint32_t *order = malloc((train->n + 1) * sizeof *order);
    if (!order)
        return error_set(err, ENOMEM, "out of memory for %zu images", train->n);
    for (size_t i = 0; i < train->n; i++) {
        order[i] = (uint32_t)i;
        wanted[labels[i]] += drop[i];
    }
    struct random random = random_start(seed, 0);
    random_shuffle(&random, order, train->n);
    memset(drop, 0, train->n);
    for (size_t i = 0; i < train->n; i++) {
        uint8_t label = labels[order[i]];
        if (wanted[label] > 0) {
            wanted[label]--;
            drop[order[i]] = 1;
        }
    }
    free(order);
    return 0;
}

static int write_removed(const char *path, const struct images *train, const uint8_t *drop,
                         struct error *err)
{
    const int32_t *rows = train->rows.data;
    const uint8_t *labels = train->labels.data;
    struct text text = {0};
    text_add(&text, "row,emotion\n");
    for (size_t i = 0; i < train->n; i++)
        if (drop[i])
            text_print(&text, "%d,%s\n", rows[i], class_names[labels[i]]);
    return text_write(&text, path, err);
}

static int drop_from(struct job *job, struct images splits[SPLITS], uint8_t *drop,
                     struct error *err)
{
    struct images *train = &splits[SPLIT_TRAIN];
    bool random = strcmp(job_string(job, "choose"), "random") == 0;
    int rc = mark_lists(job, train, drop, err);
    if (rc == 0 && random)
        rc = draw(train, (uint64_t)job_int(job, "seed"), drop, err);
    if (rc == 0)
        rc = write_removed(job_output(job, "removed"), train, drop, err);
    if (rc == 0)
        rc = job_write_json(job_output(job, "summary"), drop_counts(train, drop), err);
    if (rc == 0)
        rc = drop_rows(train, drop, "would be removed", err);
    return rc < 0 ? rc
                  : images_write_set(job_output(job, "images"), job_output(job, "counts"), splits,
                                     err);
}

static int run(struct job *job, struct error *err)
{
    struct images splits[SPLITS];
    int rc = images_read_set(job_input(job, "images", 0), splits, err);
    if (rc < 0)
        return rc;
    uint8_t *drop = calloc(splits[SPLIT_TRAIN].n + 1, 1);
    rc = drop ? drop_from(job, splits, drop, err)
              : error_set(err, ENOMEM, "out of memory for %zu images", splits[SPLIT_TRAIN].n);
    free(drop);
    images_free_set(splits);
    return rc;
}

static const struct port inputs[] = {
    {.name = "images", .form = PORT_TREE, .text = "a data set, as written by ingest_csv"},
    {.name = "rows",
     .form = PORT_FILE,
     .many = true,
     .text = "CSV files with a column `row`, such as removed of filter_noise and within of "
             "find_duplicates: rows of the training split; row 0 is the first after the header of "
             "the data set's CSV"},
    {0},
};

static const struct port outputs[] = {
    {.name = "images",
     .form = PORT_TREE,
     .file = "kept",
     .text = "the data set without these rows in the training split; counts.json"},
    {.name = "counts",
     .form = PORT_FILE,
     .file = "counts.json",
     .holds = COUNTS_HOLDS,
     .text = "rows of each class kept in each split"},
    {.name = "removed",
     .form = PORT_FILE,
     .file = "removed.csv",
     .data = "rows",
     .text = "row,emotion of each removed row"},
    {.name = "summary",
     .form = PORT_FILE,
     .file = "summary.json",
     .holds = DROP_COUNTS_HOLDS,
     .text = "rows removed and kept, and removed by class"},
    {0},
};

static const struct param params[] = {
    {.name = "choose",
     .type = PARAM_ENUM,
     .standard = "listed",
     .choices = "listed|random",
     .text =
         "listed: the rows in the lists, each once; random: as many rows of each class as that, "
         "drawn from all training rows, listed ones included"},
    SEED_PARAM("seed of the rows that `random` draws; a longer list draws the same rows and more"),
    {0},
};

const struct kind kind_drop_rows = {
    .name = "drop_rows",
    .version = 1,
    .text = "removes listed rows, or as many random ones, from the training split",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
