/* See training.h: from params and images to a net that is ready for its next batch. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "stages/cnn/training.h"

/* ---- the data ---- */

static int check_classes(const struct images *images, const char *set, struct error *err)
{
    size_t count[CLASSES] = {0};
    const uint8_t *labels = images->labels.data;
    for (size_t i = 0; i < images->n; i++)
        count[labels[i]]++;
    for (int k = 0; k < CLASSES; k++)
        if (count[k] == 0)
            return error_set(err, EINVAL,
                             "images: the training split has no image of class %s (%zu images in "
                             "all, set %s): every class needs at least one",
                             class_names[k], images->n, set);
    return 0;
}

/* What the set is called in the experiment, for messages. */
static const char *set_name(const struct job *job)
{
    const char *stage =
        json_string_value(json_object_get(job_provenance(job, "images", 0), "stage"));
    return stage ? stage : "images";
}

static int read_watched(struct training *t, struct error *err)
{
    if (job_input_count(t->job, "watched") == 0)
        return 0;
    const char *folder = job_input(t->job, "watched", 0);
    int rc = images_read(folder, SPLIT_PRIVATE, &t->watched, err);
    if (rc == 0 && t->watched.n == 0)
        rc = error_set(err, EINVAL, "watched: the private split of %s has no image", folder);
    return rc;
}

static int read_images(struct training *t, struct error *err)
{
    const char *folder = job_input(t->job, "images", 0);
    int rc = images_read(folder, SPLIT_TRAIN, &t->train, err);
    if (rc == 0)
        rc = images_read(folder, SPLIT_PUBLIC, &t->public, err);
    if (rc == 0)
        rc = check_classes(&t->train, set_name(t->job), err);
    if (rc == 0 && t->public.n == 0)
        rc = error_set(err, EINVAL, "images: the public split of set %s has no image",
                       set_name(t->job));
    if (rc == 0)
        rc = scale_fit(&t->scale, &t->train, err);
    return rc < 0 ? rc : read_watched(t, err);
}

/* ---- setting up ---- */

static void read_params(struct training *t)
{
    const struct job *j = t->job;
    t->crop = (int)job_int(j, "crop");
    t->flip = job_bool(j, "flip");
    t->seed = (uint64_t)job_int(j, "seed");
    t->view = view_named(job_string(j, "evaluation_view"));
    t->checkpoint_seconds = job_real(j, "checkpoint_seconds");
    t->spec = (struct net_spec){
        .model = net_model_find(job_string(j, "model")),
        .width = (int)job_int(j, "width"),
        .classes = CLASSES,
        .image_size = t->crop,
        .batch = (int)job_int(j, "batch_size"),
        .training = true,
        .precision = precision_named(job_string(j, "precision")),
        .backend = j->backend,
        .threads = j->threads,
    };
    t->schedule = (struct schedule){
        .form = strcmp(job_string(j, "schedule"), "cosine") == 0 ? SCHEDULE_COSINE : SCHEDULE_STEP,
        .lr = job_real(j, "lr"),
        .epochs = (int)job_int(j, "epochs"),
        .warmup = (int)job_int(j, "warmup_epochs"),
        .decay_factor = job_real(j, "decay_factor"),
        .decay_every = (int)job_int(j, "decay_every"),
        .decay_start = (int)job_int(j, "decay_start"),
    };
    t->step = (struct net_step){
        .sgd = {.momentum = job_real(j, "momentum"),
                .weight_decay = job_real(j, "weight_decay"),
                .clip = job_real(j, "clip")},
        .label_smoothing = job_real(j, "label_smoothing"),
    };
}

/* The images that are evaluated after each epoch. */
static int add_evaluated(struct training *t, struct net *net, struct error *err)
{
    int rc = crop_add_images(net, &t->public, &t->scale, &t->public_images, err);
    if (rc == 0 && t->watched.n > 0)
        rc = crop_add_images(net, &t->watched, &t->scale, &t->watched_images, err);
    return rc;
}

/* A net with the training images on its device, and those that it evaluates. */
static int make_net(struct training *t, struct error *err)
{
    int rc = net_create(&t->net, &t->spec, err);
    if (rc == 0)
        rc = crop_add_images(t->net, &t->train, &t->scale, &t->train_images, err);
    return rc < 0 || t->view == VIEW_FULL ? rc : add_evaluated(t, t->net, err);
}

static int make_nets(struct training *t, struct error *err)
{
    int rc = make_net(t, err);
    if (rc == 0 && t->view == VIEW_FULL) {
        struct net_spec spec = t->spec;
        spec.training = false;
        spec.image_size = FACE_SIZE;
        rc = net_create(&t->full_net, &spec, err);
        if (rc == 0)
            rc = add_evaluated(t, t->full_net, err);
    }
    if (rc == 0)
        precision_log(t->net, t->spec.precision);
    if (rc == 0)
        rc = weights_make(&t->now, t->net, err);
    if (rc == 0)
        rc = weights_make(&t->best, t->net, err);
    return rc;
}

