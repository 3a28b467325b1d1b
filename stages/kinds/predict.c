/* predict_svm: predicts with a model of train_svm or LIBSVM's svm-train. */
#include "kernels/classifiers/svm/csvc.h"
#include "stages/classifiers/classifier.h"
#include "stages/kind.h"
#include "stages/data/svm_model.h"

static int predict(const void *model, const float *x, size_t n, uint8_t *out, struct error *err)
{
    return csvc_predict_rows(model, x, n, out, NULL, err);
}

static int run(struct job *job, struct error *err)
{
    struct features f;
    struct csvc_model model = {0};
    struct csvc_predictor predictor = {0};
    int rc = classifier_read(job, SPLIT_PUBLIC, &f, err); /* for the number of columns */
    if (rc < 0)
        return rc;
    size_t d = f.d;
    features_free(&f);
    rc = svm_model_read(job_input(job, "model", 0), d, CLASSES, &model, err);
    if (rc == 0)
        rc = csvc_predictor_make_on(&predictor, job->backend, &model, job->threads, err);
    if (rc == 0) {
        struct classifier classifier = {.d = d, .model = &predictor, .predict = predict};
        rc = classifier_finish(job, &classifier, -1, err);
    }
    csvc_predictor_free(&predictor);
    csvc_model_free(&model);
    return rc;
}

static const struct port inputs[] = {
    {.name = "model",
     .form = PORT_FILE,
     .text = "model in LIBSVM's text format: C-SVC, labels 0 to 6"},
    {.name = "features",
     .form = PORT_TREE,
     .text = "features and labels; public and private are read"},
    {0},
};

static const struct param params[] = {{0}};

const struct kind kind_predict = {
    .name = "predict_svm",
    .was = "predict",
    .key_name = "predict",
    .version = 4,
    .text = "classes by a support vector machine, with the votes of LIBSVM's svm-predict",
    .inputs = inputs,
    .outputs = prediction_outputs,
    .params = params,
    .numerics = NUMERICS_PRODUCTS,
    .gpu = 20,
    .run = run,
};
