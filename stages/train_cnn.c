/* train_cnn: trains one of the four nets on the training split and watches PublicTest.
 *
 * Nothing here opens the private split. Every random choice is a function of the seed and of the
 * place in the training (crop.h), and all state goes into a checkpoint (checkpoint.h), so a
 * training that was killed ends with the bytes of one that was not. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "stages/checkpoint.h"
#include "stages/evaluate.h"
#include "stages/job.h"
#include "stages/schedule.h"

static const char checkpoint_file[] = "checkpoint.safetensors";

struct training {
    const struct job *job;
    struct net_spec spec;
    struct net *net, *full_net; /* full_net: sees whole images, if evaluation wants them */
    struct images train, public;
    struct scale scale;
    struct schedule schedule;
    struct net_step step;
    enum view view;
    uint64_t seed;
    int crop;
    bool flip;

    struct training_state state;
    struct weights now, best;
    uint32_t *order;
    float *input;
    uint8_t *labels;
    float *logits; /* of PublicTest */

    double started, last_checkpoint, last_word; /* on job_clock */
    double trained_seconds;                     /* in this process, evaluation left out */
    size_t trained_images;
    bool estimated;
};

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
    return rc;
}

/* ---- setting up ---- */

static enum net_model model_named(const char *name)
{
    int i = 0;
    while (i + 1 < NET_MODELS && strcmp(net_model_names[i], name) != 0)
        i++;
    return (enum net_model)i;
}

static void read_params(struct training *t)
{
    const struct job *j = t->job;
    t->crop = (int)job_int(j, "crop");
    t->flip = job_bool(j, "flip");
    t->seed = (uint64_t)job_int(j, "seed");
    t->view = view_named(job_string(j, "evaluate"));
    t->spec = (struct net_spec){
        .model = model_named(job_string(j, "model")),
        .width = (int)job_int(j, "width"),
        .classes = CLASSES,
        .image_size = t->crop,
        .batch = (int)job_int(j, "batch"),
        .training = true,
        .precision = strcmp(job_string(j, "precision"), "bf16") == 0 ? NET_BF16 : NET_FP32,
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
        .momentum = job_real(j, "momentum"),
        .weight_decay = job_real(j, "weight_decay"),
        .clip = job_real(j, "clip"),
        .label_smoothing = job_real(j, "label_smoothing"),
    };
}

static int make_nets(struct training *t, struct error *err)
{
    int rc = net_create(&t->net, &t->spec, err);
    if (rc == 0 && t->view == VIEW_FULL) {
        struct net_spec spec = t->spec;
        spec.training = false;
        spec.image_size = FACE_SIZE;
        rc = net_create(&t->full_net, &spec, err);
    }
    if (rc == 0)
        rc = weights_make(&t->now, t->net, err);
    if (rc == 0)
        rc = weights_make(&t->best, t->net, err);
    return rc;
}

static int make_buffers(struct training *t, struct error *err)
{
    size_t batch = (size_t)t->spec.batch, size = (size_t)t->crop;
    t->order = malloc(t->train.n * sizeof *t->order);
    t->input = malloc(batch * size * size * sizeof *t->input);
    t->labels = malloc(batch);
    t->logits = malloc(t->public.n * CLASSES * sizeof *t->logits);
    t->state.metrics = json_array();
    t->state.seconds = json_array();
    if (t->order && t->input && t->labels && t->logits && t->state.metrics && t->state.seconds)
        return 0;
    return error_set(err, ENOMEM, "out of memory for batches of %zu images", batch);
}

/* From a checkpoint if there is a sound one, else from the seed. */
static int start(struct training *t, struct error *err)
{
    struct error why = {""};
    int rc = checkpoint_read(checkpoint_file, t->job->key, t->net, &t->best, &t->state, &why);
    if (rc == 1) {
        t->state.resumed++;
        printf("goes on after epoch %d, batch %zu\n", t->state.epoch, t->state.batch);
        return 0;
    }
    if (rc < 0) {
        /* momentum may hold some of the checkpoint: take a new net */
        fprintf(stderr, "checkpoint ignored, training starts anew: %s\n", why.text);
        net_free(t->net);
        t->net = NULL;
        rc = net_create(&t->net, &t->spec, err);
        if (rc < 0)
            return rc;
        memset(t->best.values, 0, t->best.count * sizeof *t->best.values);
    }
    return net_init(t->net, t->seed, err);
}

