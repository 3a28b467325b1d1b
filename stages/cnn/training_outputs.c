/* See training.h: weights, metrics, summary and timing of a training that has ended. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "stages/cnn/training.h"

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
        json_t *shown = json_copy(line);
        json_object_del(shown, WATCHED_CORRECT);
        json_dumpf(shown, f, JSON_REAL_PRECISION(9));
        json_decref(shown);
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
        net_precision(t->net) == PRECISION_BF16 ? "bf16" : "fp32", "backend", net_backend(t->net),
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
    json_t *timing =
        json_pack("{s:f, s:f, s:O, s:i, s:b, s:i, s:i}", "seconds", total, "images_per_second",
                  total > 0 ? images / total : 0.0, "seconds_per_epoch", t->state.seconds,
                  "threads", t->job->threads, "resumed", t->state.resumed > 0, "times_resumed",
                  t->state.resumed, "continued_from_epochs", t->state.origin_epochs);
    return job_write_json(job_output(t->job, "timing"), timing, err);
}

/* The accuracy on the watched images of each epoch, of the epoch that PublicTest selects, and of
 * the epoch that they would select themselves (the first of equals): the difference is what
 * selecting on the test set would have gained. */
static int write_watched(const struct training *t, struct error *err)
{
    if (t->watched.n == 0)
        return 0;
    double n = (double)t->watched.n, selected = 0, best = 0, accuracy = 0;
    int best_epoch = 0;
    json_t *accuracies = json_array(), *line;
    size_t i;
    json_array_foreach(t->state.metrics, i, line)
    {
        accuracy = (double)json_integer_value(json_object_get(line, WATCHED_CORRECT)) / n;
        json_array_append_new(accuracies, json_real(accuracy));
        if ((int)i + 1 == t->state.best_epoch)
            selected = accuracy;
        if (best_epoch == 0 || accuracy > best) {
            best = accuracy;
            best_epoch = (int)i + 1;
        }
    }
    json_t *root =
        json_pack("{s:i, s:f, s:i, s:f, s:f, s:f, s:I, s:o}", "selected_epoch", t->state.best_epoch,
                  "selected_accuracy", selected, "oracle_epoch", best_epoch, "oracle_accuracy",
                  best, "gain", best - selected, "last_accuracy", accuracy, "n",
                  (json_int_t)t->watched.n, "accuracies", accuracies);
    return job_write_json(job_output(t->job, "watched"), root, err);
}

/* For a longer training, where one could go on from here. */
static int write_state(struct training *t, struct error *err)
{
    struct schedule longer = t->schedule;
    longer.epochs++;
    if (!schedule_same_start(&t->schedule, &longer, t->schedule.epochs, training_steps(t)))
        return 0;
    return checkpoint_leave(job_output(t->job, ".state"), t->job->key, t->net, &t->best, &t->state,
                            err);
}

int training_write(struct training *t, struct error *err)
{
    int rc = write_weights(t, err);
    if (rc == 0)
        rc = write_metrics(t, err);
    if (rc == 0)
        rc = write_summary(t, err);
    if (rc == 0)
        rc = write_watched(t, err);
    if (rc == 0)
        rc = write_state(t, err);
    return rc < 0 ? rc : write_timing(t, err);
}
