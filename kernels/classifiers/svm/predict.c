/* See csvc.h. The kernel value of a row and a support vector is computed once, whatever the number
 * of pairs that share the vector. With the linear kernel, the vectors of a pair add up to one
 * hyperplane. A GPU computes the products of some rows with all vectors while the CPU computes the
 * decisions of the rows before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/math/blas.h"
#include "kernels/math/products.h"
#include "kernels/math/thread_scratch.h"
#include "kernels/classifiers/svm/csvc.h"
#include "kernels/classifiers/svm/kernel_values.h"

/* Of a tile; results depend on them. DEVICE_ROWS: with products by a GPU. */
enum { ROWS = 256, VECTORS = 1024, DEVICE_ROWS = 32 };

static size_t pair_count(const struct csvc_model *model)
{
    return model->classes * (model->classes - 1) / 2;
}

/* w += sum over the vectors of class c of coef[row][v] * v */
static void add_vectors(const struct csvc_model *m, size_t c, size_t row, double *w)
{
    size_t start = 0;
    for (size_t i = 0; i < c; i++)
        start += m->class_counts[i];
    for (size_t v = start; v < start + m->class_counts[c]; v++) {
        double coef = m->coef[row * m->count + v];
        const float *vector = m->vectors + v * m->d;
        if (coef == 0)
            continue;
#pragma omp simd
        for (size_t j = 0; j < m->d; j++)
            w[j] += coef * vector[j];
    }
}

static int make_hyperplanes(struct csvc_predictor *p, struct error *err)
{
    const struct csvc_model *m = p->model;
    double *w = malloc(m->d * sizeof *w);
    p->weights = calloc(pair_count(m) * m->d, sizeof *p->weights);
    if (!w || !p->weights) {
        free(w);
        return error_set(err, ENOMEM, "out of memory for %zu hyperplanes", pair_count(m));
    }
    float *out = p->weights;
    for (size_t a = 0; a < m->classes; a++)
        for (size_t b = a + 1; b < m->classes; b++) {
            memset(w, 0, m->d * sizeof *w);
            add_vectors(m, a, b - 1, w);
            add_vectors(m, b, a, w);
            for (size_t j = 0; j < m->d; j++)
                *out++ = (float)w[j];
        }
    free(w);
    return 0;
}

int csvc_predictor_make(struct csvc_predictor *predictor, const struct csvc_model *model,
                        int threads, struct error *err)
{
    return csvc_predictor_make_on(predictor, NULL, model, threads, err);
}

int csvc_predictor_make_on(struct csvc_predictor *predictor, const char *backend,
                           const struct csvc_model *model, int threads, struct error *err)
{
    *predictor = (struct csvc_predictor){.model = model, .threads = threads};
    if (model->kernel.type == SVM_LINEAR)
        return make_hyperplanes(predictor, err);
    predictor->norms = calloc(model->count + 1, sizeof *predictor->norms);
    if (!predictor->norms)
        return error_set(err, ENOMEM, "out of memory for the norms of %zu vectors", model->count);
    blas_squared_norms(model->vectors, model->count, model->d, predictor->norms, threads);
    return products_open(backend, model->vectors, model->count, model->d, false,
                         &predictor->products, err);
}

void csvc_predictor_free(struct csvc_predictor *predictor)
{
    free(predictor->weights);
    free(predictor->norms);
    products_close(predictor->products);
    *predictor = (struct csvc_predictor){0};
}

/* Memory of one thread; parts and norms aren't used with the linear kernel. */
struct scratch {
    double *scores; /* (ROWS, pairs): decisions */
    double *wide;   /* (ROWS, VECTORS): kernel values in double */
    double *parts;  /* (classes, ROWS, classes - 1): each class's share of the decisions */
    double *norms;  /* (ROWS) */
    float *values;  /* (ROWS, VECTORS): products, then kernel values; linear: (ROWS, pairs) */
};

static size_t scratch_bytes(const struct csvc_model *m)
{
    size_t pairs = pair_count(m), width = m->kernel.type == SVM_LINEAR ? pairs : VECTORS;
    size_t each = pairs + width + m->classes * (m->classes - 1) + 1;
    return ROWS * (each * sizeof(double) + width * sizeof(float));
}

static struct scratch scratch_of(const struct csvc_model *m, double *memory)
{
    size_t pairs = pair_count(m), width = m->kernel.type == SVM_LINEAR ? pairs : VECTORS;
    struct scratch s = {.scores = memory};
    s.wide = s.scores + ROWS * pairs;
    s.parts = s.wide + ROWS * width;
    s.norms = s.parts + ROWS * m->classes * (m->classes - 1);
    s.values = (float *)(s.norms + ROWS);
    return s;
}

static void decide_linear(const struct csvc_predictor *p, const float *x, size_t n,
                          struct scratch *s)
{
    size_t pairs = pair_count(p->model);
    blas_tile(x, n, p->weights, pairs, p->model->d, s->values, pairs);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < pairs; j++)
            s->scores[i * pairs + j] = (double)s->values[i * pairs + j] - p->model->rho[j];
}

