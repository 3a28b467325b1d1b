/* What a pass begins and ends with: its state, the crops, and the update of all parameters. */
#include "kernels/backends/cuda/device_code.h"

/* ---- state ---- */

struct set_pass_work {
    struct pass_state *state, values;
};

KERNEL void set_pass(struct set_pass_work w)
{
    if (thread_index() == 0)
        *w.state = w.values;
}

cudaError_t launch_set_pass(struct pass_state *state, const struct pass_state *values,
                            cudaStream_t stream)
{
    const struct launch_shape shape = {"set_pass", dim3(1), false};
    return launch(shape, set_pass, stream, {state, *values});
}

/* ---- crops ---- */

struct crop_work {
    const struct pass_state *state;
    void *images;
    uint32_t n, size;
};

/* W pixels of a row for each thread. */
template <typename T, int W> KERNEL void crop_images(struct crop_work w)
{
    const size_t i = (size_t)block_index().x * THREADS + thread_index();
    const uint32_t parts = w.size / W; /* of a row */
    if (i >= (size_t)w.n * w.size * parts)
        return;
    const uint32_t x = (uint32_t)(i % parts) * W, y = (uint32_t)(i / parts % w.size);
    const uint32_t image = (uint32_t)(i / parts / w.size);
    const struct pass_state &state = *w.state;
    const struct crop from = state.crops[state.first + image];
    const uint8_t *line =
        state.pixels + ((size_t)from.image * state.size + from.top + y) * state.size + from.left;
    float v[W];
#pragma unroll
    for (int k = 0; k < W; k++)
        v[k] = state.levels[line[from.mirror ? w.size - 1 - (x + k) : x + k]];
    count_traffic(W, 0);
    store<T, W>(w.images, ((size_t)image * w.size + y) * w.size + x, v);
}

cudaError_t launch_crop(const struct pass_state *state, size_t n, size_t size, void *images,
                        enum value_type type, cudaStream_t stream)
{
    static const struct variants<struct crop_work> kernels = {
        crop_images<bf16, 8>, crop_images<bf16, 4>, crop_images<bf16, 1>, crop_images<float, 4>,
            crop_images<float, 1>
    };
    const size_t threads = n * size * (size / vector_width(type, size));
    const struct launch_shape shape = {"crop", dim3((unsigned)((threads + THREADS - 1) / THREADS)),
                                       false};
    if (threads / THREADS >= INT32_MAX)
        return cudaErrorInvalidValue;
    return launch(shape, variant(kernels, type, size), stream,
                  {state, images, (uint32_t)n, (uint32_t)size});
}

/* ---- update of parameters ---- */

struct sgd_work {
    const struct pass_state *state;
    const struct sgd_entry *entries;
    const struct sgd_part *parts;
};

/* A step of one value. NaN in the gradient stays NaN. */
static inline __device__ void update_value(const struct pass_state &s, float &w, float &v, float g)
{
    if (s.clip > 0) {
        g = g > s.clip ? s.clip : g;
        g = g < -s.clip ? -s.clip : g;
    }
    g = fmaf(s.weight_decay, w, g);
    v = fmaf(s.momentum, v, g);
    w = fmaf(-s.lr, v, w);
}

/* W values from index `first` on. */
template <typename G, int W>
static inline __device__ void update_values(const struct pass_state &s, const struct sgd_entry &e,
                                            size_t first)
{
    const packed<float, W> packed_w = load<float, W>(e.value, first);
    const packed<float, W> packed_v = load<float, W>(e.momentum, first);
    const packed<G, W> packed_g = load<G, W>(e.gradient, first);
    float w[W], v[W], g[W];
    unpack(packed_w, w);
    unpack(packed_v, v);
    unpack(packed_g, g);
#pragma unroll
    for (int i = 0; i < W; i++)
        update_value(s, w[i], v[i], g[i]);
    store<float, W>(e.value, first, w);
    store<float, W>(e.momentum, first, v);
    if (e.copy)
        store<bf16, W>(e.copy, first, w);
}

template <typename G>
static inline __device__ void update_part(const struct pass_state &s, const struct sgd_entry &e,
                                          uint32_t begin)
{
    const size_t left = e.count - begin;
    const uint32_t count = left < SGD_PART_VALUES ? (uint32_t)left : (uint32_t)SGD_PART_VALUES;
    for (uint32_t i = thread_index() * 4; i < count; i += THREADS * 4) {
        if (i + 4 <= count)
            update_values<G, 4>(s, e, begin + i);
        else
            for (uint32_t k = i; k < count; k++)
                update_values<G, 1>(s, e, begin + k);
    }
}

KERNEL void update(struct sgd_work w)
{
    const struct sgd_part part = w.parts[block_index().x];
    const struct sgd_entry entry = w.entries[part.entry];
    const struct pass_state state = *w.state;
    if (entry.gradient_type == VALUE_BF16)
        update_part<bf16>(state, entry, part.first);
    else
        update_part<float>(state, entry, part.first);
}

cudaError_t launch_sgd(const struct pass_state *state, const struct sgd_entry *entries,
                       const struct sgd_part *parts, size_t part_count, cudaStream_t stream)
{
    const struct launch_shape shape = {"sgd", dim3((unsigned)part_count), false};
    if (part_count > INT32_MAX)
        return cudaErrorInvalidValue;
    return launch(shape, update, stream, {state, entries, parts});
}
