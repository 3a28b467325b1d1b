/* The kernels of the `cuda` backend that don't work on activations, compiled as host code: crops,
 * linear layer, loss, update, conversion; what NaN becomes; and the counts of the host's kernels.
 * See test_cuda_kernels.c for the bounds. */
#include "tests/unit/kernels/cuda_run.h"

/* ---- crops, linear layer, loss ---- */

struct head_case {
    size_t n, in, classes, size; /* size: of a crop */
    double smoothing;
    uint32_t first; /* of the pass, in the queue */
    enum value_type type;
};

static const struct head_case head_cases[] = {
    {1, 1, 1, 1, 0, 0, VALUE_F32},     {4, 32, 7, 12, 0, 3, VALUE_BF16},
    {5, 64, 7, 8, 0.1, 0, VALUE_BF16}, {3, 33, 9, 5, 0.5, 2, VALUE_F32},
    {37, 31, 8, 4, 0, 1, VALUE_F32},   {130, 65, 17, 3, 0.1, 5, VALUE_BF16},
    {300, 8, 2, 1, 0.2, 0, VALUE_F32}, {9, 512, 7, 16, 0.1, 0, VALUE_F32},
};

enum { IMAGES = 3, IMAGE_SIZE = 17, QUEUE = 310 };

/* A queue of crops and labels, with the images that they are from. */
struct queue {
    struct crop crops[QUEUE];
    uint8_t labels[QUEUE];
    uint8_t pixels[IMAGES * IMAGE_SIZE * IMAGE_SIZE];
    float levels[256];
};

static struct queue *make_queue(const struct head_case *c)
{
    struct queue *q = calloc(1, sizeof *q);
    struct random random = random_start(8, 0);
    assert_non_null(q);
    for (size_t i = 0; i < QUEUE; i++) {
        const uint64_t offsets = IMAGE_SIZE - c->size + 1;
        q->crops[i] = (struct crop){
            (uint32_t)random_below(&random, IMAGES), (uint8_t)random_below(&random, offsets),
            (uint8_t)random_below(&random, offsets), random_below(&random, 2) != 0};
        q->labels[i] = (uint8_t)random_below(&random, c->classes);
    }
    for (size_t i = 0; i < sizeof q->pixels; i++)
        q->pixels[i] = (uint8_t)random_below(&random, 256);
    for (size_t i = 0; i < 256; i++)
        q->levels[i] = ((float)i - 128) / 64;
    return q;
}

struct head_item {
    const struct head_case *c;
    const struct queue *q;
};

enum { FEATURES, WEIGHTS, BIAS };

static void run_head(struct run *r, const void *item)
{
    const struct head_case *c = ((const struct head_item *)item)->c;
    const struct queue *q = ((const struct head_item *)item)->q;
    const size_t n = c->n, in = c->in, out = c->classes;
    const struct pass_state values = {.crops = q->crops,
                                      .labels = q->labels,
                                      .pixels = q->pixels,
                                      .levels = q->levels,
                                      .size = IMAGE_SIZE,
                                      .first = c->first,
                                      .label_smoothing = (float)c->smoothing};
    float *x = vector(r, n * in, -0.5F, 17), *weights = vector(r, out * in, -0.5F, 17);
    float *bias = vector(r, out, -1, 33);
    struct pass_state *state = buffer(r, NULL, VALUE_F32, sizeof *state / 4);
    float *totals = buffer(r, "totals", VALUE_F32, sizeof(struct loss_totals) / 4);
    float *logits = buffer(r, "logits", VALUE_F32, n * out);
    float *dlogits = buffer(r, "dlogits", VALUE_F32, n * out);
    float *dx = buffer(r, "dx", VALUE_F32, n * in), *db = buffer(r, "dbias", VALUE_F32, out);
    float *dw = buffer(r, "dweights", VALUE_F32, in * out);
    void *images = buffer(r, "images", c->type, n * c->size * c->size);
    memset(totals, 0, sizeof(struct loss_totals));
    MUST(r, launch_set_pass(state, &values, r->stream));
    MUST(r, launch_crop(state, n, c->size, images, c->type, r->stream));
    MUST(r, launch_linear_forward(x, weights, bias, n, in, out, logits, r->stream));
    MUST(r, launch_loss(state, logits, n, out, dlogits, (struct loss_totals *)totals, r->stream));
    MUST(r, launch_loss(state, logits, n, out, dlogits, (struct loss_totals *)totals, r->stream));
    MUST(r, launch_linear_backward(x, weights, dlogits, n, in, out, dx, dw, db, r->stream));
}

static const void *input_of(const struct run *r, int i)
{
    return r->buffer[i].memory + GUARD;
}

