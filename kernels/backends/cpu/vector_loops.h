/* The loops of struct vector_loops. vector_loops.c includes this file once for each combination of
 * vector width, precision and instruction set, and defines before:
 *   LANES   channels per vector: 16 or 8
 *   BF16    1 for bf16 values (AVX-512 with avx512_bf16 only), 0 for float32
 *   TARGET  function attribute that selects the instruction set
 *   NAME(x) name of x in this variant
 * Arithmetic is float32. Stores round to nearest even. */

typedef float NAME(vector) __attribute__((vector_size(LANES * 4)));
typedef int32_t NAME(mask) __attribute__((vector_size(LANES * 4)));
typedef float NAME(loose) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#if BF16
typedef uint16_t NAME(item);
#else
typedef float NAME(item);
#endif

#define V    NAME(vector)
#define M    NAME(mask)
#define ITEM NAME(item)

TARGET static inline __attribute__((always_inline)) void NAME(load)(V *v, const ITEM *x,
                                                                    size_t pixel)
{
#if BF16
    __m256i narrow = _mm256_loadu_si256((const __m256i *)(x + pixel * LANES));
    *v = (V)_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16);
#else
    *v = *(const NAME(loose) *)(x + pixel * LANES);
#endif
}

TARGET static inline __attribute__((always_inline)) void NAME(store)(const V *v, ITEM *x,
                                                                     size_t pixel)
{
#if BF16
    _mm256_storeu_si256((__m256i *)(x + pixel * LANES), (__m256i)_mm512_cvtneps_pbh((__m512)*v));
#else
    *(NAME(loose) *)(x + pixel * LANES) = *v;
#endif
}

TARGET static inline __attribute__((always_inline)) void NAME(channel)(V *v, const float *values)
{
    *v = *(const NAME(loose) *)values;
}

/* v where gate > 0, else 0. */
TARGET static inline __attribute__((always_inline)) void NAME(gate)(V *v, const V *gate)
{
    const V zero = {0};
    *v = (V)((M)*v & (M)(*gate > zero));
}

TARGET static void NAME(moments)(const void *x, size_t pixels, const float *shift, float *sums)
{
    V k, v, w, sum = {0}, sum2 = {0}, square = {0}, square2 = {0};
    size_t p = 0;
    NAME(channel)(&k, shift);
    for (; p + 2 <= pixels; p += 2) {
        NAME(load)(&v, x, p);
        NAME(load)(&w, x, p + 1);
        v -= k;
        w -= k;
        sum += v;
        sum2 += w;
        square += v * v;
        square2 += w * w;
    }
    if (p < pixels) {
        NAME(load)(&v, x, p);
        v -= k;
        sum += v;
        square += v * v;
    }
    *(NAME(loose) *)sums = sum + sum2;
    *(NAME(loose) *)(sums + LANES) = square + square2;
}

TARGET static inline __attribute__((always_inline)) void
NAME(normalize_each)(const ITEM *x, const ITEM *residual, ITEM *y, size_t pixels,
                     const float *scale, const float *offset, bool relu)
{
    V s, o, v, r;
    NAME(channel)(&s, scale);
    NAME(channel)(&o, offset);
    for (size_t p = 0; p < pixels; p++) {
        NAME(load)(&v, x, p);
        v = v * s + o;
        if (residual) {
            NAME(load)(&r, residual, p);
            v += r;
        }
        if (relu)
            NAME(gate)(&v, &v);
        NAME(store)(&v, y, p);
    }
}

TARGET static void NAME(normalize)(const void *x, const void *residual, void *y, size_t pixels,
                                   const float *scale, const float *offset, bool relu)
{
    if (residual && relu)
        NAME(normalize_each)(x, residual, y, pixels, scale, offset, true);
    else if (residual)
        NAME(normalize_each)(x, residual, y, pixels, scale, offset, false);
    else if (relu)
        NAME(normalize_each)(x, NULL, y, pixels, scale, offset, true);
    else
        NAME(normalize_each)(x, NULL, y, pixels, scale, offset, false);
}

