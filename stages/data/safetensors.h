/* The .safetensors format: named tensors in one file, which PyTorch, JAX and others read. The file
 * is an 8-byte length, a JSON header of that length (name: dtype, shape, data_offsets; and
 * "__metadata__", a map of strings), then the bytes of all tensors. Tensors must cover these bytes
 * without gap or overlap, as the safetensors library requires. Only float32 and int64 with up to
 * four dimensions are supported. */
#ifndef FERDAG_STAGES_DATA_SAFETENSORS_H
#define FERDAG_STAGES_DATA_SAFETENSORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum tensor_type { TENSOR_F32, TENSOR_I64 };

enum { TENSOR_MAX_DIMS = 4 };

struct tensor {
    const char *name;
    enum tensor_type type;
    size_t dims;                   /* 0 (a scalar) to 4 */
    size_t shape[TENSOR_MAX_DIMS]; /* outermost first */
    size_t count;                  /* number of values */
    const void *data;              /* float or int64_t; may be unaligned: read it with memcpy */
};

/* A file in memory; names and data of the tensors point into it. */
struct safetensors {
    size_t n;
    struct tensor *tensors; /* (n), in the order of their data */
    json_t *header;
    char *file;
};

/* Reads a file of at most `limit` bytes, which may be truncated or hostile. Errors name the file.
 * safetensors_free frees. */
int safetensors_read(const char *path, size_t limit, struct safetensors *s, struct error *err);
void safetensors_free(struct safetensors *s); /* a zeroed struct: does nothing */

/* The tensor of that name, or NULL. */
const struct tensor *safetensors_find(const struct safetensors *s, const char *name);
/* A string of the metadata, or NULL. */
const char *safetensors_note(const struct safetensors *s, const char *key);

/* Writes n tensors: first all int64, then all float32, each in the order given, so that all are
 * aligned. metadata is an object of strings, borrowed. */
int safetensors_write(const char *path, const struct tensor *tensors, size_t n,
                      const json_t *metadata, struct error *err);

#endif
