/* The inside of a net, shared by net.c (what it is) and net_run.c (what it computes). */
#ifndef FERDAG_KERNELS_NET_RUN_H
#define FERDAG_KERNELS_NET_RUN_H

#include "kernels/backend.h"
#include "kernels/nets.h"

struct net_param_state {
    struct net_param public;
    size_t slices; /* outermost size of its tensors */
    struct tensor *value, *gradient, *momentum;
};

/* A scratch activation, taken and released as a pass goes on. */
struct buffer {
    struct tensor *tensor;
    struct extent extent;
    int holders; /* 0: free */
    struct buffer *next;
};

/* What an operation of the program keeps. */
struct step {
    struct conv *conv;
    bool fused_norm, fused_add;    /* in evaluation this convolution does the next operation */
    struct tensor *weights, *bias; /* of a convolution with the next norm folded in */
    struct norm norm;
};

struct net {
    struct net_spec spec;
    const struct backend *backend;
    struct device *device;
    struct program program;
    struct net_param_state params[NETS_MAX_PARAMS];
    struct step steps[NETS_MAX_OPS];
    struct tensor *values[NETS_MAX_OPS + 1]; /* of a training pass */
    int uses[NETS_MAX_OPS + 1];              /* how many operations read a value */
    struct tensor *features_gradient, *logits_gradient;
    struct buffer *buffers;
    bool folded; /* steps' weights and bias are those of the current parameters */
};

#endif
