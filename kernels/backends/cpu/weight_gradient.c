/* Gradients of weights in bf16: for each tap (ky, kx) of the kernel a product of matrices,
 *   dweights[o][i][tap] = sum over images and pixels of dy[o][pixel] * x[i][pixel of the tap].
 *
 * The CPU's instruction vdpbf16ps adds two products to a float32, so it needs pairs of values. Here
 * a pair is the same pixel of two images. Odd rows, strides and shifts need no special case then,
 * and all taps read the same interleaved copy of the images. A few images are copied at a time. The
 * copy stays in cache while it is multiplied for all tiles; the sums of a tile (input channels x
 * vectors of output channels, for one tap) are in registers. Each worker has its own sums, in the
 * order of its images; the totals add them in the order of the workers.
 *
 * Where Winograd's method is faster (winograd/gradient.c), it adds to the same sums. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/cpu/cpu.h"
#include "kernels/backends/cpu/winograd/winograd.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WITH_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

enum {
    LANES = 16,
    CHUNK_BYTES = 512 << 10, /* of interleaved images: half of a core's second-level cache */
    UNIT_PIXELS = 320        /* pixels of dy per unit: they fit the first-level cache */
};

/* What is constant during a call. A value in xs and dys is a pair; LANES pairs are a pixel. */
struct product {
    const struct conv_spec *spec;
    const struct tensor *x, *dy;
    struct range range;
    size_t in, taps;    /* in: input channels for a block of output channels, the largest number */
    size_t chunk;       /* pairs of images copied at a time */
    uint32_t *xs, *dys; /* interleaved copies: [block][pair][pixel][LANES] */
    float *sums;        /* [output block][tap][in][LANES] */
    float *bias_sums;   /* [output block][LANES] */
    size_t together;    /* output blocks per tile, 1 or 2 */
};

/* Some rows of dy, of some pairs of images. */
struct unit {
    size_t pair, pairs, row, rows;
};

/* Addresses, counts and strides of the operands of one tile. */
struct tile {
    const uint32_t *x, *dy;
    size_t pairs, rows, columns;
    size_t x_pair, x_row, x_column, dy_pair, dy_row, dy_block;
    float *sums;
    size_t sums_block;
};

/* Adds products to the sums of `channels` input channels x `blocks` output blocks; both counts are
 * compile-time constants. */
WITH_BF16 static inline __attribute__((always_inline)) void
add_products(const struct tile *t, const int channels, const int blocks)
{
    __m512 sums[16];
#pragma GCC unroll 16
    for (int k = 0; k < channels * blocks; k++)
        sums[k] = _mm512_loadu_ps(t->sums + k / channels * t->sums_block + k % channels * LANES);
    for (size_t pair = 0; pair < t->pairs; pair++)
        for (size_t row = 0; row < t->rows; row++) {
            const uint32_t *x = t->x + pair * t->x_pair + row * t->x_row;
            const uint32_t *dy = t->dy + pair * t->dy_pair + row * t->dy_row;
            for (size_t column = 0; column < t->columns; column++) {
                __m512bh g[2];
                for (int b = 0; b < blocks; b++)
                    g[b] = (__m512bh)_mm512_loadu_si512(dy + b * t->dy_block);
#pragma GCC unroll 16
                for (int i = 0; i < channels; i++) {
                    __m512bh v = (__m512bh)_mm512_set1_epi32((int)x[i]);
                    for (int b = 0; b < blocks; b++)
                        sums[b * channels + i] = _mm512_dpbf16_ps(sums[b * channels + i], v, g[b]);
                }
                x += t->x_column;
                dy += LANES;
            }
        }
#pragma GCC unroll 16
    for (int k = 0; k < channels * blocks; k++)
        _mm512_storeu_ps(t->sums + k / channels * t->sums_block + k % channels * LANES, sums[k]);
}

WITH_BF16 static void add_16_by_1(const struct tile *t)
{
    add_products(t, 16, 1);
}

WITH_BF16 static void add_8_by_2(const struct tile *t)
{
    add_products(t, 8, 2);
}

