/* Winograd's gradient of weights in bf16 against the plain one in double. Each result must be
 * within its own bound, which follows from the roundings as in test_winograd.c: the transformed
 * inputs V and gradients U have 8 bits (a relative error of at most u = 2^-8 each), all else 24:
 *   |error| <= sum over tiles of |G| |V| |U| |G| * (2 u + u^2 + terms * 2^-23).
 * The mean of the variances of G^2 B^2 A^2 over the taps is 25 times that of the direct way, as for
 * an output of the convolution (the sum over positions is the same), so that the errors' root mean
 * square should be 0.0017 * sqrt(2 * 25) = 0.0120 of the gradient's. */
#include <stdio.h>
#include "kernels/backends/cpu/winograd/winograd.h"
#include "kernels/backends/cpu/onednn.h"
#include "tests/unit/need.h"
#include "tests/unit/kernels/winograd.h"

static const double unit = 1.0 / 256, mean_error = 0.016;

struct gradient_case {
    size_t n, in, out, height, width;
    size_t first; /* images of a first call; the second call has the others */
    bool second;  /* group of two */
};

static const struct gradient_case cases[] = {
    {3, 16, 16, 1, 1, 0, false},    {2, 16, 16, 2, 2, 0, false},     {1, 16, 32, 3, 3, 0, false},
    {3, 32, 16, 4, 5, 2, false},    {2, 32, 48, 5, 4, 1, true},      {5, 48, 80, 6, 9, 2, false},
    {4, 64, 64, 40, 40, 0, false},  {3, 32, 32, 20, 20, 1, true},    {8, 64, 64, 10, 10, 0, false},
    {9, 128, 128, 5, 5, 0, false},  {40, 48, 32, 5, 5, 17, false},   {70, 16, 16, 7, 9, 0, true},
    {33, 64, 128, 2, 2, 16, false}, {5, 24, 40, 7, 6, 0, false},     {6, 5, 3, 5, 7, 3, false},
    {1, 40, 24, 40, 3, 0, false},   {4, 16, 16, 13, 1, 0, false},    {3, 16, 16, 1, 15, 0, false},
    {1, 16, 16, 40, 40, 0, false},  {16, 256, 64, 10, 10, 8, false},
};

struct planes {
    size_t channels, blocks; /* of a group; of an image */
    uint16_t *all, *group;
};

enum { LABEL = 200 };

struct world {
    const struct gradient_case *c;
    char label[LABEL]; /* the case, for messages */
    struct random random;
    size_t pixels, count;
    struct planes x, dy;
    float *sums;
    double *v, *u; /* [image][channel][tile][6][6] */
};

static size_t tiles_of(size_t pixels)
{
    return (pixels + 3) / 4;
}

static struct planes draw_planes(struct world *w, size_t channels)
{
    size_t groups = w->c->second ? 2 : 1, of_group = blocks_of(channels);
    struct planes p = {.channels = channels, .blocks = groups * of_group};
    p.all = allocate_guarded(w->c->n * p.blocks * w->pixels * LANES * sizeof *p.all);
    p.group = p.all + (groups - 1) * of_group * w->pixels * LANES;
    for (size_t n = 0; n < w->c->n; n++)
        for (size_t c = 0; c < p.blocks * LANES; c++)
            for (size_t k = 0; k < w->pixels; k++)
                if (c % (of_group * LANES) < channels)
                    p.all[at(p.blocks, w->pixels, n, c, k)] = to_bf16(draw(&w->random));
    return p;
}

static double value_at(const struct world *w, const struct planes *p, size_t n, size_t c,
                       ptrdiff_t row, ptrdiff_t column)
{
    ptrdiff_t height = (ptrdiff_t)w->c->height, width = (ptrdiff_t)w->c->width;
    if (row < 0 || row >= height || column < 0 || column >= width)
        return 0;
    return (double)value_of(
        p->group[at(p->blocks, w->pixels, n, c, (size_t)(row * width + column))]);
}

