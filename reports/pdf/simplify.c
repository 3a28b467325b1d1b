/* See simplify.h. This is no full parser: it finds objects as "N 0 obj" in order, and copies
 * dictionaries as text and streams as bytes. gropdf (1.22 and 1.23) reads neither object streams
 * nor comments. */
#define _GNU_SOURCE
#include "reports/pdf/simplify.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/file.h"
#include "base/text.h"

enum { OBJECT_LIMIT = 100000 };

static const size_t FILE_LIMIT = 64u << 20, UNPACKED_LIMIT = 256u << 20;

struct slice {
    const char *start;
    size_t n;
};

struct rewriter {
    struct text out;
    size_t *offsets; /* by object number; 0: there is none */
    long root;       /* number of the catalogue */
    const char *path;
};

static const char *find(struct slice s, const char *what)
{
    return memmem(s.start, s.n, what, strlen(what));
}

/* The integer after a name in a dictionary's text: "/Length 12"; -1 if there is none. */
static long number_after(struct slice dictionary, const char *name)
{
    size_t n = strlen(name);
    const char *end = dictionary.start + dictionary.n;
    for (const char *p = dictionary.start; (p = find((struct slice){p, (size_t)(end - p)}, name));
         p += n) {
        const char *q = p + n;
        if (q < end && !isspace((unsigned char)*q))
            continue; /* a longer name */
        while (q < end && isspace((unsigned char)*q))
            q++;
        char digits[12];
        size_t k = 0;
        while (q < end && isdigit((unsigned char)*q) && k < sizeof digits - 1)
            digits[k++] = *q++;
        digits[k] = 0;
        return k ? strtol(digits, NULL, 10) : -1;
    }
    return -1;
}

/* Whether the number after the name is a reference: "/Length 5 0 R". */
static bool is_indirect(struct slice dictionary, const char *name)
{
    const char *p = find(dictionary, name);
    char text[64] = "";
    int used = 0;
    if (!p)
        return false;
    size_t rest = dictionary.n - (size_t)(p - dictionary.start) - strlen(name);
    memcpy(text, p + strlen(name), rest < sizeof text - 1 ? rest : sizeof text - 1);
    sscanf(text, " %*d %*d R%n", &used);
    return used > 0;
}

/* Copies the contents of an object without comments; strings in (...) are copied unchanged. */
static void add_body(struct text *out, struct slice body)
{
    int depth = 0;
    for (size_t i = 0; i < body.n; i++) {
        char c = body.start[i];
        if (depth > 0 && c == '\\' && i + 1 < body.n) {
            text_add_bytes(out, body.start + i++, 2);
            continue;
        }
        depth += c == '(' ? 1 : c == ')' && depth > 0 ? -1 : 0;
        if (depth == 0 && c == '%') {
            while (i + 1 < body.n && body.start[i + 1] != '\n' && body.start[i + 1] != '\r')
                i++;
            continue;
        }
        text_add_bytes(out, body.start + i, 1);
    }
}

/* The document's information: dates and producer, which the new trailer doesn't refer to. */
static bool is_information(struct slice body)
{
    return find(body, "/CreationDate") || find(body, "/Producer");
}

static int start_object(struct rewriter *w, long number, struct error *err)
{
    if (number <= 0 || number >= OBJECT_LIMIT)
        return error_set(err, EINVAL, "%s: object number %ld: expected 1 to %d", w->path, number,
                         OBJECT_LIMIT);
    w->offsets[number] = w->out.size;
    text_print(&w->out, "%ld 0 obj\n", number);
    return 0;
}

/* An object without a stream. */
static int add_object(struct rewriter *w, long number, struct slice body, struct error *err)
{
    if (is_information(body))
        return 0;
    int rc = start_object(w, number, err);
    if (rc < 0)
        return rc;
    add_body(&w->out, body);
    text_add(&w->out, "\nendobj\n");
    return 0;
}

static int inflate_stream(const struct rewriter *w, struct slice packed, char **data, size_t *size,
                          struct error *err)
{
    size_t room = packed.n * 8 + 4096;
    for (; room <= UNPACKED_LIMIT; room *= 4) {
        uLongf n = (uLongf)room;
        *data = malloc(room + 1);
        if (!*data)
            return error_set(err, ENOMEM, "out of memory for %s", w->path);
        int rc = uncompress((Bytef *)*data, &n, (const Bytef *)packed.start, (uLong)packed.n);
        if (rc == Z_OK) {
            (*data)[n] = 0;
            *size = n;
            return 0;
        }
        free(*data);
        *data = NULL;
        if (rc != Z_BUF_ERROR)
            break;
    }
    return error_set(err, EINVAL, "%s: an object stream that can't be unpacked", w->path);
}

/* The objects of an object stream: N pairs of number and offset, then from First on the objects. */
static int unpack_objects(struct rewriter *w, struct slice dictionary, struct slice packed,
                          struct error *err)
{
    long count = number_after(dictionary, "/N"), first = number_after(dictionary, "/First");
    char *data = NULL;
    size_t size = 0;
    int rc = inflate_stream(w, packed, &data, &size, err);
    if (rc < 0)
        return rc;
    bool sound = count > 0 && count < OBJECT_LIMIT && first >= 0 && (size_t)first <= size;
    const char *p = data;
    for (long i = 0; sound && rc == 0 && i < count; i++) {
        char *end;
        long number = strtol(p, &end, 10), offset = strtol(end, &end, 10), next;
        const char *pair = end;
        strtol(end, &end, 10);
        next = i + 1 < count ? strtol(end, NULL, 10) : (long)size - first;
        p = pair;
        sound = offset >= 0 && next >= offset && (size_t)next <= size - (size_t)first;
        if (sound)
            rc = add_object(w, number,
                            (struct slice){data + first + offset, (size_t)(next - offset)}, err);
    }
    free(data);
    return rc == 0 && !sound ? error_set(err, EINVAL, "%s: a broken object stream", w->path) : rc;
}

