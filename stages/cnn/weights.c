/* See weights.h. */
#include "stages/cnn/weights.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "stages/data/formats.h"

int weights_make(struct weights *w, const struct net *net, struct error *err)
{
    *w = (struct weights){0};
    for (size_t i = 0; i < net_param_count(net); i++)
        w->count += net_param(net, i)->count;
    w->values = calloc(w->count, sizeof *w->values);
    return w->values ? 0 : error_set(err, ENOMEM, "out of memory for %zu weights", w->count);
}

void weights_free(struct weights *w)
{
    free(w->values);
    *w = (struct weights){0};
}

int weights_from_net(struct weights *w, struct net *net, struct error *err)
{
    float *p = w->values;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < net_param_count(net); i++) {
        rc = net_get(net, i, p, err);
        p += net_param(net, i)->count;
    }
    return rc;
}

int weights_to_net(const struct weights *w, struct net *net, struct error *err)
{
    const float *p = w->values;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < net_param_count(net); i++) {
        rc = net_set(net, i, p, err);
        p += net_param(net, i)->count;
    }
    return rc;
}

/* BatchNorm's step counter is the one integer among the parameters. */
static bool is_counter(const struct net_param *p)
{
    static const char ending[] = "num_batches_tracked";
    size_t length = strlen(p->name), tail = sizeof ending - 1;
    return length >= tail && strcmp(p->name + length - tail, ending) == 0;
}

/* ---- writing ---- */

static json_t *make_notes(const struct weights_notes *n)
{
    char width[16], crop[16], mean[32], deviation[32], classes[128] = "";
    snprintf(width, sizeof width, "%d", n->width);
    snprintf(crop, sizeof crop, "%d", n->crop);
    snprintf(mean, sizeof mean, "%.17g", n->mean);
    snprintf(deviation, sizeof deviation, "%.17g", n->deviation);
    for (int k = 0; k < CLASSES; k++) {
        size_t used = strlen(classes);
        snprintf(classes + used, sizeof classes - used, "%s%s", k ? "," : "", class_names[k]);
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "format", "pt", "model",
                     net_model_names[n->model], "width", width, "crop", crop, "mean", mean,
                     "deviation", deviation, "classes", classes);
}

int weights_write(const char *path, const struct net *net, const struct weights *w,
                  const struct weights_notes *notes, struct error *err)
{
    size_t n = net_param_count(net);
    struct tensor *tensors = calloc(n, sizeof *tensors);
    int64_t *counters = calloc(n, sizeof *counters);
    json_t *metadata = make_notes(notes);
    int rc = tensors && counters && metadata
                 ? 0
                 : error_set(err, ENOMEM, "out of memory writing %s", path);
    const float *values = w->values;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct net_param *p = net_param(net, i);
        struct tensor *t = &tensors[i];
        *t = (struct tensor){.name = p->name,
                             .type = TENSOR_F32,
                             .dims = p->dims,
                             .count = p->count,
                             .data = values};
        memcpy(t->shape, p->shape, sizeof t->shape);
        if (is_counter(p)) {
            counters[i] = llroundf(*values);
            t->type = TENSOR_I64;
            t->data = &counters[i];
        }
        values += p->count;
    }
    if (rc == 0)
        rc = safetensors_write(path, tensors, n, metadata, err);
    json_decref(metadata);
    free(counters);
    free(tensors);
    return rc;
}

/* ---- reading ---- */

static int read_number(const struct safetensors *s, const char *key, double min, double max,
                       double *out, struct error *err)
{
    const char *text = safetensors_note(s, key);
    char *end = NULL;
    *out = text ? strtod(text, &end) : NAN;
    if (text && *text && !*end && *out >= min && *out <= max)
        return 0;
    return error_set(err, EINVAL, "metadata: %s: '%.40s', expected a number from %g to %g", key,
                     text ? text : "missing", min, max);
}

static int read_notes(const struct safetensors *s, struct weights_notes *n, struct error *err)
{
    const char *model = safetensors_note(s, "model");
    double width = 0, crop = 0;
    n->model = model ? net_model_find(model) : NET_MODELS;
    if (n->model == NET_MODELS)
        return error_set(err, EINVAL, "metadata: model: '%.40s' is none of ours",
                         model ? model : "missing");
    int rc = read_number(s, "width", 1, 512, &width, err);
    if (rc == 0)
        rc = read_number(s, "crop", 32, FACE_SIZE, &crop, err);
    if (rc == 0)
        rc = read_number(s, "mean", 0, 1, &n->mean, err);
    if (rc == 0)
        rc = read_number(s, "deviation", 1e-6, 1, &n->deviation, err);
    n->width = (int)width;
    n->crop = (int)crop;
    return rc;
}

int weights_open(const char *path, struct safetensors *s, struct weights_notes *notes,
                 struct error *err)
{
    int rc = safetensors_read(path, WEIGHTS_FILE_LIMIT, s, err);
    if (rc < 0)
        return rc;
    rc = read_notes(s, notes, err);
    if (rc < 0) {
        error_prefix(err, "%s", path);
        safetensors_free(s);
    }
    return rc;
}

static int load_one(struct net *net, size_t i, const struct safetensors *s, struct error *err)
{
    const struct net_param *p = net_param(net, i);
    const struct tensor *t = safetensors_find(s, p->name);
    bool counter = is_counter(p);
    if (!t)
        return error_set(err, EINVAL, "no tensor %s", p->name);
    if (t->type != (counter ? TENSOR_I64 : TENSOR_F32) || t->dims != p->dims ||
        t->count != p->count || memcmp(t->shape, p->shape, p->dims * sizeof *p->shape) != 0)
        return error_set(err, EINVAL, "tensor %s: another type or shape than the net's", p->name);
    float *values = calloc(p->count, sizeof *values);
    if (!values)
        return error_set(err, ENOMEM, "out of memory for tensor %s", p->name);
    if (counter) {
        int64_t count;
        memcpy(&count, t->data, sizeof count);
        values[0] = (float)count;
    } else {
        memcpy(values, t->data, p->count * sizeof *values);
    }
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < p->count; k++)
        if (!isfinite(values[k]))
            rc = error_set(err, EINVAL, "tensor %s: value %zu is not finite", p->name, k);
    if (rc == 0)
        rc = net_set(net, i, values, err);
    free(values);
    return rc;
}

int weights_load(struct net *net, const struct safetensors *s, struct error *err)
{
    size_t n = net_param_count(net);
    if (s->n != n)
        return error_set(err, EINVAL, "%zu tensors, the net has %zu", s->n, n);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = load_one(net, i, s, err);
    return rc;
}
