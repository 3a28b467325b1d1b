/* Products of rows on a GPU, against doubles of cudart and cuBLAS: kernel values within their
 * bound, and the decisions of support vector machines and kNN equal to the CPU's. Each call of the
 * libraries fails in turn. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <cublas_v2.h>
#include "base/random.h"
#include "kernels/classifiers/knn.h"
#include "kernels/classifiers/svm/cross_validation.h"
#include "kernels/classifiers/svm/kernel_values.h"
#include "kernels/math/blas.h"
#include "kernels/math/products.h"
#include "tests/double/cudart.h"
#include "tests/double/libraries.h"
#include "tests/unit/kernels/svm_kernel.h"

static int start(void **state)
{
    (void)state;
    unsetenv("FERDAG_DOUBLE_DEVICES");
    setenv("FERDAG_DOUBLE_SUMS", "float32", 1); /* other sums than the CPU's */
    double_reset();
    return double_use_libraries() ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    return double_leaks(true) == 0 ? 0 : -1;
}

static void *need(void *memory)
{
    assert_non_null(memory);
    return memory;
}

/* ---- data ---- */

enum { D = 19, CLASSES = 4, TRAIN = 600, TEST = 200, FOLDS = 3 };

static float train_x[TRAIN * D], test_x[TEST * D];
static uint8_t train_labels[TRAIN];
static const size_t counts[CLASSES] = {200, 180, 120, 100};

static void draw_row(struct random *r, size_t class, float *row)
{
    for (size_t j = 0; j < D; j++)
        row[j] = (float)(random_normal(r) + (j % CLASSES == class ? 0.7 : 0));
}

/* Overlapping clusters, ordered by class. */
static int draw(void **state)
{
    (void)state;
    struct random r = random_start(11, 0);
    size_t i = 0;
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t k = 0; k < counts[c]; k++, i++) {
            draw_row(&r, c, train_x + i * D);
            train_labels[i] = (uint8_t)c;
        }
    for (size_t k = 0; k < TEST; k++)
        draw_row(&r, k % CLASSES, test_x + k * D);
    return 0;
}

