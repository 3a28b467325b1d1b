/* See csv_faces.h. A line is parsed in place in its block; only a line that is split between blocks
 * is copied. A line always ends in a byte that isn't a digit, so parsing numbers needs no check for
 * the end. */
#include "stages/data/csv_faces.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = FACE_SIZE * FACE_SIZE, SHOWN = 24 };

static const char header[] = "emotion,pixels,Usage";
const char *const csv_usage_names[SPLITS] = {"Training", "PublicTest", "PrivateTest"};

struct cursor {
    const struct csv_faces *faces;
    const char *start, *at, *end; /* of the line; *end is a line feed or carriage return */
};

/* The text at `at` up to the next comma, for an error message. */
static const char *found(const struct cursor *c, const char *at, char text[SHOWN + 16])
{
    if (at >= c->end)
        return "the end of the line";
    unsigned char first = (unsigned char)*at;
    if (first < ' ' || first > '~') {
        snprintf(text, SHOWN + 16, "byte 0x%02x", first);
        return text;
    }
    int n = 0;
    while (at + n < c->end && n < SHOWN && at[n] >= ' ' && at[n] <= '~' && (n == 0 || at[n] != ','))
        n++;
    snprintf(text, SHOWN + 16, "'%.*s'%s", n, at, n == SHOWN ? " ..." : "");
    return text;
}

static int expected(const struct cursor *c, const char *at, const char *field, const char *what,
                    struct error *err)
{
    char text[SHOWN + 16];
    return error_set(err, EINVAL, "%s:%zu:%zu: %s: expected %s, found %s", c->faces->path,
                     c->faces->line, (size_t)(at - c->start) + 1, field, what, found(c, at, text));
}

static bool take(struct cursor *c, char byte)
{
    if (c->at >= c->end || *c->at != byte)
        return false;
    c->at++;
    return true;
}

static int pixel_error(const struct cursor *c, const char *at, size_t i, struct error *err)
{
    if (at >= c->end || *at == ',' || *at == '"')
        return error_set(err, EINVAL, "%s:%zu:%zu: pixels: expected %d values, found %zu",
                         c->faces->path, c->faces->line, (size_t)(at - c->start) + 1, PIXELS, i);
    char what[80];
    snprintf(what, sizeof what, "0 to 255 with one space between (value %zu of %d)", i + 1, PIXELS);
    return expected(c, at, "pixels", what, err);
}

static int parse_pixels(struct cursor *c, uint8_t *out, struct error *err)
{
    bool quoted = take(c, '"');
    const char *p = c->at;
    for (size_t i = 0; i < PIXELS; i++) {
        if (i > 0 && *p++ != ' ')
            return pixel_error(c, p - 1, i, err);
        const char *start = p;
        unsigned value = (unsigned)*p - '0', digit;
        if (value > 9)
            return pixel_error(c, p, i, err);
        if ((digit = (unsigned)*++p - '0') <= 9) {
            value = value * 10 + digit;
            if ((digit = (unsigned)*++p - '0') <= 9) {
                value = value * 10 + digit;
                digit = (unsigned)*++p - '0';
            }
        }
        if (value > 255 || digit <= 9)
            return pixel_error(c, start, i, err);
        out[i] = (uint8_t)value;
    }
    c->at = p;
    if (quoted && take(c, '"'))
        return 0;
    if (*p == ' ')
        return error_set(err, EINVAL, "%s:%zu:%zu: pixels: expected %d values, found more",
                         c->faces->path, c->faces->line, (size_t)(p - c->start) + 1, PIXELS);
    return quoted ? expected(c, p, "pixels", "a closing quote", err) : 0;
}

static int parse_emotion(struct cursor *c, uint8_t *label, struct error *err)
{
    bool quoted = take(c, '"');
    const char *start = c->at;
    unsigned value = start < c->end ? (unsigned)*start - '0' : CLASSES;
    if (value >= CLASSES)
        return expected(c, start, "emotion", "0 to 6", err);
    c->at++;
    if ((quoted && !take(c, '"')) || c->at >= c->end || *c->at != ',')
        return expected(c, start, "emotion", "0 to 6 and a comma", err);
    *label = (uint8_t)value;
    return 0;
}

