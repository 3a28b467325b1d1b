/* Winograd's convolutions for conv.c and weight_gradient.c. Decides which convolutions use them,
 * and runs all groups of a convolution; the functions in winograd/ compute one group. */
#include "kernels/backends/cpu/cpu.h"
#include "kernels/backends/cpu/winograd/winograd.h"

bool cpu_winograd_shape(const struct conv_spec *s, bool backward, struct winograd_shape *shape)
{
    size_t from = backward ? s->out : s->in, to = s->in + s->out - from;
    *shape = (struct winograd_shape){.in = from / s->groups,
                                     .out = to / s->groups,
                                     .height = s->height,
                                     .width = s->width,
                                     .x_blocks = (from + WINOGRAD_LANES - 1) / WINOGRAD_LANES,
                                     .y_blocks = (to + WINOGRAD_LANES - 1) / WINOGRAD_LANES};
    bool whole = shape->in % WINOGRAD_LANES == 0 && shape->out % WINOGRAD_LANES == 0;
    return !s->image && s->kernel == 3 && s->stride == 1 && s->pad == 1 &&
           (s->groups == 1 || whole);
}

bool cpu_winograd_suits(const struct device *device, const struct conv_spec *spec, bool backward,
                        struct winograd_shape *shape)
{
    return device->bf16 && cpu_winograd_shape(spec, backward, shape) && winograd_suits(shape);
}

int cpu_winograd_pack(const struct conv_spec *spec, const struct winograd_shape *shape,
                      bool backward, struct tensor *weights, struct error *err)
{
    size_t size = winograd_weights_size(shape), each = shape->in * shape->out * 9;
    int e = cpu_packed_memory(weights, spec->groups * size, err);
    for (size_t g = 0; !e && g < spec->groups; g++)
        winograd_pack(shape, backward, (float *)weights->data + g * each,
                      (char *)weights->packed + g * size);
    return e;
}

int cpu_winograd_run(struct device *device, const struct conv_spec *spec,
                     const struct winograd_shape *shape, struct range range, const struct tensor *x,
                     const char *packed, const float *bias, const struct tensor *y, unsigned flags,
                     struct error *err)
{
    const uint16_t *from = (const void *)cpu_images(x, range);
    uint16_t *to = (void *)cpu_images(y, range);
    void *memory = NULL;
    int e = cpu_scratch(device, range.worker, SCRATCH_KERNEL, winograd_scratch_size(shape), &memory,
                        err);
    for (size_t g = 0; !e && g < spec->groups; g++)
        winograd_run(shape, range.count, from + g * shape->in * x->pixels,
                     packed + g * winograd_weights_size(shape), bias ? bias + g * shape->out : NULL,
                     to + g * shape->out * y->pixels, flags & CONV_ADD, flags & CONV_RELU, memory);
    return e;
}
