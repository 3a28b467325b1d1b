/* Training and features: crops, schedules, views; the same bytes twice, and after kill -9 at any
 * moment. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "kernels/nets/models.h"
#include "kernels/backends/cpu/onednn.h"
#include "stages/cnn/checkpoint.h"
#include "stages/drawn/drawn_face.h"
#include "stages/cnn/evaluate.h"
#include "stages/job.h"
#include "stages/cnn/schedule.h"
#include "tests/unit/need.h"

static char folder[] = "/tmp/test_training.XXXXXX";

/* ---- schedules ---- */

static void step_schedule(void **state)
{
    (void)state;
    const struct schedule s = {.form = SCHEDULE_STEP,
                               .lr = .01,
                               .epochs = 200,
                               .decay_factor = .9,
                               .decay_every = 5,
                               .decay_start = 80};
    assert_float_equal(schedule_rate(&s, 0), .01, 1e-12);
    assert_float_equal(schedule_rate(&s, 80), .01, 1e-12);
    assert_float_equal(schedule_rate(&s, 84.99), .01, 1e-12);
    assert_float_equal(schedule_rate(&s, 85), .009, 1e-12);
    assert_float_equal(schedule_rate(&s, 89.5), .009, 1e-12);
    assert_float_equal(schedule_rate(&s, 90), .0081, 1e-12);
    assert_float_equal(schedule_rate(&s, 199), (float)(.01 * 0.08862938119652507),
                       1e-7); /* 0.9^23 */
}

static void cosine_schedule(void **state)
{
    (void)state;
    struct schedule s = {.form = SCHEDULE_COSINE, .lr = .1, .epochs = 10};
    assert_float_equal(schedule_rate(&s, 0), .1, 1e-12);
    assert_float_equal(schedule_rate(&s, 5), .05, 1e-12);
    assert_float_equal(schedule_rate(&s, 10), 0, 1e-12);
    s.warmup = 2;
    assert_float_equal(schedule_rate(&s, .5), .025, 1e-12);
    assert_float_equal(schedule_rate(&s, 2), .1, 1e-12);
    assert_float_equal(schedule_rate(&s, 6), .05, 1e-12);
}

static void schedules_with_the_same_start(void **state)
{
    (void)state;
    enum { STEPS = 225 };
    struct schedule a = {.form = SCHEDULE_STEP,
                         .lr = .01,
                         .epochs = 100,
                         .warmup = 3,
                         .decay_factor = .9,
                         .decay_every = 5,
                         .decay_start = 80};
    struct schedule b = a;
    b.epochs = 200;
    assert_true(schedule_same_start(&a, &b, 100, STEPS));
    b.decay_every = 6; /* the first cut is that at 85 */
    assert_true(schedule_same_start(&a, &b, 85, STEPS));
    assert_false(schedule_same_start(&a, &b, 86, STEPS));
    a.form = SCHEDULE_COSINE;
    b = a;
    b.epochs = 101;
    assert_true(schedule_same_start(&a, &b, 3, STEPS)); /* the warm-up alone */
    assert_false(schedule_same_start(&a, &b, 4, STEPS));
    a.warmup = b.warmup = 0;
    assert_true(schedule_same_start(&a, &b, 0, STEPS));
    assert_false(
        schedule_same_start(&a, &b, 1, STEPS)); /* its first rate is equal, its last is not */
}

/* ---- crops ---- */

static struct images make_images(size_t n)
{
    struct images images = {.n = n};
    struct error err;
    const size_t shape[3] = {n, FACE_SIZE, FACE_SIZE};
    assert_int_equal(array_make(&images.pixels, ARRAY_U8, 3, shape, &err), 0);
    assert_int_equal(array_make(&images.labels, ARRAY_U8, 1, shape, &err), 0);
    assert_int_equal(array_make(&images.rows, ARRAY_I32, 1, shape, &err), 0);
    return images;
}

static void grey_levels_are_standardised(void **state)
{
    (void)state;
    struct scale scale;
    scale_set(&scale, .5, .25);
    for (int level = 0; level < 256; level += 51)
        assert_float_equal(scale.table[level], (float)((level / 255. - .5) / .25), 1e-6);
}

