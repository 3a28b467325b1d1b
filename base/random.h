/* Reproducible pseudorandom numbers, the same on every machine: splitmix64 (Steele, Lea, Flood
 * 2014). Each pair (seed, stream) is an independent sequence, so that drawing more numbers from one
 * changes no other. Not cryptographic. */
#ifndef FERDAG_BASE_RANDOM_H
#define FERDAG_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state; /* the whole state: save and restore it to continue a sequence */
};

/* Starts the sequence of (seed, stream). */
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
