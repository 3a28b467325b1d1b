/* check_gpu: whole nets. A step that runs directly, one that is recorded and one that is replayed
 * must have the same results, to the bit, and so must a repetition; evaluation likewise. One step
 * in fp32 is compared with `ref`. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/gpu/check.h"
#include "tests/gpu/net_images.h"

enum { STEPS = 3, MAX_PASSES = 2 * STEPS };

static const struct net_step standard_step = {
    .sgd = {.lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4, .clip = 0.1},
    .label_smoothing = 0.1,
};

/* ---- a net, and all that a step changes ---- */

struct trained {
    struct net *net;
    struct net_images images;
};

struct state {
    float *values; /* parameters, buffers and momenta */
    size_t count;
    struct loss_sums sums;
};

static int open_net(struct trained *t, const struct net_spec *spec, const struct drawn *drawn,
                    struct error *err)
{
    *t = (struct trained){0};
    int e = net_create(&t->net, spec, err);
    if (!e)
        e = net_init(t->net, 1, err);
    if (!e)
        e = drawn_add(t->net, drawn, &t->images, err);
    return e ? e : drawn_queue(t->net, drawn, &t->images, err);
}

typedef int transfer(struct net *net, size_t i, float *values, struct error *err);

static int set(struct net *net, size_t i, float *values, struct error *err)
{
    return net_set(net, i, values, err);
}

static int set_momentum(struct net *net, size_t i, float *values, struct error *err)
{
    return net_set_momentum(net, i, values, err);
}

/* Reads or writes all parameters, then all momenta. */
static int move_state(struct net *net, struct state *s, transfer *values, transfer *momenta,
                      struct error *err)
{
    float *at = s->values;
    int e = 0;
    for (size_t i = 0; !e && i < net_param_count(net); i++) {
        e = values(net, i, at, err);
        at += net_param(net, i)->count;
        if (e || !net_param(net, i)->trainable)
            continue;
        e = momenta(net, i, at, err);
        at += net_param(net, i)->count;
    }
    return e;
}

static int get_state(struct net *net, struct state *s, struct error *err)
{
    const struct loss_sums none = {0};
    s->count = 0;
    for (size_t i = 0; i < net_param_count(net); i++)
        s->count += net_param(net, i)->count * (net_param(net, i)->trainable ? 2 : 1);
    if (!s->values)
        s->values = calloc(s->count, sizeof *s->values);
    if (!s->values)
        return error_set(err, ENOMEM, "out of memory");
    int e = move_state(net, s, net_get, net_get_momentum, err);
    return e ? e : net_loss_sums(net, &s->sums, &none, err);
}

