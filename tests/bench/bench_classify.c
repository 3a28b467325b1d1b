/* Trains one classifier of Table V on a folder of features and predicts both test splits, on
 * command: tests/bench/classify.py compares it with scikit-learn and LIBSVM.
 * Usage: bench_classify FEATURES ROW THREADS [BACKEND]     ROW: svm_linear, knn_5, tree, forest_10,
 * bayes, ...; BACKEND: of the products of SVMs and kNN, cpu if left out. It reads the features and
 * prints "ready", then reads lines "train SECONDS", "predict SECONDS", "single SECONDS" (each does
 * the whole thing, or one image, again and again until so many seconds have passed, once at least)
 * and "save FILE" (the predictions, one byte each), and answers each with "count wall_seconds
 * cpu_seconds". Settings are the kinds' defaults. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "kernels/classifiers/naive_bayes.h"
#include "kernels/classifiers/svm/csvc.h"
#include "kernels/classifiers/linear_discriminant.h"
#include "kernels/classifiers/trees/forest_grow.h"
#include "kernels/classifiers/trees/forest_predict.h"
#include "kernels/classifiers/knn.h"
#include "kernels/classifiers/logistic_regression.h"
#include "stages/data/formats.h"

struct bench {
    int threads;
    const char *backend;
    struct features train;
    float *test; /* (n, d) public, then private */
    size_t n;
    uint8_t *out;  /* (n) */
    size_t number; /* the part after the row's name: k, depth, kernel */
    bool trained;
    struct {
        struct csvc_model model;
        struct csvc_predictor predictor;
    } svm;
    struct knn knn;
    struct forest forest;
    struct bayes bayes;
    struct linear linear;
};

/* ---- the rows ---- */

/* Orders the rows by class and computes 1 / (d var(X)); both are part of the training. */
static int train_svm(struct bench *b, struct error *err)
{
    size_t n = b->train.n, d = b->train.d, counts[CLASSES] = {0}, next[CLASSES] = {0};
    const float *x = b->train.x.data;
    const uint8_t *labels = b->train.labels.data;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n * d; i++)
        sum += x[i];
    double mean = sum / (double)(n * d);
    for (size_t i = 0; i < n * d; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    for (size_t i = 0; i < n; i++)
        counts[labels[i]]++;
    for (size_t c = 1; c < CLASSES; c++)
        next[c] = next[c - 1] + counts[c - 1];
    float *sorted = malloc(n * d * sizeof *sorted);
    if (!sorted)
        return error_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        memcpy(sorted + next[labels[i]]++ * d, x + i * d, d * sizeof *x);
    struct csvc_training training = {.kernel = {.type = (enum csvc_kernel_type)b->number,
                                                .degree = 3,
                                                .gamma = (double)n / squares},
                                     .c = 1,
                                     .tolerance = 1e-3,
                                     .wide = b->number == SVM_SIGMOID,
                                     .memory = (size_t)3000 * 1000000,
                                     .backend = b->backend,
                                     .threads = b->threads};
    struct csvc_report report = {0};
    int rc = csvc_train(&training, sorted, counts, CLASSES, d, &b->svm.model, &report, err);
    free(sorted);
    return rc < 0 ? rc
                  : csvc_predictor_make_on(&b->svm.predictor, b->backend, &b->svm.model, b->threads,
                                           err);
}

static int predict_svm(struct bench *b, const float *x, size_t n, struct error *err)
{
    return csvc_predict_rows(&b->svm.predictor, x, n, b->out, NULL, err);
}

static void free_svm(struct bench *b)
{
    csvc_predictor_free(&b->svm.predictor);
    csvc_model_free(&b->svm.model);
}

static int train_knn(struct bench *b, struct error *err)
{
    return knn_start_on(&b->knn, b->backend, b->train.x.data, b->train.labels.data, b->train.n,
                        b->train.d, b->number, b->threads, err);
}

static int predict_knn(struct bench *b, const float *x, size_t n, struct error *err)
{
    return knn_predict(&b->knn, x, n, b->out, err);
}

