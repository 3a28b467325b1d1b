/* See formats.h: folders of images, features and predictions. */
#include "stages/data/formats.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "stages/job.h"

const char *const split_names[SPLITS] = {"train", "public", "private"};
const char *const class_names[CLASSES] = {"angry", "disgust",  "fear",   "happy",
                                          "sad",   "surprise", "neutral"};

enum { PATH_LIMIT = 4096 };

void count_labels(const uint8_t *labels, size_t n, size_t counts[CLASSES])
{
    memset(counts, 0, CLASSES * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        counts[labels[i]]++;
}

static int part_path(char path[PATH_LIMIT], const char *folder, enum split split, const char *part,
                     struct error *err)
{
    int n = snprintf(path, PATH_LIMIT, "%s/%s_%s.npy", folder, split_names[split], part);
    return n > 0 && n < PATH_LIMIT ? 0 : error_set(err, ENAMETOOLONG, "%s: path too long", folder);
}

static int read_part(const char *folder, enum split split, const char *part, enum array_type type,
                     size_t dims, struct array *a, struct error *err)
{
    char path[PATH_LIMIT];
    int rc = part_path(path, folder, split, part, err);
    return rc < 0 ? rc : array_read(path, type, dims, a, err);
}

static int write_part(const char *folder, enum split split, const char *part, const struct array *a,
                      struct error *err)
{
    char path[PATH_LIMIT];
    int rc = part_path(path, folder, split, part, err);
    return rc < 0 ? rc : array_write(path, a, err);
}

static int check_rows(const char *folder, enum split split, const char *part, size_t found,
                      size_t expected, struct error *err)
{
    if (found == expected)
        return 0;
    return error_set(err, EINVAL,
                     "%s/%s_%s.npy: has %zu rows, but the other arrays of the split have %zu",
                     folder, split_names[split], part, found, expected);
}

static int check_classes(const char *folder, enum split split, const char *part,
                         const struct array *a, struct error *err)
{
    const uint8_t *label = a->data;
    for (size_t i = 0; i < a->shape[0]; i++)
        if (label[i] >= CLASSES)
            return error_set(err, EINVAL, "%s/%s_%s.npy: row %zu: class %d, expected 0 to %d",
                             folder, split_names[split], part, i, label[i], CLASSES - 1);
    return 0;
}

int images_read(const char *folder, enum split split, struct images *images, struct error *err)
{
    *images = (struct images){0};
    int rc = read_part(folder, split, "images", ARRAY_U8, 3, &images->pixels, err);
    if (rc == 0)
        rc = read_part(folder, split, "labels", ARRAY_U8, 1, &images->labels, err);
    if (rc == 0)
        rc = read_part(folder, split, "rows", ARRAY_I32, 1, &images->rows, err);
    images->n = images->pixels.shape[0];
    if (rc == 0 && (images->pixels.shape[1] != FACE_SIZE || images->pixels.shape[2] != FACE_SIZE))
        rc = error_set(err, EINVAL, "%s/%s_images.npy: images of %zu x %zu, expected %d x %d",
                       folder, split_names[split], images->pixels.shape[1], images->pixels.shape[2],
                       FACE_SIZE, FACE_SIZE);
    if (rc == 0)
        rc = check_rows(folder, split, "labels", images->labels.shape[0], images->n, err);
    if (rc == 0)
        rc = check_rows(folder, split, "rows", images->rows.shape[0], images->n, err);
    if (rc == 0)
        rc = check_classes(folder, split, "labels", &images->labels, err);
    if (rc < 0)
        images_free(images);
    return rc;
}

int images_write(const char *folder, enum split split, const struct images *images,
                 struct error *err)
{
    int rc = file_make_folders(folder, err);
    if (rc == 0)
        rc = write_part(folder, split, "images", &images->pixels, err);
    if (rc == 0)
        rc = write_part(folder, split, "labels", &images->labels, err);
    if (rc == 0)
        rc = write_part(folder, split, "rows", &images->rows, err);
    return rc;
}

static json_t *counts_json(const struct images splits[SPLITS])
{
    json_t *root = json_object();
    for (int s = 0; s < SPLITS; s++) {
        size_t counts[CLASSES];
        count_labels(splits[s].labels.data, splits[s].n, counts);
        json_t *list = json_array();
        for (int c = 0; c < CLASSES; c++)
            json_array_append_new(list, json_integer((json_int_t)counts[c]));
        json_object_set_new(root, split_names[s], list);
    }
    return root;
}

int images_write_set(const char *folder, const char *counts, const struct images splits[SPLITS],
                     struct error *err)
{
    char path[PATH_LIMIT];
    int n = snprintf(path, sizeof path, "%s/counts.json", folder);
    if (n < 0 || n >= PATH_LIMIT)
        return error_set(err, ENAMETOOLONG, "%s: path too long", folder);
    int rc = 0;
    for (int s = 0; s < SPLITS && rc == 0; s++)
        rc = images_write(folder, (enum split)s, &splits[s], err);
    if (rc == 0)
        rc = job_write_json(path, counts_json(splits), err);
    return rc < 0 ? rc : job_write_json(counts, counts_json(splits), err);
}

void images_free(struct images *images)
{
    array_free(&images->pixels);
    array_free(&images->labels);
    array_free(&images->rows);
    images->n = 0;
}

int images_read_set(const char *folder, struct images splits[SPLITS], struct error *err)
{
    int rc = 0;
    memset(splits, 0, SPLITS * sizeof *splits);
    for (int s = 0; s < SPLITS && rc == 0; s++)
        rc = images_read(folder, (enum split)s, &splits[s], err);
    if (rc < 0)
        images_free_set(splits);
    return rc;
}

void images_free_set(struct images splits[SPLITS])
{
    for (int s = 0; s < SPLITS; s++)
        images_free(&splits[s]);
}

int features_read(const char *folder, enum split split, struct features *f, struct error *err)
{
    *f = (struct features){0};
    int rc = read_part(folder, split, "features", ARRAY_F32, 2, &f->x, err);
    if (rc == 0)
        rc = read_part(folder, split, "labels", ARRAY_U8, 1, &f->labels, err);
    f->n = f->x.shape[0];
    f->d = f->x.shape[1];
    if (rc == 0)
        rc = check_rows(folder, split, "labels", f->labels.shape[0], f->n, err);
    if (rc == 0)
        rc = check_classes(folder, split, "labels", &f->labels, err);
    if (rc < 0)
        features_free(f);
    return rc;
}

int features_write(const char *folder, enum split split, const struct features *f,
                   struct error *err)
{
    int rc = file_make_folders(folder, err);
    if (rc == 0)
        rc = write_part(folder, split, "features", &f->x, err);
    if (rc == 0)
        rc = write_part(folder, split, "labels", &f->labels, err);
    return rc;
}

void features_free(struct features *f)
{
    array_free(&f->x);
    array_free(&f->labels);
    f->n = f->d = 0;
}

int predictions_write(const char *folder, enum split split, const uint8_t *predicted,
                      const uint8_t *labels, size_t n, struct error *err)
{
    struct array a = {.type = ARRAY_U8, .dims = 1, .shape = {n, 1, 1, 1}};
    const struct {
        const char *part;
        const uint8_t *values;
    } parts[] = {{"predictions", predicted}, {"labels", labels}};
    int rc = file_make_folders(folder, err);
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        a.data = (void *)(uintptr_t)parts[i].values; /* not written to */
        rc = write_part(folder, split, parts[i].part, &a, err);
    }
    return rc;
}

int predictions_read(const char *folder, enum split split, struct array *predicted,
                     struct array *labels, struct error *err)
{
    *predicted = *labels = (struct array){0};
    int rc = read_part(folder, split, "predictions", ARRAY_U8, 1, predicted, err);
    if (rc == 0)
        rc = read_part(folder, split, "labels", ARRAY_U8, 1, labels, err);
    if (rc == 0)
        rc = check_rows(folder, split, "labels", labels->shape[0], predicted->shape[0], err);
    if (rc == 0)
        rc = check_classes(folder, split, "predictions", predicted, err);
    if (rc == 0)
        rc = check_classes(folder, split, "labels", labels, err);
    if (rc < 0) {
        array_free(predicted);
        array_free(labels);
    }
    return rc;
}
