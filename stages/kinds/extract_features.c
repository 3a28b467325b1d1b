/* extract_features: evaluates a trained net on every image of a data set: the output of its last
 * pooling layer, its logits and its predicted classes. The metadata of the weights name the net and
 * the scale of grey levels. It also measures the time per image, alone and in a batch. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "stages/cnn/engines.h"
#include "stages/cnn/evaluate.h"
#include "stages/job.h"
#include "stages/cnn/weights.h"

struct extraction {
    const struct job *job;
    struct safetensors file;
    struct weights_notes notes;
    struct engines engines;
    const struct engine_choices *listed; /* of engines, or NULL */
    struct scale scale;
    enum view decide, view; /* of logits; of features */
    int batch;
    struct images images[SPLITS];
    struct array logits[SPLITS]; /* (n, CLASSES) */
    struct features features[SPLITS];

    size_t total, before, done; /* images: of all passes, of splits finished, for progress */
    double started;
    double batch_seconds, single_seconds; /* for one image */
    char backend[32];
    double flops;
};

/* A net for a view, with the weights in it. */
static int open_net(const struct extraction *x, enum view view, int batch, struct net **net,
                    struct error *err)
{
    struct net_spec spec = {
        .model = x->notes.model,
        .width = x->notes.width,
        .classes = CLASSES,
        .image_size = view_size(view, x->notes.crop),
        .batch = batch,
        .precision = precision_named(job_string(x->job, "precision")),
        .backend = x->job->backend,
        .threads = x->job->threads,
        .engines = x->listed,
    };
    int rc = net_create(net, &spec, err);
    if (rc == 0)
        rc = weights_load(*net, &x->file, err);
    if (rc < 0)
        error_prefix(err, "weights");
    return rc;
}

static void tick(void *context, size_t done)
{
    struct extraction *x = context;
    double seconds = clock_monotonic() - x->started;
    x->done = x->before + done;
    job_progress(x->job, (double)x->done, (double)x->total, "image",
                 seconds > 0 ? (double)x->done / seconds : 0, "images/s", NULL);
}

