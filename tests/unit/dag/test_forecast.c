/* How long a run will take: the arithmetic, its words, and when it is worth a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "dag/forecast.h"

static void test_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct forecast_stage stages[4];
        size_t count;
        double speed, seconds, speed_after;
    } cases[] = {
        {"nobody has spoken", {{.work = 5, .lanes = 1}}, 1, 0, -1, 0},
        {"too short a look", {{.work = 5, .gained = .1, .seconds = 1, .lanes = 1}}, 1, 0, -1, 0},
        {"nothing gained yet", {{.work = 5, .done = .5, .seconds = 60, .lanes = 1}}, 1, 0, -1, 0},
        {"alone, half done",
         {{.work = 5, .done = .5, .gained = .5, .seconds = 100, .lanes = 1}},
         1,
         0,
         100,
         40},
        {"resumed: an earlier sitting's half costs nothing now",
         {{.work = 5, .done = .6, .gained = .1, .seconds = 10, .lanes = 1}},
         1,
         0,
         40,
         20},
        {"others wait in one lane, by their work",
         {{.work = 1, .done = .5, .gained = .5, .seconds = 10, .lanes = 1},
          {.work = 3, .lanes = 1},
          {.work = 2, .lanes = 1}},
         3,
         0,
         110,
         20},
        {"two lanes halve it",
         {{.work = 1, .done = .5, .gained = .5, .seconds = 10, .lanes = 2},
          {.work = 3, .lanes = 2},
          {.work = 2, .lanes = 2}},
         3,
         0,
         60,
         20},
        {"but never below the longest stage",
         {{.work = 1, .done = .5, .gained = .5, .seconds = 10, .lanes = 8},
          {.work = 3, .lanes = 8},
          {.work = 2, .lanes = 8}},
         3,
         0,
         60,
         20},
        {"each goes on at its own speed, the rest at the mean",
         {{.work = 1, .done = .5, .gained = .5, .seconds = 10, .lanes = 1},
          {.work = 1, .done = .5, .gained = .5, .seconds = 30, .lanes = 1},
          {.work = 1, .lanes = 1}},
         3,
         0,
         80,
         40},
        {"between two stages the last speed holds", {{.work = 3, .lanes = 1}}, 1, 7, 21, 7},
        {"before any was watched, by the trials' seconds",
         {{.work = 100, .lanes = 1}, {.work = 50, .lanes = 1}},
         2,
         1,
         150,
         1},
        {"then by as much as they were wrong of the watched",
         {{.work = 100, .done = .1, .gained = .1, .seconds = 20, .lanes = 1},
          {.work = 50, .lanes = 1}},
         2,
         1,
         280,
         2},
        {"all done", {{.work = 5, .done = 1, .gained = 1, .seconds = 9, .lanes = 1}}, 1, 0, 0, 1.8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double speed = cases[i].speed;
        double seconds = forecast_seconds(cases[i].stages, cases[i].count, &speed);
        if (seconds < cases[i].seconds - 1e-9 || seconds > cases[i].seconds + 1e-9 ||
            speed < cases[i].speed_after - 1e-9 || speed > cases[i].speed_after + 1e-9)
            fail_msg("%s: %g s at speed %g", cases[i].what, seconds, speed);
    }
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
        struct forecast_said said;
        double seconds, clock;
        bool news;
    } cases[] = {
        {"short runs say nothing", {0, 0}, 300, 50, false},
        {"a long one does", {0, 0}, 900, 50, true},
        {"time that passes is no news", {90000, 50}, 50000, 40050, false},
        {"a much slower machine is", {9000, 50}, 18000, 1050, true},
        {"a much faster one too", {9000, 50}, 5000, 1050, true},
        {"a little faster is not", {9000, 50}, 6000, 1050, false},
        {"nothing twice a minute", {9000, 50}, 90000, 80, false},
        {"overdue by far", {1000, 50}, 900, 5050, true},
        {"near its end nobody asks", {1000, 50}, 200, 1000, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (forecast_is_news(&cases[i].said, cases[i].seconds, cases[i].clock) != cases[i].news)
            fail_msg("%s", cases[i].what);
}

/* Work that a kind says of params given as JSON. */
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
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_work_of_a_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
