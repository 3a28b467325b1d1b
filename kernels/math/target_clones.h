/* WIDEST before a function: compiled for AVX-512, for AVX2 and for any CPU; the version for the CPU
 * is chosen when the program starts. Only with gcc, and not with the address sanitizer. */
#ifndef FERDAG_KERNELS_MATH_TARGET_CLONES_H
#define FERDAG_KERNELS_MATH_TARGET_CLONES_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__)
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

#endif
