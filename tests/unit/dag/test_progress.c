/* Reports of a stage's progress, and their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "dag/progress.h"

static void forms(void **state)
{
    static const struct {
        struct activity activity;
        enum activity_form form;
        const char *text;
    } cases[] = {
        {{.stage = "a"}, ACTIVITY_PLAIN, ""},
        {{.note = "a line"}, ACTIVITY_WIDE, "a line"},
        {{.done = 3, .total = 10, .first = 3}, ACTIVITY_PLAIN, "3/10"},
        {{.done = 3.5, .total = 10, .first = 3.5, .unit = "epoch"}, ACTIVITY_WIDE, "epoch 3.5/10"},
        {{.done = 3.5, .total = 10, .first = 3.5, .unit = "epoch"}, ACTIVITY_NARROW, ""},
        /* 2 units in 4 seconds, 5 units left, 3 seconds since the last report */
        {{.done = 5,
          .total = 10,
          .first = 3,
          .first_reported = 93,
          .last_reported = 97,
          .rate = 210,
          .rate_unit = "images/s",
          .unit = "epoch",
          .note = "loss 1"},
         ACTIVITY_PLAIN,
         "epoch 5/10, 210 images/s, 7 s left, loss 1"},
        {{.done = 5,
          .total = 10,
          .first = 3,
          .first_reported = 93,
          .last_reported = 97,
          .rate = 2.5,
          .rate_unit = "images/s",
          .unit = "epoch",
          .note = "loss 1"},
         ACTIVITY_WIDE,
         "epoch 5/10, 7 s left, loss 1, 2.50 images/s"},
        {{.done = 5,
          .total = 10,
          .first = 3,
          .first_reported = 93,
          .last_reported = 97,
          .rate = 210,
          .unit = "epoch",
          .note = "loss 1"},
         ACTIVITY_NARROW,
         "7 s left, loss 1"},
        {{.done = 10, .total = 10, .first = 3, .first_reported = 93, .last_reported = 97},
         ACTIVITY_WIDE,
         "10/10"},
        {{.done = 11, .total = 10, .first = 3, .first_reported = 93, .last_reported = 97},
         ACTIVITY_PLAIN,
         "11/10"},
    };
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        activity_text(&cases[i].activity, 100, ", ", cases[i].form, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
    activity_text(&cases[5].activity, 100, ", ", ACTIVITY_PLAIN, text, 12);
    assert_string_equal(text, "epoch 5/10,");
}

static void update(struct progress *p, const char *text)
{
    json_t *line = json_loads(text, 0, NULL);
    assert_non_null(line);
    progress_update(p, "a", line);
    json_decref(line);
}

static void updates(void **state)
{
    struct progress p = {0};
    (void)state;
    progress_start(&p, "a");
    update(&p, "{\"note\": \"without done\"}");
    assert_string_equal(progress_find(&p, "a")->note, "");
    update(&p, "{\"done\": 0, \"total\": 0, \"note\": \"\\u001b[1mlast\\nline\"}");
    assert_string_equal(progress_find(&p, "a")->note, "lastline");
    assert_true(progress_find(&p, "a")->first_reported ==
                0); /* no report yet, so there is no estimate */
    update(&p, "{\"done\": 4, \"total\": 9, \"unit\": 7, \"rate\": \"x\", \"rate_unit\": null}");
    const struct activity *a = progress_find(&p, "a");
    assert_true(a->first == 4 && a->done == 4 && a->total == 9 && a->rate == 0 &&
                a->first_reported > 0);
    assert_string_equal(a->unit, "");
    update(&p, "{\"done\": 6, \"total\": 9}");
    assert_true(a->first == 4 && a->done == 6);
    progress_stop(&p, "a", NULL);
    assert_null(progress_find(&p, "a"));
    update(&p, "{\"done\": 6, \"total\": 9}"); /* it is no longer running */
    progress_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(updates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