/* Adds all pixels of a pair of planes to sums[LANES]. */
WITH_BF16 static void add_pixels(const uint32_t *dy, size_t pixels, float *sums)
{
    const __m512bh one = (__m512bh)_mm512_set1_epi32(0x3F803F80);
    __m512 sum = _mm512_loadu_ps(sums);
    for (size_t p = 0; p < pixels * LANES; p += LANES)
        sum = _mm512_dpbf16_ps(sum, (__m512bh)_mm512_loadu_si512(dy + p), one);
    _mm512_storeu_ps(sums, sum);
}

/* Interleaves plane a of an image with the same plane b of the second image (NULL: zeros). */
WITH_BF16 static void interleave(const uint16_t *a, const uint16_t *b, uint32_t *out, size_t pixels)
{
    for (size_t p = 0; p < pixels * LANES; p += LANES) {
        __m512i v = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(a + p)));
        if (b) {
            __m512i w = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(b + p)));
            v = _mm512_or_si512(v, _mm512_slli_epi32(w, 16));
        }
        _mm512_storeu_si512(out + p, v);
    }
}

/* The first input channel that an output block reads. A block reads all input channels of its
 * groups, in whole vectors. */
static size_t first_input(const struct product *p, size_t block)
{
    const struct conv_spec *s = p->spec;
    return block * LANES / (s->out / s->groups) * (s->in / s->groups) / LANES * LANES;
}

/* The number of input channels that an output block reads. */
static size_t inputs(const struct product *p, size_t block)
{
    const struct conv_spec *s = p->spec;
    size_t last = (block + 1) * LANES < s->out ? (block + 1) * LANES - 1 : s->out - 1;
    size_t end = (last / (s->out / s->groups) + 1) * (s->in / s->groups);
    return (end + LANES - 1) / LANES * LANES - first_input(p, block);
}

/* Interleaves the planes of one pair of images; `pair` counts from image `first` of the range. */
static void interleave_pair(const struct product *p, const struct tensor *t, size_t first,
                            size_t pair, uint32_t *out)
{
    size_t image = first + 2 * pair, plane = t->pixels * LANES;
    const uint16_t *a = (const uint16_t *)cpu_images(t, p->range) + image * t->blocks * plane;
    for (size_t b = 0; b < t->blocks; b++)
        interleave(a + b * plane, image + 1 < p->range.count ? a + (t->blocks + b) * plane : NULL,
                   out + (b * p->chunk + pair) * plane, t->pixels);
}

/* Reduces [*first, *last) to the positions along a side of dy whose tap k is inside x, which has
 * `size` positions. */
static void seen(const struct conv_spec *s, size_t k, size_t size, size_t *first, size_t *last)
{
    size_t before = s->pad > k ? (s->pad - k + s->stride - 1) / s->stride : 0;
    size_t end = size + s->pad > k ? (size + s->pad - k - 1) / s->stride + 1 : 0;
    *first = *first > before ? *first : before;
    *last = *last < end ? *last : end;
}

/* Adds one unit to one tile, which starts at input channel first_input() + i. */
static void add_tile(const struct product *p, const struct unit *u, size_t block, size_t tap,
                     size_t i)
{
    const struct conv_spec *s = p->spec;
    size_t ky = tap / s->kernel, kx = tap % s->kernel;
    size_t row = u->row, row_end = u->row + u->rows, column = 0, column_end = p->dy->shape.w;
    seen(s, ky, s->height, &row, &row_end);
    seen(s, kx, s->width, &column, &column_end);
    if (row >= row_end || column >= column_end || i >= inputs(p, block))
        return; /* the tap is in the padding everywhere, or the block reads fewer channels */
    size_t channel = first_input(p, block) + i;
    size_t x_plane = p->x->pixels * LANES, dy_plane = p->dy->pixels * LANES;
    size_t at = (row * s->stride + ky - s->pad) * s->width + column * s->stride + kx - s->pad;
    struct tile t = {
        .x =
            p->xs + (channel / LANES * p->chunk + u->pair) * x_plane + at * LANES + channel % LANES,
        .dy = p->dys + (block * p->chunk + u->pair) * dy_plane +
              (row * p->dy->shape.w + column) * LANES,
        .pairs = u->pairs,
        .rows = row_end - row,
        .columns = column_end - column,
        .x_pair = x_plane,
        .x_row = s->stride * s->width * LANES,
        .x_column = s->stride * LANES,
        .dy_pair = dy_plane,
        .dy_row = p->dy->shape.w * LANES,
        .dy_block = p->chunk * dy_plane,
        .sums = p->sums + ((block * p->taps + tap) * p->in + i) * LANES,
        .sums_block = p->taps * p->in * LANES,
    };
    if (p->together == 2)
        add_8_by_2(&t);
    else
        add_16_by_1(&t);
}

