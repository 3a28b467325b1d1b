/* The .safetensors format: named tensors in one file that PyTorch, JAX and others open as it is.
 * An 8-byte length, a JSON header of that length (name: dtype, shape, data_offsets, and
 * "__metadata__", a map of strings), then the bytes of all tensors. As the format's own library
 * does, reading insists that the tensors cover the bytes without hole or overlap. Only float32 and
 * int64 of up to four dimensions are known here: nets have nothing else. */
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

/* What a file holds; names and data lie inside it. */
struct safetensors {
    size_t n;
    struct tensor *tensors; /* in the order of their bytes */
    json_t *header;
    char *file;
};

/* Reads a file of at most `limit` bytes, which may be cut or hostile. */
int safetensors_read(const char *path, size_t limit, struct safetensors *s, struct error *err);
void safetensors_free(struct safetensors *s); /* a zeroed one is fine */

/* The tensor of that name, or NULL. */
const struct tensor *safetensors_find(const struct safetensors *s, const char *name);
/* A text of the metadata, or NULL. */
const char *safetensors_note(const struct safetensors *s, const char *key);

/* Writes n tensors, int64 first, each type in the order given, so that all are aligned.
 * metadata is an object of strings; stays the caller's. */
int safetensors_write(const char *path, const struct tensor *tensors, size_t n,
                      const json_t *metadata, struct error *err);

#endif
