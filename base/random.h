/* Random numbers that are the same everywhere: splitmix64 (Steele, Lea, Flood 2014), one
 * stream for each (seed, stream) pair, so that drawing more in one place moves nothing in
 * another. Not for secrets. */
#ifndef FERDAG_BASE_RANDOM_H
#define FERDAG_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state; /* all there is: save it and the stream goes on from there */
};

/* Starts stream number `stream` of `seed`. */
struct random random_start(uint64_t seed, uint64_t stream);

/* 64 uniform bits. */
uint64_t random_bits(struct random *r);

/* Uniform in 0 .. bound-1, without modulo bias; bound > 0. */
uint64_t random_below(struct random *r, uint64_t bound);

/* Uniform in [0, 1), 53 bits. */
double random_unit(struct random *r);

/* Standard normal (Box-Muller, cosine branch; two draws each). */
double random_normal(struct random *r);

/* Shuffles n indices in place (Fisher-Yates). */
void random_shuffle(struct random *r, uint32_t *items, size_t n);

#endif