/* Adds `pairs` interleaved pairs of images to all tiles, unit by unit. */
static void add_chunk(const struct product *p, size_t pairs)
{
    size_t width = p->dy->shape.w, height = p->dy->shape.h;
    bool parts = width * height > UNIT_PIXELS;
    size_t rows = parts ? (UNIT_PIXELS + width - 1) / width : height;
    size_t step = p->together == 2 ? 8 : 16, each = p->in / step;
    size_t tiles = p->dy->blocks / p->together * each * p->taps;
    for (size_t pair = 0; pair < (parts ? pairs : 1); pair++)
        for (size_t row = 0; row < height; row += rows) {
            struct unit u = {pair, parts ? 1 : pairs, row,
                             height - row < rows ? height - row : rows};
            for (size_t t = 0; t < tiles; t++)
                add_tile(p, &u, t / each / p->taps * p->together, t / each % p->taps,
                         t % each * step);
        }
}

static void add_bias(const struct product *p, size_t pairs)
{
    size_t plane = p->dy->pixels * LANES;
    for (size_t b = 0; b < p->dy->blocks; b++)
        for (size_t pair = 0; pair < pairs; pair++)
            add_pixels(p->dys + (b * p->chunk + pair) * plane, p->dy->pixels,
                       p->bias_sums + b * LANES);
}

static size_t blocks_of(size_t channels)
{
    return (channels + LANES - 1) / LANES;
}

/* Sets the dimensions of the sums: *blocks of output channels, p->taps, p->in. */
static void sizes(struct product *p, size_t *blocks)
{
    const struct conv_spec *s = p->spec;
    *blocks = blocks_of(s->out);
    p->taps = s->kernel * s->kernel;
    for (size_t b = 0; b < *blocks; b++)
        p->in = p->in > inputs(p, b) ? p->in : inputs(p, b);
}

size_t cpu_weight_sums(const struct conv_spec *spec)
{
    struct product p = {.spec = spec};
    size_t blocks;
    sizes(&p, &blocks);
    return blocks * (p.taps * p.in + 1) * LANES;
}

static int start(struct product *p, struct device *device, float *sums, struct error *err)
{
    const struct conv_spec *s = p->spec;
    size_t x = p->x->blocks * p->x->pixels, dy = p->dy->blocks * p->dy->pixels;
    size_t pairs = (p->range.count + 1) / 2, blocks;
    void *memory = NULL;
    sizes(p, &blocks);
    p->together =
        blocks % 2 == 0 && (s->groups == 1 || s->out / s->groups % (2 * LANES) == 0) ? 2 : 1;
    p->chunk = CHUNK_BYTES / ((x + dy) * LANES * sizeof *p->xs);
    p->chunk = p->chunk < 1 ? 1 : p->chunk > pairs ? pairs : p->chunk;
    int e = cpu_scratch(device, p->range.worker, SCRATCH_KERNEL,
                        p->chunk * (x + dy) * LANES * sizeof *p->xs, &memory, err);
    if (e)
        return e;
    p->sums = sums;
    p->bias_sums = sums + blocks * p->taps * p->in * LANES;
    p->xs = memory;
    p->dys = p->xs + p->chunk * x * LANES;
    return 0;
}

