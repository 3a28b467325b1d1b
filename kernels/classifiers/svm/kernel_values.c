/* See kernel_values.h. A block is computed tile by tile: while a tile of products is in the
 * second-level cache, it is converted to kernel values, checked and transposed. A GPU computes
 * products of all rows of a block, or of a band of it, before its tiles are converted. exp is
 * implemented here, because libm's handles one value at a time and would take longer than the
 * products. */
#include "kernels/classifiers/svm/kernel_values.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/blas.h"
#include "kernels/math/target_clones.h"
#include "kernels/math/thread_scratch.h"

enum { CHUNK = 256, TILE = 512, DEPTH = 256, EDGE = 16, BAND = 2 * TILE };

/* e^x with a relative error of about 1e-11: 2^k e^r with |r| <= ln 2 / 2, and e^r by its series.
 * |x| is at most LARGEST; e^LARGEST is infinite in float32. */
static inline double exponential(double x)
{
    static const double ROUND = 0x1.8p52, PER_LN2 = 0x1.71547652b82fep0,
                        LN2_HIGH = 0x1.62e42fefap-1, LN2_LOW = 0x1.cf79abc9e3b3ap-40;
    double shifted = x * PER_LN2 + ROUND, k = shifted - ROUND;
    double r = x - k * LN2_HIGH - k * LN2_LOW;
    double e = 1.0 / 362880;
    e = e * r + 1.0 / 40320;
    e = e * r + 1.0 / 5040;
    e = e * r + 1.0 / 720;
    e = e * r + 1.0 / 120;
    e = e * r + 1.0 / 24;
    e = e * r + 1.0 / 6;
    e = e * r + 0.5;
    e = e * r + 1;
    e = e * r + 1;
    union {
        double real;
        uint64_t bits;
    } scale = {.real = shifted};
    scale.bits = (scale.bits + 1023) << 52; /* the bits above k in `shifted` are shifted out */
    return e * scale.real;
}

static const double LARGEST = 700;

/* Each apply_ function converts up to CHUNK dot products to kernel values. Exponents are stored
 * before the powers are taken: with one loop gcc doesn't vectorise, but branches at the bounds. */
WIDEST static void apply_rbf(double gamma, double *z, size_t n, double norm, const double *norms)
{
#pragma omp simd
    for (size_t j = 0; j < n; j++) {
        double distance = norm + norms[j] - 2 * z[j];
        double x = gamma * (distance > 0 ? distance : 0);
        z[j] = x < LARGEST ? -x : -LARGEST;
    }
#pragma omp simd
    for (size_t j = 0; j < n; j++)
        z[j] = exponential(z[j]);
}

/* tanh z = 1 - 2 / (e^2z + 1) */
WIDEST static void apply_sigmoid(double gamma, double coef0, double *z, size_t n)
{
#pragma omp simd
    for (size_t j = 0; j < n; j++) {
        double x = 2 * (gamma * z[j] + coef0);
        x = x < LARGEST ? x : LARGEST;
        z[j] = x > -LARGEST ? x : -LARGEST;
    }
#pragma omp simd
    for (size_t j = 0; j < n; j++)
        z[j] = 1 - 2 / (exponential(z[j]) + 1);
}

/* Powers by repeated squaring. */
WIDEST static void apply_poly(const struct csvc_kernel *kernel, double *z, size_t n)
{
    double gamma = kernel->gamma, coef0 = kernel->coef0, base[CHUNK];
#pragma omp simd
    for (size_t j = 0; j < n; j++) {
        base[j] = gamma * z[j] + coef0;
        z[j] = 1;
    }
    for (int e = kernel->degree; e > 0; e /= 2) {
        if (e % 2)
#pragma omp simd
            for (size_t j = 0; j < n; j++)
                z[j] *= base[j];
#pragma omp simd
        for (size_t j = 0; j < n; j++)
            base[j] *= base[j];
    }
}

