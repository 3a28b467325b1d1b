/* See formats.h: arrays in .npy files. Writes version 1.0, reads 1.0 and 2.0. The header is a
 * Python literal; only the form that numpy writes is accepted: descr, fortran_order, shape. */
#include "stages/data/formats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"

static const struct {
    const char *descr; /* as numpy writes it */
    const char *name;  /* for people */
    size_t size;
} types[] = {
    [ARRAY_U8] = {"|u1", "uint8", 1},    [ARRAY_I32] = {"<i4", "int32", 4},
    [ARRAY_I64] = {"<i8", "int64", 8},   [ARRAY_F32] = {"<f4", "float32", 4},
    [ARRAY_F64] = {"<f8", "float64", 8},
};

enum { HEADER_LIMIT = 4096 };
static const size_t DATA_LIMIT = (size_t)1 << 40;

size_t array_item_size(enum array_type type)
{
    return types[type].size;
}

/* *bytes: size of the data. Returns 0, or -1 if it exceeds DATA_LIMIT. */
static int data_size(enum array_type type, size_t dims, const size_t *shape, size_t *bytes)
{
    size_t total = types[type].size;
    for (size_t i = 0; i < dims; i++) {
        if (shape[i] > 0 && total > DATA_LIMIT / shape[i])
            return -1;
        total *= shape[i];
    }
    *bytes = total;
    return 0;
}

int array_make(struct array *a, enum array_type type, size_t dims, const size_t *shape,
               struct error *err)
{
    *a = (struct array){.type = type, .dims = dims, .shape = {1, 1, 1, 1}};
    size_t bytes;
    if (dims < 1 || dims > ARRAY_MAX_DIMS || data_size(type, dims, shape, &bytes) < 0)
        return error_set(err, EINVAL, "an array of %zu dimensions is too large", dims);
    memcpy(a->shape, shape, dims * sizeof *shape);
    /* aligned_alloc needs a multiple of the alignment; an array may be empty. */
    size_t size = (bytes + 63) / 64 * 64;
    a->data = aligned_alloc(64, size ? size : 64);
    if (!a->data)
        return error_set(err, ENOMEM, "out of memory: an array of %zu bytes", bytes);
    memset(a->data, 0, size);
    return 0;
}

void array_free(struct array *a)
{
    free(a->data);
    *a = (struct array){0};
}

/* The text after `key` in the header, or NULL. */
static const char *after(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    return at ? at + strlen(key) : NULL;
}

/* Parses "(3, 48, 48)" or "(5,)". Returns the number of dimensions, or -1. */
static int parse_shape(const char *text, size_t *shape)
{
    int dims = 0;
    for (text += strspn(text, " "); *text == '(' || *text == ',' || *text == ' '; text++) {
        const char *number = text + 1 + strspn(text + 1, " ");
        if (*number == ')')
            return dims;
        if (*number < '0' || *number > '9' || dims == ARRAY_MAX_DIMS)
            return -1;
        char *end;
        errno = 0;
        unsigned long long value = strtoull(number, &end, 10);
        if (errno)
            return -1;
        shape[dims++] = (size_t)value;
        text = end + strspn(end, " ");
        if (*text == ')')
            return dims;
        text--;
        if (text[1] != ',')
            return -1;
    }
    return -1;
}

/* Checks type, order and number of dimensions in the header, and parses the shape. */
static int check_header(const char *path, const char *header, enum array_type type, size_t dims,
                        size_t *shape, struct error *err)
{
    const char *descr = after(header, "'descr':"), *shape_text = after(header, "'shape':");
    const char *order = after(header, "'fortran_order':");
    if (!descr || !shape_text || !order)
        return error_set(err, EINVAL, "%s: the .npy header is damaged", path);
    if (strncmp(order + strspn(order, " "), "False", 5) != 0)
        return error_set(err, EINVAL, "%s: expected C order, found Fortran order", path);
    descr += strspn(descr, " ");
    size_t length = strlen(types[type].descr);
    if (*descr != '\'' || strncmp(descr + 1, types[type].descr, length) != 0 ||
        descr[length + 1] != '\'')
        return error_set(err, EINVAL, "%s: expected %s (%s), found %.12s", path, types[type].name,
                         types[type].descr, descr);
    int found = parse_shape(shape_text, shape);
    if (found < 0)
        return error_set(err, EINVAL, "%s: the shape in the .npy header is damaged", path);
    if ((size_t)found != dims)
        return error_set(err, EINVAL, "%s: expected %zu dimension%s, found %d", path, dims,
                         dims == 1 ? "" : "s", found);
    return 0;
}