/* part (n, classes - 1) += the share of vectors start .. start + count - 1, at most VECTORS, in the
 * decisions. dots (n, vectors): products of the rows with all vectors, or NULL. */
static void add_share(const struct csvc_predictor *p, const float *x, const float *dots, size_t n,
                      size_t start, size_t count, struct scratch *s, double *part)
{
    const struct csvc_model *m = p->model;
    if (!dots)
        blas_tile(x, n, m->vectors + start * m->d, count, m->d, s->values, VECTORS);
    for (size_t i = 0; dots && i < n; i++)
        memcpy(s->values + i * VECTORS, dots + i * m->count + start, count * sizeof *dots);
    csvc_kernel_apply(&m->kernel, s->values, n, count, VECTORS, s->norms, p->norms + start);
    for (size_t i = 0; i < n; i++)
        for (size_t v = 0; v < count; v++)
            s->wide[i * VECTORS + v] = s->values[i * VECTORS + v];
    blas_add_product(s->wide, VECTORS, n, m->coef + start, m->count, m->classes - 1, count, part,
                     m->classes - 1);
}

static void decide_kernel(const struct csvc_predictor *p, const float *x, const float *dots,
                          size_t n, struct scratch *s)
{
    const struct csvc_model *m = p->model;
    size_t others = m->classes - 1, pairs = pair_count(m), start = 0;
    blas_squared_norms(x, n, m->d, s->norms, 1);
    memset(s->parts, 0, m->classes * ROWS * others * sizeof *s->parts);
    for (size_t c = 0; c < m->classes; c++)
        for (size_t left = m->class_counts[c]; left > 0;) {
            size_t count = left < VECTORS ? left : VECTORS;
            add_share(p, x, dots, n, start, count, s, s->parts + c * ROWS * others);
            start += count;
            left -= count;
        }
    for (size_t i = 0; i < n; i++) {
        size_t pair = 0;
        for (size_t a = 0; a < m->classes; a++)
            for (size_t b = a + 1; b < m->classes; b++, pair++)
                s->scores[i * pairs + pair] = s->parts[(a * ROWS + i) * others + b - 1] +
                                              s->parts[(b * ROWS + i) * others + a] - m->rho[pair];
    }
}

/* Predicts up to ROWS rows. dots as in add_share. */
static void predict_tile(const struct csvc_predictor *p, const float *x, const float *dots,
                         size_t n, double *memory, uint8_t *out, double *decisions)
{
    const struct csvc_model *m = p->model;
    size_t pairs = pair_count(m);
    struct scratch s = scratch_of(m, memory);
    if (p->weights)
        decide_linear(p, x, n, &s);
    else
        decide_kernel(p, x, dots, n, &s);
    for (size_t r = 0; r < n; r++)
        out[r] = (uint8_t)m->labels[csvc_vote(m->classes, s.scores + r * pairs)];
    if (decisions)
        memcpy(decisions, s.scores, n * pairs * sizeof *decisions);
}

/* A call of csvc_predict_rows. */
struct prediction {
    const struct csvc_predictor *predictor;
    const float *x;
    uint8_t *out;
    double *decisions; /* or NULL */
    struct thread_scratch scratch;
};

/* Predicts rows first .. first + n - 1, in tiles of `tile` rows. dots: products of these rows with
 * all vectors, or NULL. */
static void predict_range(const struct prediction *p, size_t first, size_t n, const float *dots,
                          size_t tile)
{
    const struct csvc_model *m = p->predictor->model;
#pragma omp parallel for schedule(dynamic) num_threads(p->predictor->threads)
    for (size_t i = 0; i < n; i += tile) {
        size_t row = first + i;
        predict_tile(p->predictor, p->x + row * m->d, dots ? dots + i * m->count : NULL,
                     n - i < tile ? n - i : tile, thread_scratch_mine(&p->scratch), p->out + row,
                     p->decisions ? p->decisions + row * pair_count(m) : NULL);
    }
}

static int predict_part(void *context, const struct products_part *part)
{
    predict_range(context, part->first, part->count, part->values, DEVICE_ROWS);
    return 0;
}

int csvc_predict_rows(const struct csvc_predictor *predictor, const float *x, size_t n,
                      uint8_t *out, double *decisions, struct error *err)
{
    const struct csvc_model *m = predictor->model;
    struct prediction p = {predictor, x, out, decisions, {0}};
    if (thread_scratch_make(&p.scratch, predictor->threads, scratch_bytes(m)) < 0)
        return error_set(err, ENOMEM, "out of memory to predict %zu rows", n);
    blas_single_threaded();
    if (predictor->products) {
        struct product product = {.queries = x, .n = n, .m = m->count};
        products_multiply(predictor->products, &product, predict_part, &p);
    } else {
        predict_range(&p, 0, n, NULL, ROWS);
    }
    thread_scratch_free(&p.scratch);
    return products_error(predictor->products, err);
}
