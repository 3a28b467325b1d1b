/* find_duplicates: identical images and nearly the same ones, within the training split, within
 * the test splits and across them. It changes no data set: its lists of rows are for drop_rows, and
 * its `twins` for metrics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "stages/data/formats.h"
#include "stages/duplicates/duplicates.h"
#include "stages/duplicates/twins.h"
#include "stages/job.h"
#include "stages/noise/contact_sheet.h"

enum { PIXELS = FACE_SIZE * FACE_SIZE };

struct finding {
    const struct job *job;
    const struct images *splits; /* (SPLITS) */
    struct duplicates d;
    bool near;          /* near twins count in lists of twins */
    double start, last; /* for progress */
};

static int32_t row_of(const struct finding *f, size_t image)
{
    enum split split = duplicates_split(&f->d, image);
    return ((const int32_t *)f->splits[split].rows.data)[image - f->d.start[split]];
}

static uint8_t label_of(const struct finding *f, size_t image)
{
    enum split split = duplicates_split(&f->d, image);
    return ((const uint8_t *)f->splits[split].labels.data)[image - f->d.start[split]];
}

static const struct twin_group *group_of(const struct finding *f, size_t image)
{
    return &f->d.groups[f->d.group[image]];
}

/* ---- pairs ---- */

/* Of an image and a split, its own or an earlier one: the most similar image there, which comes
 * before the image. */
struct pair {
    size_t image, of;
    double similarity;
    bool identical, mirrored;
};

struct pairs {
    struct pair *items;
    size_t n;
};

static bool find_pair(const struct finding *f, size_t image, enum split split, struct pair *pair)
{
    const struct twin_group *group = group_of(f, image);
    const struct near_twin *nearest = &group->nearest[split];
    uint32_t first = group->first[split];
    *pair = (struct pair){.image = image, .of = first, .similarity = 1, .identical = true};
    if (first < image) /* NO_IMAGE isn't */
        return true;
    *pair = (struct pair){image, nearest->image, nearest->similarity, false, nearest->mirrored};
    return nearest->image != NO_IMAGE;
}

static int list_pairs(const struct finding *f, struct pairs *pairs, struct error *err)
{
    pairs->n = 0;
    pairs->items = malloc((f->d.n + 1) * SPLITS * sizeof *pairs->items);
    if (!pairs->items)
        return error_set(err, ENOMEM, "out of memory for %zu images", f->d.n);
    for (size_t i = 0; i < f->d.n; i++)
        for (enum split s = SPLIT_TRAIN; s <= duplicates_split(&f->d, i); s++)
            pairs->n += find_pair(f, i, s, &pairs->items[pairs->n]);
    return 0;
}

static int write_pairs(const struct finding *f, const struct pairs *pairs, struct error *err)
{
    struct text text = {0};
    text_add(&text, "row,split,emotion,of_row,of_split,of_emotion,match,similarity\n");
    for (size_t k = 0; k < pairs->n; k++) {
        const struct pair *p = &pairs->items[k];
        text_print(&text, "%d,%s,%s,%d,%s,%s,%s,%.4f\n", row_of(f, p->image),
                   split_names[duplicates_split(&f->d, p->image)],
                   class_names[label_of(f, p->image)], row_of(f, p->of),
                   split_names[duplicates_split(&f->d, p->of)], class_names[label_of(f, p->of)],
                   p->identical  ? "identical"
                   : p->mirrored ? "mirrored"
                                 : "near",
                   p->similarity);
    }
    return text_write(&text, job_output(f->job, "pairs"), err);
}

/* ---- contact sheet ---- */

static int more_similar_first(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->similarity != y->similarity)
        return x->similarity > y->similarity ? -1 : 1;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    return (x->of > y->of) - (x->of < y->of);
}

static void fill_cell(const struct finding *f, size_t image, struct sheet_cell *cell)
{
    static const char *const captions[SPLITS] = {"TR", "PU", "PR"};
    enum split split = duplicates_split(&f->d, image);
    cell->pixels =
        (const uint8_t *)f->splits[split].pixels.data + (image - f->d.start[split]) * PIXELS;
    snprintf(cell->caption, sizeof cell->caption, "%s%d", captions[split], row_of(f, image));
}

/* Two cells for each pair: the image with its row, then the other with its row; below the first
 * also M for a mirror image, below the second the similarity. */
