/* A net: creation, and access to its parameters. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "kernels/nets/net_internal.h"

static int check(const struct net_spec *s, struct error *err)
{
    if ((unsigned)s->model >= NET_MODELS)
        return error_set(err, EINVAL, "unknown model %d", (int)s->model);
    const struct {
        const char *name;
        int value, min, max;
    } ranges[] = {
        {"width", s->width, 1, 512},           {"classes", s->classes, 2, 256},
        {"image_size", s->image_size, 32, 64}, {"batch", s->batch, 1, 65536},
        {"threads", s->threads, 1, 1024},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].value < ranges[i].min || ranges[i].value > ranges[i].max)
            return error_set(err, EINVAL, "%s must be %d to %d, not %d", ranges[i].name,
                             ranges[i].min, ranges[i].max, ranges[i].value);
    return 0;
}

static struct shape shape_of(const struct parameter *p)
{
    switch (p->dims) {
    case 4:
        return (struct shape){p->shape[0], p->shape[1], p->shape[2], p->shape[3]};
    case 2:
        return (struct shape){p->shape[0], p->shape[1], 1, 1};
    case 1:
        return (struct shape){1, p->shape[0], 1, 1};
    default:
        return (struct shape){1, 1, 1, 1};
    }
}

static int make_plain(struct net *net, struct shape shape, struct tensor **t, struct error *err)
{
    return net->backend->tensor(net->device, TENSOR_PLAIN, shape, t, err);
}

static int make_params(struct net *net, struct error *err)
{
    for (int i = 0; i < net->program.param_count; i++) {
        const struct parameter *p = &net->program.params[i];
        struct net_param_state *s = &net->params[i];
        struct shape shape = shape_of(p);
        s->public = (struct net_param){
            .name = p->name, .dims = p->dims, .count = 1, .trainable = p->trainable};
        for (size_t d = 0; d < p->dims; d++) {
            s->public.shape[d] = p->shape[d];
            s->public.count *= p->shape[d];
        }
        s->slices = shape.n;
        if (p->dims == 0)
            continue;
        int e = make_plain(net, shape, &s->value, err);
        if (!e && p->trainable && net->spec.training)
            e = make_plain(net, shape, &s->gradient, err);
        if (!e && p->trainable && net->spec.training)
            e = make_plain(net, shape, &s->momentum, err);
        if (e)
            return e;
        if (s->momentum)
            net->updates[net->update_count++] =
                (struct parameter_update){s->value, s->gradient, s->momentum};
    }
    return 0;
}

static int make_conv(struct net *net, int i, struct error *err)
{
    const struct op *op = &net->program.ops[i];
    const struct value_shape *in = &net->program.values[op->in],
                             *out = &net->program.values[op->out];
    struct conv_spec spec = {
        .in = in->channels,
        .out = out->channels,
        .kernel = op->kernel,
        .stride = op->stride,
        .pad = op->pad,
        .groups = op->groups,
        .height = in->height,
        .width = in->width,
        .image = op->in == 0,
    };
    int e = net->backend->conv(net->device, &spec, &net->steps[i].conv, err);
    if (!e && net->steps[i].fused_norm) {
        e = net->backend->tensor(net->device, TENSOR_TRANSIENT,
                                 shape_of(&net->program.params[op->param]), &net->steps[i].weights,
                                 err);
        if (!e)
            e = make_plain(net, (struct shape){1, out->channels, 1, 1}, &net->steps[i].bias, err);
    }
    return e;
}

static int make_norm(struct net *net, int i, struct error *err)
{
    const struct op *op = &net->program.ops[i];
    const struct net_param_state *p = &net->params[op->param];
    struct norm *norm = &net->steps[i].norm;
    struct shape shape = {1, net->program.values[op->in].channels, 1, 1};
    *norm = (struct norm){
        .gamma = p[0].value,
        .beta = p[1].value,
        .running_mean = p[2].value,
        .running_var = p[3].value,
        .gamma_gradient = p[0].gradient,
        .beta_gradient = p[1].gradient,
        .epsilon = 1e-5,
        .momentum = 0.1,
        .relu = op->relu,
    };
    int e = make_plain(net, shape, &norm->mean, err);
    return e ? e : make_plain(net, shape, &norm->inverse, err);
}

/* Whether operation i is the last that reads a value, so that its output may overwrite the value.
 */
static bool is_last_reader(const struct program *p, int i, int value)
{
    bool last = value > 0;
    for (int j = i + 1; j < p->op_count; j++)
        last = last && p->ops[j].in != value && p->ops[j].with != value;
    return last;
}