static const struct csvc_kernel kernels[] = {
    {.type = SVM_LINEAR},
    {.type = SVM_POLY, .gamma = 0.05, .coef0 = 0.5, .degree = 3},
    {.type = SVM_RBF, .gamma = 0.05},
    {.type = SVM_SIGMOID, .gamma = 0.02, .coef0 = -0.2},
};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static struct products *open_products(const float *x, size_t n, size_t d, bool wide)
{
    struct products *products;
    struct error err = {""};
    int rc = products_open("cuda", x, n, d, wide, &products, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
    return need(products);
}

/* ---- products ---- */

struct check {
    const float *a, *b;
    size_t m, d, next, parts;
    bool wide;
};

static int check_part(void *context, const struct products_part *part)
{
    struct check *c = context;
    assert_int_equal(part->first, c->next);
    c->next += part->count;
    c->parts++;
    for (size_t i = 0; i < part->count; i++)
        for (size_t j = 0; j < c->m; j++) {
            double is = 0, bound = 0, value;
            for (size_t k = 0; k < c->d; k++) {
                double product = (double)c->a[(part->first + i) * c->d + k] * c->b[j * c->d + k];
                is += product;
                bound += fabs(product);
            }
            value = c->wide ? ((const double *)part->values)[i * c->m + j]
                            : (double)((const float *)part->values)[i * c->m + j];
            if (!(fabs(value - is) <= bound * (double)c->d * (c->wide ? 0x1p-52 : 0x1p-24)))
                return -ERANGE;
        }
    return 0;
}

/* Rows 5 on with rows 2 on, of sizes around those of a part. */
static void parts_cover_a_product(void **state)
{
    (void)state;
    const struct {
        size_t n, m, d, parts;
        bool queries, wide;
    } cases[] = {{1, 1, 1, 1, false, false},       {7, 3, 5, 1, false, true},
                 {1, 2000, 9, 1, true, false},     {2500, 11, 4, 3, true, false},
                 {2900, 3000, 2, 2, false, false}, {4000, 4200, 1, 3, false, true}};
    for (size_t s = 0; s < sizeof cases / sizeof *cases; s++) {
        size_t n = cases[s].n, m = cases[s].m, d = cases[s].d, rows = (n > m ? n : m) + 5;
        struct random r = random_start(3, s);
        float *x = need(malloc(rows * d * sizeof *x)), *queries = need(malloc(n * d * sizeof *x));
        for (size_t i = 0; i < rows * d; i++)
            x[i] = (float)random_normal(&r);
        for (size_t i = 0; i < n * d; i++)
            queries[i] = (float)random_normal(&r);
        struct products *products = open_products(x, rows, d, cases[s].wide);
        struct check check = {.a = cases[s].queries ? queries : x + 5 * d,
                              .b = x + 2 * d,
                              .m = m,
                              .d = d,
                              .wide = cases[s].wide};
        struct product product = {cases[s].queries ? queries : NULL, 5, n, 2, m};
        assert_int_equal(products_multiply(products, &product, check_part, &check), 0);
        assert_int_equal(check.next, n);
        assert_int_equal(check.parts, cases[s].parts);
        assert_int_equal(products_error(products, NULL), 0);
        products_close(products);
        free(x);
        free(queries);
    }
}

static int stop_at_second(void *context, const struct products_part *part)
{
    (void)part;
    return ++*(int *)context == 2 ? -EINTR : 0;
}

/* An error of the caller isn't one of the GPU: the next product is right. */
static void use_may_fail(void **state)
{
    (void)state;
    float x[20] = {1, 2, 3, 4, 5}, queries[4000] = {0};
    int calls = 0;
    struct products *products = open_products(x, 10, 2, false);
    struct product product = {.queries = queries, .n = 2000, .m = 10};
    assert_int_equal(products_multiply(products, &product, stop_at_second, &calls), -EINTR);
    assert_int_equal(products_error(products, NULL), 0);
    for (int again = 0; again < 2; again++) {
        struct check check = {.a = x, .b = x, .m = 10, .d = 2};
        struct product all = {.n = 10, .m = 10};
        assert_int_equal(products_multiply(products, &all, check_part, &check), 0);
    }
    products_close(products);
}

/* ---- kernel values ---- */

/* Compares a block with the definition. out (n, m), back (m, n). */
static void check_block(const struct csvc_kernel *k, const struct csvc_rows *a,
                        const struct csvc_rows *b, bool wide, const float *out, const float *back)
{
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0; j < b->n; j++) {
            double is = svm_kernel(k, a->x + i * a->d, b->x + j * b->d, a->d);
            double error = fabs((double)out[i * b->n + j] - is) / fmax(1, fabs(is));
            if (!(error < (wide ? FLT_EPSILON : 1e-5)) || out[i * b->n + j] != back[j * a->n + i])
                fail_msg("kernel %d of %zu x %zu rows%s: (%zu, %zu) is off by %.2e or isn't "
                         "symmetric",
                         (int)k->type, a->n, b->n, wide ? ", wide" : "", i, j, error);
        }
}

static void kernel_values_equal_the_definition(void **state)
{
    (void)state;
    const size_t sizes[][3] = {{1, 1, 1}, {3, 5, 2}, {513, 540, 7}, {1030, 1, 4}};
    for (size_t s = 0; s < 2 * KERNELS * sizeof sizes / sizeof *sizes; s++) {
        const size_t *size = sizes[s / 2 / KERNELS];
        const struct csvc_kernel *k = &kernels[s / 2 % KERNELS];
        size_t n = size[0], m = size[1], d = size[2], most = n > m ? n : m;
        bool wide = s % 2;
        struct random r = random_start(5, s);
        float *x = need(malloc((n + m) * d * sizeof *x)), *out = need(malloc(n * most * sizeof *x)),
              *back = need(malloc(n * m * sizeof *x));
        double *norms = need(malloc((n + m) * sizeof *norms));
        for (size_t i = 0; i < (n + m) * d; i++)
            x[i] = (float)random_normal(&r);
        blas_squared_norms(x, n + m, d, norms, 1);
        struct products *products = open_products(x, n + m, d, wide);
        struct csvc_rows a = {x, norms, n, d, products, 0},
                         b = {x + n * d, norms + n, m, d, products, n};
        assert_int_equal(csvc_kernel_block(k, &a, &b, wide, out, back, NULL, 2), 0);
        check_block(k, &a, &b, wide, out, back);
        float *square = need(malloc(n * n * sizeof *square));
        assert_int_equal(csvc_kernel_square(k, &a, wide, square, NULL, 2), 0);
        check_block(k, &a, &a, wide, square, square);
        for (size_t i = 0; i < n && k->type == SVM_RBF; i++)
            assert_true(square[i * n + i] == 1);
        products_close(products);
        free(square);
        free(x);
        free(out);
        free(back);
        free(norms);
    }
}