static void finish(struct training *t)
{
    net_free(t->net);
    net_free(t->full_net);
    images_free(&t->train);
    images_free(&t->public);
    weights_free(&t->now);
    weights_free(&t->best);
    json_decref(t->state.metrics);
    json_decref(t->state.seconds);
    free(t->order);
    free(t->input);
    free(t->labels);
    free(t->logits);
}

/* ---- words for people ---- */

static void say_estimate(struct training *t, size_t batches)
{
    if (t->estimated || t->trained_seconds < 2)
        return;
    double rate = (double)t->trained_images / t->trained_seconds;
    double part = t->state.epoch + (double)t->state.batch / (double)batches;
    double left = (t->schedule.epochs - part) * (double)t->train.n / rate;
    long minutes = lround(left / 60);
    t->estimated = true;
    if (minutes < 2)
        printf("about %.0f s to go: %d epochs of %zu images at %.0f images/s\n", left,
               t->schedule.epochs, t->train.n, rate);
    else
        printf("about %ld h %ld min to go: %d epochs of %zu images at %.0f images/s\n",
               minutes / 60, minutes % 60, t->schedule.epochs, t->train.n, rate);
    fflush(stdout);
}

static void say_progress(struct training *t, size_t batches)
{
    double now = job_clock();
    if (now - t->last_word < .3)
        return;
    t->last_word = now;
    char note[96] = "";
    size_t epochs = json_array_size(t->state.metrics),
           seen = t->state.batch * (size_t)t->spec.batch;
    if (seen > t->train.n)
        seen = t->train.n;
    if (seen > 0)
        snprintf(note, sizeof note, "loss %.3f", t->state.loss / (double)seen);
    if (epochs > 0) {
        const json_t *last = json_array_get(t->state.metrics, epochs - 1);
        size_t used = strlen(note);
        snprintf(note + used, sizeof note - used, "%spublic %.1f %%", used ? " · " : "",
                 100 * json_real_value(json_object_get(last, "public_accuracy")));
    }
    double rate = t->trained_seconds > 0 ? (double)t->trained_images / t->trained_seconds : 0;
    job_progress(t->job, t->state.epoch + (double)t->state.batch / (double)batches,
                 t->schedule.epochs, "epoch", rate, "images/s", note);
    say_estimate(t, batches);
}

/* ---- training ---- */

static int save(struct training *t, struct error *err)
{
    int rc = checkpoint_write(checkpoint_file, t->job->key, t->net, &t->best, &t->state, err);
    t->last_checkpoint = job_clock();
    return rc;
}

/* The next batch of the running epoch: images into input and labels; returns how many. */
static size_t cut_batch(struct training *t)
{
    size_t first = t->state.batch * (size_t)t->spec.batch, size = (size_t)t->crop;
    size_t n = t->train.n - first;
    if (n > (size_t)t->spec.batch)
        n = (size_t)t->spec.batch;
    const uint8_t *labels = t->train.labels.data;
    for (size_t i = 0; i < n; i++) {
        size_t index = t->order[first + i];
        struct crop crop =
            crop_random(t->seed, (uint64_t)t->state.epoch, first + i, t->crop, t->flip);
        crop_cut(&t->train, index, crop, &t->scale, t->input + i * size * size);
        t->labels[i] = labels[index];
    }
    return n;
}

static int diverged(const struct training *t, const char *split, double loss, struct error *err)
{
    return error_set(err, EDOM,
                     "epoch %d, step %zu: the %s loss is %g: training diverged; try a lower lr (it "
                     "is %g)%s",
                     t->state.epoch + 1, t->state.batch + 1, split, loss, t->schedule.lr,
                     t->step.clip > 0 ? "" : " or clip gradients");
}

static int train_batch(struct training *t, size_t batches, struct error *err)
{
    double before = job_clock(), loss = 0;
    size_t n = cut_batch(t), correct = 0;
    /* the rate at the middle of the step, so that a warm-up's first one isn't 0 */
    t->step.lr = schedule_rate(&t->schedule,
                               t->state.epoch + ((double)t->state.batch + .5) / (double)batches);
    int rc = net_train_step(t->net, t->input, t->labels, n, &t->step, &loss, &correct, err);
    if (rc < 0)
        return rc;
    if (!isfinite(loss))
        return diverged(t, "training", loss, err);
    t->state.loss += loss * (double)n;
    t->state.correct += correct;
    t->state.batch++;
    double seconds = job_clock() - before;
    t->state.epoch_seconds += seconds;
    /* the first step also builds the backend's kernels: it says nothing about speed */
    if (t->trained_images > 0 || t->state.batch > 1) {
        t->trained_seconds += seconds;
        t->trained_images += n;
    }
    return 0;
}