/* All bounds are the same in a tensor: `bound` for each of c channels. */
static void compare_flat(struct oracle *o, const char *name, struct tensor *t, size_t n, size_t c,
                         double bound)
{
    double *bounds = calloc(c, sizeof *bounds);
    assert_non_null(bounds);
    for (size_t i = 0; i < c; i++)
        bounds[i] = bound;
    compare(o, name, t, (struct shape){n, c, 1, 1}, bounds);
    free(bounds);
}

/* Crops and loss of ref, which has a queue. */
static void compare_pass(struct oracle *o, const struct head_item *item, struct tensor *logits,
                         struct tensor *dlogits)
{
    const struct head_case *c = item->c;
    const struct run *r = o->run;
    const struct image_source source = {item->q->pixels, IMAGES, IMAGE_SIZE, item->q->levels};
    const struct pass pass = {
        .kind = PASS_GRADIENTS, .first = c->first, .n = c->n, .label_smoothing = c->smoothing};
    const struct loss_totals *totals = (const void *)(result(r, "totals")->memory + GUARD);
    struct image_set *set = NULL;
    struct tensor *images = NULL;
    struct loss_sums sums;
    bool replayed;
    MUST(r, o->b->image_set(o->d, &source, &set, &o->err));
    MUST(r, o->b->queue(o->d, set, item->q->crops, item->q->labels, QUEUE, &o->err));
    MUST(r, o->b->tensor(o->d, TENSOR_IMAGE, (struct shape){c->n, 1, c->size, c->size}, &images,
                         &o->err));
    MUST(r, o->b->pass_begin(o->d, &pass, &replayed, &o->err));
    MUST(r, o->b->crop(o->d, images, &o->err));
    MUST(r, o->b->loss(o->d, logits, dlogits, &o->err));
    MUST(r, o->b->loss(o->d, logits, dlogits, &o->err));
    MUST(r, o->b->pass_end(o->d, false, &o->err));
    MUST(r, o->b->loss_sums(o->d, &sums, NULL, &o->err));
    compare(o, "images", images, (struct shape){c->n, 1, c->size, c->size}, (double[]){0});
    /* logits below 2^6: exp and log of float32 have an error of a few U of their result */
    compare_flat(o, "dlogits", dlogits, c->n, c->classes, 128 * U / (double)c->n);
    if (fabs(sums.loss - totals->loss) > 64 * U * (fabs(sums.loss) + (double)c->n))
        fail_msg("%s: the loss is %.9g, expected %.9g", r->label, totals->loss, sums.loss);
    assert_int_equal(sums.correct, totals->correct);
    assert_int_equal(totals->finite, 2);
}

static void check_head(const struct head_case *c)
{
    struct queue *q = make_queue(c);
    const struct head_item item = {c, q};
    struct run r;
    struct oracle o;
    char label[LABEL];
    snprintf(label, sizeof label, "head of %zu images, %zu features, %zu classes, crops of %zu",
             c->n, c->in, c->classes, c->size);
    run_twice(&r, label, run_head, &item);
    open_oracle(&o, &r);
    struct tensor *x = plain(&o, c->n, c->in, input_of(&r, FEATURES));
    struct tensor *weights = plain(&o, c->classes, c->in, input_of(&r, WEIGHTS));
    struct tensor *bias = plain(&o, 1, c->classes, input_of(&r, BIAS));
    struct tensor *logits = plain(&o, c->n, c->classes, NULL);
    struct tensor *dx = plain(&o, c->n, c->in, NULL), *db = plain(&o, 1, c->classes, NULL);
    struct tensor *dw = plain(&o, c->classes, c->in, NULL);
    struct tensor *dlogits = plain(&o, c->n, c->classes, NULL);
    MUST(&r, o.b->linear_forward(o.d, c->n, x, weights, bias, logits, &o.err));
    compare_flat(&o, "logits", logits, c->n, c->classes, 0); /* exact: multiples of 1/256 */
    compare_pass(&o, &item, logits, dlogits);
    /* The gradient of the kernel itself: |dlogits| is at most 1/n, and each sum has its terms. */
    dlogits = plain(&o, c->n, c->classes,
                    (const float *)(const void *)(result(&r, "dlogits")->memory + GUARD));
    MUST(&r, o.b->linear_backward(o.d, c->n, x, weights, dlogits, dx, dw, db, &o.err));
    compare_flat(&o, "dx", dx, c->n, c->in, (double)(c->classes + 1) * U * 2 / (double)c->n);
    const size_t terms = c->n / 8 + 5; /* rounded one after another, then in a tree */
    compare_flat(&o, "dweights", dw, c->classes, c->in, (double)terms * U);
    compare_flat(&o, "dbias", db, 1, c->classes, (double)terms * U);
    o.b->close(o.d);
    stop(&r);
    free(q);
}

