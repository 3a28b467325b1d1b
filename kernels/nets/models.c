/* The four nets as tables of blocks, and the expansion of a block into operations. They are the
 * variants for small images, which agree with the paper's numbers.
 * Sources: Simonyan and Zisserman 2014 with batch norm; He et al. 2015 and 2016; Xie et al. 2016.
 * Names and order of parameters are those of the usual PyTorch models for CIFAR. */
#include "kernels/nets/models.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum block {
    VGG_CONV,   /* conv 3x3 with bias, norm, ReLU */
    VGG_POOL,   /* max-pool 2x2 */
    STEM,       /* conv, norm, ReLU */
    BARE_STEM,  /* conv */
    BASIC,      /* two convs 3x3, shortcut added before the last ReLU */
    PREACT,     /* norm and ReLU before each conv, shortcut added last */
    BOTTLENECK, /* 1x1, grouped 3x3, 1x1 with twice the channels */
    END
};

struct row {
    enum block block;
    size_t channels; /* in multiples of the net's width */
    size_t stride;   /* of the block; in a stem: kernel size */
    const char *name;
};

static const struct row vgg19[] = {
    {VGG_CONV, 1, 1, ""}, {VGG_CONV, 1, 1, ""},      {VGG_POOL, 0, 0, ""}, {VGG_CONV, 2, 1, ""},
    {VGG_CONV, 2, 1, ""}, {VGG_POOL, 0, 0, ""},      {VGG_CONV, 4, 1, ""}, {VGG_CONV, 4, 1, ""},
    {VGG_CONV, 4, 1, ""}, {VGG_CONV, 4, 1, ""},      {VGG_POOL, 0, 0, ""}, {VGG_CONV, 8, 1, ""},
    {VGG_CONV, 8, 1, ""}, {VGG_CONV, 8, 1, ""},      {VGG_CONV, 8, 1, ""}, {VGG_POOL, 0, 0, ""},
    {VGG_CONV, 8, 1, ""}, {VGG_CONV, 8, 1, ""},      {VGG_CONV, 8, 1, ""}, {VGG_CONV, 8, 1, ""},
    {VGG_POOL, 0, 0, ""}, {END, 0, 0, "classifier"},
};

static const struct row resnet18[] = {
    {STEM, 1, 3, ""},          {BASIC, 1, 1, "layer1.0"}, {BASIC, 1, 1, "layer1.1"},
    {BASIC, 2, 2, "layer2.0"}, {BASIC, 2, 1, "layer2.1"}, {BASIC, 4, 2, "layer3.0"},
    {BASIC, 4, 1, "layer3.1"}, {BASIC, 8, 2, "layer4.0"}, {BASIC, 8, 1, "layer4.1"},
    {END, 0, 0, "linear"},
};

static const struct row preact_resnet18[] = {
    {BARE_STEM, 1, 3, ""},      {PREACT, 1, 1, "layer1.0"}, {PREACT, 1, 1, "layer1.1"},
    {PREACT, 2, 2, "layer2.0"}, {PREACT, 2, 1, "layer2.1"}, {PREACT, 4, 2, "layer3.0"},
    {PREACT, 4, 1, "layer3.1"}, {PREACT, 8, 2, "layer4.0"}, {PREACT, 8, 1, "layer4.1"},
    {END, 0, 0, "linear"},
};

/* ResNeXt29 (2x64d): two groups of `width` channels in the first stage. `channels` are the channels
 * of the grouped convolution. */
static const struct row resnext29[] = {
    {STEM, 1, 1, ""},
    {BOTTLENECK, 2, 1, "layer1.0"},
    {BOTTLENECK, 2, 1, "layer1.1"},
    {BOTTLENECK, 2, 1, "layer1.2"},
    {BOTTLENECK, 4, 2, "layer2.0"},
    {BOTTLENECK, 4, 1, "layer2.1"},
    {BOTTLENECK, 4, 1, "layer2.2"},
    {BOTTLENECK, 8, 2, "layer3.0"},
    {BOTTLENECK, 8, 1, "layer3.1"},
    {BOTTLENECK, 8, 1, "layer3.2"},
    {END, 0, 0, "linear"},
};

static const struct row *const tables[NET_MODELS] = {
    [NET_VGG19] = vgg19,
    [NET_RESNET18] = resnet18,
    [NET_PREACT_RESNET18] = preact_resnet18,
    [NET_RESNEXT29] = resnext29,
};

enum { CARDINALITY = 2, EXPANSION = 2 };

/* The names of the nets are defined only here. */
#define VGG19           "vgg19"
#define RESNET18        "resnet18"
#define PREACT_RESNET18 "preact_resnet18"
#define RESNEXT29       "resnext29"

const char *const net_model_names[NET_MODELS] = {
    [NET_VGG19] = VGG19,
    [NET_RESNET18] = RESNET18,
    [NET_PREACT_RESNET18] = PREACT_RESNET18,
    [NET_RESNEXT29] = RESNEXT29,
};

