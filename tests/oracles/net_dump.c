/* Runs one small training step and a prediction, and writes the inputs and the results for nets.py:
 * float32 into a file, one line "name shape..." for each array on stdout. Among the results is the
 * output of each ReLU in the training step, which shows which of its units were open.
 * Starts from weights drawn from the seed, or from those that train_cnn wrote. The seed also draws
 * the images.
 * Usage: net_dump model width fp32|bf16 seed file [weights.safetensors]
 * Exit status: 0, 1 after an error, 2 for a wrong usage, 77 if this CPU lacks the precision. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "kernels/nets/net_internal.h"
#include "stages/cnn/weights.h"

enum { BATCH = 8, CLASSES = 7, SIZE = 40, SKIPPED = 77 };

/* ---- outputs of ReLUs ---- */

/* The net's own backend, but for norm_forward, which also writes the output of each norm with a
 * ReLU, by operation, into a tensor for the whole batch. A plan keeps these outputs for a few
 * images at a time only. Static, because a backend's functions get no pointer of the caller's. */
static struct {
    struct backend backend;
    const struct backend *inner;
    const struct net *net;
    struct tensor *outputs[NETS_MAX_OPS];
} recorder;

static struct tensor *output_of(const struct norm *norm)
{
    for (int i = 0; i < recorder.net->program.op_count; i++)
        if (&recorder.net->steps[i].norm == norm)
            return recorder.outputs[i];
    return NULL;
}

static int record_norm(struct device *device, const struct norm *norm, struct range range,
                       const struct tensor *x, const struct tensor *residual, struct tensor *y,
                       bool training, struct error *err)
{
    struct tensor *output = training ? output_of(norm) : NULL;
    int e = 0;
    if (output) /* before y is written, which may be the residual */
        e = recorder.inner->norm_forward(device, norm, range, x, residual, output, true, err);
    return e ? e : recorder.inner->norm_forward(device, norm, range, x, residual, y, training, err);
}

static struct shape shape_of(const struct net *net, int op)
{
    const struct value_shape *e = &net->program.values[net->program.ops[op].out];
    return (struct shape){BATCH, e->channels, e->height, e->width};
}

static int start_recording(struct net *net, struct error *err)
{
    int e = 0;
    recorder.net = net;
    recorder.inner = net->backend;
    recorder.backend = *net->backend;
    recorder.backend.norm_forward = record_norm;
    for (int i = 0; e == 0 && i < net->program.op_count; i++)
        if (net->program.ops[i].kind == OP_NORM && net->program.ops[i].relu)
            e = net->backend->tensor(net->device, TENSOR_ACTIVATION, shape_of(net, i),
                                     &recorder.outputs[i], err);
    net->backend = &recorder.backend;
    return e;
}

/* ---- writing ---- */

static int put(FILE *f, const char *prefix, const struct net_param *p, const float *values)
{
    printf("%s%s", prefix, p->name);
    for (size_t d = 0; d < p->dims; d++)
        printf(" %zu", p->shape[d]);
    printf("\n");
    return fwrite(values, sizeof *values, p->count, f) == p->count ? 0 : -1;
}

static int put_params(FILE *f, struct net *net, const char *prefix, bool gradient,
                      struct error *err)
{
    int e = 0;
    for (size_t i = 0; e == 0 && i < net_param_count(net); i++) {
        const struct net_param *p = net_param(net, i);
        if (gradient && !p->trainable)
            continue;
        float *values = calloc(p->count, sizeof *values);
        if (!values)
            return -1;
        e = gradient ? net_get_gradient(net, i, values, err) : net_get(net, i, values, err);
        if (e == 0)
            e = put(f, prefix, p, values);
        free(values);
    }
    return e;
}

/* The outputs of the ReLUs, in the order of the program; named after the norms before them. */
static int put_outputs(FILE *f, struct net *net, struct error *err)
{
    int e = 0;
    for (int i = 0; e == 0 && i < net->program.op_count; i++) {
        if (!recorder.outputs[i])
            continue;
        struct shape s = shape_of(net, i);
        struct net_param p = {.name = net->program.params[net->program.ops[i].param].name,
                              .dims = 4,
                              .shape = {s.n, s.c, s.h, s.w},
                              .count = s.n * s.c * s.h * s.w};
        float *values = calloc(p.count, sizeof *values);
        if (!values)
            return -1;
        e = net->backend->read(net->device, recorder.outputs[i], values, s.n, err);
        if (e == 0)
            e = put(f, "relu.", &p, values);
        free(values);
    }
    return e;
}