/* One pass over all splits in one view. */
static int pass(struct extraction *x, enum view view, bool logits, bool features, struct error *err)
{
    struct net *net = NULL;
    struct net_images images;
    int rc = open_net(x, view, x->batch, &net, err);
    struct evaluation e = {.net = net,
                           .view = view,
                           .crop = x->notes.crop,
                           .batch = x->batch,
                           .tick = tick,
                           .context = x};
    for (int s = 0; rc == 0 && s < SPLITS; s++) {
        size_t n = x->images[s].n, shape[2] = {n, net_features(net)};
        if (features && !x->features[s].x.data)
            rc = array_make(&x->features[s].x, ARRAY_F32, 2, shape, err);
        if (rc == 0)
            rc = crop_add_images(net, &x->images[s], &x->scale, &images, err);
        if (rc == 0)
            rc = evaluate_queue(&e, &images, err);
        if (rc == 0)
            rc = evaluate(&e, 0, n, logits ? x->logits[s].data : NULL,
                          features ? x->features[s].x.data : NULL, err);
        x->before = x->done;
    }
    if (rc == 0) {
        if (!x->backend[0]) /* once */
            precision_log(net, precision_named(job_string(x->job, "precision")));
        snprintf(x->backend, sizeof x->backend, "%s", net_backend(net));
        x->flops = net_flops(net);
    }
    net_free(net);
    evaluate_free(&e);
    return rc;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

enum { WARM_UPS = 3, FEWEST = 5, MOST = 50 };

/* Seconds an image in batches of `batch`: the median of up to 50, or of what some seconds allow,
 * after some that also build the backend's kernels. */
static int measure(struct extraction *x, size_t batch, double *seconds_per_image, struct error *err)
{
    struct net *net = NULL;
    struct net_images images;
    double seconds[MOST], began = clock_monotonic();
    size_t total = x->images[SPLIT_PUBLIC].n, count = batch < total ? batch : total;
    int n = 0, rc = open_net(x, x->view, (int)count, &net, err);
    float *features = rc == 0 ? malloc(count * net_features(net) * sizeof *features) : NULL;
    if (rc == 0 && !features)
        rc = error_set(err, ENOMEM, "out of memory");
    if (rc == 0)
        rc = crop_add_images(net, &x->images[SPLIT_PUBLIC], &x->scale, &images, err);
    struct evaluation e = {.net = net, .view = x->view, .crop = x->notes.crop, .batch = (int)count};
    if (rc == 0)
        rc = evaluate_queue(&e, &images, err);
    for (size_t i = 0; rc == 0 && n < MOST && (n < FEWEST || clock_monotonic() - began < 4); i++) {
        double before = clock_monotonic();
        rc = evaluate(&e, i % (total - count + 1), count, NULL, features, err);
        if (i >= WARM_UPS)
            seconds[n++] = (clock_monotonic() - before) / (double)count;
    }
    if (rc == 0) {
        qsort(seconds, (size_t)n, sizeof *seconds, by_size);
        *seconds_per_image = seconds[n / 2];
    }
    free(features);
    net_free(net);
    evaluate_free(&e);
    return rc;
}

/* ---- input and output ---- */

static int read_inputs(struct extraction *x, struct error *err)
{
    const char *folder = job_input(x->job, "images", 0);
    x->decide = view_named(job_string(x->job, "evaluation_view"));
    x->view = view_named(job_string(x->job, "features_view"));
    x->batch = (int)job_int(x->job, "batch_size");
    int rc = weights_open(job_input(x->job, "weights", 0), &x->file, &x->notes, err);
    if (rc == 0)
        rc = engines_read(&x->engines, x->job, &x->listed, err);
    if (rc == 0)
        scale_set(&x->scale, x->notes.mean, x->notes.deviation);
    for (int s = 0; rc == 0 && s < SPLITS; s++) {
        rc = images_read(folder, (enum split)s, &x->images[s], err);
        if (rc == 0 && x->images[s].n == 0)
            rc = error_set(err, EINVAL, "images: the %s split has no image", split_names[s]);
        size_t shape[2] = {x->images[s].n, CLASSES};
        if (rc == 0)
            rc = array_make(&x->logits[s], ARRAY_F32, 2, shape, err);
        x->total += x->images[s].n;
    }
    if (x->decide != x->view)
        x->total *= 2;
    return rc;
}

static int write_features(struct extraction *x, struct error *err)
{
    const char *folder = job_output(x->job, "features");
    int rc = file_make_folders(folder, err);
    for (int s = 0; rc == 0 && s < SPLITS; s++) {
        struct features f = x->features[s]; /* labels stay the images' own */
        f.n = x->images[s].n;
        f.d = f.x.shape[1];
        f.labels = x->images[s].labels;
        rc = features_write(folder, (enum split)s, &f, err);
    }
    return rc;
}

static int write_logits(struct extraction *x, struct error *err)
{
    const char *folder = job_output(x->job, "logits");
    int rc = file_make_folders(folder, err);
    for (int s = 0; rc == 0 && s < SPLITS; s++) {
        char *path = format_string("%s/%s_logits.npy", folder, split_names[s]);
        rc = path ? array_write(path, &x->logits[s], err) : error_set(err, ENOMEM, "out of memory");
        free(path);
    }
    return rc;
}

/* Decisions for public and private; *accuracies gets an object of all three splits. */
static int write_predictions(struct extraction *x, json_t *accuracies, struct error *err)
{
    const char *folder = job_output(x->job, "predictions");
    int rc = file_make_folders(folder, err);
    for (int s = 0; rc == 0 && s < SPLITS; s++) {
        size_t n = x->images[s].n, correct = 0;
        const uint8_t *labels = x->images[s].labels.data;
        uint8_t *predicted = malloc(n);
        if (!predicted)
            return error_set(err, ENOMEM, "out of memory");
        evaluate_classes(x->logits[s].data, n, predicted);
        for (size_t i = 0; i < n; i++)
            correct += predicted[i] == labels[i];
        json_object_set_new(accuracies, split_names[s], json_real((double)correct / (double)n));
        if (s != SPLIT_TRAIN)
            rc = predictions_write(folder, (enum split)s, predicted, labels, n, err);
        free(predicted);
    }
    return rc;
}

static int write_outputs(struct extraction *x, struct error *err)
{
    json_t *accuracies = json_object();
    int rc = write_features(x, err);
    if (rc == 0)
        rc = write_logits(x, err);
    if (rc == 0)
        rc = write_predictions(x, accuracies, err);
    json_t *summary = json_pack(
        "{s:s, s:i, s:I, s:s, s:f, s:s, s:s, s:o}", "model", net_model_names[x->notes.model],
        "width", x->notes.width, "features", (json_int_t)x->features[0].x.shape[1], "backend",
        x->backend, "flops_per_image", x->flops, "evaluate", job_string(x->job, "evaluation_view"),
        "view", job_string(x->job, "features_view"), "accuracy", accuracies);
    if (rc == 0)
        rc = job_write_json(job_output(x->job, "summary"), json_incref(summary), err);
    json_decref(summary);
    if (rc == 0)
        rc = job_write_json(job_output(x->job, "timing"),
                            json_pack("{s:f, s:f, s:i}", "seconds_per_image_single",
                                      x->single_seconds, "seconds_per_image_batch",
                                      x->batch_seconds, "threads", x->job->threads),
                            err);
    return rc;
}

static int run(struct job *job, struct error *err)
{
    struct extraction x = {.job = job, .started = clock_monotonic()};
    int rc = read_inputs(&x, err);
    bool once = x.decide == x.view;
    if (rc == 0)
        rc = pass(&x, x.view, once, true, err);
    if (rc == 0 && !once)
        rc = pass(&x, x.decide, true, false, err);
    if (rc == 0)
        rc = measure(&x, 1, &x.single_seconds, err);
    if (rc == 0)
        rc = measure(&x, (size_t)x.batch, &x.batch_seconds, err);
    if (rc == 0)
        rc = write_outputs(&x, err);
    safetensors_free(&x.file);
    engines_free(&x.engines);
    for (int s = 0; s < SPLITS; s++) {
        images_free(&x.images[s]);
        array_free(&x.logits[s]);
        array_free(&x.features[s].x);
    }
    return rc;
}

/* ---- tables ---- */

static const struct port inputs[] = {
    {.name = "images", .form = PORT_TREE, .text = "a data set's folder"},
    {.name = "weights",
     .form = PORT_FILE,
     .text = "of train_cnn; its metadata tell model, width, crop, mean and deviation"},
    ENGINES_PORT,
    {0}};

static const struct port outputs[] = {
    {.name = "features",
     .form = PORT_TREE,
     .file = "features",
     .text = "train, public and private: (n, d) float32 of the last pooling layer, and labels"},
    {.name = "predictions",
     .form = PORT_TREE,
     .file = "predictions",
     .text = "public and private: the class of the largest logit"},
    {.name = "logits",
     .form = PORT_TREE,
     .file = "logits",
     .text = "train, public and private: s_logits.npy, (n, 7) float32; means over the views"},
    {.name = "summary",
     .file = "summary.json",
     .holds = "/accuracy/train|public|private /features|flops_per_image|width",
     .text = "what was done, accuracy for each split"},
    {.name = "timing",
     .file = "timing.json",
     .holds = "/seconds_per_image_batch|seconds_per_image_single|threads",
     .measured = true,
     .text = "seconds_per_image_single, seconds_per_image_batch, threads"},
    {0}};

static const struct param params[] = {
    {.name = "evaluation_view",
     .was = "evaluate",
     .key_name = "evaluate",
     .type = PARAM_ENUM,
     .standard = "center",
     .choices = VIEW_CHOICES,
     .text = "what decisions and logits come from; ten_crop takes the mean of ten logits"},
    {.name = "features_view",
     .was = "view",
     .key_name = "view",
     .type = PARAM_ENUM,
     .standard = "center",
     .choices = VIEW_CHOICES,
     .text = "what features come from; ten_crop takes the mean of ten feature vectors"},
    {.name = "precision",
     .type = PARAM_ENUM,
     .standard = "fp32",
     .choices = PRECISION_CHOICES,
     .text = "of the arithmetic; auto: bf16 on a GPU that has it, else fp32"},
    {.name = "batch_size",
     .was = "batch",
     .key_name = "batch",
     .type = PARAM_INT,
     .standard = "128",
     .min = 1,
     .max = 4096,
     .text = "images at a time"},
    {0}};

const struct kind kind_extract_features = {
    .name = "extract_features",
    .version = 7,
    .text = "features, logits and decisions of a trained net for every image",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .numerics = NUMERICS_NET,
    .gpu = 100,
    .run = run,
};
