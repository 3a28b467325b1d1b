/* Winograd's convolution in bf16 against the plain one in double. Each result must be within its
 * own bound, which follows from the roundings: transformed inputs V and weights U have 8 bits (a
 * relative error of at most u = 2^-8 each), sums 24, the result 8:
 *   |error| <= sum |A| |V| |U| * (2 u + u^2 + terms * 2^-23) + |y| u
 * over the positions. The matrices of F(n, 3) are made here from their points alone (Cook and Toom:
 * B's rows are the products of x - p over the other points, G's the powers of a point by the
 * product of its differences to the others, A's the powers), while the code has them by hand.
 * That bound allows for all errors at their worst, so that the errors' root mean square is tested
 * too: the relative error of one rounding is 0.0017 (2^-8 / sqrt 3, mantissas spread as 1 / m), and
 * A^2 B^2 G^2 make the variance of an output's terms 25 times that of the direct way, in the mean
 * of a whole tile: 0.0017 * sqrt(2 * 25 + 1) = 0.0122. x and y end where no memory follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "kernels/backends/cpu/winograd/winograd.h"
#include "kernels/backends/cpu/onednn.h"
#include "tests/unit/need.h"
#include "tests/unit/kernels/winograd.h"

static const double unit = 1.0 / 256, mean_error = 0.016;

struct winograd_case {
    size_t n, in, out, height, width;
    bool transposed, bias, add, relu;
};

static const struct winograd_case cases[] = {
    {1, 16, 16, 1, 1, false, false, false, false},   {1, 16, 16, 2, 2, false, true, false, false},
    {1, 16, 32, 3, 3, false, true, true, true},      {3, 32, 16, 4, 5, true, false, false, false},
    {1, 32, 48, 5, 4, true, false, true, false},     {2, 48, 80, 6, 9, false, true, false, true},
    {1, 64, 64, 40, 40, false, true, false, true},   {3, 32, 32, 20, 20, false, true, true, false},
    {2, 64, 64, 10, 10, true, false, false, false},  {1, 128, 128, 5, 5, false, true, true, true},
    {7, 128, 128, 5, 5, true, false, false, false},  {5, 256, 64, 5, 5, false, true, false, true},
    {3, 256, 512, 5, 5, true, false, false, false},  {9, 512, 256, 2, 2, false, true, false, true},
    {2, 512, 512, 3, 2, false, false, false, false}, {2, 24, 40, 7, 6, false, true, true, true},
    {2, 5, 3, 5, 7, true, true, false, false},       {1, 16, 16, 13, 1, false, false, true, false},
    {1, 16, 16, 1, 15, false, true, false, false},   {64, 16, 16, 3, 3, false, true, false, false},
};

enum { LABEL = 200 };

struct world {
    const struct winograd_case *c;
    char label[LABEL]; /* the case, for messages */
    struct random random;
    size_t in_blocks, out_blocks, pixels;
    uint16_t *x, *y, *old;
    float *weights, *bias; /* weights: (out, in, 3, 3) as the convolution sees them */
    float *plain;          /* the same as they are packed */
};

/* Draws an activation; the channels that fill up the last block are zero. */
static uint16_t *draw_planes(struct world *w, size_t channels, size_t blocks)
{
    uint16_t *p = allocate_guarded(w->c->n * blocks * w->pixels * LANES * sizeof *p);
    for (size_t n = 0; n < w->c->n; n++)
        for (size_t c = 0; c < channels; c++)
            for (size_t k = 0; k < w->pixels; k++)
                p[at(blocks, w->pixels, n, c, k)] = to_bf16(draw(&w->random));
    return p;
}

static void describe(struct world *w)
{
    const struct winograd_case *c = w->c;
    snprintf(
        w->label, sizeof w->label,
        "winograd in bf16, %zu images, %zu -> %zu channels, %zu x %zu, kernel 3, stride 1%s%s%s%s",
        c->n, c->in, c->out, c->height, c->width, c->transposed ? ", gradient of the data" : "",
        c->bias ? ", bias" : "", c->add ? ", added" : "", c->relu ? ", ReLU" : "");
}