static void fill_pair(const struct finding *f, const struct pair *pair, struct sheet_cell cells[2])
{
    char *caption = cells[1].caption;
    fill_cell(f, pair->image, &cells[0]);
    fill_cell(f, pair->of, &cells[1]);
    if (pair->mirrored)
        strncat(cells[0].caption, " M", CAPTION_CHARS - strlen(cells[0].caption));
    size_t used = strlen(caption);
    snprintf(caption + used, CAPTION_CHARS + 1 - used, " %.2f", pair->similarity);
}

/* Writes the near pairs, or as many as are wanted, evenly spaced by similarity. Sorts pairs. */
static int write_sheet(const struct finding *f, struct pairs *pairs, struct error *err)
{
    size_t near = 0, most = (size_t)job_int(f->job, "sheet_images") / 2;
    for (size_t k = 0; k < pairs->n; k++)
        if (!pairs->items[k].identical)
            pairs->items[near++] = pairs->items[k];
    if (near > 0)
        qsort(pairs->items, near, sizeof *pairs->items, more_similar_first);
    size_t shown = near < most ? near : most;
    struct sheet_cell *cells = calloc(2 * shown + 1, sizeof *cells);
    if (!cells)
        return error_set(err, ENOMEM, "out of memory for a contact sheet");
    for (size_t k = 0; k < shown; k++)
        fill_pair(f, &pairs->items[k * near / shown], &cells[2 * k]);
    int rc = sheet_write(job_output(f->job, "sheet"), cells, 2 * shown, err);
    free(cells);
    return rc;
}

/* ---- duplicates within the training split ---- */

/* Sets of training images that are the same: groups, or with near pairs clusters. */
struct set {
    size_t images;
    uint32_t first;
    uint8_t labels;
};

static struct set *training_sets(const struct finding *f, bool near, struct error *err)
{
    struct set *sets = calloc(f->d.group_count + 1, sizeof *sets);
    if (!sets) {
        error_set(err, ENOMEM, "out of memory for %zu images", f->d.n);
        return NULL;
    }
    for (size_t i = f->splits[SPLIT_TRAIN].n; i-- > 0;) {
        struct set *set = &sets[near ? group_of(f, i)->cluster : f->d.group[i]];
        set->images++;
        set->first = (uint32_t)i;
        set->labels |= (uint8_t)(1 << label_of(f, i));
    }
    return sets;
}

static bool conflicts(const struct set *set)
{
    return set->labels & (set->labels - 1);
}

static int write_within(const struct finding *f, size_t counts[2], struct error *err)
{
    static const char *const reasons[2] = {"duplicate", "conflict"};
    bool near = job_bool(f->job, "near_within");
    struct set *sets = training_sets(f, near, err);
    struct text text = {0};
    if (!sets)
        return -ENOMEM;
    text_add(&text, "row,emotion,why,of_row\n");
    for (size_t i = 0; i < f->splits[SPLIT_TRAIN].n; i++) {
        const struct set *set = &sets[near ? group_of(f, i)->cluster : f->d.group[i]];
        bool conflict = conflicts(set);
        if (!conflict && set->first == i)
            continue;
        counts[conflict]++;
        text_print(&text, "%d,%s,%s,%d\n", row_of(f, i), class_names[label_of(f, i)],
                   reasons[conflict], row_of(f, set->first));
    }
    free(sets);
    return text_write(&text, job_output(f->job, "within"), err);
}

/* ---- twins across the training split and the test splits ---- */

static int write_twins(const struct finding *f, struct error *err)
{
    json_t *root = json_object();
    for (enum split s = SPLIT_PUBLIC; s < SPLITS; s++) {
        size_t n = f->splits[s].n;
        uint8_t *has_twin = calloc(n + 1, 1);
        for (size_t i = 0; has_twin && i < n; i++) {
            const struct twin_group *group = group_of(f, f->d.start[s] + i);
            has_twin[i] =
                group->labels[SPLIT_TRAIN] || (f->near && group->near_labels[SPLIT_TRAIN]);
        }
        json_t *entry = has_twin ? twins_entry(has_twin, n) : NULL;
        free(has_twin);
        if (json_object_set_new(root, split_names[s], entry) < 0) {
            json_decref(root);
            return error_set(err, ENOMEM, "out of memory for %zu images", n);
        }
    }
    return job_write_json(job_output(f->job, "twins"), root, err);
}

