/* The estimate of a run's time: arithmetic, text, and when a line is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "dag/forecast.h"

enum { MOST = 4, GIB = 1 << 30 };

static const struct kind quick = {.name = "quick"}, other = {.name = "other"};

/* A stage of a case. Stages of kind `quick` have work. */
struct given {
    double work, expected, elapsed, done, gained, in;
    bool finished, running, reported, implicit;
    int cpu;
    int user; /* index of the stage that reads it, or 0 */
};

/* Makes the stages of a case. */
static size_t make_stages(const struct given *given, size_t count, struct stage *stages,
                          struct stage **users, struct forecast_stage *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct given *g = &given[i];
        users[i] = &stages[g->user];
        stages[i] = (struct stage){
            .kind = g->work > 0 ? &quick : &other,
            .work = g->work,
            .cpu = g->cpu > 0 ? g->cpu : 1,
            .place = i,
            .users = &users[i],
            .user_count = g->user > 0,
            .implicit = g->implicit,
        };
        out[i] = (struct forecast_stage){
            .stage = &stages[i],
            .pending = !g->finished,
            .running = g->running,
            .expected = g->expected,
            .elapsed = g->elapsed,
            .reported = g->reported,
            .done = g->done,
            .gained = g->gained,
            .in = g->in,
        };
    }
    return count;
}

#define OBSERVED .running = true, .reported = true, .expected = -1

static void test_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct given given[MOST];
        size_t count;
        int cpus;
        double seconds;
        size_t unknown;
    } cases[] = {
        {"nothing is known", {{.work = 5, .expected = -1, .running = true}}, 1, 1, -1, 1},
        {"too short an observation",
         {{OBSERVED, .work = 5, .done = .1, .gained = .1, .in = 1}},
         1,
         1,
         -1,
         1},
        {"no progress yet", {{OBSERVED, .work = 5, .done = .5, .in = 60}}, 1, 1, -1, 1},
        {"half done, at the observed rate",
         {{OBSERVED, .work = 5, .done = .5, .gained = .5, .in = 100}},
         1,
         1,
         100,
         0},
        {"resumed: the half of an earlier attempt took no time now",
         {{OBSERVED, .work = 5, .done = .6, .gained = .1, .in = 10}},
         1,
         1,
         40,
         0},
        {"others of the kind wait, by their work",
         {{OBSERVED, .work = 1, .done = .5, .gained = .5, .in = 10},
          {.work = 3, .expected = -1},
          {.work = 2, .expected = -1}},
         3,
         1,
         110,
         0},
        {"two side by side take half as long",
         {{OBSERVED, .work = 1, .done = .5, .gained = .5, .in = 10},
          {.work = 3, .expected = -1},
          {.work = 2, .expected = -1}},
         3,
         2,
         60,
         0},
        {"but never less than the longest stage",
         {{OBSERVED, .work = 1, .done = .5, .gained = .5, .in = 10},
          {.work = 3, .expected = -1},
          {.work = 2, .expected = -1}},
         3,
         8,
         60,
         0},
        {"nor less than the longest chain of stages",
         {{.expected = 30, .user = 2}, {.expected = 50}, {.expected = 40}},
         3,
         8,
         70,
         0},
        {"each at its own rate, the rest at the mean",
         {{OBSERVED, .work = 1, .done = .5, .gained = .5, .in = 10},
          {OBSERVED, .work = 1, .done = .5, .gained = .5, .in = 30},
          {.work = 1, .expected = -1}},
         3,
         1,
         80,
         0},
        {"by earlier results, before any has started",
         {{.work = 9, .expected = 100}, {.expected = 50}},
         2,
         1,
         150,
         0},
        {"less what it has run already",
         {{.work = 9, .expected = 100, .running = true, .elapsed = 30}},
         1,
         1,
         70,
         0},
        {"an overdue one may end at any time",
         {{.expected = 100, .running = true, .elapsed = 130}},
         1,
         1,
         0,
         0},
        {"less what an earlier attempt has done",
         {{.work = 9, .expected = 100, .running = true, .reported = true, .done = .9}},
         1,
         1,
         10,
         0},
        {"twice as slow as the results of its kind, so the others are too",
         {{.work = 9,
           .expected = 100,
           .running = true,
           .reported = true,
           .done = .1,
           .gained = .1,
           .in = 20},
          {.work = 9, .expected = 50},
          {.expected = 7}},
         3,
         1,
         180 + 100 + 7,
         0},
        {"what is unknown of a kind without work is left out",
         {{.work = 9, .expected = 100}, {.expected = -1}},
         2,
         1,
         100,
         1},
        {"of a kind with work it prevents an estimate",
         {{.work = 9, .expected = -1}, {.expected = 100}},
         2,
         1,
         -1,
         1},
        {"the program's own stages are quick",
         {{.work = 9, .expected = 100}, {.expected = -1, .implicit = true}},
         2,
         1,
         100,
         0},
        {"a stage that needs all CPUs runs alone",
         {{.expected = 10, .cpu = 4}, {.expected = 10, .cpu = 4}},
         2,
         4,
         20,
         0},
        {"what is finished takes no time",
         {{.work = 9, .expected = -1, .finished = true}, {.expected = 10}},
         2,
         1,
         10,
         0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stage stages[MOST], *users[MOST];
        struct forecast_stage known[MOST];
        size_t n = make_stages(cases[i].given, cases[i].count, stages, users, known);
        struct forecast f = forecast_make(known, n, cases[i].cpus, GIB);
        if (f.seconds < cases[i].seconds - 1e-9 || f.seconds > cases[i].seconds + 1e-9 ||
            f.unknown != cases[i].unknown)
            fail_msg("%s: %g s, %zu unknown", cases[i].what, f.seconds, f.unknown);
    }
}