static void test_head(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof head_cases / sizeof *head_cases; i++)
        check_head(&head_cases[i]);
}

/* A loss that isn't finite isn't counted, and stays. */
static void test_loss_of_nan(void **state)
{
    struct run r;
    const struct head_case c = {.n = 1, .classes = 2, .size = 1};
    struct queue *q = make_queue(&c);
    struct pass_state pass = {.labels = q->labels};
    struct loss_totals totals = {0};
    float logits[2] = {1, NAN}, d[2];
    (void)state;
    start(&r, "loss of NaN");
    MUST(&r, launch_loss(&pass, logits, 1, 2, d, &totals, r.stream));
    MUST(&r, cudaStreamSynchronize(r.stream));
    assert_true(isnan(totals.loss) && totals.finite == 0);
    logits[1] = 0;
    MUST(&r, launch_loss(&pass, logits, 1, 2, d, &totals, r.stream));
    MUST(&r, cudaStreamSynchronize(r.stream));
    assert_true(isnan(totals.loss) && totals.finite == 0);
    stop(&r);
    free(q);
}

/* ---- update ---- */

static const size_t sgd_counts[] = {1, 5, 4096, 4097, 9001, 64};
enum { ENTRIES = sizeof sgd_counts / sizeof *sgd_counts };

/* Entry i has a gradient in bf16 if i is odd, and a copy unless i is a multiple of 3. */
static void run_sgd(struct run *r, const void *item)
{
    const float *clip = item;
    struct sgd_entry entries[ENTRIES];
    struct sgd_part parts[16];
    size_t part_count = 0;
    const struct pass_state state = {
        .lr = 0.25F, .momentum = 0.9F, .weight_decay = 0.01F, .clip = *clip};
    for (uint32_t i = 0; i < ENTRIES; i++) {
        const size_t count = sgd_counts[i];
        const enum value_type type = i % 2 ? VALUE_BF16 : VALUE_F32;
        const float *values[2] = {vector(r, count, -2, 65), vector(r, count, -2, 65)};
        const void *gradient = input(r, type, count, -2, 65);
        struct sgd_entry e = {buffer(r, "value", VALUE_F32, count),
                              buffer(r, "momentum", VALUE_F32, count),
                              gradient,
                              type,
                              buffer(r, "copy", VALUE_BF16, count),
                              count};
        memcpy(e.value, values[0], count * sizeof(float));
        memcpy(e.momentum, values[1], count * sizeof(float));
        if (i % 3 == 0)
            e.copy = NULL;
        entries[i] = e;
        for (uint32_t first = 0; first < count; first += SGD_PART_VALUES)
            parts[part_count++] = (struct sgd_part){i, first};
    }
    MUST(r, launch_sgd(&state, entries, parts, part_count, r->stream));
    MUST(r, cudaStreamSynchronize(r->stream));
}

static void check_sgd(const struct run *r, uint32_t entry, double clip)
{
    const struct buffer *in = &r->buffer[6 * (size_t)entry], *out = in + 3;
    for (size_t i = 0; i < sgd_counts[entry]; i++) {
        double w = value(VALUE_F32, in[0].memory + GUARD, i);
        double v = value(VALUE_F32, in[1].memory + GUARD, i);
        double g = value(in[2].type, in[2].memory + GUARD, i);
        if (clip > 0)
            g = fmax(-clip, fmin(clip, g));
        v = (double)0.9F * v + g + (double)0.01F * w;
        near(r, &out[1], i, v, 8 * U * 4); /* values up to 4, three operations */
        near(r, &out[0], i, w - 0.25 * v, 8 * U * 4);
        if (entry % 3 != 0)
            near(r, &out[2], i, w - 0.25 * v, 8 * U * 4);
    }
}

static void test_sgd(void **state)
{
    const float clips[] = {0, 0.1F};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct run r;
        run_twice(&r, clips[i] > 0 ? "SGD with a clip" : "SGD", run_sgd, &clips[i]);
        for (uint32_t k = 0; k < ENTRIES; k++)
            check_sgd(&r, k, (double)clips[i]);
        stop(&r);
    }
}

/* ---- conversion, NaN ---- */

static const uint32_t special[] = {
    0x00000000, 0x80000000, 0x3F800000, 0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF,
    0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x00000001, 0x80008000, 0x00018000,
    0x007FFFFF, 0x7F7F7FFF, 0x7F800001, 0x7FC00000, 0xFFFFFFFF, 0x7FFFFFFF, 0xFF800001,
};
enum { SPECIAL = sizeof special / sizeof *special };

