/* Kernel values against libm in double, at sizes around those of the tiles: blocks, their
 * transposes, and squares. The bytes must be the same with one thread and three. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/random.h"
#include "kernels/math/blas.h"
#include "kernels/classifiers/svm/kernel_values.h"
#include "tests/unit/kernels/svm_kernel.h"

static struct csvc_rows random_rows(size_t n, size_t d, uint64_t stream)
{
    struct random r = random_start(7, stream);
    float *x = malloc(n * d * sizeof *x);
    double *norms = malloc(n * sizeof *norms);
    assert_non_null(x);
    assert_non_null(norms);
    for (size_t i = 0; i < n * d; i++)
        x[i] = (float)random_normal(&r);
    blas_squared_norms(x, n, d, norms, 1);
    return (struct csvc_rows){.x = x, .norms = norms, .n = n, .d = d};
}

static void rows_free(struct csvc_rows *r)
{
    free((void *)r->x);
    free((void *)r->norms);
}

static double value(const struct csvc_kernel *k, const struct csvc_rows *a, size_t i,
                    const struct csvc_rows *b, size_t j)
{
    return svm_kernel(k, a->x + i * a->d, b->x + j * b->d, a->d);
}

static const struct csvc_kernel all[] = {
    {.type = SVM_LINEAR},
    {.type = SVM_POLY, .gamma = 0.1, .coef0 = 0.3, .degree = 1},
    {.type = SVM_POLY, .gamma = 0.1, .coef0 = 0.3, .degree = 5},
    {.type = SVM_RBF, .gamma = 0.05},
    {.type = SVM_SIGMOID, .gamma = 0.1, .coef0 = -0.2},
};
enum { ALL = sizeof all / sizeof *all };
static const char *const names[] = {
    [SVM_LINEAR] = "linear", [SVM_POLY] = "poly", [SVM_RBF] = "rbf", [SVM_SIGMOID] = "sigmoid"};

/* Compares a value with libm's, and with the transposed or symmetric one. */
static void check_value(const struct csvc_kernel *k, const struct csvc_rows *a, size_t i,
                        const struct csvc_rows *b, size_t j, bool wide, double bound,
                        const float values[2])
{
    double is = value(k, a, i, b, j), error = fabs((double)values[0] - is) / fmax(1, fabs(is));
    if (!(error < bound) || values[0] != values[1])
        fail_msg("%s kernel, gamma %g, coef0 %g, degree %d, %zu x %zu rows of %zu values in %s: "
                 "(%zu, %zu) is off by %.2e, more than %.2e, or isn't symmetric",
                 names[k->type], k->gamma, k->coef0, k->degree, a->n, b->n, a->d,
                 wide ? "float64" : "float32", i, j, error, bound);
}

static void blocks_equal_libm(void **state)
{
    (void)state;
    const size_t sizes[][3] = {{1, 1, 1}, {3, 5, 2}, {511, 2, 9}, {513, 700, 17}, {1025, 1, 33}};
    for (size_t s = 0; s < ALL * sizeof sizes / sizeof *sizes; s++) {
        const size_t *size = sizes[s / ALL];
        const struct csvc_kernel *k = &all[s % ALL];
        size_t n = size[0], m = size[1];
        struct csvc_rows a = random_rows(n, size[2], 1), b = random_rows(m, size[2], 2);
        float *out = malloc(n * m * sizeof *out), *back = malloc(n * m * sizeof *back),
              *again = malloc(n * m * sizeof *again);
        assert_non_null(out);
        assert_non_null(back);
        assert_non_null(again);
        bool wide = s % 2;
        assert_int_equal(csvc_kernel_block(k, &a, &b, wide, out, back, NULL, 1), 0);
        assert_int_equal(csvc_kernel_block(k, &a, &b, wide, again, NULL, NULL, 3), 0);
        assert_memory_equal(out, again, n * m * sizeof *out);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < m; j++) {
                const float values[] = {out[i * m + j], back[j * n + i]};
                check_value(k, &a, i, &b, j, wide, wide ? FLT_EPSILON : 1e-5, values);
            }
        rows_free(&a);
        rows_free(&b);
        free(out);
        free(back);
        free(again);
    }
}

static void squares_are_symmetric(void **state)
{
    (void)state;
    enum { N = 1030 };
    float *out = malloc(sizeof(float[N][N])), *three = malloc(sizeof(float[N][N]));
    assert_non_null(out);
    assert_non_null(three);
    struct csvc_rows a = random_rows(N, 11, 3);
    for (size_t s = 0; s < 2 * ALL; s++) {
        const struct csvc_kernel *k = &all[s / 2];
        assert_int_equal(csvc_kernel_square(k, &a, s % 2, out, NULL, 1), 0);
        assert_int_equal(csvc_kernel_square(k, &a, s % 2, three, NULL, 3), 0);
        assert_memory_equal(out, three, sizeof(float[N][N]));
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j <= i; j++) {
                const float values[] = {out[i * N + j], out[j * N + i]};
                check_value(k, &a, i, &a, j, s % 2, 1e-5, values);
                assert_true(i != j || k->type != SVM_RBF || out[i * N + j] == 1);
            }
    }
    rows_free(&a);
    free(out);
    free(three);
}

/* Exponents from underflow to overflow of float32; errors must be below the rounding of float32. */
static void exponentials_are_exact(void **state)
{
    (void)state;
    const double zero[] = {0};
    double x = 0;
    struct csvc_kernel rbf = {.type = SVM_RBF, .gamma = 1},
                       tanh_ = {.type = SVM_SIGMOID, .gamma = 1};
    for (size_t i = 0; i < 6000; i++, x = x * 1.003 + 1e-4) {
        float near = (float)(-x / 2), above = (float)x, below = (float)-x;
        assert_true(csvc_kernel_apply(&rbf, &near, 1, 1, 1, zero, zero));
        double is = exp(2 * (double)(float)(-x / 2));
        assert_true(fabs(near - is) <= FLT_EPSILON * is + FLT_TRUE_MIN);
        assert_true(csvc_kernel_apply(&tanh_, &above, 1, 1, 1, zero, zero));
        assert_true(csvc_kernel_apply(&tanh_, &below, 1, 1, 1, zero, zero));
        assert_true(fabs(above - tanh((float)x)) <= FLT_EPSILON && below == -above);
    }
}

/* One bad value anywhere in a row of any length is found. */
static void no_finite_value(void **state)
{
    (void)state;
    struct csvc_kernel linear = {.type = SVM_LINEAR}, poly = all[2];
    const double norms[40] = {0};
    for (size_t n = 1; n < 40; n++)
        for (size_t at = 0; at < n; at++)
            for (int what = 0; what < 3; what++) {
                float row[40] = {0};
                assert_true(csvc_kernel_apply(&linear, row, 1, n, n, norms, norms));
                row[at] = what == 0 ? NAN : what == 1 ? INFINITY : -INFINITY;
                assert_false(csvc_kernel_apply(&linear, row, 1, n, n, norms, norms));
                row[at] = 1e30f;
                assert_false(csvc_kernel_apply(&poly, row, 1, n, n, norms, norms));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_equal_libm),
        cmocka_unit_test(squares_are_symmetric),
        cmocka_unit_test(exponentials_are_exact),
        cmocka_unit_test(no_finite_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
