/* See nearest.h. The distance is the optimal string alignment distance (Damerau-Levenshtein without
 * overlapping transpositions). */
#include "base/nearest.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LENGTH = 64 };

/* Cells of the distance matrix that a process may still compute. Enough for the hundred errors that
 * are printed, each among thousands of names; without a limit a file with thousands of errors takes
 * minutes. */
static long budget = 200000000;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The distance, or any number above `far` if it is larger than that. */
static size_t distance(const char *a, size_t n, const char *b, size_t m, size_t far)
{
    size_t rows[3][MAX_LENGTH + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2], nearest = 0, last = 0;
    for (size_t j = 0; j <= m; j++)
        above[j] = j;
    for (size_t i = 1; i <= n && least(nearest, last) <= far; i++) {
        row[0] = i;
        last = nearest;
        nearest = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
            nearest = least(nearest, row[j]);
        }
        budget -= (long)m;
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return least(nearest, last) <= far ? above[m] : far + 1;
}

/* Letters in another case are no change, so that 'Train_CNN' is near to 'train_cnn'. */
static void copy_lower(char *to, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] - 'A' + 'a' : from[i]);
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    char wrong[MAX_LENGTH] = "", other[MAX_LENGTH] = "";
    size_t n = strlen(nearest->wrong), m = strlen(candidate);
    size_t far = n < 3 ? 1 : (n + 2) / 3;
    if (n > MAX_LENGTH || m > MAX_LENGTH || n == 0 || n > m + far || m > n + far || budget <= 0)
        return;
    copy_lower(wrong, nearest->wrong, n);
    copy_lower(other, candidate, m);
    size_t d = distance(wrong, n, other, m, far);
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
