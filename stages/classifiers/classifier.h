/* Shared by the kinds that train or run a classifier: reading and checking features, and predicting
 * both test splits while measuring time. */
#ifndef FERDAG_STAGES_CLASSIFIERS_CLASSIFIER_H
#define FERDAG_STAGES_CLASSIFIERS_CLASSIFIER_H

#include "stages/data/formats.h"
#include "stages/job.h"

/* Ports of a kind that trains and predicts in one stage and writes no model: input `features`,
 * outputs `predictions` and `timing`. */
extern const struct port classifier_inputs[], classifier_outputs[];

/* The same outputs for a kind that only predicts. */
extern const struct port prediction_outputs[];

/* Reads one split of the `features` port. It must have rows and columns, and values must be finite
 * and at most 1e15, so that sums of squares over a row fit into float32. -EINVAL, -EFBIG, or an
 * error of features_read. features_free frees. */
int classifier_read(const struct job *job, enum split split, struct features *f, struct error *err);

/* As classifier_read, for the training split. Each of the seven classes must also have a row, and
 * the rows must not all be the same. */
int classifier_read_training(const struct job *job, struct features *f, struct error *err);

/* A trained classifier. */
struct classifier {
    size_t d;          /* columns of its training rows */
    const void *model; /* passed to predict */
    /* out (n): the class of each row of x (n, d). */
    int (*predict)(const void *model, const float *x, size_t n, uint8_t *out, struct error *err);
    /* Reads the rows and labels of a split; NULL: classifier_read. */
    int (*read)(const struct job *job, enum split split, struct features *f, struct error *err);
};

/* Predicts the public and the private split, and writes the outputs `predictions` and `timing`:
 * seconds of the first prediction of each split, the times of time_predict.h for the private split,
 * and the number of threads. train_seconds: seconds of the training, or below 0 if there was none.
 */
int classifier_finish(const struct job *job, const struct classifier *classifier,
                      double train_seconds, struct error *err);

/* Output ports of kinds that predict; text and holds as in struct port. */
/* clang-format off */
#define PREDICTIONS_PORT                                                                           \
    {.name = "predictions", .form = PORT_TREE, .file = "predictions",                              \
     .text = "predicted and true classes, public and private"}
#define TIMING_PORT(TEXT, HOLDS)                                                                     \
    {.name = "timing", .form = PORT_FILE, .file = "timing.json", .measured = true, .holds = (HOLDS), \
     .text = (TEXT)}
/* clang-format on */

/* The fields of timing.json: of kinds that predict, train and predict, or only train. */
#define TIMING_OF_PREDICTION                                                                       \
    "/threads /predict_seconds/public|private "                                                    \
    "/batch|single/median|first_quartile|third_quartile|min|max|repeats|images"
#define TIMING_OF_BOTH     TIMING_OF_PREDICTION " /train_seconds"
#define TIMING_OF_TRAINING "/train_seconds|threads|iterations|unconverged_pairs"

#define TIMING_TEXT                                                                                \
    "train_seconds, threads; batch and single (one image at a time): {median, first_quartile, "    \
    "third_quartile, min, max: seconds per image; repeats, images}"

#endif
