/* Weight gradient of a convolution by im2col and GEMM, for the shapes for which oneDNN has only its
 * reference code (2.6 on AVX2: planes smaller than the kernel). */
#include <errno.h>
#include <stdlib.h>
#include "kernels/cpu.h"

enum { MAX_FLOATS = 1 << 22 }; /* patches of as many images at a time as fit here */

/* Rows of the product that one image gives. */
struct image_rows {
    float *x, *dy;     /* plain planes */
    float *columns;    /* (pixels of y, in * kernel^2) */
    float *transposed; /* (pixels of y, out) */
};

static void to_plain(const struct device *device, const struct tensor *t, const char *data,
                     float *out)
{
    const struct cpu_lanes *l = device->lanes;
    for (size_t b = 0; b < t->blocks; b++) {
        size_t left = t->shape.c - b * l->lanes;
        l->to_plain(data + b * t->pixels * l->lanes * l->item, out + b * l->lanes * t->pixels,
                    left < l->lanes ? left : l->lanes, t->pixels);
    }
}

static void fill_rows(const struct conv_spec *s, const struct tensor *dy, struct image_rows *r)
{
    size_t k = s->kernel, width = dy->shape.w;
    float *column = r->columns;
    for (size_t p = 0; p < dy->pixels; p++) {
        for (size_t i = 0; i < s->in; i++)
            for (size_t t = 0; t < k * k; t++) {
                size_t h = p / width * s->stride + t / k - s->pad; /* wraps above the image */
                size_t w = p % width * s->stride + t % k - s->pad;
                bool inside = h < s->height && w < s->width;
                *column++ = inside ? r->x[(i * s->height + h) * s->width + w] : 0;
            }
        for (size_t o = 0; o < s->out; o++)
            r->transposed[p * s->out + o] = r->dy[o * dy->pixels + p];
    }
}

static void bias_gradient(const struct conv_spec *s, size_t rows, const float *transposed,
                          float *dbias)
{
    for (size_t o = 0; o < s->out; o++) {
        double sum = (double)dbias[o];
        for (size_t r = 0; r < rows; r++)
            sum += (double)transposed[r * s->out + o];
        dbias[o] = (float)sum;
    }
}

int cpu_patch_gradient(struct device *device, const struct conv_spec *s, struct range range,
                       const struct tensor *x, const struct tensor *dy, float *dweights,
                       float *dbias, struct error *err)
{
    size_t row = s->in * s->kernel * s->kernel, pixels = dy->pixels;
    size_t chunk = MAX_FLOATS / (pixels * row) + 1;
    chunk = chunk < range.count ? chunk : range.count;
    size_t sx = s->in * x->pixels, sy = s->out * pixels;
    float *memory = calloc(chunk, (sx + 2 * sy + pixels * row) * sizeof *memory);
    float *columns = memory, *transposed = memory + chunk * pixels * row;
    float *plain_x = transposed + chunk * sy, *plain_dy = plain_x + chunk * sx;
    int e = 0;
    if (!memory)
        return error_set(err, ENOMEM, "out of memory");
    for (size_t o = 0; dbias && o < s->out; o++)
        dbias[o] = 0;
    for (size_t first = 0; !e && first < range.count; first += chunk) {
        size_t count = range.count - first < chunk ? range.count - first : chunk;
        for (size_t i = 0; i < count; i++) {
            struct image_rows r = {plain_x + i * sx, plain_dy + i * sy, columns + i * pixels * row,
                                   transposed + i * sy};
            to_plain(device, x, cpu_images(x, range) + (first + i) * x->slice, r.x);
            to_plain(device, dy, cpu_images(dy, range) + (first + i) * dy->slice, r.dy);
            fill_rows(s, dy, &r);
        }
        e = dnn_gemm(device->workers[range.worker].dnn, true, false, s->out, row, count * pixels,
                     transposed, s->out, columns, row, first ? 1 : 0, dweights, row, err);
        if (dbias)
            bias_gradient(s, count * pixels, transposed, dbias);
    }
    free(memory);
    return e;
}
