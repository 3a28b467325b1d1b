/* Which stored results predict how long a stage takes, and how they are scaled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/file.h"
#include "dag/estimate.h"
#include "tests/unit/scratch_folder.h"

static const char experiment[] =
    "ferdag: 2\nstages:\n"
    "  faces: {kind: synthetic_faces}\n"
    "  full: {kind: ingest_csv, in: {csv: faces}}\n"
    "  net: {kind: train_cnn, in: {images: full},\n"
    "        with: {model: resnet18, width: 8, epochs: 20, lr: 0.05}}\n"
    "  nap: {kind: command, out: {y: y}, with: {run: sleep 1}}\n";

struct fixture {
    struct experiment experiment;
    struct cache cache;
    struct plan plan;
    int results;
};

static void digest_of(char digit, char digest[65])
{
    memset(digest, digit, 64);
    digest[64] = 0;
}

static struct task *task_of(struct fixture *f, const char *stage)
{
    return &f->plan.tasks[experiment_stage(&f->experiment, stage)->place];
}

/* Gives `full` a result whose images have the digest "aa...". */
static void give_inputs(struct fixture *f)
{
    struct task *full = task_of(f, "full");
    full->state = STATE_CACHED;
    full->result.outputs = must_alloc(sizeof *full->result.outputs);
    full->result.output_count = 1;
    full->result.outputs[0].port = must(strdup("images"));
    digest_of('a', full->result.outputs[0].blob.digest.hex);
    digest_of('f', full->key);
    task_of(f, "net")->state = STATE_READY;
}

static void open_fixture(struct fixture *f)
{
    struct problems problems = {0};
    struct error err;
    *f = (struct fixture){0};
    assert_int_equal(file_write("x.yaml", experiment, strlen(experiment), NULL), 0);
    assert_int_equal(experiment_load(&f->experiment, "x.yaml", NULL, 0, &problems), 0);
    problems_free(&problems);
    f->experiment.problems = NULL;
    assert_int_equal(cache_open(&f->cache, "cache", true, &err), 0);
    plan_create(&f->plan, &f->experiment, &f->cache, "auto", NULL);
}

static void close_fixture(struct fixture *f)
{
    plan_free(&f->plan);
    cache_close(&f->cache);
    experiment_free(&f->experiment);
}

/* A stored result. Omitted members are those of the stage `net`, with other inputs. */
struct past_result {
    const char *stage, *kind, *numerics;
    const char *set; /* params that differ, as JSON without braces */
    char digest;     /* of its images */
    const char *more_inputs;
    int threads;
    double seconds;
    bool latest;
};

static void store(struct fixture *f, const struct past_result *s)
{
    const char *stage = s->stage ? s->stage : "net", *kind = s->kind ? s->kind : "train_cnn";
    const char *like = strcmp(kind, "command") == 0 ? "nap" : "net";
    char key[65], digest[65], numerics[256];
    struct error err;
    snprintf(key, sizeof key, "%064d", ++f->results);
    digest_of(s->digest ? s->digest : 'b', digest);
    assert_int_equal(kind_numerics(NUMERICS_NET, "auto", 1, numerics, sizeof numerics, &err), 0);
    json_t *params = json_deep_copy(experiment_stage(&f->experiment, like)->params);
    char *set = must(format_string("{%s}", s->set ? s->set : ""));
    json_t *changes = json_loads(set, 0, NULL);
    assert_int_equal(json_object_update(params, changes), 0);
    struct result result = {
        .key = key,
        .stage = (char *)stage,
        .kind = (char *)kind,
        .params = must(json_dumps(params, 0)),
        .inputs = must(format_string("[{\"port\": \"images\", \"digest\": \"%s\"}%s]", digest,
                                     s->more_inputs ? s->more_inputs : "")),
        .key_text = must(format_string("ferdag-key 1\nnumerics %s\nin images\n",
                                       s->numerics ? s->numerics : numerics)),
        .finished = f->results,
        .seconds = s->seconds,
        .threads = s->threads ? s->threads : 1,
    };
    assert_int_equal(index_put_result(f->cache.index, &result, &err), 0);
    if (s->latest)
        assert_int_equal(index_set_latest(f->cache.index, f->experiment.full, stage, key, &err), 0);
    json_decref(params);
    json_decref(changes);
    free(set);
    free(result.params);
    free(result.inputs);
    free(result.key_text);
}

#define CONTINUED(value)                                                                           \
    ", {\"port\": \".state\", \"digest\": \"c\", \"param\": \"epochs\", \"value\": " value "}"