static int write_test_twins(const struct finding *f, size_t *count, struct error *err)
{
    struct text text = {0};
    text_add(&text, "row,emotion,public,private\n");
    for (size_t i = 0; i < f->splits[SPLIT_TRAIN].n; i++) {
        const struct twin_group *group = group_of(f, i);
        const char *match[SPLITS];
        for (int s = 0; s < SPLITS; s++)
            match[s] = group->labels[s]                   ? "identical"
                       : f->near && group->near_labels[s] ? "near"
                                                          : "";
        if (!*match[SPLIT_PUBLIC] && !*match[SPLIT_PRIVATE])
            continue;
        ++*count;
        text_print(&text, "%d,%s,%s,%s\n", row_of(f, i), class_names[label_of(f, i)],
                   match[SPLIT_PUBLIC], match[SPLIT_PRIVATE]);
    }
    return text_write(&text, job_output(f->job, "test_twins"), err);
}

/* ---- summary ---- */

static json_t *count_sets(const struct finding *f, bool near, struct error *err)
{
    size_t groups = 0, surplus = 0, conflicting = 0, rows = 0;
    struct set *sets = training_sets(f, near, err);
    if (!sets)
        return NULL;
    for (size_t g = 0; g < f->d.group_count; g++)
        if (sets[g].images > 1) {
            groups++;
            surplus += sets[g].images - 1;
            conflicting += conflicts(&sets[g]);
            rows += conflicts(&sets[g]) ? sets[g].images : 0;
        }
    free(sets);
    return json_pack("{s:I, s:I, s:I, s:I}", "groups", (json_int_t)groups, "surplus",
                     (json_int_t)surplus, "conflicting_groups", (json_int_t)conflicting,
                     "conflicting_rows", (json_int_t)rows);
}

/* The images of a split that have a twin in another one, and those with one of the same class. */
static json_t *count_twins(const struct finding *f, enum split split, enum split of, bool near)
{
    size_t images = 0, same = 0;
    for (size_t i = f->d.start[split]; i < f->d.start[split + 1]; i++) {
        const struct twin_group *group = group_of(f, i);
        unsigned labels = group->labels[of] | (near ? group->near_labels[of] : 0u);
        images += labels != 0;
        same += labels >> label_of(f, i) & 1;
    }
    return json_pack("{s:I, s:I}", "images", (json_int_t)images, "same_label", (json_int_t)same);
}

static json_t *count_test(const struct finding *f, enum split split, enum split of)
{
    return json_pack("{s:o, s:o}", "identical", count_twins(f, split, of, false), "with_near",
                     count_twins(f, split, of, true));
}

static int write_summary(const struct finding *f, const size_t within[2], size_t test_twins,
                         struct error *err)
{
    json_t *images = json_object();
    for (int s = 0; s < SPLITS; s++)
        json_object_set_new(images, split_names[s], json_integer((json_int_t)f->splits[s].n));
    json_t *train = json_pack("{s:o, s:o}", "identical", count_sets(f, false, err), "with_near",
                              count_sets(f, true, err));
    json_t *lists = json_pack("{s:I, s:I, s:I}", "duplicate", (json_int_t)within[0], "conflict",
                              (json_int_t)within[1], "test_twins", (json_int_t)test_twins);
    json_t *root =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "images", images, "within_train", train,
                  "public_in_train", count_test(f, SPLIT_PUBLIC, SPLIT_TRAIN), "private_in_train",
                  count_test(f, SPLIT_PRIVATE, SPLIT_TRAIN), "private_in_public",
                  count_test(f, SPLIT_PRIVATE, SPLIT_PUBLIC), "lists", lists, "similarity",
                  job_real(f->job, "similarity"));
    return job_write_json(job_output(f->job, "summary"), root, err);
}

/* ---- the stage ---- */

static void report(void *user, double share)
{
    struct finding *f = user;
    if (clock_report_due(&f->last))
        job_progress(f->job, share * (double)f->d.n, (double)f->d.n, "image",
                     share * (double)f->d.n / (f->last - f->start), "images/s", NULL);
}

static int write_outputs(const struct finding *f, struct error *err)
{
    struct pairs pairs;
    size_t within[2] = {0}, test_twins = 0;
    int rc = list_pairs(f, &pairs, err);
    if (rc == 0)
        rc = write_pairs(f, &pairs, err);
    if (rc == 0)
        rc = write_sheet(f, &pairs, err);
    free(pairs.items);
    if (rc == 0)
        rc = write_within(f, within, err);
    if (rc == 0)
        rc = write_twins(f, err);
    if (rc == 0)
        rc = write_test_twins(f, &test_twins, err);
    return rc < 0 ? rc : write_summary(f, within, test_twins, err);
}

