/* Winograd's minimal filtering (Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2015): a tile of 4x4 outputs from 6x6 inputs d and 3x3 weights g is
 *   A^T [ (G g G^T) * (B^T d B) ] A,
 * where * is element-wise. Summed over channels, each of the 36 positions is a matrix product,
 * (tiles x input channels) by (input channels x output channels), computed with vdpbf16ps. G is in
 * weights.c, B and A are in transforms.c, the products in products.c. This file calls them for one
 * block of tiles after the other.
 *
 * Where the side of a plane isn't a multiple of four, its last tile has fewer outputs. One or two
 * outputs need only three or four of the six positions along that side: those of fewer points, with
 * the same weights. */
#include <string.h>
#include "kernels/backends/cpu/winograd/steps.h"

#if defined(__x86_64__)

/* Plans the products of one position for tiles first to end - 1: as few as possible, of nearly
 * equal size. */
static void plan_tiles(struct winograd_pass *r, struct product product, size_t first, size_t end)
{
    size_t steps = (end - first + TOGETHER - 1) / TOGETHER;
    for (size_t t = first; steps > 0; steps--) {
        struct product *p = &r->products[r->product_count++];
        *p = product;
        p->tiles = (end - t + steps - 1) / steps;
        p->inputs += t * LINE;
        p->sums += t * LANES;
        t += p->tiles;
    }
}

/* Plans the products of one position for the tiles of `groups` (bits). `weights` is its offset. */
static void plan_position(struct winograd_pass *r, size_t row, size_t column, size_t weights,
                          unsigned groups)
{
    size_t position = row * SIDE + column;
    struct product p = {
        .inputs = position / 2 * r->in * r->tiles.count * LINE + position % 2 * LANES,
        .weights = weights,
        .sums = position * r->block * LANES,
    };
    for (int g = 0, end; g < GROUPS; g = end + 1) {
        for (end = g; groups >> end & 1; end++)
            ;
        plan_tiles(r, p, r->tiles.groups[g], r->tiles.groups[end]);
    }
}

/* Plans the products of a block, unless the previous block had the same groups. */
static void plan_products(struct winograd_pass *r)
{
    const struct winograd_shape *s = r->shape;
    size_t weights = 0;
    if (memcmp(r->planned, r->tiles.groups, sizeof r->tiles.groups) == 0)
        return;
    memcpy(r->planned, r->tiles.groups, sizeof r->tiles.groups);
    r->product_count = 0;
    for (size_t row = 0; row < SIDE; row++)
        for (size_t column = 0; column < SIDE; column++) {
            unsigned groups = winograd_groups(s, row, column);
            if (!groups)
                continue;
            plan_position(r, row, column, weights, groups);
            weights += r->in * PAIRS * LANES;
        }
}

/* ---- runs ---- */

/* Number of tiles in a block: what fits the registers if the weights stay in cache; more if they
 * are loaded from the third-level cache for each block, or if there are several groups of tiles. */
static size_t block_of(const struct winograd_shape *s)
{
    bool even = s->height % OUTPUTS == 0 && s->width % OUTPUTS == 0;
    return s->in * s->out > 128 * 128 ? MAX_BLOCK : even ? TOGETHER : 2 * TOGETHER;
}

static size_t inputs_size(const struct winograd_shape *s)
{
    return SIDE * SIDE / 2 * blocks_of(s->in) * block_of(s) * LINE * sizeof(uint16_t);
}

static size_t positions_count(const struct winograd_shape *s)
{
    return count_of(side_of(s->height)) * count_of(side_of(s->width));
}

size_t winograd_weights_size(const struct winograd_shape *shape)
{
    return blocks_of(shape->out) * positions_count(shape) * blocks_of(shape->in) * PAIRS * LANES *
           sizeof(uint32_t);
}

size_t winograd_scratch_size(const struct winograd_shape *shape)
{
    return inputs_size(shape) + SIDE * SIDE * block_of(shape) * 2 * LANES * sizeof(float);
}

/* Along a side of one pixel only the middle weight has an effect, so direct convolution is faster.
 */
bool winograd_suits(const struct winograd_shape *shape)
{
    return shape->height >= 2 && shape->width >= 2;
}

static void run_block(struct winograd_pass *r)
{
    winograd_sort(r->shape, &r->tiles);
    plan_products(r);
    for (size_t t = 0, count; t < r->tiles.count; t += count) {
        count = winograd_row(&r->tiles, t);
        for (size_t i = 0; i < r->in; i++)
            winograd_inputs(r, i, t, count);
    }
    for (size_t o = 0; o < r->out; o += 2) {
        size_t outs = r->out - o < 2 ? 1 : 2;
        winograd_multiply(r, o, outs);
        for (size_t k = 0; k < outs; k++)
            winograd_outputs(r, o + k, k, outs);
    }
    r->tiles.count = 0;
}

void winograd_run(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                  const void *packed, const float *bias, uint16_t *y, bool add, bool relu,
                  void *scratch)
{
    struct winograd_pass r = {
        .shape = shape,
        .in = blocks_of(shape->in),
        .out = blocks_of(shape->out),
        .block = block_of(shape),
        .x = x,
        .weights = packed,
        .bias = bias,
        .y = y,
        .add = add,
        .relu = relu,
        .inputs = scratch,
        .positions = positions_count(shape),
        .sums = (float *)((char *)scratch + inputs_size(shape)),
    };
    for (size_t image = 0; image < n; image++)
        for (size_t row = 0; row < shape->height; row += OUTPUTS)
            for (size_t column = 0; column < shape->width; column += OUTPUTS) {
                r.tiles.list[r.tiles.count++] = (struct tile){image, (int)row, (int)column};
                if (r.tiles.count == r.block)
                    run_block(&r);
            }
    if (r.tiles.count)
        run_block(&r);
}
#else
bool winograd_suits(const struct winograd_shape *shape)
{
    (void)shape;
    return false;
}

size_t winograd_weights_size(const struct winograd_shape *shape)
{
    (void)shape;
    return 0;
}

size_t winograd_scratch_size(const struct winograd_shape *shape)
{
    (void)shape;
    return 0;
}

void winograd_pack(const struct winograd_shape *shape, bool transposed, const float *weights,
                   void *packed)
{
    (void)shape, (void)transposed, (void)weights, (void)packed;
}

void winograd_run(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                  const void *packed, const float *bias, uint16_t *y, bool add, bool relu,
                  void *scratch)
{
    (void)shape, (void)n, (void)x, (void)packed, (void)bias, (void)y, (void)add, (void)relu,
        (void)scratch;
}
#endif