static void start(struct world *w, const struct winograd_case *c)
{
    *w = (struct world){.c = c, .random = random_start(7, 0), .pixels = c->height * c->width};
    describe(w);
    w->in_blocks = blocks_of(c->in);
    w->out_blocks = blocks_of(c->out);
    w->x = draw_planes(w, c->in, w->in_blocks);
    w->y = draw_planes(w, c->out, w->out_blocks);
    size_t size = c->n * w->out_blocks * w->pixels * LANES * sizeof *w->y;
    w->old = allocate(size);
    memcpy(w->old, w->y, size);
    w->weights = allocate(c->in * c->out * 9 * sizeof *w->weights);
    w->plain = allocate(c->in * c->out * 9 * sizeof *w->plain);
    for (size_t o = 0; o < c->out; o++)
        for (size_t i = 0; i < c->in; i++)
            for (size_t k = 0; k < 9; k++) {
                float v = draw(&w->random);
                w->weights[(o * c->in + i) * 9 + k] = v;
                w->plain[c->transposed ? (i * c->out + o) * 9 + 8 - k : (o * c->in + i) * 9 + k] =
                    v;
            }
    w->bias = allocate(w->out_blocks * LANES * sizeof *w->bias);
    memset(w->bias, 0, w->out_blocks * LANES * sizeof *w->bias);
    for (size_t o = 0; o < c->out; o++)
        w->bias[o] = draw(&w->random);
}

static void stop(struct world *w)
{
    size_t plane = w->c->n * w->pixels * LANES * sizeof *w->x;
    free_guarded(w->x, w->in_blocks * plane);
    free_guarded(w->y, w->out_blocks * plane);
    free(w->old);
    free(w->weights);
    free(w->plain);
    free(w->bias);
}

static void run(struct world *w)
{
    const struct winograd_case *c = w->c;
    const struct winograd_shape shape = {c->in,    c->out,       c->height,
                                         c->width, w->in_blocks, w->out_blocks};
    size_t packed_size = winograd_weights_size(&shape),
           scratch_size = winograd_scratch_size(&shape);
    char *packed = allocate(packed_size + MARGIN), *scratch = allocate(scratch_size + MARGIN);
    winograd_pack(&shape, c->transposed, w->plain, packed);
    winograd_run(&shape, c->n, w->x, packed, c->bias ? w->bias : NULL, w->y, c->add, c->relu,
                 scratch);
    for (size_t k = 0; k < MARGIN; k++)
        if (packed[packed_size + k] != MARK || scratch[scratch_size + k] != MARK)
            fail_msg("%s: wrote %zu bytes behind its memory", w->label, k + 1);
    free(packed);
    free(scratch);
}

/* The value of x in one channel; zero outside. */
static double pixel_of(const struct world *w, size_t n, size_t i, ptrdiff_t row, ptrdiff_t column)
{
    ptrdiff_t height = (ptrdiff_t)w->c->height, width = (ptrdiff_t)w->c->width;
    if (row < 0 || row >= height || column < 0 || column >= width)
        return 0;
    return (double)value_of(
        w->x[at(w->in_blocks, w->pixels, n, i, (size_t)(row * width + column))]);
}

/* |B^T d B| of the tile whose first output is (row, column), |G g G^T|. */
static void transform_input(const struct world *w, const struct filter *rows,
                            const struct filter *columns, size_t n, size_t i, size_t row,
                            size_t column, double v[6][6])
{
    for (size_t p = 0; p < rows->positions; p++)
        for (size_t q = 0; q < columns->positions; q++) {
            double sum = 0;
            for (size_t r = 0; r < rows->positions; r++)
                for (size_t c = 0; c < columns->positions; c++)
                    sum += rows->b[p][r] * columns->b[q][c] *
                           pixel_of(w, n, i, (ptrdiff_t)(row + r) - 1, (ptrdiff_t)(column + c) - 1);
            v[p][q] = fabs(sum);
        }
}

static double transform_weight(const struct filter *rows, const struct filter *columns,
                               const float *g, size_t p, size_t q)
{
    double sum = 0;
    for (int k = 0; k < 9; k++)
        sum += rows->g[p][k / 3] * (double)g[k] * columns->g[q][k % 3];
    return fabs(sum);
}