static void note_root(struct rewriter *w, struct slice dictionary)
{
    long root = number_after(dictionary, "/Root");
    if (root > 0)
        w->root = root;
}

/* One object with a stream; *p is after "stream" and its line end, and becomes the end of the data.
 */
static int copy_stream(struct rewriter *w, long number, struct slice dictionary, const char **p,
                       const char *end, struct error *err)
{
    long length = is_indirect(dictionary, "/Length") ? -1 : number_after(dictionary, "/Length");
    const char *stop = length >= 0 && length <= end - *p
                           ? *p + length
                           : find((struct slice){*p, (size_t)(end - *p)}, "\nendstream");
    if (!stop)
        return error_set(err, EINVAL, "%s: object %ld: a stream without end", w->path, number);
    struct slice data = {*p, (size_t)(stop - *p)};
    *p = stop;
    if (find(dictionary, "/ObjStm"))
        return unpack_objects(w, dictionary, data, err);
    if (find(dictionary, "/XRef")) {
        note_root(w, dictionary);
        return 0;
    }
    int rc = start_object(w, number, err);
    if (rc < 0)
        return rc;
    add_body(&w->out, dictionary);
    text_add(&w->out, "\nstream\n");
    text_add_bytes(&w->out, data.start, data.n);
    text_add(&w->out, "\nendstream\nendobj\n");
    return 0;
}

/* Finds the next "N 0 obj": *number is N, and the result points behind it. NULL: no more. */
static const char *next_object(const char *p, const char *end, long *number)
{
    while ((p = find((struct slice){p, (size_t)(end - p)}, " 0 obj"))) {
        const char *start = p;
        p += strlen(" 0 obj");
        long value = 0, unit = 1;
        const char *digit = start;
        while (digit[-1] >= '0' && digit[-1] <= '9' && unit <= 100000) {
            value += (*--digit - '0') * unit;
            unit *= 10;
        }
        if (unit > 1) {
            *number = value;
            return p;
        }
    }
    return NULL;
}

static int copy_objects(struct rewriter *w, struct slice file, struct error *err)
{
    const char *end = file.start + file.n, *p = file.start;
    long number = 0;
    int rc = 0;
    while (rc == 0 && (p = next_object(p, end, &number))) {
        struct slice rest = {p, (size_t)(end - p)};
        const char *endobj = find(rest, "endobj");
        if (!endobj)
            return error_set(err, EINVAL, "%s: object %ld has no end", w->path, number);
        const char *stream = find((struct slice){p, (size_t)(endobj - p)}, "stream");
        if (stream) {
            struct slice dictionary = {p, (size_t)(stream - p)};
            p = stream + strlen("stream");
            p += p < end && *p == '\r';
            p += p < end && *p == '\n';
            rc = copy_stream(w, number, dictionary, &p, end, err);
        } else {
            rc = add_object(w, number, (struct slice){p, (size_t)(endobj - p)}, err);
            p = endobj;
        }
    }
    const char *trailer = find(file, "trailer");
    if (trailer)
        note_root(w, (struct slice){trailer, (size_t)(end - trailer)});
    return rc;
}

static void add_table(struct rewriter *w)
{
    long highest = 0;
    for (long i = 1; i < OBJECT_LIMIT; i++)
        highest = w->offsets[i] ? i : highest;
    size_t at = w->out.size;
    text_print(&w->out, "xref\n0 %ld\n0000000000 65535 f \n", highest + 1);
    for (long i = 1; i <= highest; i++)
        text_print(&w->out, "%010zu %05d %c \n", w->offsets[i], w->offsets[i] ? 0 : 65535,
                   w->offsets[i] ? 'n' : 'f');
    text_print(&w->out, "trailer\n<< /Size %ld\n/Root %ld 0 R\n>>\nstartxref\n%zu\n%%%%EOF\n",
               highest + 1, w->root, at);
}

static int rewrite(struct rewriter *w, struct slice file, struct error *err)
{
    text_add(&w->out, "%PDF-1.5\n");
    int rc = copy_objects(w, file, err);
    if (rc == 0 && (w->root <= 0 || w->root >= OBJECT_LIMIT || !w->offsets[w->root]))
        rc = error_set(err, EINVAL, "%s: no catalogue", w->path);
    if (rc == 0)
        add_table(w);
    return rc;
}

int pdf_simplify(const char *path, struct error *err)
{
    char *data;
    size_t size;
    int rc = file_read(path, FILE_LIMIT, &data, &size, err);
    if (rc < 0)
        return rc;
    struct rewriter w = {.path = path, .offsets = calloc(OBJECT_LIMIT, sizeof *w.offsets)};
    if (!w.offsets)
        rc = error_set(err, ENOMEM, "out of memory for %s", path);
    else if (size < 5 || memcmp(data, "%PDF-", 5) != 0)
        rc = error_set(err, EINVAL, "%s: not a PDF", path);
    else
        rc = rewrite(&w, (struct slice){data, size}, err);
    if (rc == 0)
        rc = text_write(&w.out, path, err);
    text_free(&w.out);
    free(w.offsets);
    free(data);
    return rc;
}
