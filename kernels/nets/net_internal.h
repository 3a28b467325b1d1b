/* The inside of a net. net.c, the public functions, stands on the others: step_plan.c (the plan of
 * a training step), memory_plan.c (its memory), train_step.c and evaluation.c (which run it), and
 * passes.c, what these two share. None of them calls net.c. */
#ifndef FERDAG_KERNELS_NETS_NET_INTERNAL_H
#define FERDAG_KERNELS_NETS_NET_INTERNAL_H

#include "kernels/backends/backend.h"
#include "kernels/nets/models.h"

struct net_param_state {
    struct net_param public;
    size_t slices; /* outermost size of its tensors */
    struct tensor *value, *gradient, *momentum;
    float batches; /* num_batches_tracked, which has no tensor */
};

/* Memory of an activation, taken and released during a pass. Never shared between workers: when one
 * has released it, another may be at an earlier instruction. */
struct buffer {
    int worker;
    struct tensor *tensor;
    struct value_shape extent;
    size_t batch;
    bool taken;
    struct buffer *next;
};

enum action {
    DO_CONV,
    DO_MOMENTS,
    DO_NORM,
    DO_ADD,
    DO_MAX_POOL,
    DO_AVERAGE_POOL,
    DO_CONV_BACKWARD,
    DO_NORM_SUMS,
    DO_NORM_BACKWARD,
    DO_MAX_POOL_BACKWARD,
    DO_AVERAGE_POOL_BACKWARD
};

/* Operands of an instruction, as backend.h calls them; ADD: IN_X + IN_WITH -> Y. */
enum { IN_X, IN_WITH, Y, DY, DY2, DRESIDUAL, DX_ADD, DX, OPERANDS };

enum { PLAN_MAX_INSTRUCTIONS = 8 * NETS_MAX_OPS, PLAN_MAX_SLOTS = 4 * NETS_MAX_OPS };

struct instruction {
    enum action action;
    int op;              /* -1: none */
    int slots[OPERANDS]; /* 0: none */
};

/* A value or gradient, and its tensors. */
struct slot {
    struct value_shape extent;
    int first, last;         /* instructions that use it */
    int segment;             /* of the first */
    bool whole;              /* used by several segments: holds the batch, not a range */
    struct tensor **tensors; /* one for each worker; all the same if whole */
};

/* Instructions that each worker runs range by range: all of them for its first `range` images, then
 * all of them for the next, and so on. */
struct segment {
    int first, end;
    size_t range;
};

/* The plan of a training step. Values that live over several segments lie in one tensor, where
 * those of disjoint lives share memory. */
struct step_plan {
    struct instruction instructions[PLAN_MAX_INSTRUCTIONS];
    struct slot slots[PLAN_MAX_SLOTS];
    struct segment segments[2 * NETS_MAX_OPS];
    int instruction_count, slot_count, segment_count;
    int forward; /* segments of the forward pass; the others are the backward pass */
};

/* State of an operation of the program. */
struct op_state {
    struct conv *conv;
    bool fused_norm, fused_add;    /* in evaluation it does the next operation too */
    struct tensor *weights, *bias; /* of a convolution with the next norm folded in */
    struct norm norm;
};

struct net {
    struct net_spec spec;
    const struct backend *backend;
    struct device *device;
    struct program program;
    struct net_param_state params[NETS_MAX_PARAMS];
    struct parameter_update updates[NETS_MAX_PARAMS]; /* of the trainable ones */
    size_t update_count;
    struct op_state steps[NETS_MAX_OPS];
    struct step_plan plan;                   /* of a training step */
    struct tensor *values[NETS_MAX_OPS + 1]; /* images, features, logits; the others are NULL */
    int uses[NETS_MAX_OPS + 1];              /* how many operations read a value */
    struct tensor *features_gradient, *logits_gradient;
    struct buffer *buffers;
    struct tensor *batches; /* memory of the values that live over segments; NULL: none */
    size_t batches_size;    /* its values */
    size_t batches_used;    /* of them, by buffers for evaluation */
    struct device_traits traits;
    bool folded;   /* the folded weights and biases are up to date */
    size_t queued; /* images in the queue */
    bool labelled; /* the queue has labels */
};

/* The images of a worker: `first` to `end` - 1 of n. */
struct share {
    size_t first, end;
};
struct share net_share(const struct net *net, size_t n, int worker);

/* Calls `work` for each worker with its number, on a thread of its own, and returns the failure of
 * the first worker that failed. */
int net_share_out(struct net *net, size_t n,
                  int (*work)(struct net *net, size_t n, int worker, int argument,
                              struct error *err),
                  int argument, struct error *err);

/* Prepares weights and norms in a pass over ranges of about n images. */
enum net_pass { NET_EVALUATION, NET_FORWARD, NET_BACKWARD };
int net_ready(struct net *net, size_t n, enum net_pass pass, struct error *err);

/* Frees the packed weights of training or, folded, of evaluation: they are never needed at the same
 * time. */
void net_release(struct net *net, bool training);

/* Begins a pass (backend.h) and, unless it is replayed, fills the tensor of the first convolution
 * with its images. The caller calls net_pass_end, unless this fails: -EINVAL if the queue lacks the
 * images, or the labels for a pass other than an evaluation. */
int net_pass_begin(struct net *net, const struct pass *pass, bool *replayed, struct error *err);

/* Ends a pass. `failed` is 0, or the error of an operation in it, which err describes. Returns that
 * error, or the device's own. */
int net_pass_end(struct net *net, int failed, struct error *err);

/* net_create with other traits than the device's own; workers and precision must be its own. */
int net_create_with(struct net **net, const struct net_spec *spec,
                    const struct device_traits *traits, struct error *err);

/* Makes the plan of a net for training, with its tensors. */
int net_make_plan(struct net *net, struct error *err);

/* Allocates tensors for all slots of the plan but the fixed ones, which have theirs. */
struct fixed {
    int slot;
    struct tensor *tensor;
};
int net_allocate_plan(struct net *net, const struct fixed *fixed, size_t count, struct error *err);

/* A free buffer of this size for a worker, made if need be; by one worker at a time. Once the plan
 * has its memory, buffers are for evaluation and lie in it while it has free memory: the two never
 * happen at the same time. */
int net_take_buffer(struct net *net, int worker, const struct value_shape *want, size_t batch,
                    struct buffer **buffer, struct error *err);

#endif