static int make_buffers(struct training *t, struct error *err)
{
    t->order = malloc(t->train.n * sizeof *t->order);
    t->crops = malloc(t->train.n * sizeof *t->crops);
    t->labels = malloc(t->train.n);
    size_t evaluated = t->public.n > t->watched.n ? t->public.n : t->watched.n;
    t->logits = malloc(evaluated * CLASSES * sizeof *t->logits);
    t->state.metrics = json_array();
    t->state.seconds = json_array();
    if (t->order && t->crops && t->labels && t->logits && t->state.metrics && t->state.seconds)
        return 0;
    return error_set(err, ENOMEM, "out of memory for the crops of %zu images", t->train.n);
}

/* Momentum, and all else that a file may have set in part, is gone. */
static int renew_net(struct training *t, struct error *err)
{
    net_free(t->net);
    t->net = NULL;
    memset(t->best.values, 0, t->best.count * sizeof *t->best.values);
    return make_net(t, err);
}

/* Goes on from a finished training of fewer epochs if they are also the first of this one, which
 * its schedule may forbid. Returns 1 if it does. */
static int take_over(struct training *t, const struct job_earlier *earlier, struct error *err)
{
    struct schedule shorter = t->schedule;
    shorter.epochs = (int)earlier->value;
    struct error why = {""};
    int rc;
    if (shorter.epochs < 1 || shorter.epochs >= t->schedule.epochs)
        rc = error_set(&why, EINVAL, "it is no shorter");
    else if (!schedule_same_start(&shorter, &t->schedule, shorter.epochs, training_steps(t)))
        rc = error_set(&why, EINVAL, "its learning rates were not those of %d epochs",
                       t->schedule.epochs);
    else
        rc = checkpoint_take_over(earlier->folder, earlier->key, t->net, &t->best, &t->state, &why);
    if (rc == 0) {
        snprintf(t->state.origin, sizeof t->state.origin, "%s", earlier->key);
        t->state.origin_epochs = shorter.epochs;
        printf("goes on after epoch %d of the training of %d epochs with key %.12s\n",
               t->state.epoch, shorter.epochs, earlier->key);
        return 1;
    }
    printf("does not go on from the training of %d epochs with key %.12s: %s\n", shorter.epochs,
           earlier->key, why.text);
    return renew_net(t, err);
}

/* From a checkpoint if there is a sound one, else from a shorter training, else from the seed. */
static int set_net(struct training *t, struct error *err)
{
    struct error why = {""};
    int rc = checkpoint_read(CHECKPOINT_FILE, t->job->key, t->net, &t->best, &t->state, &why);
    if (rc == 1) {
        t->state.resumed++;
        printf("goes on after epoch %d, batch %zu\n", t->state.epoch, t->state.batch);
        if (t->state.origin[0])
            job_continues(t->job, t->state.origin, t->state.origin_epochs);
        return 0;
    }
    if (rc < 0) {
        fprintf(stderr, "checkpoint ignored: %s\n", why.text);
        rc = renew_net(t, err);
    }
    for (size_t i = 0; rc == 0 && i < job_earlier_count(t->job); i++) {
        struct job_earlier earlier = job_earlier(t->job, i);
        rc = take_over(t, &earlier, err);
    }
    if (rc < 0)
        return rc;
    if (rc == 1) {
        job_continues(t->job, t->state.origin, t->state.origin_epochs);
        return 0;
    }
    printf("starts at the beginning\n");
    return net_init(t->net, t->seed, err);
}

void training_finish(struct training *t)
{
    net_free(t->net);
    net_free(t->full_net);
    evaluate_free(&t->evaluation);
    images_free(&t->train);
    images_free(&t->public);
    images_free(&t->watched);
    weights_free(&t->now);
    weights_free(&t->best);
    engines_free(&t->engines);
    json_decref(t->state.metrics);
    json_decref(t->state.seconds);
    free(t->order);
    free(t->crops);
    free(t->labels);
    free(t->logits);
}

int training_start(struct training *t, const struct job *job, struct error *err)
{
    *t = (struct training){.job = job};
    read_params(t);
    int rc = read_images(t, err);
    if (rc == 0)
        rc = engines_read(&t->engines, job, &t->spec.engines, err);
    if (rc == 0)
        rc = make_nets(t, err);
    if (rc == 0)
        rc = make_buffers(t, err);
    if (rc == 0)
        rc = set_net(t, err);
    fflush(stdout); /* what was said of the start is to be in the log of one that is killed */
    return rc;
}
