/* bf16: the upper half of a float32. */
#ifndef FERDAG_KERNELS_MATH_BF16_H
#define FERDAG_KERNELS_MATH_BF16_H

#include <stdint.h>
#include <string.h>

/* Rounds to nearest, ties to even. value must not be NaN. */
static inline uint16_t bf16_narrow(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

static inline float bf16_widen(uint16_t value)
{
    uint32_t bits = (uint32_t)value << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

#endif
