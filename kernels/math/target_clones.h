/* A function that the compiler makes for AVX-512, for AVX2 and for any CPU, of which the program
 * picks when it starts. Only gcc does so here, and not beside the address sanitizer. */
#ifndef FERDAG_KERNELS_MATH_TARGET_CLONES_H
#define FERDAG_KERNELS_MATH_TARGET_CLONES_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__)
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

#endif