/* |B^T d B| or |A d A^T| of all tiles of an activation. */
static double *transform_all(const struct world *w, const struct planes *p, bool outputs)
{
    size_t down = tiles_of(w->c->height), across = tiles_of(w->c->width);
    double *all = calloc(w->c->n * p->channels * down * across, 36 * sizeof *all), *to = all;
    assert_non_null(all);
    for (size_t k = 0; k < w->c->n * p->channels * down * across; k++, to += 36) {
        size_t plane = k / across / down, row = k / across % down * 4, column = k % across * 4;
        struct filter rows = filter_at(w->c->height, row), columns = filter_at(w->c->width, column);
        size_t high = outputs ? rows.outputs : rows.positions;
        size_t wide = outputs ? columns.outputs : columns.positions;
        double d[6][6];
        for (size_t r = 0; r < high; r++)
            for (size_t c = 0; c < wide; c++)
                d[r][c] =
                    value_at(w, p, plane / p->channels, plane % p->channels,
                             (ptrdiff_t)(row + r) - !outputs, (ptrdiff_t)(column + c) - !outputs);
        for (size_t a = 0; a < rows.positions; a++)
            for (size_t b = 0; b < columns.positions; b++) {
                double sum = 0;
                for (size_t r = 0; r < high; r++)
                    for (size_t c = 0; c < wide; c++)
                        sum += (outputs ? rows.a[r][a] * columns.a[c][b]
                                        : rows.b[a][r] * columns.b[b][c]) *
                               d[r][c];
                to[a * 6 + b] = fabs(sum);
            }
    }
    return all;
}

static void run(const struct world *w, float *sums)
{
    const struct gradient_case *c = w->c;
    const struct winograd_shape shape = {c->in,    c->out,      c->height,
                                         c->width, w->x.blocks, w->dy.blocks};
    size_t size = winograd_gradient_scratch_size(&shape), first = c->first;
    unsigned char *scratch = allocate(size + MARGIN);
    memset(sums, 0, w->count * sizeof *sums);
    for (size_t call = first ? 0 : 1; call < 2; call++) {
        size_t image = call * first, n = call ? c->n - first : first;
        memset(scratch, 0xFF, size); /* NaN */
        winograd_gradient(&shape, n, w->x.group + image * w->x.blocks * w->pixels * LANES,
                          w->dy.group + image * w->dy.blocks * w->pixels * LANES, sums, scratch);
    }
    for (size_t k = 0; k < MARGIN; k++)
        if (scratch[size + k] != MARK || sums[w->count + k / sizeof *sums] != 0)
            fail_msg("%s: wrote %zu bytes behind its memory", w->label, k + 1);
    free(scratch);
}

static void describe(struct world *w)
{
    const struct gradient_case *c = w->c;
    snprintf(
        w->label, sizeof w->label,
        "winograd's gradient of weights in bf16, %zu images (first %zu), %zu -> %zu channels%s, "
        "%zu x %zu, kernel 3, stride 1",
        c->n, c->first, c->in, c->out, c->second ? " (second of two groups)" : "", c->height,
        c->width);
}

static void start(struct world *w, const struct gradient_case *c)
{
    *w = (struct world){.c = c, .random = random_start(11, 0), .pixels = c->height * c->width};
    describe(w);
    w->x = draw_planes(w, c->in);
    w->dy = draw_planes(w, c->out);
    w->count = blocks_of(c->out) * 9 * blocks_of(c->in) * LANES * LANES;
    w->sums = allocate(w->count * sizeof *w->sums + MARGIN);
    memset(w->sums + w->count, 0, MARGIN);
    w->v = transform_all(w, &w->x, false);
    w->u = transform_all(w, &w->dy, true);
}

static void stop(struct world *w)
{
    size_t plane = w->c->n * w->pixels * LANES * sizeof *w->x.all;
    free_guarded(w->x.all, w->x.blocks * plane);
    free_guarded(w->dy.all, w->dy.blocks * plane);
    free(w->sums);
    free(w->v);
    free(w->u);
}