/* ---- support vector machines ---- */

static int open_file(void *context)
{
    (void)context;
    FILE *file = tmpfile();
    int copy = file ? dup(fileno(file)) : -1;
    if (file)
        fclose(file);
    return copy < 0 ? -EIO : copy;
}

static struct csvc_training training(size_t kernel, const char *backend)
{
    return (struct csvc_training){.kernel = kernels[kernel],
                                  .c = 1,
                                  .tolerance =
                                      1e-6, /* so that both solutions are close to the exact one */
                                  .wide = kernels[kernel].type == SVM_SIGMOID,
                                  .memory = 100000000,
                                  .open_file = open_file,
                                  .backend = backend,
                                  .threads = 2};
}

static void predict(const struct csvc_model *model, const char *backend, uint8_t *out,
                    double *decisions)
{
    struct csvc_predictor p;
    struct error err = {""};
    if (csvc_predictor_make_on(&p, backend, model, 2, &err) < 0 ||
        csvc_predict_rows(&p, test_x, TEST, out, decisions, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(!backend || model->kernel.type == SVM_LINEAR || p.products);
    csvc_predictor_free(&p);
}

static void train(const struct csvc_training *training, struct csvc_model *model,
                  struct csvc_report *report)
{
    struct error err = {""};
    if (csvc_train(training, train_x, counts, CLASSES, D, model, report, &err) < 0)
        fail_msg("%s", err.text);
}

static void svm_decides_as_on_the_cpu(void **state)
{
    enum { PAIRS = CLASSES * (CLASSES - 1) / 2 };
    static uint8_t cpu[TEST], cuda[TEST], mixed[TEST];
    static double of_cpu[TEST * PAIRS], of_mixed[TEST * PAIRS];
    (void)state;
    for (size_t k = 0; k < KERNELS; k++) {
        struct csvc_model model, other;
        struct csvc_report report, other_report;
        struct csvc_training t = training(k, "cpu"), on_cuda = training(k, "cuda");
        train(&t, &model, &report);
        size_t launches = double_counts().launches;
        assert_int_equal(launches, 0);
        train(&on_cuda, &other, &other_report);
        assert_true(double_counts().launches >= CLASSES * (CLASSES + 1) / 2);
        assert_true(fabs(report.objective - other_report.objective) <
                    1e-3 * fabs(report.objective));
        predict(&model, NULL, cpu, of_cpu);
        predict(&model, "cuda", mixed, of_mixed);
        predict(&other, "cuda", cuda, NULL);
        assert_memory_equal(cpu, mixed, TEST);
        assert_memory_equal(cpu, cuda, TEST);
        for (size_t i = 0; i < TEST * PAIRS; i++)
            assert_true(fabs(of_cpu[i] - of_mixed[i]) < 1e-4);
        csvc_model_free(&model);
        csvc_model_free(&other);
        double_reset();
    }
}

/* The number of threads, and a file for kernel values, change nothing. */
static void svm_has_the_same_bytes_always(void **state)
{
    (void)state;
    for (size_t k = 0; k < KERNELS; k++) {
        struct csvc_model one, other;
        struct csvc_report report;
        struct csvc_training t = training(k, "cuda"), small = t;
        t.threads = 1;
        train(&t, &one, &report);
        for (int again = 0; again < 2; again++) {
            small.threads = again ? 3 : 1;
            small.memory = again ? t.memory : 48000000;
            train(&small, &other, &report);
            assert_int_equal(one.count, other.count);
            assert_memory_equal(one.coef, other.coef, (CLASSES - 1) * one.count * sizeof *one.coef);
            csvc_model_free(&other);
        }
        csvc_model_free(&one);
    }
}

static int cross_validate(size_t kernel, const char *backend, uint8_t *out, struct error *err)
{
    static const double c[] = {0.1, 5}, gamma[] = {0.02, 0.1};
    size_t starts[CLASSES * (FOLDS + 1)], first = 0;
    struct csvc_grid grid = {c, gamma, 2, kernels[kernel].type == SVM_LINEAR ? 1 : 2};
    struct csvc_report report;
    for (size_t k = 0; k < CLASSES; first += counts[k++])
        for (size_t f = 0; f <= FOLDS; f++)
            starts[k * (FOLDS + 1) + f] = first + f * counts[k] / FOLDS;
    struct csvc_training t = training(kernel, backend);
    return csvc_cross_validate(&t, train_x, starts, CLASSES, FOLDS, D, &grid, out, &report, err);
}

static void cross_validation_decides_as_on_the_cpu(void **state)
{
    static uint8_t cpu[4 * TRAIN], cuda[4 * TRAIN];
    struct error err = {""};
    (void)state;
    for (size_t k = 0; k < KERNELS; k++) {
        assert_int_equal(cross_validate(k, "cpu", cpu, &err), 0);
        assert_int_equal(cross_validate(k, "cuda", cuda, &err), 0);
        assert_memory_equal(cpu, cuda, (kernels[k].type == SVM_LINEAR ? 2 : 4) * TRAIN);
    }
}

/* ---- kNN ---- */

static int classify(const char *backend, const float *x, const float *queries, size_t n, size_t k,
                    uint8_t *out, struct error *err)
{
    struct knn knn;
    int rc = knn_start_on(&knn, backend, x, train_labels, TRAIN, D, k, 2, err);
    if (rc == 0)
        rc = knn_predict(&knn, queries, n, out, err);
    knn_free(&knn);
    return rc;
}

/* Rows of small whole numbers have many ties. More queries than a part has. */
static void knn_decides_as_on_the_cpu(void **state)
{
    enum { MANY = 1500 };
    static float whole[TRAIN * D], queries[MANY * D];
    static uint8_t cpu[MANY], cuda[MANY];
    struct error err = {""};
    (void)state;
    for (size_t i = 0; i < TRAIN * D; i++)
        whole[i] = (float)lround(train_x[i]);
    for (size_t i = 0; i < MANY * D; i++)
        queries[i] = (float)lround(test_x[i % (TEST * D)] * 1.1);
    const size_t ks[] = {1, 2, 5, 40, TRAIN};
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        assert_int_equal(classify("cpu", whole, queries, MANY, ks[i], cpu, &err), 0);
        assert_int_equal(classify("cuda", whole, queries, MANY, ks[i], cuda, &err), 0);
        assert_memory_equal(cpu, cuda, MANY);
        assert_int_equal(classify("cpu", train_x, test_x, TEST, ks[i], cpu, &err), 0);
        assert_int_equal(classify("cuda", train_x, test_x, TEST, ks[i], cuda, &err), 0);
        assert_memory_equal(cpu, cuda, TEST);
        assert_int_equal(classify("cuda", train_x, test_x, 1, ks[i], cuda, &err), 0);
        assert_int_equal(cpu[0], cuda[0]);
    }
}

/* ---- failures ---- */

static int train_on_few(struct error *err)
{
    static const size_t few[] = {20, 20};
    struct csvc_model model;
    struct csvc_report report;
    struct csvc_training t = training(2, "cuda");
    int rc = csvc_train(&t, train_x, few, 2, D, &model, &report, err);
    csvc_model_free(&model);
    return rc;
}

/* Whether a function only frees memory, so that its failure may go unnoticed. */
static bool frees(const char *function)
{
    return strstr(function, "Free") || strstr(function, "Destroy");
}

static void each_call_may_fail(void **state)
{
    (void)state;
    const int errors[] = {cudaErrorUnknown, cudaErrorMemoryAllocation, cudaErrorECCUncorrectable};
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        struct error err = {""};
        const char *function = NULL;
        double_reset();
        double_fail(NULL, n, errors[n % 3]);
        int rc = train_on_few(&err);
        failed = double_failed(&function);
        if (failed && rc >= 0 && !frees(function) && strcmp(function, "cudaStreamSynchronize") != 0)
            fail_msg("call %zu, %s: no error", n, function);
        if ((rc < 0) != (*err.text != 0) || (!failed && rc < 0))
            fail_msg("call %zu, %s: %d, '%s'", n, failed ? function : "none", rc, err.text);
        double_fail(NULL, 0, 0);
        assert_int_equal(double_leaks(true), 0);
    }
    assert_true(n > 40);
    double_reset();
}