static void run_conversion(struct run *r, const void *item)
{
    const size_t count = *(const size_t *)item;
    float *in = buffer(r, NULL, VALUE_F32, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = i < SPECIAL ? special[i] : (uint32_t)random_bits(&r->random);
        memcpy(&in[i], &bits, sizeof bits);
    }
    MUST(r, launch_to_bf16(in, buffer(r, "bf16", VALUE_BF16, count), count, r->stream));
}

static void test_conversion(void **state)
{
    static const size_t counts[] = {1, 7, 8, 9, 21, 2047, 2048, 2049, 4099};
    (void)state;
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        struct run r;
        run_twice(&r, "conversion to bf16", run_conversion, &counts[k]);
        const float *in = input_of(&r, 0);
        const uint16_t *out = (const void *)(r.buffer[1].memory + GUARD);
        for (size_t i = 0; i < counts[k]; i++) {
            const uint16_t expected = isnan(in[i]) ? 0x7FFF : bf16_narrow(in[i]);
            if (out[i] != expected)
                fail_msg("%a as bf16 is %04x, expected %04x", (double)in[i], out[i], expected);
        }
        stop(&r);
    }
}

/* NaN goes through a ReLU, so that a net that diverges has a loss of NaN. */
static void test_nan(void **state)
{
    struct run r;
    float x[3] = {NAN, -1, 2}, y[3] = {0}, one = 1, zero = 0;
    const struct norm_vectors norm = {
        .gamma = &one, .beta = &zero, .mean = &zero, .inverse = &one, .relu = true};
    const struct matrix from = {x, VALUE_F32, 3, 1, NULL};
    struct matrix to = {y, VALUE_F32, 3, 1, NULL};
    (void)state;
    start(&r, "NaN");
    MUST(&r, launch_finish(&from, NULL, true, &to, r.stream));
    MUST(&r, cudaStreamSynchronize(r.stream));
    assert_true(isnan(y[0]) && y[1] == 0 && y[2] == 2);
    y[0] = 0;
    MUST(&r, launch_norm_forward(&from, &norm, NULL, &to, true, r.stream));
    MUST(&r, cudaStreamSynchronize(r.stream));
    assert_true(isnan(y[0]) && y[1] == 0 && y[2] == 2);
    stop(&r);
}

/* ---- what can't be processed; counts ---- */

static void test_limits(void **state)
{
    struct run r;
    float v[1] = {0};
    const struct matrix a = {v, VALUE_F32, 4, 8, NULL}, b = {v, VALUE_BF16, 4, 8, NULL};
    const struct matrix none = {v, VALUE_F32, 0, 8, NULL},
                        tall = {v, VALUE_F32, 1UL << 32, 1, NULL};
    const struct matrix wide = {v, VALUE_F32, 1, 8193 * 4, NULL};
    struct matrix y = a, y0 = none, y1 = tall;
    (void)state;
    start(&r, "limits");
    assert_int_equal(launch_add(&a, &b, &y, r.stream), cudaErrorInvalidValue);
    assert_int_equal(launch_add(&tall, &tall, &y1, r.stream), cudaErrorInvalidValue);
    assert_int_equal(launch_column_sums(&wide, v, r.scratch, r.stream), cudaErrorInvalidValue);
    assert_int_equal(launch_add(&none, &none, &y0, r.stream), cudaSuccess);
    stop(&r);
}

static void test_counts(void **state)
{
    struct run r;
    size_t n;
    (void)state;
    host_kernels_clear_counts();
    start(&r, "counts");
    uint16_t *v = buffer(&r, NULL, VALUE_BF16, 7 * 24), *sum = buffer(&r, NULL, VALUE_BF16, 7 * 24);
    const struct matrix a = {v, VALUE_BF16, 7, 24, NULL};
    struct matrix y = {sum, VALUE_BF16, 7, 24, NULL};
    MUST(&r, launch_add(&a, &a, &y, r.stream));
    MUST(&r, launch_add(&a, &a, &y, r.stream));
    MUST(&r, cudaStreamSynchronize(r.stream));
    const struct launch_count *counts = host_kernels_counts(&n);
    assert_int_equal(n, 1);
    assert_string_equal(counts->name, "add");
    assert_int_equal(counts->launches, 2);
    assert_int_equal(counts->bytes_read, 2 * 2 * 7 * 24 * 2);
    assert_int_equal(counts->bytes_written, 2 * 7 * 24 * 2);
    stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),   cmocka_unit_test(test_loss_of_nan),
        cmocka_unit_test(test_sgd),    cmocka_unit_test(test_conversion),
        cmocka_unit_test(test_nan),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
