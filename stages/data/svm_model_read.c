/* See svm_model.h: reading, line by line. Every size is checked against that of the file before
 * memory is allocated. */
#define _GNU_SOURCE
#include "stages/data/svm_model.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "stages/data/decimal.h"

enum { MOST_CLASSES = 256, MOST_PAIRS = MOST_CLASSES * (MOST_CLASSES - 1) / 2 };

struct reader {
    const char *path;
    FILE *file;
    char *line;      /* without its newline */
    size_t capacity; /* of line */
    size_t number;   /* of the line, from 1 */
    size_t size;     /* bytes of the file */
    struct error *err;
};

/* The lines before "SV". */
struct header {
    struct csvc_kernel kernel;
    bool c_svc, has_kernel, has_gamma, has_coef0, has_degree;
    double classes, count;
    size_t rhos, labels, counts; /* numbers given in each line */
    double rho[MOST_PAIRS], label[MOST_CLASSES], class_count[MOST_CLASSES];
};

__attribute__((format(printf, 2, 3))) static int bad(const struct reader *r, const char *format,
                                                     ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(r->err, EINVAL, "%s:%zu: %s", r->path, r->number, text);
}

/* 1: a line was read, 0: end of file. */
static int next_line(struct reader *r)
{
    errno = 0;
    ssize_t length = getline(&r->line, &r->capacity, r->file);
    r->number++;
    if (length < 0 && ferror(r->file))
        return error_errno(r->err, errno ? errno : EIO, "cannot read %s", r->path);
    if (length < 0)
        return 0;
    if (memchr(r->line, 0, (size_t)length))
        return bad(r, "a 0 byte; expected text");
    if (r->line[length - 1] != '\n')
        return bad(r, "the file ends in the middle of a line");
    r->line[length - 1] = 0;
    return 1;
}

/* Reads up to `most` finite numbers separated by blanks; *count: how many. */
static int read_numbers(const struct reader *r, const char *text, double *out, size_t most,
                        size_t *count)
{
    *count = 0;
    for (;;) {
        text += strspn(text, " \t\r");
        if (!*text)
            return 0;
        char *end;
        double value = decimal_read(text, &end);
        if (end == text || !isfinite(value))
            return bad(r, "expected a number, got '%.20s'", text);
        if (*count == most)
            return bad(r, "more than %zu numbers", most);
        out[(*count)++] = value;
        text = end;
    }
}

static int read_one(const struct reader *r, const char *text, double *out)
{
    size_t count;
    int rc = read_numbers(r, text, out, 1, &count);
    return rc == 0 && count == 0 ? bad(r, "expected a number") : rc;
}

static int read_kernel(const struct reader *r, struct header *h, const char *name)
{
    for (int k = 0; k < SVM_KERNELS; k++)
        if (strcmp(name, csvc_kernel_names[k]) == 0) {
            h->kernel.type = (enum csvc_kernel_type)k;
            h->has_kernel = true;
            return 0;
        }
    return bad(r, "kernel_type '%.40s', expected linear, polynomial, rbf or sigmoid", name);
}

static int read_header_line(const struct reader *r, struct header *h)
{
    char *value = r->line + strcspn(r->line, " ");
    if (*value)
        *value++ = 0;
    value[strcspn(value, "\r")] = 0;
    const char *name = r->line;
    double degree = 0;
    int rc;
    if (strcmp(name, "svm_type") == 0) {
        h->c_svc = strcmp(value, "c_svc") == 0;
        return h->c_svc ? 0 : bad(r, "svm_type '%.40s', expected c_svc", value);
    }
    if (strcmp(name, "kernel_type") == 0)
        return read_kernel(r, h, value);
    if (strcmp(name, "degree") == 0) {
        rc = read_one(r, value, &degree);
        if (rc == 0 && !(degree >= 0 && degree <= 1000 && degree == floor(degree)))
            rc = bad(r, "degree %g, expected a whole number from 0 to 1000", degree);
        h->kernel.degree = rc == 0 ? (int)degree : 0;
        h->has_degree = true;
        return rc;
    }
    if (strcmp(name, "gamma") == 0) {
        h->has_gamma = true;
        return read_one(r, value, &h->kernel.gamma);
    }
    if (strcmp(name, "coef0") == 0) {
        h->has_coef0 = true;
        return read_one(r, value, &h->kernel.coef0);
    }
    if (strcmp(name, "nr_class") == 0)
        return read_one(r, value, &h->classes);
    if (strcmp(name, "total_sv") == 0)
        return read_one(r, value, &h->count);
    if (strcmp(name, "rho") == 0)
        return read_numbers(r, value, h->rho, MOST_PAIRS, &h->rhos);
    if (strcmp(name, "label") == 0)
        return read_numbers(r, value, h->label, MOST_CLASSES, &h->labels);
    if (strcmp(name, "nr_sv") == 0)
        return read_numbers(r, value, h->class_count, MOST_CLASSES, &h->counts);
    if (strcmp(name, "probA") == 0 || strcmp(name, "probB") == 0)
        return 0; /* probabilities, not needed for votes */
    return bad(r, "unknown keyword '%.40s'; expected a LIBSVM model", name);
}