static int parse_usage(struct cursor *c, enum split *split, struct error *err)
{
    bool quoted = take(c, '"');
    const char *start = c->at;
    size_t size = (size_t)(c->end - start);
    if (quoted && size > 0 && c->end[-1] == '"')
        size--;
    for (int s = 0; s < SPLITS; s++) {
        if (size == strlen(csv_usage_names[s]) && memcmp(start, csv_usage_names[s], size) == 0) {
            *split = (enum split)s;
            return 0;
        }
    }
    return expected(c, start, "Usage", "Training, PublicTest or PrivateTest", err);
}

static int grow(struct images *images, size_t *capacity, struct error *err)
{
    if (images->n < *capacity)
        return 0;
    size_t more = *capacity ? *capacity * 2 : 1024;
    if (more > CSV_MAX_ROWS)
        more = CSV_MAX_ROWS;
    struct {
        struct array *array;
        size_t item;
    } parts[] = {{&images->pixels, PIXELS}, {&images->labels, 1}, {&images->rows, sizeof(int32_t)}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        void *data = realloc(parts[i].array->data, more * parts[i].item);
        if (!data)
            return error_set(err, ENOMEM, "out of memory for %zu rows", more);
        parts[i].array->data = data;
    }
    *capacity = more;
    return 0;
}

/* In a row the pixels come before the Usage. So they are parsed to the end of the training split,
 * which has the most rows, and copied if they belong to another split. */
static int parse_row(struct csv_faces *f, struct cursor *c, struct error *err)
{
    if (f->rows == CSV_MAX_ROWS)
        return error_set(err, EFBIG, "%s:%zu:1: expected at most %d rows", f->path, f->line,
                         CSV_MAX_ROWS);
    struct images *train = &f->splits[SPLIT_TRAIN];
    uint8_t label = 0;
    enum split split = SPLIT_TRAIN;
    int rc = grow(train, &f->capacity[SPLIT_TRAIN], err);
    if (rc == 0)
        rc = parse_emotion(c, &label, err);
    if (rc < 0)
        return rc;
    c->at++;
    uint8_t *pixels = (uint8_t *)train->pixels.data + train->n * PIXELS;
    rc = parse_pixels(c, pixels, err);
    if (rc < 0)
        return rc;
    if (!take(c, ','))
        return expected(c, c->at, "pixels", "a comma and the Usage", err);
    rc = parse_usage(c, &split, err);
    struct images *images = &f->splits[split];
    if (rc == 0 && split != SPLIT_TRAIN) {
        rc = grow(images, &f->capacity[split], err);
        if (rc == 0)
            memcpy((uint8_t *)images->pixels.data + images->n * PIXELS, pixels, PIXELS);
    }
    if (rc < 0)
        return rc;
    ((uint8_t *)images->labels.data)[images->n] = label;
    ((int32_t *)images->rows.data)[images->n] = (int32_t)f->rows++;
    images->n++;
    return 0;
}

static int parse_header(struct cursor *c, struct error *err)
{
    if (c->end - c->start >= 3 && memcmp(c->start, "\xef\xbb\xbf", 3) == 0)
        c->at += 3; /* a byte order mark, which some editors add */
    const char *p = c->at;
    const char *h = header;
    for (; *h && p < c->end; p++) {
        if (*p == *h)
            h++;
        else if (*p != '"')
            break;
    }
    while (p < c->end && *p == '"')
        p++;
    if (*h || p != c->end)
        return expected(c, c->at, "header", header, err);
    return 0;
}

