/* train_cnn: trains one of the four nets on the training split and evaluates it on PublicTest.
 *
 * Nothing here opens the private split, but for the output `watched`, and no choice depends on
 * that. Every random choice is a function of the seed and of the place in the training (crop.h),
 * and all state goes into a checkpoint (checkpoint.h), so a training that was killed ends with the
 * bytes of one that was not. */
#include <string.h>
#include "stages/cnn/net_params.h"
#include "stages/cnn/training.h"

static int run(struct job *job, struct error *err)
{
    struct training t;
    int rc = training_start(&t, job, err);
    if (rc == 0)
        rc = training_run(&t, err);
    if (rc == 0)
        rc = training_write(&t, err);
    training_finish(&t);
    return rc;
}

/* Operations for each training image; looks at PublicTest are a small, even share more. */
static double work(const json_t *p)
{
    struct net_spec spec = {
        .model = net_model_find(json_string_value(json_object_get(p, "model"))),
        .width = (int)json_integer_value(json_object_get(p, "width")),
        .classes = CLASSES,
        .image_size = (int)json_integer_value(json_object_get(p, "crop")),
    };
    if (spec.model == NET_MODELS)
        return 0; /* refused by the check of params */
    return 3 * net_spec_flops(&spec) * (double)json_integer_value(json_object_get(p, "epochs"));
}

/* ---- tables ---- */

static const struct port inputs[] = {
    {.name = "images",
     .form = PORT_TREE,
     .text = "a data set's folder; only its training and public splits are opened"},
    {.name = "watched",
     .form = PORT_TREE,
     .data = "images",
     .optional = true,
     .text =
         "a data set's folder whose private split is evaluated after each epoch, for the output "
         "watched; no other output depends on it"},
    ENGINES_PORT,
    {0}};

static const struct port outputs[] = {
    {.name = "best",
     .file = "best.safetensors",
     .data = "weights",
     .text = "weights of the epoch best on PublicTest (the first of equals), PyTorch's names and "
             "layouts"},
    {.name = "last",
     .file = "last.safetensors",
     .data = "weights",
     .text = "weights after the last epoch"},
    {.name = "metrics",
     .file = "metrics.jsonl",
     .holds = "/*/epoch|lr|train_loss|train_accuracy|public_loss|public_accuracy",
     .text = "a line for each epoch: epoch, lr, train_loss, train_accuracy, public_loss, "
             "public_accuracy"},
    {.name = "summary",
     .file = "summary.json",
     .holds = "/best_epoch|best_public_accuracy|deviation|epochs|flops_per_image "
              "/last_public_accuracy|last_public_loss|last_train_accuracy|last_train_loss|mean "
              "/parameters|public_images|train_images|width",
     .text = "best and last accuracies, parameters, flops_per_image, mean, deviation, backend"},
    {.name = "watched",
     .file = "watched.json",
     .optional = true,
     .holds = "/selected_epoch|selected_accuracy|oracle_epoch|oracle_accuracy|gain|last_accuracy|n "
              "/accuracies/*",
     .text = "if the input watched is connected: its accuracy (0 to 1) after each epoch, at the "
             "epoch that PublicTest selects, and at its own best epoch (oracle); gain: the "
             "difference, what selecting on the test set would seem to gain"},
    {.name = "timing",
     .file = "timing.json",
     .holds = "/continued_from_epochs|images_per_second|seconds|threads|times_resumed "
              "/seconds_per_epoch/*",
     .measured = true,
     .text = "seconds, images_per_second, seconds_per_epoch, threads, resumed"},
    {.name = ".state",
     .file = CHECKPOINT_LEFT_FILE,
     .optional = true,
     .text = "momentum and metrics: more epochs go on from it; none if the schedule forbids that"},
    {0}};

static const struct param params[] = {
    MODEL_PARAM,
    WIDTH_PARAM,
    {.name = "epochs",
     .type = PARAM_INT,
     .standard = "200",
     .min = 1,
     .max = 100000,
     .continues = true,
     .text = "passes over the training split"},
    BATCH_SIZE_PARAM,
    CROP_PARAM,
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
     .text =
         "step: multiplied by decay_factor every decay_every epochs; cosine: falls towards 0 in "
         "every step, which takes the rate at its middle"},
    {.name = "decay_factor",
     .type = PARAM_REAL,
     .standard = "0.9",
     .min = 1e-6,
     .max = 1,
     .text = "step schedule: factor of each decay"},
    {.name = "decay_every",
     .type = PARAM_INT,
     .standard = "5",
     .min = 1,
     .max = 100000,
     .text = "step schedule: epochs between decays"},
    {.name = "decay_start",
     .type = PARAM_INT,
     .standard = "80",
     .min = 0,
     .max = 100000,
     .text = "step schedule: epochs before; the first decay is decay_every later"},
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
     .text = "gradients are clipped element-wise to ±clip; 0: off"},
    {.name = "label_smoothing",
     .type = PARAM_REAL,
     .standard = "0",
     .min = 0,
     .max = 0.99,
     .text = "share of a label that is spread over all classes"},
    PRECISION_PARAM,
    {.name = "evaluation_view",
     .was = "evaluate",
     .key_name = "evaluate",
     .type = PARAM_ENUM,
     .standard = "center",
     .choices = VIEW_CHOICES,
     .text = "which parts of the PublicTest images are evaluated after each epoch"},
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
     .standard = "20",
     .min = 0,
     .max = 86400,
     .not_in_key = true,
     .text = "seconds between checkpoints, each written at the end of a batch or epoch"},
    {0}};

const struct kind kind_train_cnn = {
    .name = "train_cnn",
    .version = 11,
    .text = "trains one of the four nets with SGD",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .numerics = NUMERICS_NET,
    .gpu = 100,
    .run = run,
    .work = work,
};
