/* libFuzzer target: any text as a LIBSVM model gives a valid model or one error with its line. The
 * first byte is the number of columns of the features. A model that was read is written and read
 * again. */
#include <math.h>
#include "stages/data/svm_model.h"
#include "tests/fuzz/scratch.h"

enum { CLASSES = 7 };

static void check(const struct csvc_model *m, size_t d)
{
    if (m->classes < 2 || m->classes > CLASSES || m->d != d)
        abort();
    size_t sum = 0;
    for (size_t c = 0; c < m->classes; c++) {
        if (m->labels[c] < 0 || m->labels[c] >= CLASSES)
            abort();
        sum += m->class_counts[c];
    }
    if (sum != m->count)
        abort();
    for (size_t i = 0; i < m->count * (m->classes - 1); i++)
        if (!isfinite(m->coef[i]))
            abort();
    for (size_t i = 0; i < m->count * m->d; i++)
        if (!isfinite(m->vectors[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t d = data[0] % 16 + 1;
    struct csvc_model m, again;
    struct error err = {""};
    const char *path = scratch_file(data + 1, size - 1);
    int rc = svm_model_read(path, d, CLASSES, &m, &err);
    scratch_check(rc, &err);
    if (rc < 0)
        return 0;
    check(&m, d);
    if (svm_model_write(path, &m, &err) < 0 || svm_model_read(path, d, CLASSES, &again, &err) < 0 ||
        again.count != m.count)
        abort();
    for (size_t i = 0; i < m.count * d; i++)
        if (m.vectors[i] != again.vectors[i]) /* a zero may have lost its sign */
            abort();
    csvc_model_free(&again);
    csvc_model_free(&m);
    return 0;
}