static int add_winograd(const struct product *p, struct device *device,
                        const struct winograd_shape *shape, float *sums, struct error *err)
{
    const uint16_t *x = (const void *)cpu_images(p->x, p->range);
    const uint16_t *dy = (const void *)cpu_images(p->dy, p->range);
    void *memory = NULL;
    int e = cpu_scratch(device, p->range.worker, SCRATCH_KERNEL,
                        winograd_gradient_scratch_size(shape), &memory, err);
    for (size_t g = 0; !e && g < p->spec->groups; g++)
        winograd_gradient(shape, p->range.count, x + g * shape->in * p->x->pixels,
                          dy + g * shape->out * p->dy->pixels,
                          sums + g * blocks_of(shape->out) * 9 * shape->in * LANES, memory);
    return e;
}

int cpu_weight_gradient(struct device *device, const struct conv_spec *spec, struct range range,
                        const struct tensor *x, const struct tensor *dy, bool bias, float *sums,
                        struct error *err)
{
    struct product p = {.spec = spec, .x = x, .dy = dy, .range = range};
    struct winograd_shape shape;
    bool direct = !cpu_winograd_shape(spec, false, &shape) || !winograd_gradient_suits(&shape);
    int e = direct ? 0 : add_winograd(&p, device, &shape, sums, err);
    if (!e && (direct || bias))
        e = start(&p, device, sums, err);
    for (size_t first = 0; !e && (direct || bias) && first < range.count; first += 2 * p.chunk) {
        size_t left = (range.count - first + 1) / 2, pairs = left < p.chunk ? left : p.chunk;
        for (size_t i = 0; i < pairs; i++) {
            if (direct)
                interleave_pair(&p, x, first, i, p.xs);
            interleave_pair(&p, dy, first, i, p.dys);
        }
        if (direct)
            add_chunk(&p, pairs);
        if (bias)
            add_bias(&p, pairs);
    }
    return e;
}

/* Adds the sums of output channel o to dweights, which has the order of plain weights. */
static void deliver(const struct product *p, size_t o, const float *sums, float *dweights)
{
    const struct conv_spec *s = p->spec;
    size_t in = s->in / s->groups, out = s->out / s->groups;
    size_t block = o / LANES, skipped = o / out * in - first_input(p, block);
    for (size_t i = 0; i < in; i++)
        for (size_t t = 0; t < p->taps; t++)
            dweights[(o * in + i) * p->taps + t] +=
                sums[((block * p->taps + t) * p->in + skipped + i) * LANES + o % LANES];
}

void cpu_weight_deliver(const struct device *device, const struct conv_spec *spec,
                        float *const *sums, float *dweights, float *dbias)
{
    struct product p = {.spec = spec};
    size_t blocks;
    sizes(&p, &blocks);
    size_t each = spec->in / spec->groups * p.taps;
    memset(dweights, 0, spec->out * each * sizeof *dweights);
    if (dbias)
        memset(dbias, 0, spec->out * sizeof *dbias);
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t o = 0; o < spec->out; o++)
        for (int w = 0; w < device->threads; w++) {
            if (!sums[w])
                continue;
            deliver(&p, o, sums[w], dweights);
            if (dbias)
                dbias[o] += sums[w][blocks * p.taps * p.in * LANES + o];
        }
}
#else
size_t cpu_weight_sums(const struct conv_spec *spec)
{
    (void)spec;
    return 0;
}

int cpu_weight_gradient(struct device *device, const struct conv_spec *spec, struct range range,
                        const struct tensor *x, const struct tensor *dy, bool bias, float *sums,
                        struct error *err)
{
    (void)device, (void)spec, (void)range, (void)x, (void)dy, (void)bias, (void)sums;
    return error_set(err, ENOTSUP, "this CPU has no bf16");
}

void cpu_weight_deliver(const struct device *device, const struct conv_spec *spec,
                        float *const *sums, float *dweights, float *dbias)
{
    (void)device, (void)spec, (void)sums, (void)dweights, (void)dbias;
}
#endif
