/* choose_engines: times what can compute the convolutions of a net on the device (cuDNN's engines),
 * and writes the fastest of each, for trainings with the same net, batch size and images. It is a
 * stage of its own because the key of a training must be known before the training starts: the key
 * contains the digest of engines.json, so it contains the engines.
 *
 * It runs the passes of a training once: a full and the last batch of the training split forward
 * and backward, a full and the last batch of PublicTest forward. The net's backend times the
 * engines of each convolution when a pass first needs it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "stages/cnn/crop.h"
#include "stages/cnn/engines.h"
#include "stages/cnn/net_params.h"

enum { PASSES = 4 };

struct choosing {
    const struct job *job;
    struct net *net;
    struct images train, public;
    struct scale scale;
    size_t batch;
    struct crop *crops; /* the queue of both splits: the centre of image i at place i */
    int passes;         /* done */
    double started;
};

static int read_images(struct choosing *c, struct error *err)
{
    const char *folder = job_input(c->job, "images", 0);
    int rc = images_read(folder, SPLIT_TRAIN, &c->train, err);
    if (rc == 0)
        rc = images_read(folder, SPLIT_PUBLIC, &c->public, err);
    if (rc == 0 && (c->train.n == 0 || c->public.n == 0))
        rc = error_set(err, EINVAL, "images: the %s split has no image",
                       split_names[c->train.n == 0 ? SPLIT_TRAIN : SPLIT_PUBLIC]);
    return rc == 0 ? scale_fit(&c->scale, &c->train, err) : rc;
}

static int open_net(struct choosing *c, struct error *err)
{
    const struct job *j = c->job;
    const struct net_spec spec = {
        .model = net_model_find(job_string(j, "model")),
        .width = (int)job_int(j, "width"),
        .classes = CLASSES,
        .image_size = (int)job_int(j, "crop"),
        .batch = (int)c->batch,
        .training = true,
        .precision = precision_named(job_string(j, "precision")),
        .backend = j->backend,
        .threads = j->threads,
        .times_engines = true,
    };
    c->crops = calloc(c->batch, sizeof *c->crops);
    if (!c->crops)
        return error_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < c->batch; i++) {
        c->crops[i] = crop_center(spec.image_size);
        c->crops[i].image = (uint32_t)i;
    }
    int rc = net_create(&c->net, &spec, err);
    if (rc == 0)
        precision_log(c->net, spec.precision);
    return rc;
}

/* One pass over the first n images of the queue; labels and rate of the training don't matter. */
static int pass(struct choosing *c, bool training, size_t n, struct error *err)
{
    const struct net_step step = {.sgd = {.lr = 0}};
    int rc = 0;
    if (n > 0 && training)
        rc = net_train_step(c->net, 0, n, &step, err);
    else if (n > 0)
        rc = net_predict(c->net, 0, n, NULL, NULL, err);
    job_progress(c->job, ++c->passes, PASSES, "pass", 0, NULL, NULL);
    return rc;
}

/* The passes of a training over a split: a full batch, and the last one if it is smaller. */
static int passes(struct choosing *c, const struct images *images, bool training, struct error *err)
{
    struct net_images resident;
    size_t count = images->n < c->batch ? images->n : c->batch;
    size_t last = images->n > c->batch ? images->n % c->batch : 0;
    int rc = crop_add_images(c->net, images, &c->scale, &resident, err);
    if (rc == 0)
        rc = net_queue(c->net, &resident, c->crops, images->labels.data, count, err);
    if (rc == 0)
        rc = pass(c, training, count, err);
    if (rc == 0)
        rc = pass(c, training, last, err);
    if (rc == 0)
        rc = net_loss_sums(c->net, NULL, NULL, err); /* waits */
    return rc;
}

static int write_timing(const struct choosing *c, const struct engine_choice *choices, size_t count,
                        struct error *err)
{
    const double micro = 1e6;
    json_t *convolutions = json_object();
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        rc |= json_object_set_new(convolutions, choices[i].convolution,
                                  json_pack("{s:s, s:f, s:s, s:f}", "engine", choices[i].engine,
                                            "microseconds", choices[i].seconds * micro, "first",
                                            choices[i].first, "first_microseconds",
                                            choices[i].first_seconds * micro));
    json_t *root = json_pack("{s:o, s:f}", "convolutions", convolutions, "seconds",
                             clock_monotonic() - c->started);
    if (rc < 0) {
        json_decref(root);
        root = NULL;
    }
    return job_write_json(job_output(c->job, "timing"), root, err);
}

static int write_outputs(const struct choosing *c, struct error *err)
{
    struct engine_choice *choices;
    size_t count, others = 0;
    int rc = net_engines(c->net, &choices, &count, err);
    if (rc == 0)
        rc = engines_write(job_output(c->job, "engines"), c->net, choices, count, err);
    if (rc == 0)
        rc = write_timing(c, choices, count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        others += strcmp(choices[i].engine, choices[i].first) != 0;
    if (rc == 0 && net_has_engines(c->net))
        printf("%zu convolutions; for %zu of them another engine is faster than the usual one\n",
               count, others);
    else if (rc == 0)
        printf("the backend %s has no choice of engines\n", net_backend(c->net));
    free(choices);
    return rc;
}

static int run(struct job *job, struct error *err)
{
    struct choosing c = {
        .job = job, .batch = (size_t)job_int(job, "batch_size"), .started = clock_monotonic()};
    int rc = read_images(&c, err);
    if (rc == 0)
        rc = open_net(&c, err);
    if (rc == 0 && net_has_engines(c.net))
        rc = passes(&c, &c.train, true, err);
    if (rc == 0 && net_has_engines(c.net))
        rc = passes(&c, &c.public, false, err);
    if (rc == 0)
        rc = write_outputs(&c, err);
    net_free(c.net);
    free(c.crops); /* the net had them */
    images_free(&c.train);
    images_free(&c.public);
    return rc;
}

/* ---- tables ---- */

static const struct port inputs[] = {
    {.name = "images",
     .form = PORT_TREE,
     .text = "the data set of the training: its sizes decide those of the last batches"},
    {0}};

static const struct port outputs[] = {
    {.name = "engines",
     .file = "engines.json",
     .holds = "/note|numerics /engines/*",
     .text = "the engine of each convolution: cuDNN's list, place in it, number of the engine, "
             "parts; numerics: GPU and version of cuDNN"},
    {.name = "timing",
     .file = "timing.json",
     .holds = "/seconds /convolutions/*/engine|first|first_microseconds|microseconds",
     .measured = true,
     .text = "for each convolution its engine and the first one that fits, which is used without "
             "timing, with their microseconds"},
    {0}};

static const struct param params[] = {MODEL_PARAM, WIDTH_PARAM,     BATCH_SIZE_PARAM,
                                      CROP_PARAM,  PRECISION_PARAM, {0}};

const struct kind kind_choose_engines = {
    .name = "choose_engines",
    .version = 1,
    .text = "times cuDNN's engines for the convolutions of a net; gives up that a training has the "
            "same bytes in another cache, where other engines may be the fastest",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .numerics = NUMERICS_NET,
    .gpu = 100,
    .run = run,
};