static void free_knn(struct bench *b)
{
    knn_free(&b->knn);
}

static int grow(struct bench *b, struct forest_spec spec, struct error *err)
{
    struct cart_data data = {.x = b->train.x.data,
                             .labels = b->train.labels.data,
                             .n = b->train.n,
                             .d = b->train.d,
                             .classes = CLASSES};
    spec.seed = 1;
    spec.threads = b->threads;
    return forest_grow(&b->forest, &data, &spec, err);
}

static int train_tree(struct bench *b, struct error *err)
{
    return grow(b, (struct forest_spec){.trees = 1}, err);
}

static int train_forest(struct bench *b, struct error *err)
{
    struct cart_spec tree = {.depth = b->number, .features = (size_t)sqrt((double)b->train.d)};
    return grow(b, (struct forest_spec){.tree = tree, .trees = 100, .bootstrap = true}, err);
}

static int predict_forest(struct bench *b, const float *x, size_t n, struct error *err)
{
    return forest_predict(&b->forest, x, n, b->out, err);
}

static void free_forest(struct bench *b)
{
    forest_free(&b->forest);
}

static int train_bayes(struct bench *b, struct error *err)
{
    return bayes_fit(&b->bayes, b->train.x.data, b->train.labels.data, b->train.n, b->train.d,
                     CLASSES, 1e-9, b->threads, err);
}

static int predict_bayes(struct bench *b, const float *x, size_t n, struct error *err)
{
    (void)err;
    bayes_predict(&b->bayes, x, n, b->out);
    return 0;
}

static void free_bayes(struct bench *b)
{
    bayes_free(&b->bayes);
}

static int train_logistic(struct bench *b, struct error *err)
{
    struct logistic problem = {.x = b->train.x.data,
                               .labels = b->train.labels.data,
                               .n = b->train.n,
                               .d = b->train.d,
                               .classes = CLASSES,
                               .c = 1,
                               .threads = b->threads};
    struct lbfgs_report report;
    return logistic_fit(&problem, 1e-4, 1000, NULL, NULL, &b->linear, &report, err);
}

static int train_discriminant(struct bench *b, struct error *err)
{
    struct discriminant problem = {.x = b->train.x.data,
                                   .labels = b->train.labels.data,
                                   .n = b->train.n,
                                   .d = b->train.d,
                                   .classes = CLASSES,
                                   .tolerance = 1e-4,
                                   .threads = b->threads};
    struct discriminant_report report;
    return discriminant_fit(&problem, &b->linear, &report, err);
}

static int predict_linear(struct bench *b, const float *x, size_t n, struct error *err)
{
    return linear_predict(&b->linear, x, n, b->out, err);
}

static void free_linear(struct bench *b)
{
    linear_free(&b->linear);
}

static const struct row {
    const char *name; /* a number follows */
    size_t number;
    int (*train)(struct bench *b, struct error *err);
    int (*predict)(struct bench *b, const float *x, size_t n, struct error *err);
    void (*free)(struct bench *b);
} rows[] = {
    {"svm_linear", SVM_LINEAR, train_svm, predict_svm, free_svm},
    {"svm_poly", SVM_POLY, train_svm, predict_svm, free_svm},
    {"svm_rbf", SVM_RBF, train_svm, predict_svm, free_svm},
    {"svm_sigmoid", SVM_SIGMOID, train_svm, predict_svm, free_svm},
    {"knn_%zu", 0, train_knn, predict_knn, free_knn},
    {"tree", 0, train_tree, predict_forest, free_forest},
    {"forest_%zu", 0, train_forest, predict_forest, free_forest},
    {"bayes", 0, train_bayes, predict_bayes, free_bayes},
    {"logistic", 0, train_logistic, predict_linear, free_linear},
    {"discriminant", 0, train_discriminant, predict_linear, free_linear},
};

static const struct row *find_row(const char *name, size_t *number)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        *number = rows[i].number;
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
        size_t stem = strcspn(rows[i].name, "%");
        if (rows[i].name[stem] && strncmp(rows[i].name, name, stem) == 0 &&
            (*number = strtoul(name + stem, NULL, 10)) > 0)
            return &rows[i];
    }
    return NULL;
}

