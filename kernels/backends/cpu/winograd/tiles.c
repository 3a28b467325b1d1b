/* Groups of tiles. The tiles of a block are sorted so that each matrix product reads adjacent ones.
 */
#include <string.h>
#include "kernels/backends/cpu/winograd/steps.h"

#if defined(__x86_64__)

/* The groups, in order: tiles at the end of a row; within the plane; at the end of a column; at the
 * end of both. UPPER and INNER are sets of groups, as bits: not at the end of a column; not at the
 * end of a row. */
enum { UPPER = 0x3, INNER = 0x6 };

/* Tiles at the end of a column may need fewer rows of positions, and tiles at the end of a row
 * fewer columns. */
unsigned winograd_groups(const struct winograd_shape *s, size_t row, size_t column)
{
    unsigned last_rows = positions_of(extent_of(s->height, (s->height - 1) / OUTPUTS * OUTPUTS));
    unsigned last_columns = positions_of(extent_of(s->width, (s->width - 1) / OUTPUTS * OUTPUTS));
    if (!(side_of(s->height) >> row & 1) || !(side_of(s->width) >> column & 1))
        return 0;
    return (last_rows >> row & 1 ? 0xF : UPPER) & (last_columns >> column & 1 ? 0xF : INNER);
}

size_t winograd_row(const struct tiles *tiles, size_t t)
{
    const struct tile *a = &tiles->list[t];
    size_t count = 1;
    while (t + count < tiles->count && a[count].image == a->image && a[count].y == a->y &&
           a[count].x == a->x + OUTPUTS * (int)count)
        count++;
    return count;
}

void winograd_sort(const struct winograd_shape *s, struct tiles *tiles)
{
    struct tile sorted[MAX_TILES];
    size_t count = 0;
    if (s->height % OUTPUTS == 0 && s->width % OUTPUTS == 0) {
        memcpy(tiles->groups, (size_t[]){0, 0, tiles->count, tiles->count, tiles->count},
               sizeof tiles->groups);
        return;
    }
    for (int group = 0; group < GROUPS; group++) {
        tiles->groups[group] = count;
        for (size_t t = 0; t < tiles->count; t++) {
            bool row = extent_of(s->height, (size_t)tiles->list[t].y) != FULL;
            bool column = extent_of(s->width, (size_t)tiles->list[t].x) != FULL;
            if (group == (row ? 2 + column : !column))
                sorted[count++] = tiles->list[t];
        }
    }
    tiles->groups[GROUPS] = count;
    memcpy(tiles->list, sorted, count * sizeof *sorted);
}
#endif
