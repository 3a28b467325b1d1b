/* Instances of vector_loops.h for AVX-512 (float32 and bf16), AVX2, and any CPU. The choice follows
 * the instruction set that oneDNN uses, because both share the layout of activations. */
#include <stdint.h>
#include <string.h>
#include "kernels/backends/cpu/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define WITH_BF16   __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define WITH_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define WITH_AVX2   __attribute__((target("avx2")))
#else
#define WITH_AVX512
#define WITH_AVX2
#endif

#define LANES   16
#define BF16    0
#define TARGET  WITH_AVX512
#define NAME(x) avx512_##x
#include "kernels/backends/cpu/vector_loops.h"

#if defined(__x86_64__)
#define LANES   16
#define BF16    1
#define TARGET  WITH_BF16
#define NAME(x) bf16_##x
#include "kernels/backends/cpu/vector_loops.h"
#endif

#define LANES   8
#define BF16    0
#define TARGET  WITH_AVX2
#define NAME(x) avx2_##x
#include "kernels/backends/cpu/vector_loops.h"

#define LANES 8
#define BF16  0
#define TARGET
#define NAME(x) any_##x
#include "kernels/backends/cpu/vector_loops.h"

const struct vector_loops *vector_loops_pick(bool bf16)
{
#if defined(__x86_64__)
    if (bf16 && dnn_has_bf16())
        return &bf16_table;
#endif
    if (dnn_has_avx512())
        return &avx512_table;
    return dnn_has_avx2() ? &avx2_table : &any_table;
}