static int look_at_public(struct training *t, double *loss, size_t *correct, struct error *err)
{
    struct evaluation e = {.net = t->net,
                           .view = t->view,
                           .crop = t->crop,
                           .batch = t->spec.batch,
                           .scale = &t->scale};
    if (t->full_net) {
        int rc = weights_from_net(&t->now, t->net, err);
        if (rc == 0)
            rc = weights_to_net(&t->now, t->full_net, err);
        if (rc < 0)
            return rc;
        e.net = t->full_net;
    }
    int rc = evaluate(&e, &t->public, t->logits, NULL, err);
    if (rc < 0)
        return rc;
    *loss = evaluate_loss(t->logits, t->public.labels.data, t->public.n, correct);
    return isfinite(*loss) ? 0 : diverged(t, "public", *loss, err);
}

static int record_epoch(struct training *t, double lr, double loss, double accuracy,
                        struct error *err)
{
    struct training_state *s = &t->state;
    double n = (double)t->train.n;
    json_t *line = json_pack("{s:i, s:f, s:f, s:f, s:f, s:f}", "epoch", s->epoch + 1, "lr", lr,
                             "train_loss", s->loss / n, "train_accuracy", (double)s->correct / n,
                             "public_loss", loss, "public_accuracy", accuracy);
    if (json_array_append_new(s->metrics, line) < 0 ||
        json_array_append_new(s->seconds, json_real(s->epoch_seconds)) < 0)
        return error_set(err, ENOMEM, "out of memory");
    printf("epoch %d: lr %.4g, loss %.4f, training %.2f %%, public %.2f %%\n", s->epoch + 1, lr,
           s->loss / n, 100 * (double)s->correct / n, 100 * accuracy);
    fflush(stdout);
    return 0;
}

static int end_epoch(struct training *t, struct error *err)
{
    struct training_state *s = &t->state;
    double before = job_clock(), loss = 0;
    size_t correct = 0;
    int rc = look_at_public(t, &loss, &correct, err);
    double accuracy = (double)correct / (double)t->public.n;
    s->epoch_seconds += job_clock() - before;
    if (rc == 0)
        rc = record_epoch(t, schedule_rate(&t->schedule, s->epoch), loss, accuracy, err);
    if (rc == 0 && (s->best_epoch == 0 || accuracy > s->best_accuracy)) {
        s->best_accuracy = accuracy;
        s->best_epoch = s->epoch + 1;
        rc = weights_from_net(&t->best, t->net, err);
    }
    s->epoch++;
    s->batch = 0;
    s->loss = 0;
    s->correct = 0;
    s->epoch_seconds = 0;
    return rc < 0 ? rc : save(t, err);
}

static bool wants_more(const struct training *t)
{
    int64_t patience = job_int(t->job, "early_stop_patience");
    const struct training_state *s = &t->state;
    return s->epoch < t->schedule.epochs &&
           !(patience > 0 && s->best_epoch > 0 && s->epoch - s->best_epoch >= patience);
}