static int set_state(struct net *net, struct state *s, struct error *err)
{
    return move_state(net, s, set, set_momentum, err);
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static int same_state(const struct state *a, const struct state *b, const char *what,
                      struct error *err)
{
    size_t at = 0;
    while (at < a->count && float_bits(a->values[at]) == float_bits(b->values[at]))
        at++;
    if (at < a->count)
        return error_set(err, EILSEQ, "%s: value %zu of %zu is %.9g and %.9g", what, at, a->count,
                         (double)a->values[at], (double)b->values[at]);
    if (a->sums.loss != b->sums.loss || a->sums.correct != b->sums.correct ||
        a->sums.finite != b->sums.finite)
        return error_set(err, EILSEQ, "%s: the loss is %.17g and %.17g", what, a->sums.loss,
                         b->sums.loss);
    return a->sums.finite > 0 ? 0 : error_set(err, ERANGE, "%s: the loss isn't finite", what);
}

/* ---- direct = recorded = replayed = repeated ---- */

struct net_item {
    struct net_spec spec;
    char name[CHECK_NAME];
};

/* Passes of a net: STEPS of a full batch, then STEPS of a last one, each from the next position of
 * the queue on. */
static size_t pass_first(int pass)
{
    return (size_t)(pass % STEPS);
}

static size_t queue_images(const struct checks *checks)
{
    return check_batch(checks) + STEPS;
}

static size_t pass_images(const struct checks *checks, int pass)
{
    return pass < STEPS ? check_batch(checks) : check_last(checks);
}

/* Does pass `pass` in a net of its own, which therefore runs it directly, from the state before. */
static int direct_step(const struct net_spec *spec, const struct drawn *drawn, struct state *state,
                       size_t first, size_t n, struct error *err)
{
    struct trained t;
    int e = open_net(&t, spec, drawn, err);
    if (!e)
        e = set_state(t.net, state, err);
    if (!e)
        e = net_train_step(t.net, first, n, &standard_step, err);
    if (!e)
        e = get_state(t.net, state, err);
    net_free(t.net);
    return e;
}

/* All passes in one net: states[pass] afterwards. */
static int train_passes(const struct checks *checks, const struct net_spec *spec,
                        const struct drawn *drawn, struct state *states, struct error *err)
{
    struct trained t;
    int e = open_net(&t, spec, drawn, err);
    for (int pass = 0; !e && pass < MAX_PASSES; pass++) {
        e = net_train_step(t.net, pass_first(pass), pass_images(checks, pass), &standard_step, err);
        if (!e)
            e = get_state(t.net, &states[pass], err);
    }
    net_free(t.net);
    return e;
}

static int compare_direct(const struct checks *checks, const struct net_spec *spec,
                          const struct drawn *drawn, const struct state *states, struct error *err)
{
    struct state state = {0};
    int e = 0;
    for (int pass = 0; !e && pass < MAX_PASSES; pass++) {
        char what[CHECK_NAME];
        const char *kind = pass % STEPS == 1 ? "recorded" : "replayed";
        if (pass % STEPS == 0)
            continue; /* the first of a size runs directly anyway */
        snprintf(what, sizeof what, "step %d of %zu images, %s and direct", pass % STEPS + 1,
                 pass_images(checks, pass), kind);
        if (!state.values)
            state.values = calloc(states[pass].count, sizeof *state.values);
        if (!state.values)
            return error_set(err, ENOMEM, "out of memory");
        state.count = states[pass].count;
        memcpy(state.values, states[pass - 1].values, state.count * sizeof *state.values);
        e = direct_step(spec, drawn, &state, pass_first(pass), pass_images(checks, pass), err);
        if (!e)
            e = same_state(&states[pass], &state, what, err);
    }
    free(state.values);
    return e;
}

static int compare_repeated(const struct checks *checks, const struct net_spec *spec,
                            const struct drawn *drawn, const struct state *states,
                            struct error *err)
{
    struct state again[MAX_PASSES] = {{0}};
    int e = train_passes(checks, spec, drawn, again, err);
    for (int pass = 0; pass < MAX_PASSES; pass++) {
        if (!e)
            e = same_state(&states[pass], &again[pass], "repeated", err);
        free(again[pass].values);
    }
    return e;
}

static int check_training_passes(struct checks *checks, const void *item, struct error *err)
{
    const struct net_spec *spec = &((const struct net_item *)item)->spec;
    struct state states[MAX_PASSES] = {{0}};
    struct drawn drawn;
    int e = drawn_make(&drawn, queue_images(checks), 1, err);
    if (!e) {
        drawn_shuffle(&drawn, IMAGE_SIZE, 0);
        e = train_passes(checks, spec, &drawn, states, err);
    }
    if (!e)
        e = compare_direct(checks, spec, &drawn, states, err);
    if (!e)
        e = compare_repeated(checks, spec, &drawn, states, err);
    for (int pass = 0; pass < MAX_PASSES; pass++)
        free(states[pass].values);
    drawn_free(&drawn);
    return e;
}

/* ---- evaluation ---- */

/* Logits and features of n images from `first` on; *values is allocated. */
static int predict(struct net *net, size_t first, size_t n, float **values, size_t *count,
                   struct error *err)
{
    *count = n * (CLASSES + net_features(net));
    *values = calloc(*count, sizeof **values);
    if (!*values)
        return error_set(err, ENOMEM, "out of memory");
    return net_predict(net, first, n, *values, *values + n * CLASSES, err);
}

/* Evaluates in a net of its own, which therefore runs the pass directly. */
static int predict_directly(const struct net_spec *spec, const struct drawn *drawn, size_t first,
                            size_t n, float **values, struct error *err)
{
    struct trained t;
    size_t count;
    int e = open_net(&t, spec, drawn, err);
    if (!e)
        e = predict(t.net, first, n, values, &count, err);
    net_free(t.net);
    return e;
}

static int compare_predictions(const struct net_spec *spec, const struct drawn *drawn, size_t n,
                               struct error *err)
{
    static const char *const names[STEPS] = {"direct", "recorded", "replayed"};
    struct trained t;
    int e = open_net(&t, spec, drawn, err);
    for (int pass = 0; !e && pass < STEPS; pass++) {
        float *values = NULL, *direct = NULL;
        size_t count = 0;
        e = predict(t.net, pass_first(pass), n, &values, &count, err);
        if (!e)
            e = predict_directly(spec, drawn, pass_first(pass), n, &direct, err);
        for (size_t i = 0; !e && i < count; i++) {
            if (float_bits(values[i]) != float_bits(direct[i]))
                e = error_set(err, EILSEQ, "%zu images: %s and direct evaluation differ", n,
                              names[pass]);
            else if (!isfinite(values[i]))
                e = error_set(err, ERANGE, "%zu images: result %zu isn't finite", n, i);
        }
        free(values);
        free(direct);
    }
    net_free(t.net);
    return e;
}

static int check_evaluation(struct checks *checks, const void *item, struct error *err)
{
    struct net_spec spec = ((const struct net_item *)item)->spec;
    struct drawn drawn;
    spec.training = false;
    int e = drawn_make(&drawn, queue_images(checks), 1, err);
    if (!e) {
        drawn_shuffle(&drawn, IMAGE_SIZE, 0);
        e = compare_predictions(&spec, &drawn, check_batch(checks), err);
    }
    if (!e)
        e = compare_predictions(&spec, &drawn, check_last(checks), err);
    drawn_free(&drawn);
    return e;
}

/* ---- engines that were timed ---- */

/* Trains twice with these engines. */
static int train_with(const struct checks *checks, const struct net_spec *spec,
                      const struct drawn *drawn, struct error *err)
{
    struct state states[MAX_PASSES] = {{0}};
    int e = train_passes(checks, spec, drawn, states, err);
    if (!e)
        e = compare_repeated(checks, spec, drawn, states, err);
    for (int pass = 0; pass < MAX_PASSES; pass++)
        free(states[pass].values);
    return e;
}

static void print_choices(const struct net_item *item, const struct engine_choice *choices,
                          size_t count)
{
    double seconds = 0, first = 0;
    size_t others = 0;
    for (size_t i = 0; i < count; i++) {
        seconds += choices[i].seconds;
        first += choices[i].first_seconds;
        others += strcmp(choices[i].engine, choices[i].first) != 0;
    }
    printf(
        "%s: engines timed for %zu convolutions; %zu others than the first, %.0f instead of %.0f "
        "us\n",
        item->name, count, others, 1e6 * seconds, 1e6 * first);
}

/* Times the engines in a step, then trains with those that were chosen. */
static int check_engines(struct checks *checks, const void *argument, struct error *err)
{
    const struct net_item *item = argument;
    struct net_spec spec = item->spec;
    struct engine_choice *choices = NULL;
    struct trained t = {0};
    struct drawn drawn;
    size_t count = 0;
    spec.times_engines = true;
    int e = drawn_make(&drawn, queue_images(checks), 1, err);
    if (!e) {
        drawn_shuffle(&drawn, IMAGE_SIZE, 0);
        e = open_net(&t, &spec, &drawn, err);
    }
    if (!e)
        e = net_train_step(t.net, 0, check_batch(checks), &standard_step, err);
    if (!e)
        e = net_engines(t.net, &choices, &count, err);
    if (!e && count == 0)
        e = error_set(err, EINVAL, "no engine was timed");
    const struct engine_choices listed = {choices, count};
    spec.times_engines = false;
    spec.engines = &listed;
    if (!e) {
        print_choices(item, choices, count);
        e = train_with(checks, &spec, &drawn, err);
    }
    free(choices);
    net_free(t.net);
    drawn_free(&drawn);
    return e;
}

/* ---- against ref ---- */

enum { REF_WIDTH = 4, REF_BATCH = 8, BRIEF_WIDTH = 2, BRIEF_BATCH = 4 };

/* Distance of a from b, divided by the norm of b. */
static double distance(const float *a, const float *b, size_t n)
{
    double off = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        off += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(off) / (sqrt(size) + 1e-30);
}

static double norm(const float *a, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)a[i] * (double)a[i];
    return sqrt(squares);
}

