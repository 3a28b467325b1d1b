/* See checkpoint.h. */
#include "stages/cnn/checkpoint.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
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

/* Without what was measured, and without where the training came from, if `bare`. */
static char *state_text(const struct training_state *s, bool bare)
{
    json_t *root = json_pack("{s:i, s:I, s:f, s:I, s:i, s:f, s:O}", "epoch", s->epoch, "batch",
                             (json_int_t)s->batch, "loss", s->loss, "correct",
                             (json_int_t)s->correct, "best_epoch", s->best_epoch, "best_accuracy",
                             s->best_accuracy, "metrics", s->metrics);
    json_t *more = json_pack("{s:O, s:f, s:i, s:s, s:i}", "seconds", s->seconds, "epoch_seconds",
                             s->epoch_seconds, "resumed", s->resumed, "origin", s->origin,
                             "origin_epochs", s->origin_epochs);
    bool good = root && more && (bare || json_object_update(root, more) == 0);
    char *text = good ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    json_decref(more);
    return text;
}

/* seconds: of a bare text, a list for each epoch; borrowed. */
static int state_parse(const char *text, json_t *seconds, struct training_state *s,
                       struct error *err)
{
    json_error_t where;
    json_int_t batch, correct;
    const char *origin = "";
    json_t *root = json_loads(text, 0, &where), *metrics;
    struct training_state read = {0};
    if (!root ||
        json_unpack_ex(
            root, &where, 0, "{s:i, s:I, s:F, s:I, s:i, s:F, s:o, s?o, s?F, s?i, s?s, s?i}",
            "epoch", &read.epoch, "batch", &batch, "loss", &read.loss, "correct", &correct,
            "best_epoch", &read.best_epoch, "best_accuracy", &read.best_accuracy, "metrics",
            &metrics, "seconds", &seconds, "epoch_seconds", &read.epoch_seconds, "resumed",
            &read.resumed, "origin", &origin, "origin_epochs", &read.origin_epochs) < 0) {
        json_decref(root);
        return error_set(err, EINVAL, "state: %s", where.text);
    }
    if (read.epoch < 0 || batch < 0 || correct < 0 || !json_is_array(metrics) ||
        json_array_size(metrics) != (size_t)read.epoch || !json_is_array(seconds) ||
        json_array_size(seconds) != (size_t)read.epoch || strlen(origin) >= sizeof read.origin) {
        json_decref(root);
        return error_set(err, EINVAL, "state: out of range");
    }
    read.batch = (size_t)batch;
    read.correct = (size_t)correct;
    read.metrics = json_incref(metrics);
    read.seconds = json_incref(seconds);
    memcpy(read.origin, origin, strlen(origin) + 1);
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
    t->name = format_string("%s%s", prefix, param->name);
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

static bool is_momentum(const struct tensor *t)
{
    return strncmp(t->name, momentum_prefix, sizeof momentum_prefix - 1) == 0;
}

/* All of the tensors or, if `bare`, the momentum alone. */
static int write_file(const char *path, const char *key, struct net *net,
                      const struct weights *best, const struct training_state *state, bool bare,
                      struct error *err)
{
    struct pack p;
    char digest[DIGEST_TEXT];
    char *text = state_text(state, bare);
    json_t *notes = NULL;
    int rc = pack_net(&p, net, best, err);
    if (rc == 0 && !text)
        rc = error_set(err, ENOMEM, "out of memory");
    if (rc == 0)
        rc = digest_of(p.tensors, p.n, key, text, digest, err);
    if (rc == 0) {
        notes = json_pack("{s:s, s:s, s:s}", "key", key, "sha256", digest, "state", text);
        if (!notes)
            rc = error_set(err, ENOMEM, "out of memory");
    }
    if (rc == 0) {
        struct tensor *written = calloc(p.n, sizeof *written);
        size_t n = 0;
        for (size_t i = 0; written && i < p.n; i++)
            if (!bare || is_momentum(&p.tensors[i]))
                written[n++] = p.tensors[i];
        rc = written ? safetensors_write(path, written, n, notes, err)
                     : error_set(err, ENOMEM, "out of memory");
        free(written);
    }
    json_decref(notes);
    free(text);
    pack_free(&p);
    return rc;
}

int checkpoint_write(const char *path, const char *key, struct net *net, const struct weights *best,
                     const struct training_state *state, struct error *err)
{
    return write_file(path, key, net, best, state, false, err);
}

int checkpoint_leave(const char *path, const char *key, struct net *net, const struct weights *best,
                     const struct training_state *state, struct error *err)
{
    return write_file(path, key, net, best, state, true, err);
}

/* ---- reading ---- */

static int copy_tensor(const struct safetensors *s, const char *prefix,
                       const struct net_param *param, float *out, struct error *err)
{
    char *name = format_string("%s%s", prefix, param->name);
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

/* The notes of a checkpoint, or of what was left, of that key. */
static int check_notes(const struct safetensors *s, const char *key, struct error *err)
{
    const char *own = safetensors_note(s, "key");
    if (!own || !safetensors_note(s, "state") || !safetensors_note(s, "sha256"))
        return error_set(err, EINVAL, "not a checkpoint");
    if (strcmp(own, key) != 0)
        return error_set(err, EINVAL, "of another training (key %.12s)", own);
    for (size_t i = 0; i < s->n; i++)
        if (s->tensors[i].type != TENSOR_F32)
            return error_set(err, EINVAL, "not a checkpoint");
    return 0;
}

static int check_digest(const struct safetensors *s, const struct tensor *tensors, size_t n,
                        struct error *err)
{
    char digest[DIGEST_TEXT];
    int rc = digest_of(tensors, n, safetensors_note(s, "key"), safetensors_note(s, "state"), digest,
                       err);
    if (rc == 0 && strcmp(safetensors_note(s, "sha256"), digest) != 0)
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
    rc = check_notes(&s, key, err);
    if (rc == 0)
        rc = check_digest(&s, s.tensors, s.n, err);
    if (rc == 0)
        rc = restore(&s, net, best, err);
    if (rc == 0)
        rc = state_parse(safetensors_note(&s, "state"), NULL, state, err);
    if (rc < 0)
        error_prefix(err, "%s", path);
    safetensors_free(&s);
    return rc < 0 ? rc : 1;
}

/* ---- taking over ---- */

static int load_weights(const char *folder, const char *file, struct net *net, struct error *err)
{
    struct safetensors s;
    struct weights_notes notes;
    char *path = format_string("%s/%s", folder, file);
    int rc = path ? weights_open(path, &s, &notes, err) : error_set(err, ENOMEM, "out of memory");
    if (rc == 0) {
        rc = weights_load(net, &s, err);
        safetensors_free(&s);
    }
    free(path);
    return rc;
}

static int set_momentum(const struct safetensors *s, struct net *net, struct error *err)
{
    struct weights all;
    int rc = weights_make(&all, net, err);
    size_t at = 0;
    for (size_t i = 0; rc == 0 && i < net_param_count(net); i++) {
        const struct net_param *param = net_param(net, i);
        if (param->trainable) {
            rc = copy_tensor(s, momentum_prefix, param, all.values + at, err);
            if (rc == 0)
                rc = net_set_momentum(net, i, all.values + at, err);
        }
        at += param->count;
    }
    weights_free(&all);
    return rc;
}

/* What the net now holds is what counts: that is packed again, and its digest compared. */
static int restore_left(const struct safetensors *s, const char *folder, struct net *net,
                        struct weights *best, struct error *err)
{
    struct pack p;
    int rc = load_weights(folder, "best.safetensors", net, err);
    if (rc == 0)
        rc = weights_from_net(best, net, err);
    if (rc == 0)
        rc = load_weights(folder, "last.safetensors", net, err);
    if (rc == 0)
        rc = set_momentum(s, net, err);
    if (rc < 0)
        return rc;
    rc = pack_net(&p, net, best, err);
    if (rc == 0)
        rc = check_digest(s, p.tensors, p.n, err);
    pack_free(&p);
    return rc;
}

/* The times of epochs are only in timing.json. */
static json_t *read_seconds(const char *folder, struct error *err)
{
    enum { LIMIT = 16 << 20 };
    char *path = format_string("%s/timing.json", folder), *text = NULL;
    size_t size;
    if (!path || file_read(path, LIMIT, &text, &size, err) < 0) {
        free(path);
        return NULL;
    }
    json_t *timing = json_loadb(text, size, 0, NULL);
    json_t *seconds = json_incref(json_object_get(timing, "seconds_per_epoch"));
    if (!seconds)
        error_set(err, EINVAL, "%s: no seconds_per_epoch", path);
    json_decref(timing);
    free(text);
    free(path);
    return seconds;
}

int checkpoint_take_over(const char *folder, const char *key, struct net *net, struct weights *best,
                         struct training_state *state, struct error *err)
{
    struct safetensors s;
    char *path = format_string("%s/" CHECKPOINT_LEFT_FILE, folder);
    if (!path)
        return error_set(err, ENOMEM, "out of memory");
    int rc = access(path, F_OK) < 0 ? error_set(err, ENOENT, "it left no state to go on from")
                                    : safetensors_read(path, WEIGHTS_FILE_LIMIT, &s, err);
    free(path);
    if (rc < 0)
        return rc;
    json_t *seconds = read_seconds(folder, err);
    rc = seconds ? check_notes(&s, key, err) : -EINVAL;
    if (rc == 0)
        rc = restore_left(&s, folder, net, best, err);
    if (rc == 0)
        rc = state_parse(safetensors_note(&s, "state"), seconds, state, err);
    json_decref(seconds);
    safetensors_free(&s);
    return rc;
}
