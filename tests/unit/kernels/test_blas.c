/* Products and distances against plain loops, at sizes around those of the tiles. */
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
#include "kernels/math/sort.h"

static float *random_rows(size_t n, size_t d, uint64_t stream)
{
    struct random r = random_start(7, stream);
    float *x = malloc(n * d * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n * d; i++)
        x[i] = (float)random_normal(&r);
    return x;
}

static double dot(const float *a, const float *b, size_t d)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += (double)a[j] * b[j];
    return sum;
}

static void tiles_equal_loops(void **state)
{
    (void)state;
    const size_t sizes[][3] = {{1, 1, 1}, {3, 5, 2}, {511, 2, 9}, {513, 700, 17}, {1025, 1, 33}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s][0], m = sizes[s][1], d = sizes[s][2], ld = m + 3;
        float *a = random_rows(n, d, 1), *b = random_rows(m, d, 2);
        float *out = calloc(n * ld, sizeof *out);
        assert_non_null(out);
        blas_tile(a, n, b, m, d, out, ld);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < m; j++) {
                double error = fabs(out[i * ld + j] - dot(a + i * d, b + j * d, d));
                if (!(error < 1e-4))
                    fail_msg("%zu x %zu products of %zu float32 values: (%zu, %zu) is off by %.2e, "
                             "more than 1e-4",
                             n, m, d, i, j, error);
            }
            assert_true(out[i * ld + m] == 0); /* nothing is written beyond a row */
        }
        free(a);
        free(b);
        free(out);
    }
}

static void distances_equal_loops(void **state)
{
    (void)state;
    size_t n = 40, m = 30, d = 100;
    float *a = random_rows(n, d, 4), *b = random_rows(m, d, 5), out[40 * 30];
    double norms_a[40], norms_b[30];
    memcpy(b, a, d * sizeof *b); /* one pair of rows is equal: distance 0 */
    blas_squared_norms(a, n, d, norms_a, 2);
    blas_squared_norms(b, m, d, norms_b, 1);
    blas_squared_distances(a, norms_a, n, b, norms_b, m, d, out, m);
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs(norms_a[i] - dot(a + i * d, a + i * d, d)) < 1e-9);
        for (size_t j = 0; j < m; j++) {
            double sum = 0;
            for (size_t k = 0; k < d; k++)
                sum += pow((double)a[i * d + k] - b[j * d + k], 2);
            assert_true(fabs(out[i * m + j] - sum) < 1e-3);
            assert_true(out[i * m + j] >= 0);
        }
    }
    free(a);
    free(b);
}

static void cholesky_solves(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 2, 63, 64, 65, 200};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        float *x = random_rows(n, n + 5, 6);
        double *a = malloc(n * n * sizeof *a), *l = malloc(n * n * sizeof *l);
        double *b = malloc(n * sizeof *b);
        assert_true(a && l && b);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++)
                a[i * n + j] = dot(x + i * (n + 5), x + j * (n + 5), n + 5) + (i == j);
            b[i] = (double)i - 3;
        }
        memcpy(l, a, n * n * sizeof *a);
        assert_int_equal(blas_cholesky(l, n), 0);
        blas_cholesky_solve(l, n, b);
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t j = 0; j < n; j++)
                sum += a[i * n + j] * b[j];
            if (!(fabs(sum - ((double)i - 3)) < 1e-8))
                fail_msg("Cholesky of %zu x %zu: row %zu is off by %.2e, more than 1e-8", n, n, i,
                         fabs(sum - ((double)i - 3)));
        }
        free(x);
        free(a);
        free(l);
        free(b);
    }
    double indefinite[] = {1, 0, 2, 1}; /* lower triangle: 1; 2 1 */
    assert_true(blas_cholesky(indefinite, 2) < 0);
}

static void product_is_added(void **state)
{
    (void)state;
    double a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, out[] = {1, 1, 1, 1};
    blas_add_product(a, 2, 2, b, 2, 2, 2, out, 2);
    double expected[] = {1 + 17, 1 + 23, 1 + 39, 1 + 53};
    assert_memory_equal(out, expected, sizeof out);
}

/* All three ways to sort (by size), with many equal keys: order and stability. */
static void keys_are_sorted(void **state)
{
    (void)state;
    struct random r = random_start(1, 1);
    for (size_t n = 1; n <= 3000; n = n * 3 + 1) {
        uint64_t *keys = malloc(n * sizeof *keys), *spare = malloc(n * sizeof *spare);
        assert_true(keys && spare);
        for (size_t i = 0; i < n; i++)
            keys[i] = random_below(&r, n / 2 + 1) * 0x00100103u << 32 | i;
        const uint64_t *sorted = sort_by_high_half(keys, spare, n);
        for (size_t i = 1; i < n; i++) /* lower halves rise where upper ones are equal */
            assert_true(sorted[i - 1] < sorted[i]);
        free(keys);
        free(spare);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_equal_loops), cmocka_unit_test(distances_equal_loops),
        cmocka_unit_test(cholesky_solves),   cmocka_unit_test(product_is_added),
        cmocka_unit_test(keys_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
