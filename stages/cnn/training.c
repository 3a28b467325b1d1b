/* See training.h: batches, epochs, the evaluation on PublicTest after each, and progress. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "stages/cnn/training.h"

/* ---- progress ---- */

static void report_progress(struct training *t, size_t batches)
{
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
}

/* ---- training ---- */

size_t training_steps(const struct training *t)
{
    size_t batch = (size_t)t->spec.batch;
    return (t->train.n + batch - 1) / batch;
}

static int save(struct training *t, struct error *err)
{
    int rc = checkpoint_write(CHECKPOINT_FILE, t->job->key, t->net, &t->best, &t->state, err);
    t->last_checkpoint = clock_monotonic();
    return rc;
}

static bool save_due(const struct training *t)
{
    return clock_monotonic() - t->last_checkpoint >= t->checkpoint_seconds;
}

/* Draws the crops of the running epoch, in its order, and queues them with their labels. */
static int queue_epoch(struct training *t, struct error *err)
{
    double before = clock_monotonic();
    uint64_t epoch = (uint64_t)t->state.epoch;
    const uint8_t *labels = t->train.labels.data;
    crop_order(t->seed, epoch, t->order, t->train.n);
    for (size_t i = 0; i < t->train.n; i++) {
        t->crops[i] = crop_random(t->seed, epoch, i, t->crop, t->flip);
        t->crops[i].image = t->order[i];
        t->labels[i] = labels[t->order[i]];
    }
    int rc = net_queue(t->net, &t->train_images, t->crops, t->labels, t->train.n, err);
    t->state.epoch_seconds += clock_monotonic() - before;
    return rc;
}

static int diverged(const struct training *t, size_t step, const char *split, double loss,
                    struct error *err)
{
    return error_set(err, EDOM,
                     "epoch %d, step %zu: the %s loss is %g: training diverged; try a lower lr (it "
                     "is %g)%s",
                     t->state.epoch + 1, step, split, loss, t->schedule.lr,
                     t->step.sgd.clip > 0 ? "" : " or clip gradients");
}

static int train_batch(struct training *t, size_t batches, struct error *err)
{
    double before = clock_monotonic();
    size_t batch = (size_t)t->spec.batch, first = t->state.batch * batch;
    size_t left = t->train.n - first, n = left < batch ? left : batch;
    t->step.sgd.lr = schedule_step_rate(&t->schedule, t->state.epoch, t->state.batch, batches);
    int rc = net_train_step(t->net, first, n, &t->step, err);
    if (rc < 0)
        return rc;
    t->state.batch++;
    double seconds = clock_monotonic() - before;
    t->state.epoch_seconds += seconds;
    if (t->warm) {
        t->trained_seconds += seconds;
        t->trained_images += n;
    }
    t->warm = true;
    return 0;
}

/* Makes the device's sums those of the running epoch so far. */
static int start_sums(struct training *t, struct error *err)
{
    const struct loss_sums sums = {.loss = t->state.loss, .correct = t->state.correct};
    t->sums_from = t->state.batch;
    return net_loss_sums(t->net, NULL, &sums, err);
}

/* Takes over the device's sums, which waits for the steps that it was given. */
static int read_sums(struct training *t, struct error *err)
{
    struct loss_sums sums;
    double before = clock_monotonic();
    int rc = net_loss_sums(t->net, &sums, NULL, err);
    if (rc < 0)
        return rc;
    double seconds = clock_monotonic() - before;
    t->state.epoch_seconds += seconds;
    t->trained_seconds += seconds;
    if (!isfinite(sums.loss))
        return diverged(t, t->sums_from + sums.finite + 1, "training", sums.loss, err);
    t->state.loss = sums.loss;
    t->state.correct = sums.correct;
    return 0;
}

/* Prepares the net that evaluates. */
static int start_evaluation(struct training *t, struct error *err)
{
    struct evaluation *e = &t->evaluation;
    e->net = t->full_net ? t->full_net : t->net;
    e->view = t->view;
    e->crop = t->crop;
    e->batch = t->spec.batch;
    int rc = t->full_net ? weights_from_net(&t->now, t->net, err) : 0;
    return rc == 0 && t->full_net ? weights_to_net(&t->now, t->full_net, err) : rc;
}

static int evaluate_set(struct training *t, const struct images *set,
                        const struct net_images *resident, double *loss, size_t *correct,
                        struct error *err)
{
    int rc = evaluate_queue(&t->evaluation, resident, err);
    if (rc == 0)
        rc = evaluate(&t->evaluation, 0, set->n, t->logits, NULL, err);
    if (rc == 0)
        *loss = evaluate_loss(t->logits, set->labels.data, set->n, correct);
    return rc;
}

static int evaluate_public(struct training *t, double *loss, size_t *correct, struct error *err)
{
    int rc = start_evaluation(t, err);
    if (rc == 0)
        rc = evaluate_set(t, &t->public, &t->public_images, loss, correct, err);
    if (rc < 0)
        return rc;
    return isfinite(*loss) ? 0 : diverged(t, t->state.batch + 1, "public", *loss, err);
}

/* Adds the accuracy on the watched images to the line of the epoch. Nothing reads it but the output
 * `watched`. */
static int watch(struct training *t, json_t *line, struct error *err)
{
    double loss = 0;
    size_t correct = 0;
    if (t->watched.n == 0)
        return 0;
    int rc = evaluate_set(t, &t->watched, &t->watched_images, &loss, &correct, err);
    if (rc == 0 &&
        json_object_set_new(line, WATCHED_CORRECT, json_integer((json_int_t)correct)) < 0)
        rc = error_set(err, ENOMEM, "out of memory");
    return rc;
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
    return watch(t, line, err);
}

static int end_epoch(struct training *t, struct error *err)
{
    struct training_state *s = &t->state;
    double before = clock_monotonic(), loss = 0;
    size_t correct = 0;
    int rc = evaluate_public(t, &loss, &correct, err);
    double accuracy = (double)correct / (double)t->public.n;
    s->epoch_seconds += clock_monotonic() - before;
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
    return rc == 0 && save_due(t) ? save(t, err) : rc;
}

static bool wants_more(const struct training *t)
{
    int64_t patience = job_int(t->job, "early_stop_patience");
    const struct training_state *s = &t->state;
    return s->epoch < t->schedule.epochs &&
           !(patience > 0 && s->best_epoch > 0 && s->epoch - s->best_epoch >= patience);
}

/* The rest of the running epoch. Loss and accuracy are read where progress is due, before a
 * checkpoint, and at the end. */
static int finish_epoch(struct training *t, size_t batches, struct error *err)
{
    int rc = queue_epoch(t, err);
    if (rc == 0)
        rc = start_sums(t, err);
    while (rc == 0 && t->state.batch < batches) {
        rc = train_batch(t, batches, err);
        bool due = clock_report_due(&t->last_report);
        bool save_too = save_due(t);
        if (rc == 0 && (due || save_too || t->state.batch == batches))
            rc = read_sums(t, err);
        if (rc == 0 && save_too)
            rc = save(t, err);
        if (rc == 0 && due)
            report_progress(t, batches);
    }
    return rc;
}

int training_run(struct training *t, struct error *err)
{
    size_t batches = training_steps(t);
    t->last_checkpoint = t->last_report = clock_monotonic();
    report_progress(t, batches); /* the first step may take a minute */
    while (wants_more(t)) {
        int rc = finish_epoch(t, batches, err);
        if (rc == 0)
            rc = end_epoch(t, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