/* The exact gradient. */
static double expect(const struct world *w, size_t o, size_t i, size_t tap)
{
    double sum = 0;
    for (size_t n = 0; n < w->c->n; n++)
        for (size_t k = 0; k < w->pixels; k++) {
            ptrdiff_t row = (ptrdiff_t)(k / w->c->width), column = (ptrdiff_t)(k % w->c->width);
            sum += value_at(w, &w->dy, n, o, row, column) *
                   value_at(w, &w->x, n, i, row + (ptrdiff_t)(tap / 3) - 1,
                            column + (ptrdiff_t)(tap % 3) - 1);
        }
    return sum;
}

/* sum |G| |V| |U| |G| for the taps. */
static void magnitudes(const struct world *w, size_t o, size_t i, double sums[9])
{
    const struct gradient_case *c = w->c;
    size_t across = tiles_of(c->width), tiles = tiles_of(c->height) * across;
    memset(sums, 0, 9 * sizeof *sums);
    for (size_t t = 0; t < tiles; t++) {
        struct filter rows = filter_at(c->height, t / across * 4);
        struct filter columns = filter_at(c->width, t % across * 4);
        for (size_t a = 0; a < rows.positions; a++)
            for (size_t b = 0; b < columns.positions; b++) {
                double product = 0;
                for (size_t n = 0; n < c->n; n++)
                    product += w->v[((n * c->in + i) * tiles + t) * 36 + a * 6 + b] *
                               w->u[((n * c->out + o) * tiles + t) * 36 + a * 6 + b];
                for (size_t tap = 0; tap < 9; tap++)
                    sums[tap] += product * fabs(rows.g[a][tap / 3] * columns.g[b][tap % 3]);
            }
    }
}

static void check(const struct world *w)
{
    const struct gradient_case *c = w->c;
    /* Checks every weight of small cases; of others every n-th, where n has no common factor with
     * the sizes. */
    size_t all = c->in * c->out, step = all * w->pixels * c->n > 200000 ? 101 : 1;
    double squares = 0, of = 0, terms = (double)(c->n * tiles_of(c->height) * tiles_of(c->width));
    for (size_t k = 0; k < all; k += step) {
        size_t o = k / c->in, i = k % c->in;
        double magnitude[9];
        magnitudes(w, o, i, magnitude);
        for (size_t tap = 0; tap < 9; tap++) {
            double g = expect(w, o, i, tap);
            size_t at = ((o / LANES * 9 + tap) * blocks_of(c->in) * LANES + i) * LANES + o % LANES;
            double got = (double)w->sums[at];
            double bound = magnitude[tap] * (2 * unit + unit * unit + ldexp(terms + 36, -23));
            if (!(fabs(got - g) <= bound + 1e-30))
                fail_msg("%s: %zu, %zu, tap %zu is %g, not %g: off by %.2e, more than %.2e",
                         w->label, o, i, tap, got, g, fabs(got - g), bound);
            squares += (got - g) * (got - g);
            of += g * g;
        }
    }
    if (!(sqrt(squares) <= mean_error * sqrt(of)))
        fail_msg("%s: errors are %.2e of values, more than %.2e", w->label, sqrt(squares / of),
                 mean_error);
    for (size_t k = 0; k < w->count; k++) {
        size_t in = blocks_of(c->in) * LANES, o = k / LANES / in / 9 * LANES + k % LANES;
        if ((o >= c->out || k / LANES % in >= c->in) && w->sums[k] != 0)
            fail_msg("%s: the padding isn't 0", w->label);
    }
}

static void test_cases(void **state)
{
    (void)state;
    need(dnn_has_bf16(), "bf16 instructions");
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct world w;
        start(&w, &cases[k]);
        run(&w, w.sums);
        check(&w);
        stop(&w);
    }
}

/* The same bytes at any alignment of the memory. */
static void test_again(void **state)
{
    static const struct gradient_case c = {5, 32, 48, 10, 7, 2, false};
    struct world w;
    (void)state;
    need(dnn_has_bf16(), "bf16 instructions");
    start(&w, &c);
    run(&w, w.sums);
    float *again = allocate(w.count * sizeof *again + MARGIN);
    memset(again + w.count, 0, MARGIN);
    run(&w, again);
    if (memcmp(again, w.sums, w.count * sizeof *again) != 0)
        fail_msg("%s: other results in other memory", w.label);
    free(again);
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