static int train(struct training *t, struct error *err)
{
    size_t batch = (size_t)t->spec.batch, batches = (t->train.n + batch - 1) / batch;
    double every = job_real(t->job, "checkpoint_seconds");
    t->last_checkpoint = job_clock();
    say_progress(t, batches); /* before a first step that may take a minute: what was done before */
    while (wants_more(t)) {
        crop_order(t->seed, (uint64_t)t->state.epoch, t->order, t->train.n);
        while (t->state.batch < batches) {
            int rc = train_batch(t, batches, err);
            if (rc == 0 && job_clock() - t->last_checkpoint >= every)
                rc = save(t, err);
            if (rc < 0)
                return rc;
            say_progress(t, batches);
        }
        int rc = end_epoch(t, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- outputs ---- */

static int write_weights(struct training *t, struct error *err)
{
    struct weights_notes notes = {.model = t->spec.model,
                                  .width = t->spec.width,
                                  .crop = t->crop,
                                  .mean = t->scale.mean,
                                  .deviation = t->scale.deviation};
    int rc = weights_write(job_output(t->job, "best"), t->net, &t->best, &notes, err);
    if (rc == 0)
        rc = weights_from_net(&t->now, t->net, err);
    if (rc == 0)
        rc = weights_write(job_output(t->job, "last"), t->net, &t->now, &notes, err);
    return rc;
}

static int write_metrics(const struct training *t, struct error *err)
{
    const char *path = job_output(t->job, "metrics");
    char *text = NULL;
    size_t size = 0, i;
    json_t *line;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return error_errno(err, errno, "cannot write %s", path);
    json_array_foreach(t->state.metrics, i, line)
    {
        json_dumpf(line, f, JSON_REAL_PRECISION(9));
        fputc('\n', f);
    }
    int rc = fclose(f) == 0 ? 0 : error_errno(err, errno, "cannot write %s", path);
    if (rc == 0)
        rc = file_write(path, text, size, err);
    free(text);
    return rc;
}

static int write_summary(const struct training *t, struct error *err)
{
    const struct training_state *s = &t->state;
    const json_t *last = json_array_get(s->metrics, json_array_size(s->metrics) - 1);
    size_t trainable = 0;
    for (size_t i = 0; i < net_param_count(t->net); i++)
        trainable += net_param(t->net, i)->trainable ? net_param(t->net, i)->count : 0;
    json_t *summary = json_pack(
        "{s:s, s:i, s:s, s:s, s:I, s:f, s:I, s:I, s:f, s:f, s:i, s:i, s:f, s:O, s:O, s:O, s:O}",
        "model", net_model_names[t->spec.model], "width", t->spec.width, "precision",
        t->spec.precision == NET_BF16 ? "bf16" : "fp32", "backend", net_backend(t->net),
        "parameters", (json_int_t)trainable, "flops_per_image", net_flops(t->net), "train_images",
        (json_int_t)t->train.n, "public_images", (json_int_t)t->public.n, "mean", t->scale.mean,
        "deviation", t->scale.deviation, "epochs", s->epoch, "best_epoch", s->best_epoch,
        "best_public_accuracy", s->best_accuracy, "last_public_accuracy",
        json_object_get(last, "public_accuracy"), "last_public_loss",
        json_object_get(last, "public_loss"), "last_train_accuracy",
        json_object_get(last, "train_accuracy"), "last_train_loss",
        json_object_get(last, "train_loss"));
    return job_write_json(job_output(t->job, "summary"), summary, err);
}

static int write_timing(const struct training *t, struct error *err)
{
    double total = 0;
    size_t i;
    json_t *seconds;
    json_array_foreach(t->state.seconds, i, seconds) total += json_real_value(seconds);
    double images = (double)t->state.epoch * (double)t->train.n;
    json_t *timing = json_pack("{s:f, s:f, s:O, s:i, s:b, s:i}", "seconds", total,
                               "images_per_second", total > 0 ? images / total : 0.0,
                               "seconds_per_epoch", t->state.seconds, "threads", t->job->threads,
                               "resumed", t->state.resumed > 0, "times_resumed", t->state.resumed);
    return job_write_json(job_output(t->job, "timing"), timing, err);
}

static int run(struct job *job, struct error *err)
{
    struct training t = {.job = job};
    read_params(&t);
    int rc = read_images(&t, err);
    if (rc == 0)
        rc = make_nets(&t, err);
    if (rc == 0)
        rc = make_buffers(&t, err);
    if (rc == 0)
        rc = start(&t, err);
    if (rc == 0)
        rc = train(&t, err);
    if (rc == 0)
        rc = write_weights(&t, err);
    if (rc == 0)
        rc = write_metrics(&t, err);
    if (rc == 0)
        rc = write_summary(&t, err);
    if (rc == 0)
        rc = write_timing(&t, err);
    finish(&t);
    return rc;
}

/* Operations for each training image; looks at PublicTest are a small, even share more. */
static double work(const json_t *p)
{
    struct net_spec spec = {
        .model = model_named(json_string_value(json_object_get(p, "model"))),
        .width = (int)json_integer_value(json_object_get(p, "width")),
        .classes = CLASSES,
        .image_size = (int)json_integer_value(json_object_get(p, "crop")),
    };
    return 3 * net_spec_flops(&spec) * (double)json_integer_value(json_object_get(p, "epochs"));
}

/* ---- tables ---- */

static const struct port inputs[] = {
    {.name = "images",
     .form = PORT_TREE,
     .text = "a data set's folder; only its training and public splits are opened"},
    {0}};

static const struct port outputs[] = {
    {.name = "best",
     .file = "best.safetensors",
     .text = "weights of the epoch best on PublicTest (the first of equals), PyTorch's names and "
             "layouts"},
    {.name = "last", .file = "last.safetensors", .text = "weights after the last epoch"},
    {.name = "metrics",
     .file = "metrics.jsonl",
     .text = "a line for each epoch: epoch, lr, train_loss, train_accuracy, public_loss, "
             "public_accuracy"},
    {.name = "summary",
     .file = "summary.json",
     .text = "best and last accuracies, parameters, flops_per_image, mean, deviation, backend"},
    {.name = "timing",
     .file = "timing.json",
     .measured = true,
     .text = "seconds, images_per_second, seconds_per_epoch, threads, resumed"},
    {0}};

static const struct param params[] = {
    {.name = "model",
     .type = PARAM_ENUM,
     .choices = "vgg19|resnet18|preact_resnet18|resnext29",
     .text = "the net"},
    {.name = "width",
     .type = PARAM_INT,
     .standard = "64",
     .min = 1,
     .max = 512,
     .text = "channels of the first stage"},
    {.name = "epochs",
     .type = PARAM_INT,
     .standard = "200",
     .min = 1,
     .max = 100000,
     .text = "passes over the training split"},
    {.name = "batch",
     .type = PARAM_INT,
     .standard = "128",
     .min = 1,
     .max = 4096,
     .text = "images a step; the last step of an epoch takes what is left"},
    {.name = "crop",
     .type = PARAM_INT,
     .standard = "40",
     .min = 32,
     .max = 48,
     .text = "height and width of the random crop"},
    {.name = "flip", .type = PARAM_BOOL, .standard = "false", .text = "mirror half of the crops"},
    {.name = "lr",
     .type = PARAM_REAL,
     .standard = "0.01",
     .min = 1e-8,
     .max = 100,
     .text = "highest learning rate"},
    {.name = "schedule",
     .type = PARAM_ENUM,
     .standard = "step",
     .choices = "step|cosine",
     .text = "step: times decay_factor now and then; cosine: to 0 at the end, step by step"},
    {.name = "decay_factor",
     .type = PARAM_REAL,
     .standard = "0.9",
     .min = 1e-6,
     .max = 1,
     .text = "step schedule: factor of each cut"},
    {.name = "decay_every",
     .type = PARAM_INT,
     .standard = "5",
     .min = 1,
     .max = 100000,
     .text = "step schedule: epochs between cuts"},
    {.name = "decay_start",
     .type = PARAM_INT,
     .standard = "80",
     .min = 0,
     .max = 100000,
     .text = "step schedule: epochs before; the first cut is decay_every later"},
    {.name = "warmup_epochs",
     .type = PARAM_INT,
     .standard = "0",
     .min = 0,
     .max = 100000,
     .text = "epochs over which the rate rises from 0 to lr"},
    {.name = "momentum",
     .type = PARAM_REAL,
     .standard = "0.9",
     .min = 0,
     .max = 0.9999,
     .text = "of SGD"},
    {.name = "weight_decay",
     .type = PARAM_REAL,
     .standard = "0.0005",
     .min = 0,
     .max = 1,
     .text = "times each weight, added to its gradient"},
    {.name = "clip",
     .type = PARAM_REAL,
     .standard = "0.1",
     .min = 0,
     .max = 1e6,
     .text = "gradients are cut, each by itself, to +-clip; 0: off"},
    {.name = "label_smoothing",
     .type = PARAM_REAL,
     .standard = "0",
     .min = 0,
     .max = 0.99,
     .text = "share of a label that is spread over all classes"},
    {.name = "precision",
     .type = PARAM_ENUM,
     .standard = "fp32",
     .choices = "fp32|bf16",
     .text = "of the arithmetic; weights are kept in float32"},
    {.name = "evaluate",
     .type = PARAM_ENUM,
     .standard = "center",
     .choices = VIEW_CHOICES,
     .text = "how the net looks at PublicTest after each epoch"},
    {.name = "early_stop_patience",
     .type = PARAM_INT,
     .standard = "0",
     .min = 0,
     .max = 100000,
     .text = "stop after so many epochs without a better PublicTest accuracy; 0: never"},
    {.name = "seed",
     .type = PARAM_INT,
     .standard = "1",
     .min = 0,
     .max = 9e15,
     .text = "of the first weights, the order and the crops"},
    {.name = "checkpoint_seconds",
     .type = PARAM_REAL,
     .standard = "60",
     .min = 0,
     .max = 86400,
     .keyless = true,
     .text = "a checkpoint is written so often, and after each epoch"},
    {0}};

const struct kind kind_train_cnn = {
    .name = "train_cnn",
    .version = 1,
    .text = "trains one of the four nets with SGD",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .numerics = NUMERICS_NET,
    .run = run,
    .work = work,
};