/* Checks the header for completeness and consistency. */
static int check_header(const struct reader *r, const struct header *h, size_t most_classes)
{
    enum csvc_kernel_type type = h->kernel.type;
    if (!h->c_svc || !h->has_kernel)
        return bad(r, "expected svm_type and kernel_type before SV");
    if (type != SVM_LINEAR && !h->has_gamma)
        return bad(r, "expected gamma before SV");
    if ((type == SVM_POLY || type == SVM_SIGMOID) && !h->has_coef0)
        return bad(r, "expected coef0 before SV");
    if (type == SVM_POLY && !h->has_degree)
        return bad(r, "expected degree before SV");
    if (!(h->classes >= 2 && h->classes <= (double)most_classes) || h->classes != floor(h->classes))
        return bad(r, "nr_class %g, expected 2 to %zu", h->classes, most_classes);
    size_t classes = (size_t)h->classes;
    if (h->rhos != classes * (classes - 1) / 2 || h->labels != classes || h->counts != classes)
        return bad(r, "%zu rho, %zu label and %zu nr_sv for %zu classes", h->rhos, h->labels,
                   h->counts, classes);
    /* A vector takes at least two bytes for each coefficient and a newline. */
    double most = (double)r->size / (double)(2 * (classes - 1) + 1);
    if (!(h->count >= 0 && h->count <= most) || h->count != floor(h->count))
        return bad(r, "total_sv %g, but a file of this size holds at most %.0f", h->count, most);
    double sum = 0;
    for (size_t c = 0; c < classes; c++) {
        double label = h->label[c], count = h->class_count[c];
        if (!(label >= 0 && label < (double)most_classes) || label != floor(label))
            return bad(r, "label %g, expected 0 to %zu", label, most_classes - 1);
        for (size_t b = 0; b < c; b++)
            if (h->label[b] == label)
                return bad(r, "label %g is given twice", label);
        if (!(count >= 0) || count != floor(count))
            return bad(r, "nr_sv %g, expected a whole number", count);
        sum += count;
    }
    return sum == h->count ? 0 : bad(r, "nr_sv adds up to %.0f, total_sv is %.0f", sum, h->count);
}

static int read_header(struct reader *r, struct header *h, size_t most_classes)
{
    for (;;) {
        int rc = next_line(r);
        if (rc == 0)
            return bad(r, "the file ends before SV");
        if (rc < 0)
            return rc;
        if (strcmp(r->line, "SV") == 0 || strcmp(r->line, "SV\r") == 0)
            return check_header(r, h, most_classes);
        rc = read_header_line(r, h);
        if (rc < 0)
            return rc;
    }
}

/* Parses the line as vector v; *last: the greatest column so far. */
static int read_vector(const struct reader *r, struct csvc_model *m, size_t v, size_t *last)
{
    char *text = r->line, *end;
    for (size_t k = 0; k + 1 < m->classes; k++) {
        double coef = decimal_read(text, &end);
        if (end == text || !isfinite(coef) || *end == ':')
            return bad(r, "expected %zu coefficients", m->classes - 1);
        m->coef[k * m->count + v] = coef;
        text = end;
    }
    float *x = m->vectors + v * m->d;
    size_t before = 0;
    for (;;) {
        text += strspn(text, " \t\r");
        if (!*text)
            break;
        unsigned long index = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
        if (index <= before || *end != ':')
            return bad(r, "expected INDEX:VALUE with rising indices, got '%.20s'", text);
        if (index > m->d)
            return bad(r, "column %lu, but the features have %zu columns", index, m->d);
        text = end + 1;
        double value = decimal_read(text, &end);
        if (end == text || !isfinite((float)value))
            return bad(r, "column %lu: expected a finite number, got '%.20s'", index, text);
        x[index - 1] = (float)value;
        before = index;
        text = end;
    }
    *last = before > *last ? before : *last;
    return 0;
}

static int read_vectors(struct reader *r, struct csvc_model *m)
{
    size_t last = 0;
    for (size_t v = 0; v < m->count; v++) {
        int rc = next_line(r);
        if (rc == 0)
            return bad(r, "the file ends after %zu of %zu vectors", v, m->count);
        if (rc > 0)
            rc = read_vector(r, m, v, &last);
        if (rc < 0)
            return rc;
    }
    int rc = next_line(r);
    if (rc != 0)
        return rc < 0 ? rc : bad(r, "more than the %zu vectors of total_sv", m->count);
    if (m->count > 0 && last != m->d)
        return error_set(r->err, EINVAL, "%s: a model of %zu columns, but the features have %zu",
                         r->path, last, m->d);
    return 0;
}

static int read_model(struct reader *r, struct header *h, size_t d, size_t most_classes,
                      struct csvc_model *model)
{
    int rc = read_header(r, h, most_classes);
    if (rc == 0)
        rc = csvc_model_make(model, (size_t)h->classes, d, (size_t)h->count, r->err);
    if (rc < 0)
        return rc;
    model->kernel = h->kernel;
    memcpy(model->rho, h->rho, h->rhos * sizeof *model->rho);
    for (size_t c = 0; c < model->classes; c++) {
        model->labels[c] = (int)h->label[c];
        model->class_counts[c] = (size_t)h->class_count[c];
    }
    return read_vectors(r, model);
}

int svm_model_read(const char *path, size_t d, size_t most_classes, struct csvc_model *model,
                   struct error *err)
{
    *model = (struct csvc_model){0};
    struct reader r = {.path = path, .file = fopen(path, "re"), .err = err};
    if (!r.file)
        return error_errno(err, errno, "cannot open %s", path);
    struct header *h = calloc(1, sizeof *h);
    struct stat status;
    int rc;
    if (!h)
        rc = error_set(err, ENOMEM, "%s: out of memory", path);
    else if (fstat(fileno(r.file), &status) < 0)
        rc = error_errno(err, errno, "cannot read the size of %s", path);
    else {
        r.size = (size_t)status.st_size;
        rc = read_model(&r, h, d, most_classes < MOST_CLASSES ? most_classes : MOST_CLASSES, model);
    }
    if (rc < 0)
        csvc_model_free(model);
    free(h);
    free(r.line);
    fclose(r.file);
    return rc;
}
