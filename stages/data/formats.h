/* The file formats that stages share: arrays (.npy), and folders of images, features and
 * predictions. Numbers are little-endian. Readers check every size, because files may be truncated
 * or hostile. Errors name the file. */
#ifndef FERDAG_STAGES_DATA_FORMATS_H
#define FERDAG_STAGES_DATA_FORMATS_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* ---- .npy, version 1.0, C order (numpy/lib/format.py) ---- */

enum array_type { ARRAY_U8, ARRAY_I32, ARRAY_I64, ARRAY_F32, ARRAY_F64 };

#define ARRAY_MAX_DIMS 4

struct array {
    enum array_type type;
    size_t dims;                  /* number of dimensions, 1 to 4 */
    size_t shape[ARRAY_MAX_DIMS]; /* outermost first; unused elements are 1 */
    void *data;                   /* C order, 64-byte aligned; array_free frees it */
};

/* Bytes of an element. */
size_t array_item_size(enum array_type type);
/* Allocates data for the shape, zeroed. -ENOMEM; -EINVAL if it is too large. */
int array_make(struct array *a, enum array_type type, size_t dims, const size_t *shape,
               struct error *err);
/* Reads an .npy file, which must have this type and number of dimensions. array_free frees. */
int array_read(const char *path, enum array_type type, size_t dims, struct array *a,
               struct error *err);
int array_write(const char *path, const struct array *a, struct error *err);
void array_free(struct array *a); /* a zeroed array: does nothing */

/* ---- data sets: the format of ports called `images` ----
 * For each split s of train, public, private:
 *   s_images.npy (n, 48, 48) uint8; s_labels.npy (n) uint8, 0-6; s_rows.npy (n) int32, the row of
 *   the CSV (0: the first after the header).
 * counts.json: {"train": [n0..n6], "public": [...], "private": [...]}. */

/* `holds` of a port for counts.json; see struct port. */
#define COUNTS_HOLDS "/train|public|private/0|1|2|3|4|5|6"

enum split { SPLIT_TRAIN, SPLIT_PUBLIC, SPLIT_PRIVATE, SPLITS };
enum { CLASSES = 7, FACE_SIZE = 48 };

extern const char *const split_names[SPLITS];  /* "train", "public", "private" */
extern const char *const class_names[CLASSES]; /* "angry" ... "neutral", in FER2013's order */

/* counts: the rows of each class; labels are 0 to CLASSES - 1. */
void count_labels(const uint8_t *labels, size_t n, size_t counts[CLASSES]);

struct images {
    size_t n;
    struct array pixels, labels, rows;
};

/* Reads a split. -EINVAL if arrays disagree or a label isn't a class. images_free frees. */
int images_read(const char *folder, enum split split, struct images *images, struct error *err);
int images_write(const char *folder, enum split split, const struct images *images,
                 struct error *err);
/* Writes all splits and counts.json to the folder, and counts.json also to the path `counts`. */
int images_write_set(const char *folder, const char *counts, const struct images splits[SPLITS],
                     struct error *err);
void images_free(struct images *images);
/* Reads all splits; errors as images_read. images_free_set frees. */
int images_read_set(const char *folder, struct images splits[SPLITS], struct error *err);
void images_free_set(struct images splits[SPLITS]);

/* ---- features: the format of ports called `features` ----
 * For each split s: s_features.npy (n, d) float32; s_labels.npy (n) uint8. */

struct features {
    size_t n, d;
    struct array x, labels;
};

/* Reads a split. -EINVAL if arrays disagree or a label isn't a class. features_free frees. */
int features_read(const char *folder, enum split split, struct features *f, struct error *err);
int features_write(const char *folder, enum split split, const struct features *f,
                   struct error *err);
void features_free(struct features *f);

/* ---- predictions: the format of ports called `predictions` ----
 * For each split s of public, private: s_predictions.npy (n) uint8 and s_labels.npy (n) uint8. */
int predictions_write(const char *folder, enum split split, const uint8_t *predicted,
                      const uint8_t *labels, size_t n, struct error *err);
/* -EINVAL if arrays disagree or hold a number that isn't a class. array_free frees both. */
int predictions_read(const char *folder, enum split split, struct array *predicted,
                     struct array *labels, struct error *err);

#endif
