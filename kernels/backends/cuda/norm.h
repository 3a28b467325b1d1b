/* The formula of batch norm, for the kernels of norm.cu and norm_backward.cu. The backward pass
 * computes the sign of y again, so it must get the same bits as the forward pass. */
#ifndef FERDAG_KERNELS_BACKENDS_CUDA_NORM_H
#define FERDAG_KERNELS_BACKENDS_CUDA_NORM_H

#include "kernels/backends/cuda/sums.h"

/* What a thread keeps of its channels. */
template <int W> struct norm_channels {
    float mean[W];  /* minus the bias of x */
    float scale[W]; /* gamma * inverse */
    float beta[W];
};

/* Reads the vectors of W channels: those of the batch in training, else the running ones. */
template <int W>
static inline __device__ void load_norm(struct norm_channels<W> &channels,
                                        const struct norm_vectors &norm, const float *bias,
                                        uint32_t channel, bool training)
{
    float added[W];
    load_channels(norm.gamma, channel, channels.scale);
    load_channels(norm.beta, channel, channels.beta);
    load_channels(training ? norm.mean : norm.running_mean, channel, channels.mean);
    load_channels(bias, channel, added);
#pragma unroll
    for (int i = 0; i < W; i++) {
        channels.mean[i] -= added[i];
        channels.scale[i] *= training ? norm.inverse[channel + i]
                                      : 1 / sqrtf(norm.running_var[channel + i] + norm.epsilon);
    }
}

/* The value of channel i after gamma and beta, before residual and ReLU. */
template <int W>
static inline __device__ float normal(const struct norm_channels<W> &channels, int i, float x)
{
    return fmaf(x - channels.mean[i], channels.scale[i], channels.beta[i]);
}

#endif
