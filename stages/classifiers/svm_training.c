/* See svm_training.h. */
#define _GNU_SOURCE
#include "stages/classifiers/svm_training.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char SPILL_NAME[] = "kernel-values.tmp"; /* for file systems without O_TMPFILE */

int svm_scale_gamma(const struct features *f, double *gamma, struct error *err)
{
    const float *x = f->x.data;
    size_t count = f->n * f->d;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    *gamma = 1 / ((double)f->d * (squares / (double)count));
    return isfinite(*gamma)
               ? 0
               : error_set(err, EINVAL,
                           "features: all training values are equal, so gamma 0 has no "
                           "meaning; set gamma");
}

/* Follows the cycles of the permutation. */
int svm_permute(struct features *f, size_t *target, struct error *err)
{
    size_t width = f->d * sizeof(float);
    uint8_t *labels = f->labels.data;
    char *rows = f->x.data, *held = malloc(width);
    if (!held)
        return error_set(err, ENOMEM, "out of memory to sort %zu rows", f->n);
    for (size_t i = 0; i < f->n; i++)
        while (target[i] != i) { /* swap row i into its target */
            size_t to = target[i];
            uint8_t label = labels[i];
            memcpy(held, rows + i * width, width);
            memcpy(rows + i * width, rows + to * width, width);
            memcpy(rows + to * width, held, width);
            labels[i] = labels[to];
            labels[to] = label;
            target[i] = target[to];
            target[to] = to;
        }
    free(held);
    return 0;
}

static enum csvc_kernel_type kernel_of(const char *name)
{
    static const char *const names[SVM_KERNELS] = {"linear", "poly", "rbf", "sigmoid"};
    int k = 0;
    while (strcmp(names[k], name) != 0 && k < SVM_KERNELS - 1)
        k++;
    return (enum csvc_kernel_type)k;
}

/* The sigmoid kernel isn't positive definite: its problem has many solutions, and a rounding error
 * in one kernel value can lead to another solution than LIBSVM's. */
static bool is_wide(const char *precision, const char *kernel)
{
    return strcmp(precision, "auto") == 0 ? strcmp(kernel, "sigmoid") == 0
                                          : strcmp(precision, "float64") == 0;
}

static int class_of(const char *name)
{
    int c = 0;
    while (c < CLASSES && strcmp(class_names[c], name) != 0)
        c++;
    return c;
}

static int read_map(const json_t *map, double weights[CLASSES], struct error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value)
    {
        int c = class_of(name);
        double w = json_number_value(value);
        if (c == CLASSES)
            return error_set(err, EINVAL,
                             "class_weight: unknown class '%s'; expected angry, disgust, fear, "
                             "happy, sad, surprise or neutral",
                             name);
        if (!json_is_number(value) || !(w > 0 && w <= SVM_LARGEST))
            return error_set(err, EINVAL, "class_weight: %s: expected a number above 0, at most %g",
                             name, SVM_LARGEST);
        weights[c] = w;
    }
    return 0;
}

static int read_weights(const json_t *value, const size_t counts[CLASSES], double weights[CLASSES],
                        struct error *err)
{
    const char *word = json_string_value(value);
    size_t n = 0;
    for (int c = 0; c < CLASSES; c++) {
        weights[c] = 1;
        n += counts[c];
    }
    if (json_is_object(value))
        return read_map(value, weights, err);
    if (!word || (strcmp(word, "none") != 0 && strcmp(word, "balanced") != 0))
        return error_set(err, EINVAL,
                         "class_weight: expected none, balanced, or a map from classes to weights");
    for (int c = 0; strcmp(word, "balanced") == 0 && c < CLASSES; c++)
        weights[c] = (double)n / (CLASSES * (double)counts[c]);
    return 0;
}

void svm_check_class_weight(const json_t *params, struct problems *problems)
{
    const json_t *value = json_object_get(params, "class_weight");
    const size_t counts[CLASSES] = {1, 1, 1, 1, 1, 1, 1};
    double weights[CLASSES];
    struct error why = {""};
    if (read_weights(value, counts, weights, &why) < 0)
        problems_at(problems, "/class_weight", "%s", why.text);
}

/* The file has no name, so that it is deleted when the stage ends in any way. */
static int open_file(void *context)
{
    (void)context;
    int file = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        file = open(SPILL_NAME, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (file >= 0)
            unlink(SPILL_NAME);
    }
    return file < 0 ? -errno : file;
}

static void progress(void *context, size_t done, size_t total)
{
    job_progress(context, (double)done, (double)total, "pair", 0, NULL, NULL);
}

int svm_training_read(struct job *job, const size_t counts[CLASSES], struct csvc_training *training,
                      double weights[CLASSES], struct error *err)
{
    const char *kernel = job_string(job, "kernel");
    *training = (struct csvc_training){
        .kernel = {.type = kernel_of(kernel),
                   .degree = (int)job_int(job, "degree"),
                   .coef0 = job_real(job, "coef0")},
        .weights = weights,
        .tolerance = job_real(job, "tolerance"),
        .wide = is_wide(job_string(job, "precision"), kernel),
        .memory = (size_t)job_int(job, "memory_mb") * 1000000,
        .open_file = open_file,
        .backend = job->backend,
        .threads = job->threads,
        .progress = progress,
        .context = job,
    };
    return read_weights(job_json(job, "class_weight"), counts, weights, err);
}