/* Finds convolutions that can do the next operation too in evaluation: no other operation reads
 * their output, and they can add it in place to the residual or summand. Also counts the readers of
 * each value. */
static void find_fusions(struct net *net)
{
    const struct program *p = &net->program;
    for (int i = 0; i < p->op_count; i++) {
        net->uses[p->ops[i].in]++;
        if (p->ops[i].with >= 0)
            net->uses[p->ops[i].with]++;
    }
    for (int i = 0; net->traits.folds_norms && i + 1 < p->op_count; i++) {
        const struct op *op = &p->ops[i], *next = &p->ops[i + 1];
        if (op->kind != OP_CONV || next->in != op->out || net->uses[op->out] != 1)
            continue;
        if (next->with >= 0 && !is_last_reader(p, i + 1, next->with))
            continue;
        net->steps[i].fused_norm = next->kind == OP_NORM;
        net->steps[i].fused_add = next->kind == OP_ADD;
    }
}

/* Creates the tensors of input, features and logits. The plan or buffers have the other values. */
static int make_values(struct net *net, struct error *err)
{
    const struct program *p = &net->program;
    const struct value_shape *image = &p->values[0];
    size_t batch = (size_t)net->spec.batch;
    struct shape shape = {batch, image->channels, image->height, image->width};
    struct shape features = {batch, p->values[p->features].channels, 1, 1};
    struct shape logits = {batch, p->values[p->logits].channels, 1, 1};
    int e = net->backend->tensor(net->device, TENSOR_IMAGE, shape, &net->values[0], err);
    if (!e)
        e = make_plain(net, features, &net->values[p->features], err);
    if (!e)
        e = make_plain(net, logits, &net->values[p->logits], err);
    if (!e && net->spec.training)
        e = make_plain(net, features, &net->features_gradient, err);
    if (!e && net->spec.training)
        e = make_plain(net, logits, &net->logits_gradient, err);
    return e;
}

int net_create(struct net **net, const struct net_spec *spec, struct error *err)
{
    return net_create_with(net, spec, NULL, err);
}

int net_create_with(struct net **net, const struct net_spec *spec,
                    const struct device_traits *traits, struct error *err)
{
    int e = check(spec, err);
    const struct backend *backend = e ? NULL : backend_find(spec->backend, err);
    if (!backend)
        return -EINVAL;
    struct net *n = calloc(1, sizeof *n);
    if (!n)
        return error_set(err, ENOMEM, "out of memory");
    n->spec = *spec;
    n->spec.engines = NULL; /* the caller's, and the device copies them */
    n->backend = backend;
    program_build(&n->program, spec->model, (size_t)spec->width, (size_t)spec->classes,
                  (size_t)spec->image_size);
    e = backend->open(&n->device, &n->traits, spec->threads, spec->precision, err);
    if (!e && backend->use_engines && (spec->engines || spec->times_engines))
        e = backend->use_engines(n->device, spec->times_engines ? NULL : spec->engines, err);
    if (!e) {
        n->traits = traits ? *traits : n->traits;
        find_fusions(n);
        e = make_params(n, err);
    }
    for (int i = 0; !e && i < n->program.op_count; i++) {
        if (n->program.ops[i].kind == OP_CONV)
            e = make_conv(n, i, err);
        if (n->program.ops[i].kind == OP_NORM)
            e = make_norm(n, i, err);
    }
    if (!e)
        e = make_values(n, err);
    if (!e && spec->training)
        e = net_make_plan(n, err);
    if (!e)
        e = net_init(n, 0, err);
    if (e) {
        net_free(n);
        return e;
    }
    *net = n;
    return 0;
}