/* Reads the gradient of parameter i: `values` of the net, then of ref. */
static int read_gradients(struct net *net, struct net *ref, size_t i, float **values,
                          struct error *err)
{
    size_t count = net_param(net, i)->count;
    *values = calloc(2 * count, sizeof **values);
    int e =
        *values ? net_get_gradient(net, i, *values, err) : error_set(err, ENOMEM, "out of memory");
    return e ? e : net_get_gradient(ref, i, *values + count, err);
}

/* Compares the gradients of a step: the norm of the difference may be 1e-3 of that of ref's
 * gradient, which is the bound of the tests of the cpu backend in fp32, plus 1e-5 of the largest
 * gradient. The latter is for parameters whose gradient is 0 but for rounding: biases in front of a
 * norm, and ResNeXt29's first weights, whose scale the norm removes. */
static int compare_gradients(struct net *net, struct net *ref, struct error *err)
{
    const double relative = 1e-3, of_largest = 1e-5;
    double largest = 0;
    int e = 0;
    for (int round = 0; round < 2; round++) /* the first finds the largest */
        for (size_t i = 0; !e && i < net_param_count(net); i++) {
            const struct net_param *p = net_param(net, i);
            float *a = NULL;
            if (!p->trainable)
                continue;
            e = read_gradients(net, ref, i, &a, err);
            double size = e ? 0 : norm(a + p->count, p->count);
            double off = e ? 0 : size * distance(a, a + p->count, p->count);
            largest = fmax(largest, size);
            if (!e && round == 1 && !(off <= relative * size + of_largest * largest))
                e = error_set(
                    err, ERANGE,
                    "the gradient of %s is off by %.2g; its norm is %.2g, the largest %.2g",
                    p->name, off, size, largest);
            free(a);
        }
    return e;
}