TARGET static inline __attribute__((always_inline)) void
NAME(gradient_sums_each)(const ITEM *x, const ITEM *y, const ITEM *dy, const ITEM *dy2, ITEM *keep,
                         size_t pixels, const float *scale, const float *offset, const float *mean,
                         bool relu, float *sums)
{
    V s, o, m, v, g, t, sum = {0}, product = {0};
    NAME(channel)(&s, scale);
    NAME(channel)(&o, offset);
    NAME(channel)(&m, mean);
    for (size_t p = 0; p < pixels; p++) {
        NAME(load)(&v, x, p);
        NAME(load)(&g, dy, p);
        if (dy2) {
            NAME(load)(&t, dy2, p);
            g += t;
        }
        if (relu) {
            if (y)
                NAME(load)(&t, y, p);
            else
                t = v * s + o;
            NAME(gate)(&g, &t);
        }
        if (keep)
            NAME(store)(&g, keep, p);
        sum += g;
        product += g * (v - m);
    }
    *(NAME(loose) *)sums = sum;
    *(NAME(loose) *)(sums + LANES) = product;
}

TARGET static void NAME(gradient_sums)(const void *x, const void *y, const void *dy,
                                       const void *dy2, void *keep, size_t pixels,
                                       const float *scale, const float *offset, const float *mean,
                                       bool relu, float *sums)
{
    if (relu && !y && !dy2 && !keep)
        NAME(gradient_sums_each)(x, NULL, dy, NULL, NULL, pixels, scale, offset, mean, true, sums);
    else if (relu && y && keep && dy2)
        NAME(gradient_sums_each)(x, y, dy, dy2, keep, pixels, scale, offset, mean, true, sums);
    else if (!relu && !dy2 && !keep)
        NAME(gradient_sums_each)(x, NULL, dy, NULL, NULL, pixels, scale, offset, mean, false, sums);
    else
        NAME(gradient_sums_each)(x, y, dy, dy2, keep, pixels, scale, offset, mean, relu, sums);
}

TARGET static inline __attribute__((always_inline)) void
NAME(gradient_each)(const ITEM *x, const ITEM *dy, const ITEM *dy2, const ITEM *add, ITEM *dx,
                    size_t pixels, const float *scale, const float *offset, bool relu,
                    const float *a, const float *b, const float *c)
{
    V s, o, va, vb, vc, v, g, t;
    NAME(channel)(&s, scale);
    NAME(channel)(&o, offset);
    NAME(channel)(&va, a);
    NAME(channel)(&vb, b);
    NAME(channel)(&vc, c);
    for (size_t p = 0; p < pixels; p++) {
        NAME(load)(&v, x, p);
        NAME(load)(&g, dy, p);
        if (dy2) {
            NAME(load)(&t, dy2, p);
            g += t;
        }
        if (relu) {
            t = v * s + o;
            NAME(gate)(&g, &t);
        }
        g = va * g + (vb * v + vc);
        if (add) {
            NAME(load)(&t, add, p);
            g += t;
        }
        NAME(store)(&g, dx, p);
    }
}

TARGET static void NAME(gradient)(const void *x, const void *dy, const void *dy2, const void *add,
                                  void *dx, size_t pixels, const float *scale, const float *offset,
                                  bool relu, const float *a, const float *b, const float *c)
{
    if (!dy2 && !add && relu)
        NAME(gradient_each)(x, dy, NULL, NULL, dx, pixels, scale, offset, true, a, b, c);
    else if (!dy2 && !add)
        NAME(gradient_each)(x, dy, NULL, NULL, dx, pixels, scale, offset, false, a, b, c);
    else
        NAME(gradient_each)(x, dy, dy2, add, dx, pixels, scale, offset, relu, a, b, c);
}

TARGET static void NAME(add)(const void *a, const void *b, void *y, size_t pixels)
{
    V v, w;
    for (size_t p = 0; p < pixels; p++) {
        NAME(load)(&v, a, p);
        NAME(load)(&w, b, p);
        v += w;
        NAME(store)(&v, y, p);
    }
}

TARGET static inline __attribute__((always_inline)) void NAME(larger)(V *v, const V *w)
{
    M take = (M)(*w > *v);
    *v = (V)(((M)*w & take) | ((M)*v & ~take));
}

TARGET static void NAME(max_forward)(const void *x, void *y, size_t height, size_t width)
{
    size_t oh = height / 2, ow = width / 2;
    for (size_t i = 0; i < oh; i++)
        for (size_t j = 0; j < ow; j++) {
            size_t p = 2 * i * width + 2 * j;
            V v, w;
            NAME(load)(&v, x, p);
            NAME(load)(&w, x, p + 1);
            NAME(larger)(&v, &w);
            NAME(load)(&w, x, p + width);
            NAME(larger)(&v, &w);
            NAME(load)(&w, x, p + width + 1);
            NAME(larger)(&v, &w);
            NAME(store)(&v, y, i * ow + j);
        }
}