const char net_model_choices[] = VGG19 "|" RESNET18 "|" PREACT_RESNET18 "|" RESNEXT29;

enum net_model net_model_find(const char *name)
{
    int i = 0;
    while (i < NET_MODELS && strcmp(name, net_model_names[i]) != 0)
        i++;
    return (enum net_model)i;
}

/* ---- parameters ---- */

static int add_param(struct program *p, bool trainable, size_t dims, const size_t *shape,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

static int add_param(struct program *p, bool trainable, size_t dims, const size_t *shape,
                     const char *format, ...)
{
    struct parameter *q = &p->params[p->param_count];
    va_list list;
    va_start(list, format);
    vsnprintf(q->name, sizeof q->name, format, list);
    va_end(list);
    q->dims = dims;
    q->trainable = trainable;
    for (size_t d = 0; d < dims; d++)
        q->shape[d] = shape[d];
    return p->param_count++;
}

static int conv_params(struct program *p, const char *prefix, const char *name, size_t in,
                       size_t out, size_t kernel, size_t groups, bool bias)
{
    const size_t shape[] = {out, in / groups, kernel, kernel};
    int first = add_param(p, true, 4, shape, "%s%s.weight", prefix, name);
    if (bias)
        add_param(p, true, 1, &out, "%s%s.bias", prefix, name);
    return first;
}

static int norm_params(struct program *p, const char *prefix, const char *name, size_t channels)
{
    int first = add_param(p, true, 1, &channels, "%s%s.weight", prefix, name);
    add_param(p, true, 1, &channels, "%s%s.bias", prefix, name);
    add_param(p, false, 1, &channels, "%s%s.running_mean", prefix, name);
    add_param(p, false, 1, &channels, "%s%s.running_var", prefix, name);
    add_param(p, false, 0, NULL, "%s%s.num_batches_tracked", prefix, name);
    return first;
}

/* ---- operations; each function returns the number of the value that the operation writes ---- */

static int add_op(struct program *p, struct op op, struct value_shape out)
{
    op.out = p->value_count++;
    p->values[op.out] = out;
    p->ops[p->op_count++] = op;
    return op.out;
}

static int conv(struct program *p, int in, int param, size_t stride, size_t groups, bool bias)
{
    const size_t *shape = p->params[param].shape;
    struct value_shape e = p->values[in];
    size_t kernel = shape[2], pad = kernel / 2;
    struct op op = {.kind = OP_CONV,
                    .in = in,
                    .with = -1,
                    .param = param,
                    .kernel = kernel,
                    .stride = stride,
                    .pad = pad,
                    .groups = groups,
                    .bias = bias};
    e.channels = shape[0];
    e.height = (e.height + 2 * pad - kernel) / stride + 1;
    e.width = (e.width + 2 * pad - kernel) / stride + 1;
    return add_op(p, op, e);
}

static int norm(struct program *p, int in, int residual, int param, bool relu)
{
    struct op op = {.kind = OP_NORM, .in = in, .with = residual, .param = param, .relu = relu};
    return add_op(p, op, p->values[in]);
}

/* ---- blocks; each function returns the number of the block's output ---- */

/* `position` is the index in PyTorch's nn.Sequential, which has entries for ReLU and pools too. */
static int vgg_conv(struct program *p, int x, size_t channels, int position)
{
    char name[16];
    snprintf(name, sizeof name, "%d", position);
    int c = conv_params(p, "features.", name, p->values[x].channels, channels, 3, 1, true);
    snprintf(name, sizeof name, "%d", position + 1);
    int n = norm_params(p, "features.", name, channels);
    return norm(p, conv(p, x, c, 1, 1, true), -1, n, true);
}

static int max_pool(struct program *p, int x)
{
    struct value_shape e = p->values[x];
    e.height /= 2;
    e.width /= 2;
    return add_op(p, (struct op){.kind = OP_MAX_POOL, .in = x, .with = -1, .param = -1}, e);
}

static int stem(struct program *p, int x, size_t channels, size_t kernel, bool bare)
{
    int c = conv_params(p, "", "conv1", p->values[x].channels, channels, kernel, 1, false);
    int y = conv(p, x, c, 1, 1, false);
    return bare ? y : norm(p, y, -1, norm_params(p, "", "bn1", channels), true);
}

static int basic(struct program *p, int x, size_t channels, size_t stride, const char *prefix)
{
    size_t in = p->values[x].channels;
    bool project = stride != 1 || in != channels;
    int c1 = conv_params(p, prefix, "conv1", in, channels, 3, 1, false);
    int n1 = norm_params(p, prefix, "bn1", channels);
    int c2 = conv_params(p, prefix, "conv2", channels, channels, 3, 1, false);
    int n2 = norm_params(p, prefix, "bn2", channels);
    int a = norm(p, conv(p, x, c1, stride, 1, false), -1, n1, true);
    int shortcut = x;
    if (project) {
        int cs = conv_params(p, prefix, "shortcut.0", in, channels, 1, 1, false);
        int ns = norm_params(p, prefix, "shortcut.1", channels);
        shortcut = norm(p, conv(p, x, cs, stride, 1, false), -1, ns, false);
    }
    return norm(p, conv(p, a, c2, 1, 1, false), shortcut, n2, true);
}

static int preact(struct program *p, int x, size_t channels, size_t stride, const char *prefix)
{
    size_t in = p->values[x].channels;
    bool project = stride != 1 || in != channels;
    int n1 = norm_params(p, prefix, "bn1", in);
    int c1 = conv_params(p, prefix, "conv1", in, channels, 3, 1, false);
    int n2 = norm_params(p, prefix, "bn2", channels);
    int c2 = conv_params(p, prefix, "conv2", channels, channels, 3, 1, false);
    int a = norm(p, x, -1, n1, true);
    int shortcut = x;
    if (project) {
        int cs = conv_params(p, prefix, "shortcut.0", in, channels, 1, 1, false);
        shortcut = conv(p, a, cs, stride, 1, false);
    }
    int b = norm(p, conv(p, a, c1, stride, 1, false), -1, n2, true);
    int y = conv(p, b, c2, 1, 1, false);
    struct op add = {.kind = OP_ADD, .in = y, .with = shortcut, .param = -1};
    return add_op(p, add, p->values[y]);
}

static int bottleneck(struct program *p, int x, size_t channels, size_t stride, const char *prefix)
{
    size_t in = p->values[x].channels, out = EXPANSION * channels;
    bool project = stride != 1 || in != out;
    int c1 = conv_params(p, prefix, "conv1", in, channels, 1, 1, false);
    int n1 = norm_params(p, prefix, "bn1", channels);
    int c2 = conv_params(p, prefix, "conv2", channels, channels, 3, CARDINALITY, false);
    int n2 = norm_params(p, prefix, "bn2", channels);
    int c3 = conv_params(p, prefix, "conv3", channels, out, 1, 1, false);
    int n3 = norm_params(p, prefix, "bn3", out);
    int a = norm(p, conv(p, x, c1, 1, 1, false), -1, n1, true);
    int b = norm(p, conv(p, a, c2, stride, CARDINALITY, false), -1, n2, true);
    int shortcut = x;
    if (project) {
        int cs = conv_params(p, prefix, "shortcut.0", in, out, 1, 1, false);
        int ns = norm_params(p, prefix, "shortcut.1", out);
        shortcut = norm(p, conv(p, x, cs, stride, 1, false), -1, ns, false);
    }
    return norm(p, conv(p, b, c3, 1, 1, false), shortcut, n3, true);
}

static void head(struct program *p, int x, size_t classes, const char *name)
{
    size_t channels = p->values[x].channels;
    const size_t shape[] = {classes, channels};
    struct op pool = {.kind = OP_AVERAGE_POOL, .in = x, .with = -1, .param = -1};
    p->features = add_op(p, pool, (struct value_shape){channels, 1, 1});
    struct op linear = {.kind = OP_LINEAR, .in = p->features, .with = -1};
    linear.param = add_param(p, true, 2, shape, "%s.weight", name);
    add_param(p, true, 1, &classes, "%s.bias", name);
    p->logits = add_op(p, linear, (struct value_shape){classes, 1, 1});
}

void program_build(struct program *p, enum net_model model, size_t width, size_t classes,
                   size_t image_size)
{
    memset(p, 0, sizeof *p);
    p->values[0] = (struct value_shape){1, image_size, image_size};
    p->value_count = 1;
    int x = 0, position = 0;
    const struct row *r = tables[model];
    for (; r->block != END; r++) {
        size_t channels = r->channels * width;
        char prefix[16];
        snprintf(prefix, sizeof prefix, "%s.", r->name);
        switch (r->block) {
        case VGG_CONV:
            x = vgg_conv(p, x, channels, position);
            position += 3;
            break;
        case VGG_POOL:
            x = max_pool(p, x);
            position++;
            break;
        case STEM:
        case BARE_STEM:
            x = stem(p, x, channels, r->stride, r->block == BARE_STEM);
            break;
        case BASIC:
            x = basic(p, x, channels, r->stride, prefix);
            break;
        case PREACT:
            x = preact(p, x, channels, r->stride, prefix);
            break;
        case BOTTLENECK:
            x = bottleneck(p, x, channels, r->stride, prefix);
            break;
        case END:
            break;
        }
    }
    head(p, x, classes, r->name);
}

double program_flops(const struct program *p)
{
    double flops = 0;
    for (int i = 0; i < p->op_count; i++) {
        const struct op *op = &p->ops[i];
        if (op->kind != OP_CONV && op->kind != OP_LINEAR)
            continue;
        const struct parameter *w = &p->params[op->param];
        const struct value_shape *e = &p->values[op->out];
        double each = 2;
        for (size_t d = 0; d < w->dims; d++)
            each *= (double)w->shape[d];
        flops += each * (double)(e->height * e->width);
    }
    return flops;
}