/* Each product of a prediction, or of a cross-validation, fails in turn. */
static void predictions_report_failures(void **state)
{
    static uint8_t out[4 * TRAIN];
    struct csvc_model model;
    struct csvc_report report;
    struct csvc_training t = training(2, "cpu");
    struct error err;
    (void)state;
    train(&t, &model, &report);
    for (size_t n = 1; n < 4; n++) {
        struct csvc_predictor p;
        assert_int_equal(csvc_predictor_make_on(&p, "cuda", &model, 2, &err), 0);
        double_fail("cublasGemmEx", 1, CUBLAS_STATUS_EXECUTION_FAILED);
        assert_int_equal(csvc_predict_rows(&p, test_x, TEST, out, NULL, &err), -EIO);
        assert_non_null(strstr(err.text, "cuBLAS"));
        csvc_predictor_free(&p);
        double_fail("cudaEventSynchronize", 1, cudaErrorLaunchTimeout);
        assert_int_equal(classify("cuda", train_x, test_x, TEST, 5, out, &err), -EIO);
        assert_non_null(strstr(err.text, "watchdog"));
        double_reset();
        for (int wide = 0; wide < 2; wide++) {
            double_fail("cublasGemmEx", n, CUBLAS_STATUS_ALLOC_FAILED);
            assert_int_equal(cross_validate(wide ? 3 : 2, "cuda", out, &err), -ENOMEM);
            assert_non_null(strstr(err.text, "--backend cpu"));
        }
    }
    csvc_model_free(&model);
    double_reset();
}

