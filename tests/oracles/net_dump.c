/* Runs one small training step and a prediction, and writes all that went in and came out for
 * nets.py: float32 into a file, one line "name shape..." for each array on stdout.
 * Starts from drawn weights, or from those that train_cnn wrote.
 * Usage: net_dump model width fp32|bf16 file [weights.safetensors] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "kernels/net.h"
#include "stages/weights.h"

enum { BATCH = 8, CLASSES = 7, SIZE = 40 };

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

static int run(FILE *f, struct net *net, struct error *err)
{
    static float images[BATCH * SIZE * SIZE], logits[BATCH * CLASSES];
    static float features[BATCH * 16 * 512], wide[BATCH];
    uint8_t labels[BATCH];
    const struct net_step step = {
        .lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4, .clip = 0.1, .label_smoothing = 0.1};
    struct random r = random_start(5, 0);
    double loss;
    size_t correct;
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        images[i] = (float)random_normal(&r);
    for (size_t i = 0; i < BATCH; i++)
        wide[i] = labels[i] = (uint8_t)random_below(&r, CLASSES);
    int e = put_params(f, net, "start.", false, err);
    if (e == 0)
        e = net_train_step(net, images, labels, BATCH, &step, &loss, &correct, err);
    if (e == 0)
        e = put_params(f, net, "gradient.", true, err);
    if (e == 0)
        e = put_params(f, net, "after.", false, err);
    if (e == 0)
        e = net_predict(net, images, BATCH, logits, features, err);
    float narrow = (float)loss;
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
    struct net_spec spec = {.classes = CLASSES,
                            .image_size = SIZE,
                            .batch = BATCH,
                            .training = true,
                            .backend = "auto",
                            .threads = 1};
    struct error err = {""};
    struct net *net = NULL;
    int model = 0;
    if (argc != 5 && argc != 6)
        return 2;
    while (model < NET_MODELS && strcmp(argv[1], net_model_names[model]) != 0)
        model++;
    spec.model = (enum net_model)model;
    spec.width = atoi(argv[2]);
    spec.precision = strcmp(argv[3], "bf16") == 0 ? NET_BF16 : NET_FP32;
    FILE *f = fopen(argv[4], "wb");
    int e = f ? net_create(&net, &spec, &err) : -1;
    if (e == 0)
        e = argc == 6 ? load(net, argv[5], &err) : net_init(net, 1, &err);
    if (e == 0)
        e = run(f, net, &err);
    net_free(net);
    if (f && fclose(f) != 0)
        e = -1;
    if (e != 0)
        fprintf(stderr, "net_dump: %s\n", *err.text ? err.text : argv[4]);
    return e != 0;
}
