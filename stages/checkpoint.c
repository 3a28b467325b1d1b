/* See checkpoint.h. */
#include "stages/checkpoint.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"

enum { DIGEST_TEXT = 65 };

static const char momentum_prefix[] = "momentum/", best_prefix[] = "best/";

/* SHA-256, in hex, over key, state and every tensor's name, shape and bytes. */
static int digest_of(const struct tensor *tensors, size_t n, const char *key, const char *state,
                     char out[DIGEST_TEXT], struct error *err)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) &&
             EVP_DigestUpdate(c, key, strlen(key) + 1) &&
             EVP_DigestUpdate(c, state, strlen(state) + 1);
    for (size_t i = 0; ok && i < n; i++) {
        const struct tensor *t = &tensors[i];
        ok = EVP_DigestUpdate(c, t->name, strlen(t->name) + 1) &&
             EVP_DigestUpdate(c, t->shape, sizeof t->shape) &&
             EVP_DigestUpdate(c, t->data, t->count * sizeof(float));
    }
    ok = ok && EVP_DigestFinal_ex(c, hash, &length) && length == 32;
    EVP_MD_CTX_free(c);
    if (!ok)
        return error_set(err, ENOMEM, "SHA-256 failed");
    for (unsigned i = 0; i < length; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    return 0;
}

/* ---- state as text ---- */

static char *state_text(const struct training_state *s)
{
    json_t *root = json_pack("{s:i, s:I, s:f, s:I, s:i, s:f, s:O, s:O, s:f, s:i}", "epoch",
                             s->epoch, "batch", (json_int_t)s->batch, "loss", s->loss, "correct",
                             (json_int_t)s->correct, "best_epoch", s->best_epoch, "best_accuracy",
                             s->best_accuracy, "metrics", s->metrics, "seconds", s->seconds,
                             "epoch_seconds", s->epoch_seconds, "resumed", s->resumed);
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    return text;
}

static int state_parse(const char *text, struct training_state *s, struct error *err)
{
    json_error_t where;
    json_int_t batch, correct;
    json_t *root = json_loads(text, 0, &where), *metrics, *seconds;
    struct training_state read = {0};
    if (!root ||
        json_unpack_ex(root, &where, 0, "{s:i, s:I, s:F, s:I, s:i, s:F, s:o, s:o, s:F, s:i}",
                       "epoch", &read.epoch, "batch", &batch, "loss", &read.loss, "correct",
                       &correct, "best_epoch", &read.best_epoch, "best_accuracy",
                       &read.best_accuracy, "metrics", &metrics, "seconds", &seconds,
                       "epoch_seconds", &read.epoch_seconds, "resumed", &read.resumed) < 0) {
        json_decref(root);
        return error_set(err, EINVAL, "state: %s", where.text);
    }
    if (read.epoch < 0 || batch < 0 || correct < 0 || !json_is_array(metrics) ||
        json_array_size(metrics) != (size_t)read.epoch || !json_is_array(seconds) ||
        json_array_size(seconds) != (size_t)read.epoch) {
        json_decref(root);
        return error_set(err, EINVAL, "state: out of range");
    }
    read.batch = (size_t)batch;
    read.correct = (size_t)correct;
    read.metrics = json_incref(metrics);
    read.seconds = json_incref(seconds);
    json_decref(root);
    json_decref(s->metrics);
    json_decref(s->seconds);
    *s = read;
    return 0;
}

/* ---- tensors ---- */

struct pack {
    size_t n;
    struct tensor *tensors; /* names are malloc'd; data lie in the three buffers */
    struct weights now, momentum;
};

static void pack_free(struct pack *p)
{
    for (size_t i = 0; i < p->n; i++)
        free((char *)p->tensors[i].name);
    free(p->tensors);
    weights_free(&p->now);
    weights_free(&p->momentum);
}

static int pack_add(struct pack *p, const char *prefix, const struct net_param *param,
                    const float *data, struct error *err)
{
    struct tensor *t = &p->tensors[p->n];
    *t = (struct tensor){
        .type = TENSOR_F32, .dims = param->dims, .count = param->count, .data = data};
    memcpy(t->shape, param->shape, param->dims * sizeof *t->shape);
    t->name = file_path("%s%s", prefix, param->name);
    if (!t->name)
        return error_set(err, ENOMEM, "out of memory");
    p->n++;
    return 0;
}