/* The exact y, and the sum of |V| |U| over its positions. */
static double expect(const struct world *w, size_t n, size_t o, size_t pixel, double *magnitude)
{
    const struct winograd_case *c = w->c;
    size_t row = pixel / c->width, column = pixel % c->width;
    struct filter rows = filter_at(c->height, row), columns = filter_at(c->width, column);
    double sum = 0;
    *magnitude = 0;
    for (size_t i = 0; i < c->in; i++) {
        const float *g = w->weights + (o * c->in + i) * 9;
        double v[6][6];
        for (int k = 0; k < 9; k++)
            sum += (double)g[k] *
                   pixel_of(w, n, i, (ptrdiff_t)row + k / 3 - 1, (ptrdiff_t)column + k % 3 - 1);
        transform_input(w, &rows, &columns, n, i, row / 4 * 4, column / 4 * 4, v);
        for (size_t p = 0; p < rows.positions; p++)
            for (size_t q = 0; q < columns.positions; q++)
                *magnitude += fabs(rows.a[row % 4][p] * columns.a[column % 4][q]) * v[p][q] *
                              transform_weight(&rows, &columns, g, p, q);
    }
    if (c->bias)
        sum += (double)w->bias[o];
    if (c->add)
        sum += (double)value_of(w->old[at(w->out_blocks, w->pixels, n, o, pixel)]);
    return sum;
}

struct errors {
    double squares, of; /* sums of squared errors, of squared values */
};

static void check_one(const struct world *w, size_t n, size_t o, size_t pixel, struct errors *e)
{
    const struct winograd_case *c = w->c;
    double magnitude, y = expect(w, n, o, pixel, &magnitude);
    double got = (double)value_of(w->y[at(w->out_blocks, w->pixels, n, o, pixel)]);
    double terms = (double)c->in * 9 + 36;
    double bound =
        magnitude * (2 * unit + unit * unit + ldexp(terms, -23)) * (1 + unit) + fabs(y) * unit;
    if (c->relu && y < 0)
        y = 0;
    if (!(fabs(got - y) <= bound + 1e-30))
        fail_msg("%s: image %zu, channel %zu, pixel %zu is %g, not %g: off by %.2e, more than %.2e",
                 w->label, n, o, pixel, got, y, fabs(got - y), bound);
    e->squares += (got - y) * (got - y);
    e->of += y * y;
}

static void check(const struct world *w)
{
    const struct winograd_case *c = w->c;
    struct errors e = {0, 0};
    /* Checks every result of small cases; of others every n-th, where n has no common factor with
     * the sizes. */
    size_t all = c->n * c->out * w->pixels, step = all * c->in > 300000 ? 101 : 1;
    for (size_t k = 0; k < all; k += step)
        check_one(w, k / w->pixels / c->out, k / w->pixels % c->out, k % w->pixels, &e);
    if (!(sqrt(e.squares) <= mean_error * sqrt(e.of)))
        fail_msg("%s: errors are %.2e of values, more than %.2e", w->label, sqrt(e.squares / e.of),
                 mean_error);
    for (size_t n = 0; n < c->n; n++)
        for (size_t o = c->out; o < w->out_blocks * LANES; o++)
            for (size_t k = 0; k < w->pixels; k++)
                if (value_of(w->y[at(w->out_blocks, w->pixels, n, o, k)]) != 0)
                    fail_msg("%s: image %zu, channel %zu of the padding isn't 0", w->label, n, o);
}

static void test_cases(void **state)
{
    (void)state;
    need(dnn_has_bf16(), "bf16 instructions");
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct world w;
        start(&w, &cases[k]);
        run(&w);
        check(&w);
        stop(&w);
    }
}

/* An image's bytes don't depend on the images around it. */
static void test_batches(void **state)
{
    static const struct winograd_case c = {5, 32, 48, 5, 7, false, true, false, true};
    struct world w;
    (void)state;
    need(dnn_has_bf16(), "bf16 instructions");
    start(&w, &c);
    run(&w);
    size_t x = w.in_blocks * w.pixels * LANES, y = w.out_blocks * w.pixels * LANES;
    const struct winograd_case one = {1, 32, 48, 5, 7, false, true, false, true};
    for (size_t n = 0; n < c.n; n++) {
        struct world v = w;
        v.c = &one;
        v.x = w.x + n * x;
        v.y = allocate(y * sizeof *v.y);
        run(&v);
        if (memcmp(v.y, w.y + n * y, y * sizeof *v.y) != 0)
            fail_msg("%s: image %zu alone is another", w.label, n);
        free(v.y);
    }
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
