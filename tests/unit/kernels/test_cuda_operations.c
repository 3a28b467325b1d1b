/* The tests of test_kernels.c for the `cuda` backend, on doubles of cudart and cuDNN: each
 * operation against `ref`. Batches are whole. */
#define TEST_OF_CUDA
#include "tests/unit/kernels/test_kernels.c" /* NOLINT(bugprone-suspicious-include) */

#include "tests/double/cudart.h"
#include "tests/double/libraries.h"

/* The bias of a convolution is added by what reads its output: another convolution, forward and for
 * its gradient of weights, a pool, an addition, a residual, and a convolution that adds to it. */
static void run_bias(struct world *w, const void *item)
{
    const struct shape s = {3, 8, 6, 6}, half = {3, 8, 3, 3}, kernel = {8, 8, 1, 1};
    const struct conv_spec spec = {
        .in = 8, .out = 8, .kernel = 1, .stride = 1, .groups = 1, .height = 6, .width = 6};
    const struct norm_case norm_case = {3, 8, 6, 6, true, true, false, false, false};
    struct tensor *x = activation(w, s), *weights = tensor(w, TENSOR_PLAIN, kernel, -1, 33);
    struct tensor *y = activation(w, s), *z = activation(w, s), *pooled = activation(w, half);
    struct tensor *bias = vector(w, 8, -2, 65), *dweights = tensor(w, TENSOR_PLAIN, kernel, 0, 1);
    struct norm norm = make_norm(w, &norm_case);
    struct conv *conv = NULL;
    (void)item;
    MUST(w, w->b->conv(w->d, &spec, &conv, &w->err));
    MUST(w, w->b->conv_ready(conv, 0, s.n, weights, false, &w->err));
    for (int reader = 0; reader < 6; reader++) {
        MUST(w, w->b->conv_forward(conv, all(s.n), x, weights, bias, y, 0, &w->err));
        struct tensor *read = z;
        struct shape shape = s;
        if (reader == 0) {
            MUST(w, w->b->conv_forward(conv, all(s.n), y, weights, bias, z, CONV_RELU, &w->err));
        } else if (reader == 1) {
            MUST(w,
                 w->b->conv_backward(conv, all(s.n), y, weights, x, NULL, CONV_WEIGHTS, &w->err));
            MUST(w, w->b->conv_backward_end(conv, dweights, NULL, &w->err));
            read = dweights, shape = kernel;
        } else if (reader == 2) {
            MUST(w, w->b->pool_forward(w->d, POOL_MAX, all(s.n), y, pooled, &w->err));
            read = pooled, shape = half;
        } else if (reader == 3) {
            MUST(w, w->b->add(w->d, all(s.n), y, x, z, &w->err));
        } else if (reader == 4) {
            MUST(w, w->b->norm_ready(w->d, &norm, false, &w->err));
            MUST(w, w->b->norm_forward(w->d, &norm, all(s.n), x, y, z, false, &w->err));
        } else {
            MUST(w, w->b->conv_forward(conv, all(s.n), x, weights, bias, y, CONV_ADD, &w->err));
            read = y;
        }
        keep(w, (const char *[]){"y", "dweights", "pool", "sum", "norm", "sum of two"}[reader],
             read, shape);
    }
}

static void test_bias_of_a_convolution(void **state)
{
    (void)state;
    conform(run_bias, NULL, PRECISION_FP32, false, "bias");
    conform(run_bias, NULL, PRECISION_BF16, false, "bias");
}

int main(void)
{
    const struct CMUnitTest own[] = {cmocka_unit_test(test_bias_of_a_convolution)};

    if (!double_use_libraries()) {
        print_error("the doubles of cuDNN and cuBLAS aren't built\n");
        return 1;
    }
    int failed = run_kernels() + cmocka_run_group_tests(own, NULL, NULL);
    return failed || double_leaks(true) ? 1 : 0;
}