static void ten_crops_stand_in_the_usual_order(void **state)
{
    (void)state;
    static const int places[5][2] = {{0, 0}, {0, 8}, {8, 0}, {8, 8}, {4, 4}}; /* top, left */
    for (int i = 0; i < TEN_CROPS; i++) {
        struct crop crop = crop_of_ten(i, 40);
        assert_int_equal(crop.top, places[i % 5][0]);
        assert_int_equal(crop.left, places[i % 5][1]);
        assert_int_equal(crop.mirror, i >= 5);
    }
    assert_int_equal(crop_center(48).top, 0);
}

static void random_crops_reach_all_places(void **state)
{
    (void)state;
    int seen[9][9] = {{0}}, mirrored = 0;
    for (size_t i = 0; i < 4000; i++) {
        struct crop crop = crop_random(1, 3, i, 40, true), again = crop_random(1, 3, i, 40, true);
        assert_memory_equal(&crop, &again, sizeof crop);
        assert_in_range(crop.top, 0, 8);
        assert_in_range(crop.left, 0, 8);
        seen[crop.top][crop.left]++;
        mirrored += crop.mirror;
        assert_false(crop_random(1, 3, i, 40, false).mirror);
    }
    for (int i = 0; i < 81; i++)
        assert_in_range(seen[i / 9][i % 9], 20, 90); /* 49 expected */
    assert_in_range(mirrored, 1850, 2150);
}

static void orders_are_permutations_that_change(void **state)
{
    (void)state;
    uint32_t a[50], b[50];
    int count[50] = {0};
    crop_order(1, 0, a, 50);
    crop_order(1, 1, b, 50);
    for (int i = 0; i < 50; i++)
        count[a[i]]++;
    for (int i = 0; i < 50; i++)
        assert_int_equal(count[i], 1);
    assert_memory_not_equal(a, b, sizeof a);
}

static void loss_and_decisions(void **state)
{
    (void)state;
    const float logits[2 * CLASSES] = {1, 3, 3, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0};
    const uint8_t labels[2] = {2, 0};
    uint8_t predicted[2];
    size_t correct;
    evaluate_classes(logits, 2, predicted);
    assert_int_equal(predicted[0], 1); /* the first of equals */
    assert_int_equal(predicted[1], 0);
    double expected = log(exp(1) + 2 * exp(3) + 4) - 3;
    assert_float_equal(evaluate_loss(logits, labels, 2, &correct), expected / 2, 1e-9);
    assert_int_equal(correct, 1);
}

/* ---- the stage itself ---- */

/* Drawn faces of all classes but `without`. private 0: no private split at all, as training must
 * never look for one. */
static void make_data(const char *path, size_t train, size_t public, size_t private, int without)
{
    struct error err = {""};
    const size_t count[SPLITS] = {train, public, private};
    assert_int_equal(file_make_folders(path, &err), 0);
    for (int s = 0; s < SPLITS && count[s] > 0; s++) {
        struct images images = make_images(count[s]);
        for (size_t i = 0; i < count[s]; i++) {
            int class =
                (int)(i % CLASSES) == without ? (without + 1) % CLASSES : (int)(i % CLASSES);
            struct random r = random_start(77, i + (size_t)s * 1000);
            struct canvas c = {0};
            drawn_face(&c, &r, class, .3);
            canvas_bytes(&c, (uint8_t *)images.pixels.data + i * FACE_SIZE * FACE_SIZE);
            ((uint8_t *)images.labels.data)[i] = (uint8_t) class;
        }
        assert_int_equal(images_write(path, (enum split)s, &images, &err), 0);
        images_free(&images);
    }
}

static const char *watched = ""; /* the job's input of that name, with a comma after it */

/* Runs a kind in a child process, in folder `place`, on ../data and ../weights; killed after
 * `milliseconds` of CPU time unless 0. Returns its exit status, or -1 if it was killed. Its error
 * text goes to the file "error". */
