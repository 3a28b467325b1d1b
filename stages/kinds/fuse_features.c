/* fuse_features: concatenates the features of several nets. Row i of the output is row i of the
 * first input, then of the second, and so on. With `standardize`, columns are standardised by their
 * mean and standard deviation on the training split. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/data/formats.h"
#include "stages/job.h"
#include "stages/kind.h"

/* Checks that input i has as many rows as input 0, with the same labels. */
static int check_same_rows(const struct features *parts, size_t i, enum split split,
                           struct error *err)
{
    if (parts[i].n != parts[0].n)
        return error_set(err, EINVAL,
                         "features %zu: the %s split has %zu rows, but that of features 0 has %zu",
                         i, split_names[split], parts[i].n, parts[0].n);
    const uint8_t *a = parts[0].labels.data, *b = parts[i].labels.data;
    for (size_t r = 0; r < parts[0].n; r++)
        if (a[r] != b[r])
            return error_set(
                err, EINVAL,
                "features %zu: %s split, row %zu: class %s, but in features 0 it is %s", i,
                split_names[split], r, class_names[b[r]], class_names[a[r]]);
    return 0;
}

/* Reads a split of all inputs to parts (count), zeroed. widths[i]: the columns of input i, 0 if not
 * yet known. */
static int read_parts(const struct job *job, enum split split, struct features *parts, size_t count,
                      size_t *widths, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int rc = features_read(job_input(job, "features", i), split, &parts[i], err);
        if (rc == 0)
            rc = check_same_rows(parts, i, split, err);
        if (rc < 0)
            return rc;
        if (widths[i] == 0)
            widths[i] = parts[i].d;
        if (parts[i].d != widths[i] || parts[i].d == 0)
            return error_set(
                err, EINVAL,
                "features %zu: the %s split has %zu columns, but its train split has %zu", i,
                split_names[split], parts[i].d, widths[i]);
    }
    return 0;
}

static int concatenate(const struct features *parts, size_t count, struct features *out,
                       struct error *err)
{
    size_t d = 0;
    for (size_t i = 0; i < count; i++)
        d += parts[i].d;
    size_t n = parts[0].n, shape[2] = {n, d};
    int rc = array_make(&out->x, ARRAY_F32, 2, shape, err);
    if (rc == 0)
        rc = array_make(&out->labels, ARRAY_U8, 1, shape, err);
    if (rc < 0)
        return rc;
    out->n = n;
    out->d = d;
    memcpy(out->labels.data, parts[0].labels.data, n);
    float *to = out->x.data;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < count; i++) {
            const float *from = parts[i].x.data;
            memcpy(to, from + r * parts[i].d, parts[i].d * sizeof *to);
            to += parts[i].d;
        }
    return 0;
}

/* Standardisation: x becomes (x - mean) * factor. */
struct scale {
    double mean, factor;
};

/* Uses the population standard deviation, as scikit-learn's StandardScaler; constant columns get
 * factor 1. */
static int fit_scales(const struct features *f, struct scale *scales, struct error *err)
{
    const float *x = f->x.data;
    if (f->n == 0)
        return error_set(err, EINVAL,
                         "features: the train split is empty, so columns can't be standardised");
    for (size_t r = 0; r < f->n; r++)
        for (size_t j = 0; j < f->d; j++)
            scales[j].mean += x[r * f->d + j];
    for (size_t j = 0; j < f->d; j++)
        scales[j].mean /= (double)f->n;
    for (size_t r = 0; r < f->n; r++)
        for (size_t j = 0; j < f->d; j++) {
            double difference = x[r * f->d + j] - scales[j].mean;
            scales[j].factor += difference * difference;
        }
    for (size_t j = 0; j < f->d; j++) {
        double deviation = sqrt(scales[j].factor / (double)f->n);
        if (!isfinite(deviation))
            return error_set(err, EINVAL, "features: column %zu of the train split isn't finite",
                             j);
        scales[j].factor = deviation > 0 ? 1 / deviation : 1;
    }
    return 0;
}

static void apply_scales(struct features *f, const struct scale *scales)
{
    float *x = f->x.data;
    for (size_t r = 0; r < f->n; r++)
        for (size_t j = 0; j < f->d; j++)
            x[r * f->d + j] = (float)((x[r * f->d + j] - scales[j].mean) * scales[j].factor);
}

/* Fuses a split. *scales is computed from the training split, which comes first; NULL: no
 * standardisation. */
static int fuse_split(const struct job *job, enum split split, size_t count, size_t *widths,
                      struct scale **scales, struct error *err)
{
    struct features *parts = calloc(count, sizeof *parts), out = {0};
    int rc = parts ? read_parts(job, split, parts, count, widths, err)
                   : error_set(err, ENOMEM, "out of memory for %zu inputs", count);
    if (rc == 0)
        rc = concatenate(parts, count, &out, err);
    for (size_t i = 0; parts && i < count; i++)
        features_free(&parts[i]);
    free(parts);
    if (rc == 0 && split == SPLIT_TRAIN && job_bool(job, "standardize")) {
        *scales = calloc(out.d, sizeof **scales);
        rc = *scales ? fit_scales(&out, *scales, err)
                     : error_set(err, ENOMEM, "out of memory for %zu columns", out.d);
    }
    if (rc == 0 && *scales)
        apply_scales(&out, *scales);
    if (rc == 0)
        rc = features_write(job_output(job, "features"), split, &out, err);
    features_free(&out);
    return rc;
}

static int write_layout(const struct job *job, const size_t *widths, size_t count,
                        struct error *err)
{
    json_t *list = json_array();
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_pack("{s:I,s:I,s:I}", "input", (json_int_t)i, "first",
                                              (json_int_t)first, "columns", (json_int_t)widths[i]));
        first += widths[i];
    }
    return job_write_json(job_output(job, "layout"),
                          json_pack("{s:I,s:b,s:o}", "columns", (json_int_t)first, "standardized",
                                    job_bool(job, "standardize"), "inputs", list),
                          err);
}

static int run(struct job *job, struct error *err)
{
    size_t count = job_input_count(job, "features");
    if (count == 0)
        return error_set(err, EINVAL, "features: expected at least one input");
    size_t *widths = calloc(count, sizeof *widths);
    struct scale *scales = NULL;
    int rc = widths ? 0 : error_set(err, ENOMEM, "out of memory for %zu inputs", count);
    for (enum split split = SPLIT_TRAIN; rc == 0 && split < SPLITS; split++)
        rc = fuse_split(job, split, count, widths, &scales, err);
    if (rc == 0)
        rc = write_layout(job, widths, count, err);
    free(scales);
    free(widths);
    return rc;
}

static const struct port inputs[] = {
    {.name = "features",
     .form = PORT_TREE,
     .many = true,
     .text = "features of the same rows from several nets"},
    {0},
};

static const struct port outputs[] = {
    {.name = "features",
     .form = PORT_TREE,
     .file = "features",
     .text = "for each split s: s_features.npy (n, sum of d) float32, s_labels.npy (n) uint8"},
    {.name = "layout",
     .form = PORT_FILE,
     .file = "layout.json",
     .holds = "/columns /inputs/*/columns|first",
     .text = "the columns of each input"},
    {0},
};

static const struct param params[] = {
    {.name = "standardize",
     .type = PARAM_BOOL,
     .standard = "false",
     .text = "scale each column to mean 0 and standard deviation 1 on the training split"},
    {0},
};

const struct kind kind_fuse_features = {
    .name = "fuse_features",
    .version = 1,
    .text = "concatenates the features of several nets",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