/* Of stages that need half of the memory, two run at once, whatever the number of CPUs. */
static void test_memory(void **state)
{
    (void)state;
    struct stage stages[MOST];
    struct forecast_stage known[MOST];
    for (size_t i = 0; i < MOST; i++) {
        stages[i] = (struct stage){.kind = &other, .cpu = 1, .mem = GIB / 2, .place = i};
        known[i] = (struct forecast_stage){.stage = &stages[i], .pending = true, .expected = 10};
    }
    struct forecast f = forecast_make(known, MOST, 64, GIB);
    assert_true(f.seconds > 19.9 && f.seconds < 20.1);
    assert_int_equal(f.stages, MOST);
    for (size_t i = 0; i < MOST; i++) /* one GPU, for one stage at a time */
        known[i].on_gpus = 1;
    f = forecast_make(known, MOST, 64, GIB);
    assert_true(f.seconds > 39.9 && f.seconds < 40.1);
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *words;
    } cases[] = {
        {0, "less than a minute"},     {29, "less than a minute"}, {31, "about 1 min"},
        {600, "about 10 min"},         {3569, "about 59 min"},     {3599, "about 1 h"},
        {3700, "about 1 h"},           {3800, "about 1 h 05 min"}, {7800, "about 2 h 10 min"},
        {10790, "about 3 h"},          {35990, "about 10 h"},      {37800, "about 11 h"},
        {40 * 3600, "about 40 h"},     {171000, "about 2 days"},   {49 * 3600, "about 2 days"},
        {21 * 86400, "about 21 days"}, {1e9, "about 11574 days"},
    };
    char text[48];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(forecast_words(cases[i].seconds, text, sizeof text), cases[i].words);
}

static void test_news(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct forecast_news last;
        double seconds, clock;
        bool news;
    } cases[] = {
        {"a short run is not", {0, 0}, 300, 50, false},
        {"a long one is", {0, 0}, 900, 50, true},
        {"that time passes is not", {90000, 50}, 50000, 40050, false},
        {"a much slower machine is", {9000, 50}, 18000, 1050, true},
        {"a much faster one too", {9000, 50}, 5000, 1050, true},
        {"a little faster is not", {9000, 50}, 6000, 1050, false},
        {"nothing is twice a minute", {9000, 50}, 90000, 80, false},
        {"long overdue is", {1000, 50}, 900, 5050, true},
        {"near the end nothing is", {1000, 50}, 200, 1000, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (forecast_is_news(&cases[i].last, cases[i].seconds, cases[i].clock) != cases[i].news)
            fail_msg("%s", cases[i].what);
}

static void test_lines(void **state)
{
    (void)state;
    struct forecast f = {.seconds = 7800, .stages = 12, .early = true};
    struct forecast_news last = {0};
    char line[256] = "";
    assert_false(forecast_line(&f, 4, 50, &last, line, sizeof line));
    f.early = false;
    assert_true(forecast_line(&f, 4, 50, &last, line, sizeof line));
    assert_string_equal(line,
                        "12 stages to go, about 2 h 10 min at -j 4; you can stop at any time, "
                        "the same command resumes");
    assert_false(forecast_line(&f, 4, 51, &last, line, sizeof line));
    f = (struct forecast){.seconds = 20000, .stages = 1, .unknown = 2};
    assert_true(forecast_line(&f, 4, 500, &last, line, sizeof line));
    assert_string_equal(line, "new estimate for the 1 stage to go: about 5 h 35 min, not counting "
                              "2 of unknown length");
    f.seconds = -1;
    last = (struct forecast_news){0};
    assert_false(forecast_line(&f, 4, 500, &last, line, sizeof line));
}

/* The work of a training with params given as JSON. */
static double work(const char *params)
{
    json_t *p = json_loads(params, 0, NULL);
    double work = kind_find("train_cnn")->work(p);
    json_decref(p);
    return work;
}

static void test_work_of_a_training(void **state)
{
    (void)state;
    double one = work("{\"model\": \"vgg19\", \"width\": 16, \"crop\": 40, \"epochs\": 1}");
    assert_true(one > 0);
    assert_true(work("{\"model\": \"vgg19\", \"width\": 16, \"crop\": 40, \"epochs\": 7}") ==
                7 * one);
    double wide = work("{\"model\": \"vgg19\", \"width\": 64, \"crop\": 40, \"epochs\": 1}");
    assert_true(wide > 14 * one && wide < 17 * one); /* grows as the square of the width */
    assert_true(work("{\"model\": \"vgg19\", \"width\": 16, \"crop\": 48, \"epochs\": 1}") > one);
    assert_true(work("{\"model\": \"resnext29\", \"width\": 16, \"crop\": 40, \"epochs\": 1}") >
                one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_words),   cmocka_unit_test(test_news),
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_work_of_a_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