/* ---- the step ---- */

static int run(FILE *f, struct net *net, uint64_t seed, struct error *err)
{
    static uint8_t pixels[BATCH * SIZE * SIZE];
    static float levels[256], images[BATCH * SIZE * SIZE], logits[BATCH * CLASSES];
    static float features[BATCH * 16 * 512], wide[BATCH];
    static struct crop crops[BATCH];
    static uint8_t labels[BATCH];
    const struct image_source source = {pixels, BATCH, SIZE, levels};
    struct net_images set;
    const struct net_step step = {
        .sgd = {.lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4, .clip = 0.1},
        .label_smoothing = 0.1};
    struct random r = random_start(seed, NETS_MAX_PARAMS); /* apart from weights */
    struct loss_sums sums = {0};
    for (int i = 0; i < 256; i++) /* -4 to 4 deviations */
        levels[i] = (float)(i - 128) / 32;
    for (size_t i = 0; i < sizeof pixels; i++) {
        double level = round(128 + 32 * random_normal(&r));
        pixels[i] = (uint8_t)fmax(0, fmin(255, level));
        images[i] = levels[pixels[i]];
    }
    for (size_t i = 0; i < BATCH; i++) {
        crops[i].image = (uint32_t)i;
        wide[i] = labels[i] = (uint8_t)random_below(&r, CLASSES);
    }
    int e = put_params(f, net, "start.", false, err);
    if (e == 0)
        e = net_add_images(net, &source, &set, err);
    if (e == 0)
        e = net_queue(net, &set, crops, labels, BATCH, err);
    if (e == 0)
        e = net_train_step(net, 0, BATCH, &step, err);
    if (e == 0)
        e = net_loss_sums(net, &sums, NULL, err);
    if (e == 0)
        e = put_params(f, net, "gradient.", true, err);
    if (e == 0)
        e = put_params(f, net, "after.", false, err);
    if (e == 0)
        e = put_outputs(f, net, err);
    if (e == 0)
        e = net_predict(net, 0, BATCH, logits, features, err);
    float narrow = (float)(sums.loss / BATCH);
    size_t d = net_features(net);
    const struct {
        struct net_param p;
        const float *values;
    } rest[] = {
        {{"images", 4, {BATCH, 1, SIZE, SIZE}, BATCH * SIZE * SIZE, false}, images},
        {{"labels", 1, {BATCH}, BATCH, false}, wide},
        {{"loss", 0, {0}, 1, false}, &narrow},
        {{"logits", 2, {BATCH, CLASSES}, BATCH * CLASSES, false}, logits},
        {{"features", 2, {BATCH, d}, BATCH * d, false}, features},
    };
    for (size_t i = 0; e == 0 && i < sizeof rest / sizeof *rest; i++)
        e = put(f, "", &rest[i].p, rest[i].values);
    return e;
}

static int load(struct net *net, const char *path, struct error *err)
{
    struct safetensors s;
    struct weights_notes notes;
    int e = weights_open(path, &s, &notes, err);
    if (e < 0)
        return e;
    e = weights_load(net, &s, err);
    safetensors_free(&s);
    return e;
}

int main(int argc, char **argv)
{
    struct error err = {""};
    struct net *net = NULL;
    if (argc != 6 && argc != 7)
        return 2;
    const struct net_spec spec = {.model = net_model_find(argv[1]),
                                  .width = atoi(argv[2]),
                                  .classes = CLASSES,
                                  .image_size = SIZE,
                                  .batch = BATCH,
                                  .training = true,
                                  .precision = strcmp(argv[3], "bf16") == 0 ? PRECISION_BF16
                                                                            : PRECISION_FP32,
                                  .backend = "cpu",
                                  .threads = 1};
    uint64_t seed = strtoull(argv[4], NULL, 10);
    int e = net_create(&net, &spec, &err);
    if (e == 0 && net_precision(net) != spec.precision) {
        net_free(net);
        fprintf(stderr, "skipped: this CPU has no bf16 instructions\n");
        return SKIPPED;
    }
    FILE *f = e == 0 ? fopen(argv[5], "wb") : NULL;
    if (e == 0)
        e = f ? start_recording(net, &err) : -1;
    if (e == 0)
        e = argc == 7 ? load(net, argv[6], &err) : net_init(net, seed, &err);
    if (e == 0)
        e = run(f, net, seed, &err);
    net_free(net);
    if (f && fclose(f) != 0)
        e = -1;
    if (e != 0)
        fprintf(stderr, "net_dump: %s\n", *err.text ? err.text : argv[5]);
    return e != 0;
}
