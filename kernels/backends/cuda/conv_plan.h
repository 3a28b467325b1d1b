/* Execution plans of convolutions by cuDNN's graph API. Activations are NHWC, weights (out, height,
 * width, in / groups), in float32 or bf16; sums are in float32. The gradient of the weights has the
 * type of the activations.
 *
 * Engines: the first of cuDNN's heuristics, mode A, then of its fallback list, that
 * - is deterministic and has sums in float32;
 * - has a workspace of at most CONV_PLAN_WORKSPACE;
 * - in bf16: uses tensor cores, if there is such an engine;
 * - in float32: uses neither tensor cores nor inputs of lower precision (float32 proper, no TF32);
 * - isn't compiled at run time, which takes seconds, if there is one that isn't.
 * A grouped convolution without an engine that uses tensor cores is split into one convolution for
 * each group, on channel-strided parts of the tensors, if that has one. Nothing is measured: the
 * choice depends on cuDNN's version, the device and the problem. (engines.c measures the other
 * engines that fit, if it is asked to.) An engine that cuDNN refuses is passed over; but where the
 * machine fails (out of memory, the driver), so does the call.
 *
 * A plan takes some milliseconds to build. cuDNN may load kernels meanwhile, so plans must not be
 * built, and not be run for the first time, while a stream is being captured; later runs may be
 * captured. */
#ifndef FERDAG_KERNELS_BACKENDS_CUDA_CONV_PLAN_H
#define FERDAG_KERNELS_BACKENDS_CUDA_CONV_PLAN_H

#include "kernels/backends/backend.h"
#include "kernels/backends/cuda/cudnn.h"
#include "kernels/backends/cuda/kernels.h"

#define CONV_PLAN_WORKSPACE ((size_t)256 << 20) /* bytes at most */

enum conv_direction {
    CONV_FORWARD,         /* y = conv(x, weights) */
    CONV_INPUT_GRADIENT,  /* dx from dy and weights */
    CONV_WEIGHT_GRADIENT, /* dweights from x and dy */
    CONV_DIRECTIONS
};

/* What a plan is for. */
struct conv_problem {
    struct conv_spec spec;
    size_t n; /* images */
    enum value_type type;
    enum conv_direction direction;
};

enum { CONV_NAME_SIZE = 256 };

/* Writes a text that identifies a problem: "convolution 64 -> 64, 3x3, stride 1 ...". */
void conv_problem_name(const struct conv_problem *problem, char *text, size_t size);

/* A device for which cuDNN builds plans: one of this machine, or one that a text describes. */
struct conv_target {
    cudnnBackendDescriptor_t properties;
};

/* Makes a target of the CUDA device that is current for the calling thread. */
int conv_target_current(const struct cudnn *cudnn, struct conv_target *target, struct error *err);

/* Makes a target of a device that this machine needn't have, from the JSON text in which cuDNN
 * describes a device. */
int conv_target_json(const struct cudnn *cudnn, const char *json, struct conv_target *target,
                     struct error *err);
void conv_target_free(const struct cudnn *cudnn, struct conv_target *target);

/* Writes cuDNN's JSON text of a target. Returns 0, or a negative code with err filled in. */
int conv_target_text(const struct cudnn *cudnn, const struct conv_target *target, char *text,
                     size_t size, struct error *err);

/* Writes the name of a target for messages, "NVIDIA H200 (sm_90)". */
void conv_target_name(const struct cudnn *cudnn, const struct conv_target *target, char *text,
                      size_t size);

/* The chosen engine, for tables and tests. */
struct conv_engine {
    int64_t id;       /* cuDNN's global index */
    size_t workspace; /* bytes */
    bool tensor_cores;
    bool down_converts; /* inputs, such as float32 to TF32 */
    bool deterministic; /* always true */
    bool compiled;      /* at run time */
    bool fallback;      /* from the fallback list */
    size_t index;       /* its place in that list, or in the list of mode A, from 0 */
    bool transforms;    /* Winograd or FFT: larger rounding errors than the plain sums */
    size_t parts;       /* 1, or the number of groups if the convolution is split */
};

struct conv_plan;

/* Builds a plan. Returns 0, or a negative code with err filled in: -ENOTSUP if no engine fits. The
 * caller frees the plan. */
int conv_plan_build(const struct cudnn *cudnn, const struct conv_target *target,
                    const struct conv_problem *problem, struct conv_plan **plan, struct error *err);
void conv_plan_free(struct conv_plan *plan); /* NULL is allowed */

/* As conv_plan_build, with the engine that follows `engine`, that of an earlier plan for the same
 * problem, among those that fit as well as the first. *plan is NULL if no engine follows. */
int conv_plan_build_next(const struct cudnn *cudnn, const struct conv_target *target,
                         const struct conv_problem *problem, const struct conv_engine *engine,
                         struct conv_plan **plan, struct error *err);

/* As conv_plan_build, with an engine that an earlier process chose: its list, index, id and parts
 * must be the same. -ENOENT if cuDNN's list has no such engine there, or it doesn't fit. */
int conv_plan_build_listed(const struct cudnn *cudnn, const struct conv_target *target,
                           const struct conv_problem *problem, const struct conv_engine *engine,
                           struct conv_plan **plan, struct error *err);

struct conv_engine conv_plan_engine(const struct conv_plan *plan);

/* Queues a plan on the stream of the handle. x, weights, y: device memory of the input (or its
 * gradient), weights (or their gradient), and output (or its gradient); which of them is written
 * depends on the direction; it is overwritten. Each is aligned to 16 bytes. workspace, aligned too,
 * has at least conv_plan_engine().workspace bytes; it may be NULL if that is 0. Returns 0, or a
 * negative code with err filled in. */
int conv_plan_run(const struct conv_plan *plan, cudnnHandle_t handle, void *x, void *weights,
                  void *y, void *workspace, struct error *err);

#endif
