/* Convolutions by im2col and GEMM, for cases in which oneDNN has only its reference code. In
 * version 2.6 these are: on AVX2, planes smaller than the kernel; without AVX2, convolutions of
 * images, all gradients of data, and gradients of grouped weights. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/cpu/cpu.h"

enum { MAX_FLOATS = 1 << 22 }; /* in the columns of the images processed together */

/* Channels and weights of a group. */
struct group {
    size_t in, out, row; /* row: values for one output pixel, in * kernel^2 */
};

static struct group group_of(const struct conv_spec *s)
{
    size_t in = s->in / s->groups;
    return (struct group){in, s->out / s->groups, in * s->kernel * s->kernel};
}

/* Sets *at to the index in a plane of x that tap t of output pixel p reads. Returns false if that
 * is in the padding. */
static bool place_of(const struct conv_spec *s, size_t width, size_t p, size_t t, size_t *at)
{
    size_t h = p / width * s->stride + t / s->kernel - s->pad; /* wraps above the image */
    size_t w = p % width * s->stride + t % s->kernel - s->pad;
    *at = h * s->width + w;
    return h < s->height && w < s->width;
}

/* Fills columns (output pixels, row) with the inputs of each output pixel, from the planes x of one
 * group of one image. */
static void fill_columns(const struct conv_spec *s, const struct tensor *dy, const float *x,
                         float *columns)
{
    size_t in = group_of(s).in, taps = s->kernel * s->kernel, plane = s->height * s->width, at;
    for (size_t p = 0; p < dy->pixels; p++)
        for (size_t i = 0; i < in; i++)
            for (size_t t = 0; t < taps; t++)
                *columns++ = place_of(s, dy->shape.w, p, t, &at) ? x[i * plane + at] : 0;
}

/* The transpose of fill_columns: adds columns to the planes x. */
static void add_columns(const struct conv_spec *s, const struct tensor *dy, const float *columns,
                        float *x)
{
    size_t in = group_of(s).in, taps = s->kernel * s->kernel, plane = s->height * s->width, at;
    for (size_t p = 0; p < dy->pixels; p++)
        for (size_t i = 0; i < in; i++)
            for (size_t t = 0; t < taps; t++, columns++)
                if (place_of(s, dy->shape.w, p, t, &at))
                    x[i * plane + at] += *columns;
}

/* out (pixels, channels) = transpose of planes (channels, pixels). */
static void transpose(const float *planes, size_t channels, size_t pixels, float *out)
{
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++)
            out[p * channels + c] = planes[c * pixels + p];
}

/* Adds the sums of the columns of `transposed` (rows, out) to dbias. */
static void bias_gradient(size_t out, size_t rows, const float *transposed, float *dbias)
{
    for (size_t o = 0; o < out; o++) {
        double sum = (double)dbias[o];
        for (size_t r = 0; r < rows; r++)
            sum += (double)transposed[r * out + o];
        dbias[o] = (float)sum;
    }
}

int cpu_im2col_gradient(struct device *device, const struct conv_spec *s, struct range range,
                        const struct tensor *x, const struct tensor *dy, float *dweights,
                        float *dbias, struct error *err)
{
    const struct group group = group_of(s);
    size_t pixels = dy->pixels, row = group.row, chunk = MAX_FLOATS / (pixels * row) + 1;
    chunk = chunk < range.count ? chunk : range.count;
    size_t sx = s->in * x->pixels, sy = s->out * pixels;
    float *memory = calloc(chunk, (sx + sy + pixels * (row + group.out)) * sizeof *memory);
    float *columns = memory, *transposed = memory + chunk * pixels * row;
    float *plain_x = transposed + chunk * pixels * group.out, *plain_dy = plain_x + chunk * sx;
    int e = 0;
    if (!memory)
        return error_set(err, ENOMEM, "out of memory");
    if (dbias)
        memset(dbias, 0, s->out * sizeof *dbias);
    for (size_t first = 0; !e && first < range.count; first += chunk) {
        size_t count = range.count - first < chunk ? range.count - first : chunk;
        for (size_t i = 0; i < count; i++) {
            cpu_image_to_plain(device, x, cpu_images(x, range) + (first + i) * x->slice,
                               plain_x + i * sx);
            cpu_image_to_plain(device, dy, cpu_images(dy, range) + (first + i) * dy->slice,
                               plain_dy + i * sy);
        }
        for (size_t g = 0; !e && g < s->groups; g++) {
            for (size_t i = 0; i < count; i++) {
                fill_columns(s, dy, plain_x + i * sx + g * group.in * x->pixels,
                             columns + i * pixels * row);
                transpose(plain_dy + i * sy + g * group.out * pixels, group.out, pixels,
                          transposed + i * pixels * group.out);
            }
            e = dnn_gemm(true, false, group.out, row, count * pixels, transposed, group.out,
                         columns, row, first ? 1 : 0, dweights + g * group.out * row, row, err);
            if (dbias)
                bias_gradient(group.out, count * pixels, transposed, dbias + g * group.out);
        }
    }
    free(memory);
    return e;
}