/* Parses a line, bytes start .. end - 1; *end is its line feed. */
static int parse_line(struct csv_faces *f, const char *start, const char *end, struct error *err)
{
    f->line++;
    if (end > start && end[-1] == '\r')
        end--;
    struct cursor c = {f, start, start, end};
    if (f->line == 1)
        return parse_header(&c, err);
    if (start == end) { /* allowed at the end of the file only */
        if (!f->blank)
            f->blank = f->line;
        return 0;
    }
    if (f->blank)
        return error_set(err, EINVAL, "%s:%zu:1: expected a row, found an empty line", f->path,
                         f->blank);
    return parse_row(f, &c, err);
}

static int too_long(const struct csv_faces *f, struct error *err)
{
    return error_set(err, EINVAL, "%s:%zu:%d: expected the end of the line, at most %d bytes",
                     f->path, f->line + 1, CSV_MAX_LINE, CSV_MAX_LINE);
}

int csv_faces_begin(struct csv_faces *f, const char *path, struct error *err)
{
    *f = (struct csv_faces){.path = path, .carry = malloc(CSV_MAX_LINE + 1)};
    return f->carry ? 0 : error_set(err, ENOMEM, "out of memory reading %s", path);
}

static int carry(struct csv_faces *f, const char *bytes, size_t size, struct error *err)
{
    if (size > CSV_MAX_LINE - f->carried)
        return too_long(f, err);
    memcpy(f->carry + f->carried, bytes, size);
    f->carried += size;
    return 0;
}

/* Parses the bytes in carry as a line. */
static int parse_carried(struct csv_faces *f, struct error *err)
{
    size_t size = f->carried;
    f->carry[size] = '\n';
    f->carried = 0;
    return parse_line(f, f->carry, f->carry + size, err);
}

int csv_faces_feed(struct csv_faces *f, const char *bytes, size_t size, struct error *err)
{
    int rc = 0;
    while (size > 0 && rc == 0) {
        const char *end = memchr(bytes, '\n', size);
        size_t length = end ? (size_t)(end - bytes) : size;
        if (!end || f->carried > 0)
            rc = carry(f, bytes, length, err);
        else if (length > CSV_MAX_LINE)
            rc = too_long(f, err);
        else
            rc = parse_line(f, bytes, end, err);
        if (rc == 0 && end && f->carried > 0)
            rc = parse_carried(f, err);
        if (!end)
            break;
        bytes += length + 1;
        size -= length + 1;
    }
    return rc;
}

static void set_shapes(struct images *images)
{
    size_t n = images->n;
    images->pixels.type = ARRAY_U8;
    images->pixels.dims = 3;
    images->labels.type = ARRAY_U8;
    images->labels.dims = 1;
    images->rows.type = ARRAY_I32;
    images->rows.dims = 1;
    const size_t shapes[3][ARRAY_MAX_DIMS] = {
        {n, FACE_SIZE, FACE_SIZE, 1}, {n, 1, 1, 1}, {n, 1, 1, 1}};
    memcpy(images->pixels.shape, shapes[0], sizeof shapes[0]);
    memcpy(images->labels.shape, shapes[1], sizeof shapes[1]);
    memcpy(images->rows.shape, shapes[2], sizeof shapes[2]);
}

int csv_faces_finish(struct csv_faces *f, struct error *err)
{
    int rc = f->carried > 0 ? parse_carried(f, err) : 0;
    if (rc < 0)
        return rc;
    if (f->line == 0)
        return error_set(err, EINVAL, "%s:1:1: expected the header %s, found an empty file",
                         f->path, header);
    if (f->rows == 0)
        return error_set(err, EINVAL, "%s:%zu:1: expected rows after the header, found none",
                         f->path, f->line + 1);
    for (int s = 0; s < SPLITS && rc == 0; s++) {
        rc = grow(&f->splits[s], &f->capacity[s], err); /* an empty split needs memory too */
        set_shapes(&f->splits[s]);
    }
    return rc;
}

void csv_faces_free(struct csv_faces *f)
{
    for (int s = 0; s < SPLITS; s++)
        images_free(&f->splits[s]);
    free(f->carry);
    *f = (struct csv_faces){0};
}