static int compare_with_ref(struct trained *t, size_t n, struct error *err)
{
    double losses[2] = {0, 0};
    float *logits[2] = {NULL, NULL};
    size_t count = 0;
    int e = 0;
    for (int i = 0; !e && i < 2; i++) {
        e = net_gradients(t[i].net, 0, n, 0.1, &losses[i], err);
        if (!e)
            e = predict(t[i].net, 0, n, &logits[i], &count, err);
    }
    if (!e && !(fabs(losses[0] - losses[1]) < 1e-4))
        e = error_set(err, ERANGE, "the loss is %.9g, ref's %.9g", losses[0], losses[1]);
    if (!e && !(distance(logits[0], logits[1], count) < 1e-4))
        e = error_set(err, ERANGE, "logits and features are off by %.2g",
                      distance(logits[0], logits[1], count));
    if (!e)
        e = compare_gradients(t[0].net, t[1].net, err);
    free(logits[0]);
    free(logits[1]);
    return e;
}

static int check_against_ref(struct checks *checks, const void *item, struct error *err)
{
    struct net_spec spec = ((const struct net_item *)item)->spec, ref = spec;
    struct trained t[2] = {{0}};
    struct drawn drawn;
    (void)checks;
    ref.backend = "ref";
    int e = drawn_make(&drawn, (size_t)spec.batch, 1, err);
    if (!e) {
        drawn_shuffle(&drawn, IMAGE_SIZE, 0);
        e = open_net(&t[0], &spec, &drawn, err);
    }
    if (!e)
        e = open_net(&t[1], &ref, &drawn, err);
    if (!e)
        e = compare_with_ref(t, drawn.n, err);
    net_free(t[0].net);
    net_free(t[1].net);
    drawn_free(&drawn);
    return e;
}

/* ---- the items ---- */

enum { MAX_ITEMS = 2 * 2 * NET_MODELS };