static int run(struct job *job, struct error *err)
{
    struct images splits[SPLITS];
    int rc = images_read_set(job_input(job, "images", 0), splits, err);
    if (rc < 0)
        return rc;
    double now = clock_monotonic();
    struct finding f = {
        .job = job, .splits = splits, .near = job_bool(job, "near"), .start = now, .last = now};
    const struct duplicates_settings settings = {.similarity = job_real(job, "similarity"),
                                                 .mirror = job_bool(job, "mirror"),
                                                 .threads = job->threads,
                                                 .progress = report,
                                                 .user = &f};
    rc = duplicates_find(splits, &settings, &f.d, err);
    if (rc == 0)
        rc = write_outputs(&f, err);
    duplicates_free(&f.d);
    images_free_set(splits);
    return rc;
}

static const struct port inputs[] = {
    {.name = "images", .form = PORT_TREE, .text = "a data set, as written by ingest_csv"},
    {0},
};

#define TWIN_COUNTS "/identical|with_near/images|same_label"

static const struct port outputs[] = {
    {.name = "pairs",
     .form = PORT_FILE,
     .file = "pairs.csv",
     .text = "row,split,emotion, the same with of_, match, similarity: for each image, the "
             "most similar image before it in its own split and in each earlier one (train, "
             "public, private), if they are twins. match: identical (equal pixels), near, or "
             "mirrored (near the mirror image)"},
    {.name = "within",
     .form = PORT_FILE,
     .file = "within.csv",
     .data = "rows",
     .text = "row,emotion,why,of_row: rows of the training split to drop. why: duplicate for each "
             "copy of an image after the first (of_row); conflict for all copies of an image that "
             "has several labels. Identical copies, with near_within also near ones"},
    {.name = "test_twins",
     .form = PORT_FILE,
     .file = "test_twins.csv",
     .data = "rows",
     .text = "row,emotion,public,private: rows of the training split that have a twin in public or "
             "private (identical or near), to drop"},
    {.name = "twins",
     .form = PORT_FILE,
     .file = "twins.json",
     .holds = "/public|private/images /public|private/with_twin[] /public|private/with_twin/*",
     .text =
         "for metrics: for public and private the number of images, and with_twin: the indices, "
         "in the order of the split, of those with a twin in train"},
    {.name = "sheet",
     .form = PORT_FILE,
     .file = "near_pairs.png",
     .text = "contact sheet of near pairs, side by side, the most similar first; captions: split "
             "and row, M for a mirrored pair, similarity"},
    {.name = "summary",
     .form = PORT_FILE,
     .file = "summary.json",
     .holds = "/images/train|public|private "
              "/within_train/identical|with_near/"
              "groups|surplus|conflicting_groups|conflicting_rows "
              "/public_in_train|private_in_train|private_in_public" TWIN_COUNTS
              " /lists/duplicate|conflict|test_twins /similarity",
     .text = "counts. within_train: groups of copies, surplus images, groups with several labels "
             "and their rows; X_in_Y: images of X with a twin in Y, and with one of the same "
             "label; lists: rows of within, by why, and of test_twins"},
    {0},
};

/* The default of similarity: in FER2013, 60 of 60 near pairs drawn at random show the same picture,
 * and 58 of 60 with a similarity below 0.83. From 0.75 to 0.8 about 48 of 60 do. */
static const struct param params[] = {
    {.name = "similarity",
     .type = PARAM_REAL,
     .standard = "0.8",
     .min = 0.5,
     .max = 1,
     .text = "least correlation of the details of two images, at the best of 25 shifts by up to 2 "
             "pixels, from which they are near twins: the same picture"},
    {.name = "mirror",
     .type = PARAM_BOOL,
     .standard = "true",
     .text = "compare images with mirror images too"},
    {.name = "near",
     .type = PARAM_BOOL,
     .standard = "true",
     .text = "near twins count in twins and test_twins; false: identical ones only"},
    {.name = "near_within",
     .type = PARAM_BOOL,
     .standard = "false",
     .text = "near copies count in within: images that a chain of near twins joins are copies of "
             "one image"},
    {.name = "sheet_images",
     .type = PARAM_INT,
     .standard = "480",
     .min = 2,
     .max = SHEET_MAX_IMAGES,
     .text = "most images on the contact sheet; if there are more, evenly spaced by similarity"},
    {0},
};

const struct kind kind_find_duplicates = {
    .name = "find_duplicates",
    .version = 1,
    .text = "finds identical and nearly identical images within and across splits",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