/* y = y + bias (may be NULL), then ReLU if `relu`; y is plain. */
static void end_forward(const struct conv_spec *s, size_t pixels, const float *bias, bool relu,
                        float *y)
{
    for (size_t o = 0; o < s->out; o++)
        for (size_t p = 0; p < pixels; p++, y++) {
            *y += bias ? bias[o] : 0;
            *y = relu && *y < 0 ? 0 : *y;
        }
}

int cpu_im2col_forward(struct device *device, const struct conv_spec *s, struct range range,
                       const struct tensor *x, const float *weights, const float *bias,
                       const struct tensor *y, unsigned flags, struct error *err)
{
    const struct group group = group_of(s);
    size_t pixels = y->pixels, row = group.row;
    size_t sx = s->in * x->pixels, sy = s->out * pixels;
    float *memory = calloc(sx + sy + pixels * row, sizeof *memory);
    float *plain_x = memory, *plain_y = memory + sx, *columns = plain_y + sy;
    const float beta = flags & CONV_ADD ? 1.0F : 0.0F;
    int e = memory ? 0 : error_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; !e && i < range.count; i++) {
        char *from = cpu_images(x, range) + i * x->slice, *to = cpu_images(y, range) + i * y->slice;
        if (s->image)
            memcpy(plain_x, from, sx * sizeof *plain_x);
        else
            cpu_image_to_plain(device, x, from, plain_x);
        if (flags & CONV_ADD)
            cpu_image_to_plain(device, y, to, plain_y);
        for (size_t g = 0; !e && g < s->groups; g++) {
            fill_columns(s, y, plain_x + g * group.in * x->pixels, columns);
            e = dnn_gemm(false, true, group.out, pixels, row, weights + g * group.out * row, row,
                         columns, row, beta, plain_y + g * group.out * pixels, pixels, err);
        }
        end_forward(s, pixels, bias, flags & CONV_RELU, plain_y);
        cpu_image_from_plain(device, plain_y, y, to);
    }
    free(memory);
    return e;
}

int cpu_im2col_data(struct device *device, const struct conv_spec *s, struct range range,
                    const float *weights, const struct tensor *dy, const struct tensor *dx,
                    struct error *err)
{
    const struct group group = group_of(s);
    size_t pixels = dy->pixels, row = group.row;
    size_t sx = s->in * dx->pixels, sy = s->out * pixels;
    float *memory = calloc(sx + sy + pixels * row, sizeof *memory);
    float *plain_dx = memory, *plain_dy = memory + sx, *columns = plain_dy + sy;
    int e = memory ? 0 : error_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; !e && i < range.count; i++) {
        cpu_image_to_plain(device, dy, cpu_images(dy, range) + i * dy->slice, plain_dy);
        memset(plain_dx, 0, sx * sizeof *plain_dx);
        for (size_t g = 0; !e && g < s->groups; g++) {
            e = dnn_gemm(true, false, pixels, row, group.out, plain_dy + g * group.out * pixels,
                         pixels, weights + g * group.out * row, row, 0, columns, row, err);
            if (!e)
                add_columns(s, dy, columns, plain_dx + g * group.in * dx->pixels);
        }
        cpu_image_from_plain(device, plain_dx, dx, cpu_images(dx, range) + i * dx->slice);
    }
    free(memory);
    return e;
}
