/* What the tests of Winograd's way share: activations whose memory ends where none follows, and the
 * matrices of F(n, 3), made from their points alone. */
#ifndef FERDAG_TESTS_UNIT_WINOGRAD_H
#define FERDAG_TESTS_UNIT_WINOGRAD_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/random.h"

enum { LANES = 16, MARK = 0x5A, MARGIN = 64 };

static size_t blocks_of(size_t channels)
{
    return (channels + LANES - 1) / LANES;
}

static float value_of(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

static float draw(struct random *random)
{
    return (float)((double)random_below(random, 20001) / 10000 - 1);
}

static void *allocate(size_t size)
{
    void *p = aligned_alloc(64, (size + 63) / 64 * 64);
    assert_non_null(p);
    memset(p, MARK, (size + 63) / 64 * 64);
    return p;
}

/* Memory that ends at a page that nobody may touch. */
static void *allocate_guarded(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    char *p = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    assert_int_equal(mprotect(p + whole, page, PROT_NONE), 0);
    return p + whole - size;
}

static void free_guarded(void *p, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    assert_int_equal(munmap((char *)p + size - whole, whole + page), 0);
}

static size_t at(size_t blocks, size_t pixels, size_t image, size_t channel, size_t pixel)
{
    return ((image * blocks + channel / LANES) * pixels + pixel) * LANES + channel % LANES;
}

/* F(outputs, 3): transforms along one side, from the points and infinity. */
struct filter {
    size_t outputs, positions;
    double a[4][6], g[6][3], b[6][6];
};

/* The coefficients of the product of x - p over all points but one. */
static void multiply_out(const double *points, size_t count, size_t but, double *coefficients)
{
    size_t degree = 0;
    memset(coefficients, 0, 6 * sizeof *coefficients);
    coefficients[0] = 1;
    for (size_t k = 0; k < count; k++) {
        if (k == but)
            continue;
        for (size_t c = ++degree; c > 0; c--)
            coefficients[c] = coefficients[c - 1] - points[k] * coefficients[c];
        coefficients[0] *= -points[k];
    }
}

static struct filter filter_of(size_t outputs)
{
    static const double points[] = {0, M_SQRT2, -M_SQRT2, M_SQRT1_2, -M_SQRT1_2};
    size_t n = outputs + 1;
    struct filter f = {.outputs = outputs, .positions = n + 1};
    for (size_t j = 0; j < n; j++) {
        double by = 1;
        for (size_t k = 0; k < n; k++)
            by *= k == j ? 1 : points[j] - points[k];
        for (size_t k = 0; k < 3; k++)
            f.g[j][k] = pow(points[j], (double)k) / by;
        for (size_t k = 0; k < outputs; k++)
            f.a[k][j] = pow(points[j], (double)k);
        multiply_out(points, n, j, f.b[j]);
    }
    f.g[n][2] = f.a[outputs - 1][n] = 1;
    multiply_out(points, n, n, f.b[n]);
    return f;
}

/* Of the tile that pixel `at` of a side lies in; three outputs are done as four. */
static struct filter filter_at(size_t pixels, size_t at)
{
    size_t left = pixels - at / 4 * 4;
    return filter_of(left > 2 ? 4 : left);
}

#endif
