/* See nearest.h. The distance is Damerau's (optimal string alignment). */
#include "base/nearest.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++)
        above[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[m];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    size_t n = strlen(nearest->wrong), m = strlen(candidate);
    if (n > LONGEST || m > LONGEST || n == 0)
        return;
    size_t d = distance(nearest->wrong, n, candidate, m);
    size_t far = n < 3 ? 1 : (n + 2) / 3;
    if (d <= far && d < m && (!nearest->best || d < nearest->distance)) {
        nearest->best = candidate;
        nearest->distance = d;
    }
}

const char *nearest_hint(struct nearest *nearest)
{
    nearest->hint[0] = 0;
    if (nearest->best)
        snprintf(nearest->hint, sizeof nearest->hint, " (did you mean '%s'?)", nearest->best);
    return nearest->hint;
}