static void apply(const struct csvc_kernel *kernel, double *z, size_t n, double norm,
                  const double *norms)
{
    if (kernel->type == SVM_RBF)
        apply_rbf(kernel->gamma, z, n, norm, norms);
    else if (kernel->type == SVM_SIGMOID)
        apply_sigmoid(kernel->gamma, kernel->coef0, z, n);
    else if (kernel->type == SVM_POLY)
        apply_poly(kernel, z, n);
}

WIDEST static void widen(const float *in, double *out, size_t n)
{
#pragma omp simd
    for (size_t j = 0; j < n; j++)
        out[j] = (double)in[j];
}

WIDEST static void narrow(const double *in, float *out, size_t n)
{
#pragma omp simd
    for (size_t j = 0; j < n; j++)
        out[j] = (float)in[j];
}

WIDEST static bool all_finite(const float *row, size_t m)
{
    float sum = 0; /* a sum of zeros, or NaN if a value isn't finite */
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < m; j++)
        sum += row[j] * 0;
    return sum == 0;
}

bool csvc_kernel_apply(const struct csvc_kernel *kernel, float *dots, size_t n, size_t m, size_t ld,
                       const double *norms_a, const double *norms_b)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        float *row = dots + i * ld;
        for (size_t j = 0; kernel->type != SVM_LINEAR && j < m; j += CHUNK) {
            double z[CHUNK];
            size_t size = m - j < CHUNK ? m - j : CHUNK;
            widen(row + j, z, size);
            apply(kernel, z, size, norms_a[i], norms_b + j);
            narrow(z, row + j, size);
        }
        finite &= all_finite(row, m);
    }
    return finite;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void transpose_tile(const float *in, size_t ld_in, size_t n, size_t m, float *out,
                           size_t ld_out)
{
    for (size_t i = 0; i < n; i += EDGE)
        for (size_t j = 0; j < m; j += EDGE)
            for (size_t c = j; c < smaller(j + EDGE, m); c++)
                for (size_t r = i; r < smaller(i + EDGE, n); r++)
                    out[c * ld_out + r] = in[r * ld_in + c];
}

/* Reports to the spill that a tile of n rows and m columns was touched. */
static void touch_tile(struct spill *spill, size_t n, size_t m, size_t ld)
{
    spill_touch(spill, n, m * sizeof(float), ld * sizeof(float));
}

void csvc_transpose(const float *in, size_t ld_in, size_t n, size_t m, float *out, size_t ld_out,
                    struct spill *spill)
{
    for (size_t i = 0; i < n; i += TILE)
        for (size_t j = 0; j < m; j += TILE) {
            size_t rows = smaller(TILE, n - i), columns = smaller(TILE, m - j);
            transpose_tile(in + i * ld_in + j, ld_in, rows, columns, out + j * ld_out + i, ld_out);
            touch_tile(spill, rows, columns, ld_in);
            touch_tile(spill, columns, rows, ld_out);
        }
}

/* As csvc_kernel_apply, from dot products (n, m) in double, rows TILE values apart. */
static bool apply_wide(const struct csvc_kernel *kernel, double *dots, size_t n, size_t m,
                       const double *norms_a, const double *norms_b, float *out, size_t ld)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        double *z = dots + i * TILE;
        for (size_t j = 0; j < m; j += CHUNK)
            apply(kernel, z + j, smaller(CHUNK, m - j), norms_a[i], norms_b + j);
        narrow(z, out + i * ld, m);
        finite &= all_finite(out + i * ld, m);
    }
    return finite;
}

size_t csvc_kernel_scratch(void)
{
    return (2 * TILE * DEPTH + TILE * TILE) * sizeof(double);
}

static void widen_rows(const float *in, size_t n, size_t d, size_t depth, double *out)
{
    for (size_t r = 0; r < n; r++)
        widen(in + r * d, out + r * DEPTH, depth);
}

/* Dot products in double of rows a (n, d) with rows b (m, d). Returns them in scratch, rows TILE
 * values apart. DEPTH columns at a time are widened, so that these stay in cache. */