/* ---- measuring ---- */

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int step(struct bench *b, const struct row *row, const char *what, size_t turn,
                struct error *err)
{
    if (strcmp(what, "train") == 0) {
        if (b->trained)
            row->free(b);
        b->trained = true;
        return row->train(b, err);
    }
    if (strcmp(what, "predict") == 0)
        return row->predict(b, b->test, b->n, err);
    if (strcmp(what, "single") == 0)
        return row->predict(b, b->test + turn * 97 % b->n * b->train.d, 1, err);
    return error_set(err, EINVAL, "unknown command '%s'", what);
}

static int save(struct bench *b, const struct row *row, const char *path, struct error *err)
{
    int rc = row->predict(b, b->test, b->n, err);
    if (rc < 0)
        return rc;
    FILE *f = fopen(path, "wb");
    size_t written = f ? fwrite(b->out, 1, b->n, f) : 0;
    if (!f || fclose(f) != 0 || written != b->n)
        return error_set(err, EIO, "%s: can't be written", path);
    printf("%zu 0 0\n", b->n);
    return 0;
}

static int answer(struct bench *b, const struct row *row, struct error *err)
{
    char what[16], value[4096];
    puts("ready");
    fflush(stdout);
    while (scanf("%15s %4095s", what, value) == 2) {
        int rc = 0;
        if (strcmp(what, "save") == 0) {
            rc = save(b, row, value, err);
        } else {
            double seconds = atof(value), wall = now(CLOCK_MONOTONIC),
                   cpu = now(CLOCK_PROCESS_CPUTIME_ID);
            size_t count = 0;
            while (rc == 0 && (count == 0 || now(CLOCK_MONOTONIC) - wall < seconds))
                rc = step(b, row, what, count++, err);
            printf("%zu %.9f %.9f\n", count, now(CLOCK_MONOTONIC) - wall,
                   now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        }
        if (rc < 0)
            return rc;
        fflush(stdout);
    }
    return 0;
}

static int read_all(struct bench *b, const char *folder, struct error *err)
{
    int rc = features_read(folder, SPLIT_TRAIN, &b->train, err);
    for (enum split s = SPLIT_PUBLIC; rc == 0 && s < SPLITS; s++) {
        struct features f;
        rc = features_read(folder, s, &f, err);
        if (rc < 0)
            break;
        size_t values = f.n * f.d, before = b->n * b->train.d;
        float *grown = realloc(b->test, (before + values) * sizeof *grown);
        if (f.d != b->train.d)
            rc = error_set(err, EINVAL, "%s: %zu columns, expected %zu", folder, f.d, b->train.d);
        else if (!grown)
            rc = error_set(err, ENOMEM, "out of memory");
        else
            memcpy(grown + before, f.x.data, values * sizeof *grown);
        b->test = grown ? grown : b->test;
        b->n += f.n;
        features_free(&f);
    }
    b->out = malloc(b->n + 1);
    return rc < 0 || b->out ? rc : error_set(err, ENOMEM, "out of memory");
}

int main(int argc, char **argv)
{
    bool enough = argc == 4 || argc == 5;
    struct bench b = {.threads = enough ? atoi(argv[3]) : 0, .backend = enough ? argv[4] : NULL};
    const struct row *row = enough ? find_row(argv[2], &b.number) : NULL;
    struct error err = {""};
    if (!row || b.threads < 1) {
        fprintf(stderr, "bench_classify: see the head of tests/bench/bench_classify.c\n");
        return 2;
    }
    int rc = read_all(&b, argv[1], &err);
    if (rc == 0)
        rc = answer(&b, row, &err);
    if (b.trained)
        row->free(&b);
    features_free(&b.train);
    free(b.test);
    free(b.out);
    if (rc < 0)
        fprintf(stderr, "bench_classify: %s\n", err.text);
    return rc < 0 ? 1 : 0;
}