static struct net_item make_item(enum net_model model, int width, size_t batch,
                                 enum precision precision)
{
    struct net_item item = {.spec = {.model = model,
                                     .width = width,
                                     .classes = CLASSES,
                                     .image_size = IMAGE_SIZE,
                                     .batch = (int)batch,
                                     .training = true,
                                     .precision = precision,
                                     .backend = "cuda",
                                     .threads = 1}};
    snprintf(item.name, sizeof item.name, "%s, width %d, %s", net_model_names[model], width,
             precision_name(precision));
    return item;
}

/* Runs one function on all items. `what` completes the name of an item. */
static void run_items(struct checks *checks, check_function *run, const struct net_item *items,
                      int count, const char *what)
{
#pragma omp parallel for schedule(dynamic) num_threads(checks->threads)
    for (int i = 0; i < count; i++) {
        char name[2 * CHECK_NAME];
        snprintf(name, sizeof name, "%s: %s", items[i].name, what);
        check_run(checks, run, &items[i], name);
    }
}

void check_nets(struct checks *checks)
{
    struct net_item items[MAX_ITEMS], small[NET_MODELS];
    struct widths widths = check_widths(checks);
    int count = 0;
    for (int w = 0; w < widths.count; w++)
        for (int m = 0; m < NET_MODELS; m++)
            items[count++] =
                make_item((enum net_model)m, widths.values[w], check_batch(checks), PRECISION_BF16);
    items[count++] = make_item(NET_RESNET18, widths.values[widths.count - 1], check_batch(checks),
                               PRECISION_FP32);
    for (int m = 0; m < NET_MODELS; m++)
        small[m] = make_item((enum net_model)m, checks->brief ? BRIEF_WIDTH : REF_WIDTH,
                             checks->brief ? BRIEF_BATCH : REF_BATCH, PRECISION_FP32);
    if (checks->brief) { /* one net; the others differ in shapes, which the other parts check */
        items[0] = items[NET_RESNET18];
        count = 1;
    }
    run_items(checks, check_against_ref, small, NET_MODELS, "gradients and logits against ref");
    run_items(checks, check_training_passes, items, count,
              "training direct, recorded, replayed, repeated");
    run_items(checks, check_evaluation, items, count, "evaluation direct, recorded, replayed");
    /* Of one net, because it takes long; one after another, because they disturb each other's
     * times. */
    for (int i = 0; i < count; i++) {
        char name[2 * CHECK_NAME];
        if (items[i].spec.model != NET_RESNET18 || items[i].spec.precision != PRECISION_BF16)
            continue;
        snprintf(name, sizeof name, "%s: engines timed, training repeated", items[i].name);
        check_run(checks, check_engines, &items[i], name);
    }
}

/* ---- for compute-sanitizer ---- */

struct steps_item {
    struct net_item item;
    int steps;
};

static int run_steps(struct checks *checks, const void *item, struct error *err)
{
    const struct steps_item *s = item;
    struct trained t = {0};
    struct drawn drawn;
    struct loss_sums sums;
    (void)checks;
    int e = drawn_make(&drawn, (size_t)s->item.spec.batch, 1, err);
    if (!e) {
        drawn_shuffle(&drawn, IMAGE_SIZE, 0);
        e = open_net(&t, &s->item.spec, &drawn, err);
    }
    for (int i = 0; !e && i < s->steps; i++)
        e = net_train_step(t.net, 0, drawn.n, &standard_step, err);
    if (!e)
        e = net_loss_sums(t.net, &sums, NULL, err);
    net_free(t.net);
    drawn_free(&drawn);
    return e;
}

void check_steps(struct checks *checks, int steps)
{
    enum { SANITIZED_WIDTH = 16, SANITIZED_BATCH = 9 };
    for (int m = 0; m < NET_MODELS; m++) {
        struct steps_item item = {make_item((enum net_model)m,
                                            checks->brief ? BRIEF_WIDTH : SANITIZED_WIDTH,
                                            SANITIZED_BATCH, PRECISION_BF16),
                                  steps};
        check_run(checks, run_steps, &item, item.item.name);
    }
}