static void full_memory_is_one_line(void **state)
{
    (void)state;
    static uint8_t out[TEST];
    struct error err = {""};
    double_set_memory(34000000);
    assert_int_equal(classify("cuda", train_x, test_x, TEST, 5, out, &err), -ENOMEM);
    assert_non_null(strstr(err.text, "memory of the GPU is full"));
    assert_non_null(strstr(err.text, "--backend cpu"));
    double_reset();
}

static void check_unusable(const char *expected)
{
    struct products *products = NULL;
    struct error err = {""};
    assert_int_equal(products_open("cuda", train_x, TRAIN, D, false, &products, &err), -ENODEV);
    assert_null(products);
    if (!strstr(err.text, expected))
        fail_msg("expected '%s' in '%s'", expected, err.text);
    struct error none = {""};
    assert_int_equal(products_open("auto", train_x, TRAIN, D, false, &products, &none), 0);
    assert_null(products);
    assert_string_equal(none.text, "");
    assert_int_equal(products_open("cpu", train_x, TRAIN, D, false, &products, NULL), 0);
    assert_null(products);
}

static void without_gpu_or_cublas(void **state)
{
    struct products *products = NULL;
    assert_int_equal(products_open("auto", train_x, TRAIN, D, false, &products, NULL), 0);
    assert_non_null(products);
    products_close(products);
    setenv("FERDAG_CUBLAS", "/nonexistent", 1);
    check_unusable("FERDAG_CUBLAS: cannot open cuBLAS");
    const char *other = getenv("FERDAG_CUDNN"); /* a library that isn't cuBLAS */
    assert_non_null(other);
    setenv("FERDAG_CUBLAS", other ? other : "", 1);
    check_unusable("has no function cublas");
    start(state);
    setenv("FERDAG_DOUBLE_DEVICES", "", 1);
    double_reset();
    check_unusable("GPU");
    start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_cover_a_product, start, stop),
        cmocka_unit_test_setup_teardown(use_may_fail, start, stop),
        cmocka_unit_test_setup_teardown(kernel_values_equal_the_definition, start, stop),
        cmocka_unit_test_setup_teardown(svm_decides_as_on_the_cpu, start, stop),
        cmocka_unit_test_setup_teardown(svm_has_the_same_bytes_always, start, stop),
        cmocka_unit_test_setup_teardown(cross_validation_decides_as_on_the_cpu, start, stop),
        cmocka_unit_test_setup_teardown(knn_decides_as_on_the_cpu, start, stop),
        cmocka_unit_test_setup_teardown(each_call_may_fail, start, stop),
        cmocka_unit_test_setup_teardown(predictions_report_failures, start, stop),
        cmocka_unit_test_setup_teardown(full_memory_is_one_line, start, stop),
        cmocka_unit_test_setup_teardown(without_gpu_or_cublas, start, stop),
    };
    return cmocka_run_group_tests(tests, draw, NULL);
}