static int pack_net(struct pack *p, struct net *net, const struct weights *best, struct error *err)
{
    size_t params = net_param_count(net), at = 0;
    *p = (struct pack){.tensors = calloc(3 * params, sizeof *p->tensors)};
    int rc = p->tensors ? 0 : error_set(err, ENOMEM, "out of memory");
    if (rc == 0)
        rc = weights_make(&p->now, net, err);
    if (rc == 0)
        rc = weights_make(&p->momentum, net, err);
    if (rc == 0)
        rc = weights_from_net(&p->now, net, err);
    for (size_t i = 0; rc == 0 && i < params; i++) {
        const struct net_param *param = net_param(net, i);
        rc = pack_add(p, "", param, p->now.values + at, err);
        if (rc == 0)
            rc = pack_add(p, best_prefix, param, best->values + at, err);
        if (rc == 0 && param->trainable)
            rc = net_get_momentum(net, i, p->momentum.values + at, err);
        if (rc == 0 && param->trainable)
            rc = pack_add(p, momentum_prefix, param, p->momentum.values + at, err);
        at += param->count;
    }
    return rc;
}

int checkpoint_write(const char *path, const char *key, struct net *net, const struct weights *best,
                     const struct training_state *state, struct error *err)
{
    struct pack p;
    char digest[DIGEST_TEXT];
    char *text = state_text(state);
    int rc = pack_net(&p, net, best, err);
    if (rc == 0 && !text)
        rc = error_set(err, ENOMEM, "out of memory");
    if (rc == 0)
        rc = digest_of(p.tensors, p.n, key, text, digest, err);
    if (rc == 0) {
        json_t *notes = json_pack("{s:s, s:s, s:s}", "key", key, "sha256", digest, "state", text);
        rc = notes ? safetensors_write(path, p.tensors, p.n, notes, err)
                   : error_set(err, ENOMEM, "out of memory");
        json_decref(notes);
    }
    free(text);
    pack_free(&p);
    return rc;
}

/* ---- reading ---- */

static int copy_tensor(const struct safetensors *s, const char *prefix,
                       const struct net_param *param, float *out, struct error *err)
{
    char *name = file_path("%s%s", prefix, param->name);
    const struct tensor *t = name ? safetensors_find(s, name) : NULL;
    int rc = 0;
    if (!t || t->type != TENSOR_F32 || t->count != param->count)
        rc =
            error_set(err, EINVAL, "tensor %s%s: missing or of another shape", prefix, param->name);
    else
        memcpy(out, t->data, t->count * sizeof *out);
    free(name);
    return rc;
}

static int restore(const struct safetensors *s, struct net *net, struct weights *best,
                   struct error *err)
{
    struct weights now;
    int rc = weights_make(&now, net, err);
    size_t at = 0;
    for (size_t i = 0; rc == 0 && i < net_param_count(net); i++) {
        const struct net_param *param = net_param(net, i);
        float *values = now.values + at;
        rc = copy_tensor(s, best_prefix, param, best->values + at, err);
        if (rc == 0 && param->trainable) {
            rc = copy_tensor(s, momentum_prefix, param, values, err);
            if (rc == 0)
                rc = net_set_momentum(net, i, values, err);
        }
        if (rc == 0)
            rc = copy_tensor(s, "", param, values, err);
        if (rc == 0)
            rc = net_set(net, i, values, err);
        at += param->count;
    }
    weights_free(&now);
    return rc;
}

static int check(const struct safetensors *s, const char *key, struct error *err)
{
    const char *own = safetensors_note(s, "key"), *state = safetensors_note(s, "state");
    const char *stated = safetensors_note(s, "sha256");
    char digest[DIGEST_TEXT];
    if (!own || !state || !stated)
        return error_set(err, EINVAL, "not a checkpoint");
    if (strcmp(own, key) != 0)
        return error_set(err, EINVAL, "of another training (key %.12s)", own);
    for (size_t i = 0; i < s->n; i++)
        if (s->tensors[i].type != TENSOR_F32)
            return error_set(err, EINVAL, "not a checkpoint");
    int rc = digest_of(s->tensors, s->n, own, state, digest, err);
    if (rc == 0 && strcmp(stated, digest) != 0)
        rc = error_set(err, EINVAL, "its SHA-256 is wrong");
    return rc;
}

int checkpoint_read(const char *path, const char *key, struct net *net, struct weights *best,
                    struct training_state *state, struct error *err)
{
    struct safetensors s;
    if (access(path, F_OK) < 0)
        return 0;
    int rc = safetensors_read(path, CHECKPOINT_FILE_LIMIT, &s, err);
    if (rc < 0)
        return rc;
    rc = check(&s, key, err);
    if (rc == 0)
        rc = restore(&s, net, best, err);
    if (rc == 0)
        rc = state_parse(safetensors_note(&s, "state"), state, err);
    if (rc < 0)
        error_prefix(err, "%s", path);
    safetensors_free(&s);
    return rc < 0 ? rc : 1;
}