static const struct {
    const char *what, *stage;
    struct past_result stored[3];
    bool waiting; /* the stage's inputs aren't known yet */
    double seconds;
} cases[] = {
    {"nothing is stored", "net", {{0}}, false, -1},
    {"the same inputs", "net", {{.digest = 'a', .seconds = 30}}, false, 30},
    {"half the epochs",
     "net",
     {{.digest = 'a', .set = "\"epochs\": 10", .seconds = 30}},
     false,
     60},
    {"twice the epochs",
     "net",
     {{.digest = 'a', .set = "\"epochs\": 40", .seconds = 30}},
     false,
     15},
    {"continued from half",
     "net",
     {{.digest = 'a', .set = "\"epochs\": 10", .seconds = 30, .more_inputs = CONTINUED("5")}},
     false,
     120},
    {"another name and rate",
     "net",
     {{.digest = 'a', .stage = "train/1", .set = "\"lr\": 0.1", .seconds = 30}},
     false,
     30},
    {"other inputs, of another experiment", "net", {{.seconds = 30}}, false, -1},
    {"the same while the own inputs aren't known", "net", {{.seconds = 30}}, true, -1},
    {"other inputs, of this experiment", "net", {{.seconds = 30, .latest = true}}, false, 30},
    {"the same while the own inputs aren't known",
     "net",
     {{.seconds = 30, .latest = true}},
     true,
     30},
    {"other threads", "net", {{.digest = 'a', .threads = 2, .seconds = 30}}, false, -1},
    {"other numerics", "net", {{.digest = 'a', .numerics = "ref", .seconds = 30}}, false, -1},
    {"another kind",
     "net",
     {{.digest = 'a', .kind = "extract_features", .seconds = 30}},
     false,
     -1},
    {"the newest of equals",
     "net",
     {{.digest = 'a', .seconds = 30}, {.digest = 'a', .seconds = 40}},
     false,
     40},
    {"rather the same inputs than the same name",
     "net",
     {{.digest = 'a', .stage = "train/1", .seconds = 30}, {.seconds = 40, .latest = true}},
     false,
     30},
    {"rather the same model",
     "net",
     {{.digest = 'a', .stage = "train/1", .seconds = 30},
      {.digest = 'a', .stage = "train/2", .set = "\"model\": \"vgg19\"", .seconds = 40}},
     false,
     30},
    {"no work: the same name",
     "nap",
     {{.kind = "command", .stage = "nap", .set = "\"run\": \"x\"", .seconds = 5, .latest = true}},
     false,
     5},
    {"no work: the same params",
     "nap",
     {{.kind = "command", .stage = "rest", .seconds = 5, .latest = true}},
     false,
     5},
    {"no work: neither",
     "nap",
     {{.kind = "command", .stage = "rest", .set = "\"run\": \"x\"", .seconds = 5, .latest = true}},
     false,
     -1},
};

static void test_seconds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        open_fixture(&f);
        for (size_t k = 0; k < 3 && cases[i].stored[k].seconds > 0; k++)
            store(&f, &cases[i].stored[k]);
        task_of(&f, "nap")->state = STATE_READY;
        if (!cases[i].waiting)
            give_inputs(&f);
        struct estimates *e = estimates_create(&f.plan);
        double seconds = estimates_seconds(e, task_of(&f, cases[i].stage));
        estimates_free(e);
        close_fixture(&f);
        assert_int_equal(file_remove_tree("cache", NULL), 0);
        if (seconds < cases[i].seconds - 1e-6 || seconds > cases[i].seconds + 1e-6)
            fail_msg("%s: %g s", cases[i].what, seconds);
    }
}

/* A stage without an estimate gets one when a similar stage has finished and its own inputs are
 * known. A stage with an estimate keeps it. */
static void test_renewal(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct estimates *e = estimates_create(&f.plan);
    struct task *net = task_of(&f, "net");
    assert_true(estimates_seconds(e, net) < 0);
    store(&f, &(struct past_result){.seconds = 30, .latest = true});
    assert_true(estimates_seconds(e, net) < 0);
    estimates_renew(e, net->stage->kind);
    assert_true(estimates_seconds(e, net) == 30);
    store(&f, &(struct past_result){.digest = 'a', .seconds = 40});
    estimates_renew(e, net->stage->kind);
    assert_true(estimates_seconds(e, net) == 30);
    give_inputs(&f);
    assert_true(estimates_seconds(e, net) == 40);
    estimates_free(e);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_seconds, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_renewal, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
