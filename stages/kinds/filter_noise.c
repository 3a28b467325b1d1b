/* filter_noise: removes noise from the training split; the other splits don't change. Evidence is
 * computed by evidence.h, and rules.h decides on it. Every removed row is listed with its rule and
 * score, and contact sheets show the removed and the nearly removed images. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "stages/noise/contact_sheet.h"
#include "stages/data/drop.h"
#include "stages/data/formats.h"
#include "stages/job.h"
#include "stages/noise/rules.h"
#include "stages/data/stratify.h"

enum { PIXELS = FACE_SIZE * FACE_SIZE };

/* The training split with its verdicts. */
struct judged {
    const struct images *train;
    struct noise_evidence evidence;
    struct noise_verdict *verdicts;
    size_t *order; /* rows by score, highest first */
    size_t removed;
};

struct progress {
    const struct job *job;
    size_t n;
    double start, last;
};

static void report(void *user, size_t done)
{
    struct progress *p = user;
    if (clock_report_due(&p->last))
        job_progress(p->job, (double)done, (double)p->n, "image",
                     (double)done / (p->last - p->start), "images/s", NULL);
}

static bool is_removed(const struct noise_verdict *v)
{
    return v->score >= 1;
}

struct scored {
    float score;
    size_t row;
};

static int higher_first(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int order_by_score(struct judged *j, struct error *err)
{
    size_t n = j->train->n;
    struct scored *items = malloc(n * sizeof *items);
    j->order = malloc(n * sizeof *j->order);
    if (!items || !j->order) {
        free(items);
        return error_set(err, ENOMEM, "out of memory for %zu images", n);
    }
    for (size_t i = 0; i < n; i++)
        items[i] = (struct scored){j->verdicts[i].score, i};
    qsort(items, n, sizeof *items, higher_first);
    for (size_t i = 0; i < n; i++)
        j->order[i] = items[i].row;
    free(items);
    return 0;
}

static int judge(struct job *job, const struct images *train, struct judged *j, struct error *err)
{
    *j = (struct judged){.train = train};
    const struct noise_settings settings = {
        .threshold = job_real(job, "threshold"),
        .min_face = job_real(job, "min_face"),
        .max_faces = (int)job_int(job, "max_faces"),
    };
    double now = clock_monotonic();
    struct progress progress = {job, train->n, now, now};
    int rc = noise_evidence_gather(train->pixels.data, train->n, job->threads, report, &progress,
                                   &j->evidence, err);
    if (rc < 0)
        return rc;
    j->verdicts = malloc(train->n * sizeof *j->verdicts);
    if (!j->verdicts)
        return error_set(err, ENOMEM, "out of memory for %zu images", train->n);
    rc = noise_judge(&j->evidence, &settings, j->verdicts, err);
    for (size_t i = 0; i < train->n && rc == 0; i++)
        j->removed += is_removed(&j->verdicts[i]);
    return rc < 0 ? rc : order_by_score(j, err);
}

static void judged_free(struct judged *j)
{
    noise_evidence_free(&j->evidence);
    free(j->verdicts);
    free(j->order);
}

static const uint8_t *labels_of(const struct images *images)
{
    return images->labels.data;
}

static const int32_t *rows_of(const struct images *images)
{
    return images->rows.data;
}

/* ---- outputs ---- */

/* A text file, collected in memory and written at the end. */
struct table {
    char *text;
    size_t size;
    FILE *stream;
};

static int table_open(struct table *t, struct error *err)
{
    t->stream = open_memstream(&t->text, &t->size);
    return t->stream ? 0 : error_set(err, ENOMEM, "out of memory for a table");
}

static int table_write(struct table *t, const char *path, struct error *err)
{
    bool bad = ferror(t->stream);
    bad |= fclose(t->stream) != 0;
    int rc = bad ? error_set(err, ENOMEM, "out of memory writing %s", path)
                 : file_write(path, t->text, t->size, err);
    free(t->text);
    return rc;
}

static int write_removed(const char *path, const struct judged *j, struct error *err)
{
    struct table t;
    int rc = table_open(&t, err);
    if (rc < 0)
        return rc;
    fprintf(t.stream, "row,emotion,rule,score\n");
    for (size_t i = 0; i < j->train->n; i++)
        if (is_removed(&j->verdicts[i]))
            fprintf(t.stream, "%d,%s,%s,%.4f\n", rows_of(j->train)[i],
                    class_names[labels_of(j->train)[i]], noise_rule_names[j->verdicts[i].rule],
                    (double)j->verdicts[i].score);
    return table_write(&t, path, err);
}

static int write_scores(const char *path, const struct judged *j, struct error *err)
{
    struct table t;
    int rc = table_open(&t, err);
    if (rc < 0)
        return rc;
    fprintf(t.stream,
            "row,emotion,removed,no_face,drawing,small_face,several_faces,detection,face_px\n");
    for (size_t i = 0; i < j->train->n; i++) {
        const struct noise_verdict *v = &j->verdicts[i];
        fprintf(t.stream, "%d,%s,%d", rows_of(j->train)[i], class_names[labels_of(j->train)[i]],
                is_removed(v));
        for (int rule = 0; rule < NOISE_RULES; rule++)
            fprintf(t.stream, ",%.4f", (double)v->scores[rule]);
        fprintf(t.stream, ",%.3f,%.1f\n", (double)j->evidence.values[DETECTION][i],
                (double)v->face);
    }
    return table_write(&t, path, err);
}

static const char *const rule_captions[NOISE_RULES] = {
    [NO_FACE] = "NF", [DRAWING] = "DR", [SMALL_FACE] = "SM", [SEVERAL_FACES] = "SV"};

/* Writes a contact sheet of rows from .. from + count - 1 in `order`, or of `most` evenly spaced
 * ones. Captions are the rule and the row of the CSV. */
static int write_sheet(const char *path, const struct judged *j, size_t from, size_t count,
                       size_t most, struct error *err)
{
    size_t shown = count < most ? count : most;
    struct sheet_cell *cells = calloc(shown + 1, sizeof *cells);
    if (!cells)
        return error_set(err, ENOMEM, "out of memory writing %s", path);
    for (size_t k = 0; k < shown; k++) {
        size_t i = j->order[from + k * count / shown];
        cells[k].pixels = (const uint8_t *)j->train->pixels.data + i * PIXELS;
        snprintf(cells[k].caption, sizeof cells[k].caption, "%s %d",
                 rule_captions[j->verdicts[i].rule], rows_of(j->train)[i]);
    }
    int rc = sheet_write(path, cells, shown, err);
    free(cells);
    return rc;
}

static int write_sheets(const struct job *job, const struct judged *j, struct error *err)
{
    const char *folder = job_output(job, "sheets");
    size_t most = (size_t)job_int(job, "sheet_images"), kept = j->train->n - j->removed;
    char *removed = format_string("%s/removed.png", folder);
    char *nearly = format_string("%s/nearly_removed.png", folder);
    int rc = removed && nearly ? file_make_folders(folder, err)
                               : error_set(err, ENOMEM, "out of memory writing %s", folder);
    if (rc == 0)
        rc = write_sheet(removed, j, 0, j->removed, most, err);
    if (rc == 0) /* the highest scores among the kept images, not evenly spaced */
        rc = write_sheet(nearly, j, j->removed, kept < most ? kept : most, most, err);
    free(removed);
    free(nearly);
    return rc;
}

/* drop[i]: whether row i is removed. */
static int write_summary(const struct job *job, const struct judged *j, const uint8_t *drop,
                         struct error *err)
{
    json_int_t rules[NOISE_RULES] = {0};
    for (size_t i = 0; i < j->train->n; i++)
        if (drop[i])
            rules[j->verdicts[i].rule]++;
    json_t *root = drop_counts(j->train, drop), *per_rule = json_object();
    for (int r = 0; r < NOISE_RULES; r++)
        json_object_set_new(per_rule, noise_rule_names[r], json_integer(rules[r]));
    json_t *settings = json_pack("{s:o, s:f, s:f, s:I}", "removed_per_rule", per_rule, "threshold",
                                 job_real(job, "threshold"), "min_face", job_real(job, "min_face"),
                                 "max_faces", (json_int_t)job_int(job, "max_faces"));
    int rc = root && settings ? json_object_update(root, settings) : -1;
    json_decref(settings);
    if (rc == 0)
        return job_write_json(job_output(job, "summary"), root, err);
    json_decref(root);
    return error_set(err, ENOMEM, "out of memory writing %s", job_output(job, "summary"));
}

/* Writes the summary and drops the removed rows. -EINVAL if a class loses all its rows. */
static int drop_removed(const struct job *job, struct images *train, const struct judged *j,
                        struct error *err)
{
    static const char why[] =
        "are noise by these rules; lower min_face, or raise threshold or max_faces";
    uint8_t *drop = malloc(train->n);
    if (!drop)
        return error_set(err, ENOMEM, "out of memory for %zu images", train->n);
    for (size_t i = 0; i < train->n; i++)
        drop[i] = is_removed(&j->verdicts[i]);
    int rc = write_summary(job, j, drop, err);
    if (rc == 0)
        rc = drop_rows(train, drop, why, err);
    free(drop);
    return rc;
}

static int filter(struct job *job, struct images splits[SPLITS], struct error *err)
{
    struct images *train = &splits[SPLIT_TRAIN];
    if (train->n == 0)
        return error_set(err, EINVAL, "%s: the training split is empty, expected images",
                         job_input(job, "images", 0));
    struct judged j;
    int rc = judge(job, train, &j, err);
    if (rc == 0)
        rc = write_removed(job_output(job, "removed"), &j, err);
    if (rc == 0)
        rc = write_scores(job_output(job, "scores"), &j, err);
    if (rc == 0)
        rc = write_sheets(job, &j, err);
    if (rc == 0)
        rc = drop_removed(job, train, &j, err);
    if (rc == 0)
        rc = images_write_set(job_output(job, "images"), job_output(job, "counts"), splits, err);
    judged_free(&j);
    return rc;
}

static int run(struct job *job, struct error *err)
{
    struct images splits[SPLITS];
    int rc = images_read_set(job_input(job, "images", 0), splits, err);
    if (rc < 0)
        return rc;
    rc = filter(job, splits, err);
    images_free_set(splits);
    return rc;
}

static const struct port inputs[] = {
    {.name = "images", .form = PORT_TREE, .text = "a data set, as written by ingest_csv"},
    {0},
};

static const struct port outputs[] = {
    {.name = "images",
     .form = PORT_TREE,
     .file = "kept",
     .text = "the data set without noise in the training split; counts.json"},
    {.name = "counts",
     .form = PORT_FILE,
     .file = "counts.json",
     .holds = COUNTS_HOLDS,
     .text = "rows of each class kept in each split"},
    {.name = "removed",
     .form = PORT_FILE,
     .file = "removed.csv",
     .data = "rows",
     .text = "row,emotion,rule,score of each removed row; row 0 is the first after the header of "
             "the CSV"},
    {.name = "scores",
     .form = PORT_FILE,
     .file = "scores.csv",
     .text =
         "score of every training row by every rule; rows with a score of 1 or more are removed"},
    {.name = "sheets",
     .form = PORT_TREE,
     .file = "sheets",
     .holds = "/removed.png /nearly_removed.png",
     .text = "removed.png and nearly_removed.png: contact sheets, highest score first"},
    {.name = "summary",
     .form = PORT_FILE,
     .file = "summary.json",
     .holds = "/kept_total|max_faces|min_face|threshold|removed_total "
              "/removed_per_class/angry|disgust|fear|happy|sad|surprise|neutral "
              "/removed_per_rule/drawing|no_face|several_faces|small_face",
     .text = "rows removed and kept, by class and by rule"},
    {0},
};

static const struct param params[] = {
    {.name = "min_face",
     .type = PARAM_REAL,
     .standard = "24",
     .min = 0,
     .max = 48,
     .text = "least height of a face region, brows to chin, in pixels; smaller faces are noise; 0: "
             "no limit"},
    {.name = "max_faces",
     .type = PARAM_INT,
     .standard = "1",
     .min = 1,
     .max = MOST_FACES - 1,
     .text = "images with more faces are noise"},
    {.name = "threshold",
     .type = PARAM_REAL,
     .standard = "2.6",
     .min = 0.1,
     .max = 10,
     .text = "no face, drawing: an image is noise if its evidence lies this many robust standard "
             "deviations from the set's median"},
    {.name = "sheet_images",
     .type = PARAM_INT,
     .standard = "480",
     .min = 1,
     .max = SHEET_MAX_IMAGES,
     .text = "most images on a contact sheet; if more were removed, evenly spaced by score"},
    {0},
};

const struct kind kind_filter_noise = {
    .name = "filter_noise",
    .version = 2,
    .text = "removes noise from the training split: no face, drawings, small faces, several faces",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