void net_free(struct net *net)
{
    if (!net)
        return;
    while (net->buffers) {
        struct buffer *b = net->buffers;
        net->buffers = b->next;
        free(b);
    }
    free(net->plan.slots[0].tensors);
    if (net->device)
        net->backend->close(net->device);
    free(net);
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* Sets the initial values of parameter i, as in PyTorch: He-normal (fan-out) for convolutions;
 * uniform in ±1/sqrt(features) for weight and bias of the linear layer; the identity for norms. */
static void initial_values(const struct net *net, size_t i, uint64_t seed, float *values)
{
    const struct net_param *p = &net->params[i].public;
    struct random r = random_start(seed, i);
    const struct op *last = &net->program.ops[net->program.op_count - 1];
    if (p->dims == 4) {
        double deviation = sqrt(2.0 / (double)(p->shape[0] * p->shape[2] * p->shape[3]));
        for (size_t k = 0; k < p->count; k++)
            values[k] = (float)(deviation * random_normal(&r));
    } else if ((int)i >= last->param) {
        double bound = 1 / sqrt((double)net_features(net));
        for (size_t k = 0; k < p->count; k++)
            values[k] = (float)(bound * (2 * random_unit(&r) - 1));
    } else {
        float one = ends_with(p->name, ".running_var") || ends_with(p->name, ".weight");
        for (size_t k = 0; k < p->count; k++)
            values[k] = one;
    }
}

int net_init(struct net *net, uint64_t seed, struct error *err)
{
    int e = 0;
    for (int i = 0; !e && i < net->program.param_count; i++) {
        const struct net_param *p = &net->params[i].public;
        float *values = calloc(p->count, sizeof *values);
        if (!values)
            return error_set(err, ENOMEM, "out of memory");
        if (net->params[i].momentum)
            e = net_set_momentum(net, (size_t)i, values, err);
        initial_values(net, (size_t)i, seed, values);
        if (!e)
            e = net_set(net, (size_t)i, values, err);
        free(values);
    }
    return e;
}

size_t net_param_count(const struct net *net)
{
    return (size_t)net->program.param_count;
}

const struct net_param *net_param(const struct net *net, size_t i)
{
    return &net->params[i].public;
}

int net_get(struct net *net, size_t i, float *values, struct error *err)
{
    if (net->params[i].public.dims == 0) {
        *values = net->params[i].batches;
        return 0;
    }
    return net->backend->read(net->device, net->params[i].value, values, net->params[i].slices,
                              err);
}

int net_set(struct net *net, size_t i, const float *values, struct error *err)
{
    net->folded = false;
    if (net->params[i].public.dims == 0) {
        net->params[i].batches = *values;
        return 0;
    }
    return net->backend->write(net->device, net->params[i].value, values, net->params[i].slices,
                               err);
}

static int need_training(const struct net *net, size_t i, struct error *err)
{
    if (!net->spec.training || !net->params[i].public.trainable)
        return error_set(err, EINVAL, "%s has no gradient: %s", net->params[i].public.name,
                         net->spec.training ? "it isn't trainable" : "the net isn't for training");
    return 0;
}

int net_get_momentum(struct net *net, size_t i, float *values, struct error *err)
{
    int e = need_training(net, i, err);
    return e ? e
             : net->backend->read(net->device, net->params[i].momentum, values,
                                  net->params[i].slices, err);
}

int net_set_momentum(struct net *net, size_t i, const float *values, struct error *err)
{
    int e = need_training(net, i, err);
    return e ? e
             : net->backend->write(net->device, net->params[i].momentum, values,
                                   net->params[i].slices, err);
}

int net_get_gradient(struct net *net, size_t i, float *values, struct error *err)
{
    int e = need_training(net, i, err);
    return e ? e
             : net->backend->read(net->device, net->params[i].gradient, values,
                                  net->params[i].slices, err);
}

int net_add_images(struct net *net, const struct image_source *source, struct net_images *images,
                   struct error *err)
{
    if (source->size < (size_t)net->spec.image_size)
        return error_set(err, EINVAL, "images of size %zu: the net takes %d", source->size,
                         net->spec.image_size);
    *images = (struct net_images){NULL, source->n, source->size};
    return net->backend->image_set(net->device, source, &images->set, err);
}

size_t net_features(const struct net *net)
{
    return net->program.values[net->program.features].channels;
}

double net_flops(const struct net *net)
{
    return program_flops(&net->program);
}

double net_spec_flops(const struct net_spec *spec)
{
    struct program program;
    program_build(&program, spec->model, (size_t)spec->width, (size_t)spec->classes,
                  (size_t)spec->image_size);
    return program_flops(&program);
}

const char *net_backend(const struct net *net)
{
    return net->backend->name;
}

bool net_has_engines(const struct net *net)
{
    return net->backend->engines != NULL;
}

int net_engines(struct net *net, struct engine_choice **choices, size_t *count, struct error *err)
{
    *choices = NULL;
    *count = 0;
    return net_has_engines(net) ? net->backend->engines(net->device, choices, count, err) : 0;
}

enum precision net_precision(const struct net *net)
{
    return net->traits.precision;
}

int net_numerics(const char *backend, char *text, size_t size, struct error *err)
{
    char features[256];
    const struct backend *b = backend_find(backend, err);
    if (!b)
        return -EINVAL;
    int e = b->numerics(features, sizeof features, err);
    if (e)
        return e;
    int n = snprintf(text, size, *features ? "%s %s" : "%s", b->name, features);
    return n < 0 || (size_t)n >= size ? error_set(err, ENOSPC, "the numerics don't fit") : 0;
}
