/* See svm_model.h: writing. */
#define _GNU_SOURCE
#include "stages/data/svm_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "stages/data/decimal.h"

static void write_header(FILE *f, const struct csvc_model *m)
{
    size_t pairs = m->classes * (m->classes - 1) / 2;
    enum csvc_kernel_type type = m->kernel.type;
    fprintf(f, "svm_type c_svc\nkernel_type %s\n", csvc_kernel_names[type]);
    if (type == SVM_POLY)
        fprintf(f, "degree %d\n", m->kernel.degree);
    if (type != SVM_LINEAR)
        fprintf(f, "gamma %.17g\n", m->kernel.gamma);
    if (type == SVM_POLY || type == SVM_SIGMOID)
        fprintf(f, "coef0 %.17g\n", m->kernel.coef0);
    fprintf(f, "nr_class %zu\ntotal_sv %zu\nrho", m->classes, m->count);
    for (size_t i = 0; i < pairs; i++)
        fprintf(f, " %.17g", m->rho[i]);
    fprintf(f, "\nlabel");
    for (size_t c = 0; c < m->classes; c++)
        fprintf(f, " %d", m->labels[c]);
    fprintf(f, "\nnr_sv");
    for (size_t c = 0; c < m->classes; c++)
        fprintf(f, " %zu", m->class_counts[c]);
    fprintf(f, "\nSV\n");
}

/* Writes index > 0. Returns the end of the digits. */
static char *put_index(char text[DECIMAL_SIZE], size_t index)
{
    char digits[DECIMAL_SIZE], *first = digits + DECIMAL_SIZE;
    for (; index > 0; index /= 10)
        *--first = (char)('0' + index % 10);
    size_t count = (size_t)(digits + DECIMAL_SIZE - first);
    memcpy(text, first, count);
    return text + count;
}

static void write_vector(FILE *f, const struct csvc_model *m, size_t v)
{
    const float *x = m->vectors + v * m->d;
    for (size_t k = 0; k + 1 < m->classes; k++)
        fprintf(f, "%.17g ", m->coef[k * m->count + v]);
    for (size_t j = 0; j < m->d; j++)
        if (x[j] != 0 || (v == 0 && j == m->d - 1)) {
            char text[2 * DECIMAL_SIZE], *at = put_index(text, j + 1);
            *at++ = ':';
            at = decimal_write(at, x[j]);
            *at++ = ' ';
            fwrite_unlocked(text, 1, (size_t)(at - text), f);
        }
    putc_unlocked('\n', f);
}

int svm_model_write(const char *path, const struct csvc_model *model, struct error *err)
{
    enum { BUFFER = 1 << 20 };
    FILE *f = fopen(path, "we");
    if (!f)
        return error_errno(err, errno, "cannot create %s", path);
    setvbuf(f, NULL, _IOFBF, BUFFER);
    write_header(f, model);
    for (size_t v = 0; v < model->count && !ferror(f); v++)
        write_vector(f, model, v);
    int code = ferror(f) ? (errno ? errno : EIO) : 0;
    if (fclose(f) != 0 && code == 0)
        code = errno;
    return code ? error_errno(err, code, "cannot write %s", path) : 0;
}