TARGET static void NAME(max_backward)(const void *x, const void *dy, void *dx, size_t height,
                                      size_t width)
{
    size_t oh = height / 2, ow = width / 2;
    if (height % 2 || width % 2)
        memset(dx, 0, height * width * LANES * sizeof(ITEM));
    for (size_t i = 0; i < oh; i++)
        for (size_t j = 0; j < ow; j++) {
            size_t p = 2 * i * width + 2 * j;
            const size_t at[4] = {p, p + 1, p + width, p + width + 1};
            V top, v, g;
            NAME(load)(&top, x, at[0]);
            for (int k = 1; k < 4; k++) {
                NAME(load)(&v, x, at[k]);
                NAME(larger)(&top, &v);
            }
            NAME(load)(&g, dy, i * ow + j);
            M left = (M)(top == top); /* lanes without a maximum so far; a NaN equals nothing */
            for (int k = 0; k < 4; k++) {
                NAME(load)(&v, x, at[k]);
                M here = left & (M)(v == top);
                V part = (V)((M)g & here);
                left &= ~here;
                NAME(store)(&part, dx, at[k]);
            }
        }
}

TARGET static void NAME(average_forward)(const void *x, float *y, size_t pixels)
{
    V v, sum = {0};
    for (size_t p = 0; p < pixels; p++) {
        NAME(load)(&v, x, p);
        sum += v;
    }
    *(NAME(loose) *)y = sum / (float)pixels;
}

static inline __attribute__((always_inline)) float NAME(pixel)(const ITEM *image, size_t at)
{
#if BF16
    union {
        uint32_t bits;
        float value;
    } wide = {.bits = (uint32_t)image[at] << 16};
    return wide.value;
#else
    return image[at];
#endif
}

TARGET static void NAME(image_gradient)(const void *image, const void *dy, size_t height,
                                        size_t width, size_t kernel, float *sums)
{
    size_t pad = kernel / 2;
    for (size_t t = 0; t < kernel * kernel; t++) {
        size_t ky = t / kernel, kx = t % kernel;
        size_t first = kx < pad ? pad - kx : 0, last = kx > pad ? width - (kx - pad) : width;
        V g, sum = {0};
        for (size_t h = 0; h < height; h++) {
            size_t row = h + ky - pad; /* wraps above the image */
            if (row >= height)
                continue;
            for (size_t w = first; w < last; w++) {
                NAME(load)(&g, dy, h * width + w);
                sum += g * NAME(pixel)(image, row * width + w + kx - pad);
            }
        }
        *(NAME(loose) *)(sums + t * LANES) = sum;
    }
}

TARGET static void NAME(fill)(void *x, size_t pixels, const float *value)
{
    V v;
    NAME(channel)(&v, value);
    for (size_t p = 0; p < pixels; p++)
        NAME(store)(&v, x, p);
}

TARGET static void NAME(from_plain)(const float *plain, size_t channels, void *x, size_t pixels)
{
    for (size_t p = 0; p < pixels; p++) {
        float values[LANES] = {0};
        V v;
        for (size_t c = 0; c < channels; c++)
            values[c] = plain[c * pixels + p];
        NAME(channel)(&v, values);
        NAME(store)(&v, x, p);
    }
}

TARGET static void NAME(to_plain)(const void *x, float *plain, size_t channels, size_t pixels)
{
    for (size_t p = 0; p < pixels; p++) {
        float values[LANES];
        V v;
        NAME(load)(&v, x, p);
        *(NAME(loose) *)values = v;
        for (size_t c = 0; c < channels; c++)
            plain[c * pixels + p] = values[c];
    }
}

static const struct vector_loops NAME(table) = {
    .lanes = LANES,
    .item = sizeof(ITEM),
    .moments = NAME(moments),
    .normalize = NAME(normalize),
    .gradient_sums = NAME(gradient_sums),
    .gradient = NAME(gradient),
    .add = NAME(add),
    .max_forward = NAME(max_forward),
    .max_backward = NAME(max_backward),
    .average_forward = NAME(average_forward),
    .image_gradient = NAME(image_gradient),
    .fill = NAME(fill),
    .from_plain = NAME(from_plain),
    .to_plain = NAME(to_plain),
};

#undef V
#undef M
#undef ITEM
#undef LANES
#undef BF16
#undef TARGET
#undef NAME
