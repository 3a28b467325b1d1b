/* What the kinds that train or run a classifier share: reading features with every check that all
 * of them need, and predicting both test splits under a clock. */
#ifndef FERDAG_STAGES_CLASSIFIERS_CLASSIFIER_H
#define FERDAG_STAGES_CLASSIFIERS_CLASSIFIER_H

#include "stages/data/formats.h"
#include "stages/job.h"

/* Ports of a kind that trains and predicts in one stage and keeps no model: `features` in,
 * `predictions` and `timing` out. */
extern const struct port classifier_inputs[], classifier_outputs[];

/* The same outputs of a kind that only predicts. */
extern const struct port prediction_outputs[];

/* Reads one split of the `features` port: at least one row and column, no NaN, no infinity, and no
 * value whose square could leave the range of float32 in a sum over a row. */
int classifier_read(const struct job *job, enum split split, struct features *f, struct error *err);

/* As classifier_read for the training split; further each of the seven classes must have a row,
 * and the rows must not all be the same. */
int classifier_read_training(const struct job *job, struct features *f, struct error *err);

/* A trained classifier: writes the class of each of the n rows of x (n, d) to out. */
struct classifier {
    size_t d;          /* columns that it was trained on */
    const void *model; /* handed to predict */
    int (*predict)(const void *model, const float *x, size_t n, uint8_t *out, struct error *err);
    /* Reads a split's rows and labels; NULL: classifier_read. */
    int (*read)(const struct job *job, enum split split, struct features *f, struct error *err);
};

/* Reads the public and private split, predicts them, and writes the outputs `predictions` and
 * `timing` (timing.json): what time_predict.h says of the private split, the threads, and seconds
 * of the first prediction of each split. train_seconds below 0: no training took place, and the
 * field is left out. */
int classifier_finish(const struct job *job, const struct classifier *classifier,
                      double train_seconds, struct error *err);

/* Output ports of kinds that predict: the first, and the last with what the times are of. */
/* clang-format off */
#define PREDICTIONS_PORT                                                                           \
    {.name = "predictions", .form = PORT_TREE, .file = "predictions",                              \
     .text = "predicted and true classes, public and private"}
#define TIMING_PORT(says, has)                                                                     \
    {.name = "timing", .form = PORT_FILE, .file = "timing.json", .measured = true, .holds = (has), \
     .text = (says)}
/* clang-format on */

/* What it holds: of kinds that predict, of those that train first, and of those that only train. */
#define TIMING_OF_PREDICTION                                                                       \
    "/threads /predict_seconds/public|private "                                                    \
    "/batch|single/median|first_quartile|third_quartile|min|max|repeats|images"
#define TIMING_OF_BOTH     TIMING_OF_PREDICTION " /train_seconds"
#define TIMING_OF_TRAINING "/train_seconds|threads|iterations|unconverged_pairs"

#define TIMING_TEXT                                                                                \
    "train_seconds, threads; batch and single (one image at a time) {median, first_quartile, "     \
    "third_quartile, min, max of seconds an image, repeats, images}"

#endif