static double *wide_products(const float *a, size_t n, const float *b, size_t m, size_t d,
                             double *scratch)
{
    double *wide_b = scratch + TILE * DEPTH, *dots = wide_b + TILE * DEPTH;
    for (size_t r = 0; r < n; r++)
        memset(dots + r * TILE, 0, m * sizeof *dots);
    for (size_t k = 0; k < d; k += DEPTH) {
        size_t depth = smaller(DEPTH, d - k);
        widen_rows(a + k, n, d, depth, scratch);
        widen_rows(b + k, m, d, depth, wide_b);
        blas_add_product(scratch, DEPTH, n, wide_b, DEPTH, m, depth, dots, TILE);
    }
    return dots;
}

/* A block of kernel values. */
struct block {
    const struct csvc_kernel *kernel;
    const struct csvc_rows *a, *b;
    float *out, *transposed; /* (a->n, b->n), and (b->n, a->n) or NULL */
    bool square;             /* b is a: only tiles on and above the diagonal are computed */
    struct spill *spill;
};

/* Where products of a GPU are copied to: n columns, rows ld values apart. */
struct copy {
    void *to;
    size_t columns, ld, size; /* size: bytes of a value */
    struct spill *spill;
};

static int copy_part(void *context, const struct products_part *part)
{
    const struct copy *c = context;
    const char *from = part->values;
    size_t bytes = c->columns * c->size;
    char *to = (char *)c->to + part->first * c->ld * c->size;
    for (size_t r = 0; r < part->count; r++, from += bytes, to += c->ld * c->size) {
        memcpy(to, from, bytes);
        spill_touch(c->spill, 1, bytes, SIZE_MAX);
    }
    return 0;
}

/* dots: dot products of n rows of a from i on with m rows of b from j on, by the GPU. */
static int device_products(const struct csvc_rows *a, size_t i, size_t n, const struct csvc_rows *b,
                           size_t j, size_t m, struct copy *dots)
{
    struct product product = {.first = a->first + i, .n = n, .other = b->first + j, .m = m};
    dots->columns = m;
    return products_multiply(a->products, &product, copy_part, dots);
}

/* As wide_products, by the GPU. A failure is found by make_block. */
static double *wide_device_products(const struct block *block, size_t i, size_t n, size_t j,
                                    size_t m, double *scratch)
{
    double *dots = scratch + 2 * TILE * DEPTH;
    struct copy copy = {.to = dots, .ld = TILE, .size = sizeof *dots};
    if (device_products(block->a, i, n, block->b, j, m, &copy) < 0)
        memset(dots, 0, TILE * TILE * sizeof *dots);
    return dots;
}

/* Computes the tile of rows a from i on and rows b from j on. scratch: for products in double;
 * NULL: in float32. Returns whether all values are finite. */
static bool make_tile(const struct block *block, size_t i, size_t j, double *scratch)
{
    const struct csvc_rows *a = block->a, *b = block->b;
    size_t n = smaller(TILE, a->n - i), m = smaller(TILE, b->n - j), d = a->d;
    const float *from_a = a->x + i * d, *from_b = b->x + j * d;
    const double *norms_a = a->norms + i, *norms_b = b->norms + j;
    float *out = block->out + i * b->n + j;
    float *mirror = !block->square ? block->transposed : i < j ? block->out : NULL;
    bool finite;
    if (scratch) {
        double *dots = a->products ? wide_device_products(block, i, n, j, m, scratch)
                                   : wide_products(from_a, n, from_b, m, d, scratch);
        finite = apply_wide(block->kernel, dots, n, m, norms_a, norms_b, out, b->n);
    } else {
        if (!a->products) /* else out has the products */
            blas_tile(from_a, n, from_b, m, d, out, b->n);
        finite = csvc_kernel_apply(block->kernel, out, n, m, b->n, norms_a, norms_b);
    }
    if (mirror)
        transpose_tile(out, b->n, n, m, mirror + j * a->n + i, a->n);
    return finite;
}