static int run_in(const char *place, const char *name, const char *params, int milliseconds)
{
    struct error err = {""};
    char *text =
        format_string("{\"stage\":\"t\",\"kind\":\"%s\",\"key\":\"5eed\",\"params\":{%s},"
                      "\"inputs\":{%s\"images\":[{\"path\":\"../data\",\"stage\":\"cleaned\"}],"
                      "\"weights\":[{\"path\":\"../weights\"}]},"
                      "\"outputs\":{},\"threads\":1,\"backend\":\"auto\"}",
                      name, params, watched);
    char *job_file = format_string("%s/job.json", place);
    assert_int_equal(file_make_folders(place, &err), 0);
    assert_int_equal(file_write(job_file, text, strlen(text), &err), 0);
    free(text);
    free(job_file);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct kind *kind = kind_find(name);
        struct job job;
        /* SIGPROF comes after this CPU time, whatever the machine's load, and ends the process like
         * SIGKILL */
        const struct itimerval limit = {
            .it_value = {milliseconds / 1000, milliseconds % 1000 * 1000}};
        if (setitimer(ITIMER_PROF, &limit, NULL) < 0 || chdir(place) < 0 ||
            !freopen("log", "a", stdout) || !freopen("log", "a", stderr))
            _exit(3);
        int rc = job_open(&job, kind, &err);
        if (rc == 0)
            rc = kind->run(&job, &err);
        file_write("error", err.text, strlen(err.text), NULL);
        fflush(NULL);
        _exit(rc < 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int train_in(const char *place, const char *params, int milliseconds)
{
    return run_in(place, "train_cnn", params, milliseconds);
}

/* A whole file of a folder, with a 0 byte after it. */
static char *slurp(const char *place, const char *name, size_t *size)
{
    struct error err = {""};
    char *path = format_string("%s/%s", place, name), *text;
    if (file_read(path, 64u << 20, &text, size, &err) < 0)
        fail_msg("%s", err.text);
    free(path);
    return text;
}

static void same_files(const char *a, const char *b)
{
    static const char *const names[] = {"best.safetensors", "last.safetensors", "metrics.jsonl",
                                        "summary.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t m, n;
        char *x = slurp(a, names[i], &m), *y = slurp(b, names[i], &n);
        assert_int_equal(m, n);
        assert_memory_equal(x, y, m);
        free(x);
        free(y);
    }
}

#define TINY                                                                                       \
    "\"model\":\"resnet18\",\"width\":16,\"epochs\":3,\"batch_size\":8,\"lr\":0.05,\"flip\":true"

static void same_bytes_twice(void **state)
{
    (void)state;
    make_data("data", 28, 14, 0, -1);
    assert_int_equal(train_in("a", TINY, 0), 0);
    assert_int_equal(train_in("b", TINY ",\"checkpoint_seconds\":0", 0), 0);
    same_files("a", "b");
    assert_int_equal(train_in("d", TINY ",\"checkpoint_seconds\":1000", 0), 0);
    same_files("a", "d");
    assert_int_equal(access("b/checkpoint.safetensors", F_OK), 0);
    assert_int_equal(access("d/checkpoint.safetensors", F_OK), -1); /* none was due */
    assert_int_equal(train_in("c", TINY ",\"seed\":2", 0), 0);
    size_t m, n;
    char *x = slurp("a", "last.safetensors", &m), *y = slurp("c", "last.safetensors", &n);
    assert_true(m != n || memcmp(x, y, m) != 0);
    free(x);
    free(y);
}

/* Trains with a requested precision, and checks which one the summary states. */
static void expect_precision(const char *place, const char *requested, const char *precision)
{
    size_t size;
    char expected[40], params[1000];
    snprintf(params, sizeof params, TINY ",\"precision\":\"%s\"", requested);
    assert_int_equal(train_in(place, params, 0), 0);
    char *summary = slurp(place, "summary.json", &size);
    snprintf(expected, sizeof expected, "\"precision\": \"%s\"", precision);
    if (!strstr(summary, expected))
        fail_msg("'%s' does not say '%s'", summary, expected);
    free(summary);
}

static void precision_is_fp32_without_bf16(void **state)
{
    (void)state;
    static const char isa[] = "ONEDNN_MAX_CPU_ISA";
    const char *setting = getenv(isa);
    char *kept = setting ? strdup(setting) : NULL;
    setenv(isa, "AVX2", 1); /* the child reads it at its first call of oneDNN */
    expect_precision("without", "bf16", "fp32");
    unsetenv(isa);
    if (kept)
        setenv(isa, kept, 1);
    free(kept);
}

/* After the test above: oneDNN keeps the limit that it finds when it is first asked. */
static void precision_is_bf16_with_bf16(void **state)
{
    (void)state;
    need(dnn_has_bf16(), "bf16 instructions");
    expect_precision("with", "bf16", "bf16");
}

static void automatic_precision_is_fp32_on_a_cpu(void **state)
{
    (void)state;
    expect_precision("automatic", "auto", "fp32");
}

static void killed_training_ends_with_the_same_bytes(void **state)
{
    (void)state;
    struct random r = random_start(4, 4);
    struct error err = {""};
    double allowed = 50; /* milliseconds; more each time, so that the training ends */
    bool resumed = false;
    for (int i = 0, status = -1; i < 80 && !(resumed && status == 0); i++) {
        if (status == 0) { /* no kill came between a checkpoint and the end: try again */
            assert_int_equal(file_remove_tree("killed", &err), 0);
            allowed /= 4;
        }
        const char *params =
            i % 2 == 0 ? TINY ",\"checkpoint_seconds\":0" : TINY ",\"checkpoint_seconds\":0.02";
        status = train_in("killed", params, (int)(allowed * (.5 + random_unit(&r))));
        allowed *= 1.15;
        assert_in_range(status + 1, 0, 1);
        size_t size;
        char *log = slurp("killed", "log", &size);
        resumed = strstr(log, "goes on after epoch") != NULL;
        assert_null(strstr(log, "ignored"));
        free(log);
    }
    assert_true(resumed);
    assert_int_equal(train_in("killed", TINY ",\"checkpoint_seconds\":0", 0), 0);
    same_files("a", "killed");
}

/* With a truncated, changed or foreign checkpoint, the training starts from the beginning and
 * prints the reason. */
static void bad_checkpoints_are_not_believed(void **state)
{
    (void)state;
    size_t size;
    struct error err = {""};
    char *whole = slurp("killed", "checkpoint.safetensors", &size);
    for (int i = 0; i < 3; i++) {
        char *copy = malloc(size);
        memcpy(copy, whole, size);
        size_t kept = i == 0 ? size / 2 : size;
        if (i == 1)
            copy[size - 5] ^= 1;
        if (i == 2) {
            char *key = memmem(copy, size, "5eed", 4);
            assert_non_null(key);
            key[0] = '6';
        }
        assert_int_equal(file_make_folders("bad", &err), 0);
        assert_int_equal(file_write("bad/checkpoint.safetensors", copy, kept, &err), 0);
        free(copy);
        assert_int_equal(train_in("bad", TINY, 0), 0);
        same_files("a", "bad");
        char *log = slurp("bad", "log", &kept);
        assert_non_null(strstr(log, "checkpoint ignored"));
        free(log);
        assert_int_equal(file_remove_tree("bad", &err), 0);
    }
    free(whole);
}

static void expect_failure(const char *params, const char *cause)
{
    size_t size;
    assert_int_equal(train_in("fails", params, 0), 1);
    char *text = slurp("fails", "error", &size);
    if (!strstr(text, cause))
        fail_msg("'%s' does not say '%s'", text, cause);
    free(text);
    assert_int_equal(file_remove_tree("fails", &(struct error){""}), 0);
}

static void failures_name_their_cause(void **state)
{
    (void)state;
    expect_failure(
        "\"model\":\"resnet18\",\"width\":16,\"batch_size\":8,\"epochs\":50,\"lr\":100,\"clip\":0",
        "lower lr");
    make_data("data", 28, 14, 0, 1);
    expect_failure(TINY, "no image of class disgust");
    expect_failure(TINY, "set cleaned");
}

/* ---- watched images ---- */

static json_t *read_json(const char *place, const char *name)
{
    size_t size;
    char *text = slurp(place, name, &size);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    free(text);
    return json;
}

static double number(const json_t *object, const char *name)
{
    assert_true(json_is_number(json_object_get(object, name)));
    return json_number_value(json_object_get(object, name));
}

/* Watching changes no other output, also in a training that goes on from a checkpoint. */
static void watching_decides_nothing(void **state)
{
    (void)state;
    struct error err = {""};
    make_data("data", 28, 14, 0, -1);
    make_data("watched", 28, 14, 21, -1);
    assert_int_equal(access("a/watched.json", F_OK), -1);
    watched = "\"watched\":[{\"path\":\"../watched\"}],";
    assert_int_equal(train_in("w", TINY, 0), 0);
    same_files("a", "w");
    int status = -1;
    for (int allowed = 40; status == -1; allowed = allowed * 5 / 4)
        status = train_in("v", TINY ",\"checkpoint_seconds\":0", allowed);
    assert_int_equal(status, 0);
    same_files("a", "v");
    size_t m, n;
    char *x = slurp("w", "watched.json", &m), *y = slurp("v", "watched.json", &n);
    assert_string_equal(x, y);
    free(x);
    free(y);
    watched = "\"watched\":[{\"path\":\"../data\"}],";
    assert_int_equal(train_in("none", TINY, 0), 1); /* no private split */
    assert_int_equal(file_remove_tree("none", &err), 0);
    watched = "";
}

/* The numbers of watched.json against those that extract_features finds with the same weights. */
static void watched_accuracies_are_those_of_the_weights(void **state)
{
    (void)state;
    static const char *const weights[2] = {"w/best.safetensors", "w/last.safetensors"};
    static const char *const names[2] = {"selected_accuracy", "last_accuracy"};
    struct error err = {""};
    json_t *json = read_json("w", "watched.json");
    make_data("data", 28, 14, 21, -1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(file_copy(weights[i], "weights", &err), 0);
        assert_int_equal(run_in("u", "extract_features", "", 0), 0);
        json_t *summary = read_json("u", "summary.json");
        assert_float_equal(number(json, names[i]),
                           number(json_object_get(summary, "accuracy"), "private"), 1e-12);
        json_decref(summary);
    }
    double best = 0;
    const json_t *accuracies = json_object_get(json, "accuracies");
    assert_int_equal(json_array_size(accuracies), 3);
    for (size_t i = 0; i < 3; i++)
        best = fmax(best, json_real_value(json_array_get(accuracies, i)));
    assert_float_equal(number(json, "oracle_accuracy"), best, 1e-12);
    assert_true(number(json, "gain") == best - number(json, "selected_accuracy"));
    json_t *at = json_array_get(accuracies, (size_t)number(json, "oracle_epoch") - 1);
    assert_true(json_real_value(at) == best);
    json_decref(json);
}

/* ---- features ---- */

static struct array read_array(const char *path, enum array_type type, size_t dims)
{
    struct array a;
    struct error err = {""};
    if (array_read(path, type, dims, &a, &err) < 0)
        fail_msg("%s", err.text);
    return a;
}

static void features_of_all_splits(void **state)
{
    (void)state;
    struct error err = {""};
    make_data("data", 28, 14, 9, -1);
    assert_int_equal(file_copy("a/best.safetensors", "weights", &err), 0);
    assert_int_equal(
        run_in("x", "extract_features", "\"features_view\":\"ten_crop\",\"batch_size\":5", 0), 0);
    static const size_t rows[SPLITS] = {28, 14, 9};
    for (int s = 0; s < SPLITS; s++) {
        struct features f;
        if (features_read("x/features", (enum split)s, &f, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(f.n, rows[s]);
        assert_int_equal(f.d, 8 * 16);
        features_free(&f);
    }
    struct array logits = read_array("x/logits/private_logits.npy", ARRAY_F32, 2), decided, labels;
    assert_int_equal(predictions_read("x/predictions", SPLIT_PRIVATE, &decided, &labels, &err), 0);
    uint8_t expected[9];
    evaluate_classes(logits.data, 9, expected);
    assert_memory_equal(decided.data, expected, 9);
    array_free(&logits);
    array_free(&decided);
    array_free(&labels);
}

/* Another batch size and a second run give the same numbers; another view gives others. */
static void views_differ_batches_do_not(void **state)
{
    (void)state;
    static const char *const params[4] = {"\"evaluation_view\":\"ten_crop\",\"batch_size\":5",
                                          "\"evaluation_view\":\"ten_crop\",\"batch_size\":9",
                                          "\"evaluation_view\":\"center\"",
                                          "\"evaluation_view\":\"full\""};
    struct array logits[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(run_in("y", "extract_features", params[i], 0), 0);
        logits[i] = read_array("y/logits/private_logits.npy", ARRAY_F32, 2);
    }
    const float *first = logits[0].data;
    double difference[4] = {0};
    for (int i = 1; i < 4; i++)
        for (size_t k = 0; k < 9 * CLASSES; k++)
            difference[i] =
                fmax(difference[i], fabs((double)first[k] - (double)((float *)logits[i].data)[k]));
    assert_true(difference[1] < 1e-4);
    assert_true(difference[2] > 1e-3);
    assert_true(difference[3] > 1e-3);
    for (int i = 0; i < 4; i++)
        array_free(&logits[i]);
}

static void bad_weights_are_refused(void **state)
{
    (void)state;
    struct error err = {""};
    size_t size;
    char *whole = slurp("a", "best.safetensors", &size);
    static const struct {
        const char *from, *to, *cause;
    } cases[] = {
        {"\"width\":\"16\"", "\"width\":\"12\"", "another type or shape"},
        {"\"width\":\"16\"", "\"width\":\"1x\"", "width: '1x'"},
        {"\"resnet18\"", "\"resnet19\"", "resnet19"},
        {"\"conv1.weight\"", "\"conv7.weight\"", "no tensor conv1.weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *copy = malloc(size);
        memcpy(copy, whole, size);
        char *place = memmem(copy, size, cases[i].from, strlen(cases[i].from));
        assert_non_null(place);
        memcpy(place, cases[i].to, strlen(cases[i].to));
        assert_int_equal(file_write("weights", copy, size, &err), 0);
        free(copy);
        assert_int_equal(run_in("z", "extract_features", "", 0), 1);
        size_t length;
        char *text = slurp("z", "error", &length);
        if (!strstr(text, cases[i].cause) || !strstr(text, "weights"))
            fail_msg("'%s' does not say '%s'", text, cases[i].cause);
        free(text);
    }
    free(whole);
}

/* The outputs of trainings of the widest nets must be within the limits of the readers. */
static void files_of_the_widest_nets_are_read(void **state)
{
    (void)state;
    enum { WIDEST = 512 }; /* the highest width of train_cnn */
    static struct program program;
    for (int model = 0; model < NET_MODELS; model++) {
        size_t values = 0;
        program_build(&program, (enum net_model)model, WIDEST, CLASSES, FACE_SIZE);
        for (int i = 0; i < program.param_count; i++) {
            size_t count = 1;
            for (size_t d = 0; d < program.params[i].dims; d++)
                count *= program.params[i].shape[d];
            values += count;
        }
        size_t bytes = values * sizeof(float) + (1 << 20), state_room = (size_t)100 << 20;
        if (bytes > WEIGHTS_FILE_LIMIT || 3 * bytes + state_room > CHECKPOINT_FILE_LIMIT)
            fail_msg("%s of width %d: %zu bytes", net_model_names[model], WIDEST, bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_schedule),
        cmocka_unit_test(cosine_schedule),
        cmocka_unit_test(schedules_with_the_same_start),
        cmocka_unit_test(grey_levels_are_standardised),
        cmocka_unit_test(ten_crops_stand_in_the_usual_order),
        cmocka_unit_test(random_crops_reach_all_places),
        cmocka_unit_test(orders_are_permutations_that_change),
        cmocka_unit_test(loss_and_decisions),
        cmocka_unit_test(same_bytes_twice),
        cmocka_unit_test(precision_is_fp32_without_bf16),
        cmocka_unit_test(precision_is_bf16_with_bf16),
        cmocka_unit_test(automatic_precision_is_fp32_on_a_cpu),
        cmocka_unit_test(killed_training_ends_with_the_same_bytes),
        cmocka_unit_test(bad_checkpoints_are_not_believed),
        cmocka_unit_test(watching_decides_nothing),
        cmocka_unit_test(watched_accuracies_are_those_of_the_weights),
        cmocka_unit_test(failures_name_their_cause),
        cmocka_unit_test(features_of_all_splits),
        cmocka_unit_test(views_differ_batches_do_not),
        cmocka_unit_test(bad_weights_are_refused),
        cmocka_unit_test(files_of_the_widest_nets_are_read),
    };
    struct error err;
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return chdir("/") < 0 || file_remove_tree(folder, &err) < 0 ? 1 : failed;
}
