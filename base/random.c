/* See random.h. */
#include "base/random.h"

#include <math.h>

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct random random_start(uint64_t seed, uint64_t stream)
{
    struct random r = {mix(mix(seed + 0x9e3779b97f4a7c15u) ^ (stream + 0x9e3779b97f4a7c15u))};
    return r;
}

uint64_t random_bits(struct random *r)
{
    r->state += 0x9e3779b97f4a7c15u;
    return mix(r->state);
}

uint64_t random_below(struct random *r, uint64_t bound)
{
    uint64_t reject_under = -bound % bound; /* 2^64 mod bound */
    for (;;) {
        uint64_t bits = random_bits(r);
        if (bits >= reject_under)
            return bits % bound;
    }
}

double random_unit(struct random *r)
{
    return (double)(random_bits(r) >> 11) * 0x1p-53;
}

double random_normal(struct random *r)
{
    double u = 1.0 - random_unit(r); /* (0, 1]: so that the logarithm is finite */
    double v = random_unit(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void random_shuffle(struct random *r, uint32_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)random_below(r, i);
        uint32_t t = items[i - 1];
        items[i - 1] = items[j];
        items[j] = t;
    }
}