/* Makes a tile on the diagonal symmetric. The distance of a row to itself is 0 whatever the
 * rounding of the products. */
static void fix_diagonal(const struct csvc_kernel *kernel, float *out, size_t n, size_t i)
{
    for (size_t r = i; r < smaller(i + TILE, n); r++) {
        for (size_t c = i; c < r; c++)
            out[r * n + c] = out[c * n + r];
        if (kernel->type == SVM_RBF)
            out[r * n + r] = 1;
    }
}

/* Computes the tiles in rows of tiles first to last - 1. Returns whether all values are finite. */
static bool make_tiles(const struct block *block, size_t first, size_t last,
                       const struct thread_scratch *scratch, int threads)
{
    size_t columns = (block->b->n + TILE - 1) / TILE;
    bool finite = true;
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(&& : finite)
    for (size_t t = first * columns; t < last * columns; t++) {
        size_t i = t / columns * TILE, j = t % columns * TILE;
        if (block->square && j < i)
            continue;
        finite = make_tile(block, i, j, scratch ? thread_scratch_mine(scratch) : NULL) && finite;
        if (block->square && i == j)
            fix_diagonal(block->kernel, block->out, block->a->n, i);
        touch_tile(block->spill, TILE, TILE, block->b->n);
        touch_tile(block->spill, TILE, TILE, block->a->n);
    }
    return finite;
}

/* Computes the block from float32 products by the GPU. Of a square, band after band, the columns
 * from the diagonal on. */
static bool make_on_device(const struct block *block, int threads)
{
    const struct csvc_rows *a = block->a, *b = block->b;
    size_t band = block->square ? BAND : a->n;
    bool finite = true;
    for (size_t i = 0; i < a->n; i += band) {
        size_t j = block->square ? i : 0, n = smaller(band, a->n - i);
        struct copy copy = {.to = block->out + i * b->n + j,
                            .ld = b->n,
                            .size = sizeof *block->out,
                            .spill = block->spill};
        if (device_products(a, i, n, b, j, b->n - j, &copy) < 0)
            return false;
        finite &= make_tiles(block, i / TILE, (i + n + TILE - 1) / TILE, NULL, threads);
    }
    return finite;
}

static int make_block(const struct block *block, bool wide, int threads)
{
    bool finite;
    struct thread_scratch scratch = {0};
    if (wide && thread_scratch_make(&scratch, threads, csvc_kernel_scratch()) < 0)
        return -ENOMEM;
    blas_single_threaded();
    if (block->a->products && !wide)
        finite = make_on_device(block, threads);
    else
        finite =
            make_tiles(block, 0, (block->a->n + TILE - 1) / TILE, wide ? &scratch : NULL, threads);
    thread_scratch_free(&scratch);
    int rc = products_error(block->a->products, NULL);
    return rc < 0 ? rc : finite ? 0 : -ERANGE;
}

int csvc_kernel_block(const struct csvc_kernel *kernel, const struct csvc_rows *a,
                      const struct csvc_rows *b, bool wide, float *out, float *transposed,
                      struct spill *spill, int threads)
{
    const struct block block = {
        .kernel = kernel, .a = a, .b = b, .out = out, .transposed = transposed, .spill = spill};
    return make_block(&block, wide, threads);
}

int csvc_kernel_square(const struct csvc_kernel *kernel, const struct csvc_rows *a, bool wide,
                       float *out, struct spill *spill, int threads)
{
    const struct block block = {
        .kernel = kernel, .a = a, .b = a, .out = out, .square = true, .spill = spill};
    return make_block(&block, wide, threads);
}

void csvc_kernel_diagonal(const struct csvc_kernel *kernel, const double *norms, size_t n,
                          double *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = norms[i];
        apply(kernel, out + i, 1, norms[i], norms + i);
    }
}