static int read_exactly(int fd, void *into, size_t size)
{
    char *p = into;
    while (size > 0) {
        ssize_t n = read(fd, p, size < ((size_t)1 << 30) ? size : (size_t)1 << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENODATA;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Reads magic, version and header; *offset: where the data starts. */
static int read_header(int fd, const char *path, char header[HEADER_LIMIT + 1], size_t *offset,
                       struct error *err)
{
    unsigned char start[12];
    if (read_exactly(fd, start, 10) < 0 || memcmp(start, "\x93NUMPY", 6) != 0)
        return error_set(err, EINVAL, "%s: not an .npy file", path);
    size_t length = start[8] | (size_t)start[9] << 8;
    *offset = 10;
    if (start[6] == 2) {
        if (read_exactly(fd, start + 10, 2) < 0)
            return error_set(err, EINVAL, "%s: truncated in the header", path);
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
        *offset = 12;
    } else if (start[6] != 1) {
        return error_set(err, EINVAL, "%s: .npy version %d; expected 1 or 2", path, start[6]);
    }
    if (length > HEADER_LIMIT || read_exactly(fd, header, length) < 0)
        return error_set(err, EINVAL, "%s: truncated in the header", path);
    header[length] = 0;
    *offset += length;
    return 0;
}

int array_read(const char *path, enum array_type type, size_t dims, struct array *a,
               struct error *err)
{
    *a = (struct array){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    char header[HEADER_LIMIT + 1];
    size_t offset = 0, shape[ARRAY_MAX_DIMS], bytes = 0;
    struct stat st = {0};
    int rc = read_header(fd, path, header, &offset, err);
    if (rc == 0)
        rc = check_header(path, header, type, dims, shape, err);
    if (rc == 0 && (fstat(fd, &st) < 0 || data_size(type, dims, shape, &bytes) < 0 ||
                    (size_t)st.st_size != offset + bytes))
        rc = error_set(err, EINVAL, "%s: has %lld bytes; its shape needs %zu", path,
                       (long long)st.st_size, offset + bytes);
    if (rc == 0)
        rc = array_make(a, type, dims, shape, err);
    if (rc == 0 && (rc = read_exactly(fd, a->data, bytes)) < 0)
        rc = error_errno(err, -rc, "cannot read %s", path);
    close(fd);
    if (rc < 0)
        array_free(a);
    return rc;
}

/* Writes magic, version, length and the padded header. Returns the total length. */
static size_t make_header(const struct array *a, char *header, size_t size)
{
    char shape[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < a->dims; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%zu%s", a->shape[i],
                                 a->dims == 1      ? ","
                                 : i + 1 < a->dims ? ", "
                                                   : "");
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    size_t length = (size_t)snprintf(header + 10, size - 10,
                                     "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                                     types[a->type].descr, shape);
    size_t total = (10 + length + 1 + 63) / 64 * 64;
    memset(header + 10 + length, ' ', total - 10 - length);
    header[total - 1] = '\n';
    header[8] = (char)((total - 10) & 0xff);
    header[9] = (char)((total - 10) >> 8);
    return total;
}

int array_write(const char *path, const struct array *a, struct error *err)
{
    char header[512];
    size_t head = make_header(a, header, sizeof header), bytes = 0;
    data_size(a->type, a->dims, a->shape, &bytes);
    FILE *file = fopen(path, "wb");
    if (!file)
        return error_errno(err, errno, "cannot write %s", path);
    bool good = fwrite(header, 1, head, file) == head && fwrite(a->data, 1, bytes, file) == bytes;
    int code = good ? 0 : errno ? errno : EIO;
    if (fclose(file) != 0 && good)
        code = errno;
    return code ? error_errno(err, code, "cannot write %s", path) : 0;
}
