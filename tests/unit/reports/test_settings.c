/* The paper's settings next to the params of a run's stages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "reports/cells.h"
#include "reports/settings.h"
#include "tests/unit/reports/small_report.h"

static const char stages_json[] =
    "[{\"name\": \"train/full/slow\", \"kind\": \"train_cnn\", \"params\": {\"model\": "
    "\"resnext29\", "
    "\"epochs\": 24, \"lr\": 0.05, \"schedule\": \"cosine\", \"decay_start\": 80, \"seed\": 1}},"
    " {\"name\": \"train/full/quick\", \"kind\": \"train_cnn\", \"params\": {\"model\": \"vgg19\", "
    "\"epochs\": 48, \"lr\": 0.05, \"schedule\": \"cosine\", \"decay_start\": 80, \"seed\": 1}},"
    " {\"name\": \"train/cleaned/quick\", \"kind\": \"train_cnn\", \"params\": {\"model\": "
    "\"vgg19\", "
    "\"epochs\": 48, \"lr\": 0.05, \"schedule\": \"cosine\", \"decay_start\": 80, \"seed\": 2}},"
    " {\"name\": \"svm\", \"kind\": \"train_svm\", \"params\": {\"c\": 1.0, \"epochs\": 7}}]";

/* The setting `name` as text; NULL if it isn't shown. The caller frees it. */
static json_t *compare(const char *name, const char *setting, size_t *differ)
{
    struct error err = {""};
    json_t *paper = json_pack("{s:{s:o}, s:{s:s, s:s}}", "settings", name, parse(setting),
                              "value_names", "resnext29", "ResNeXt29", "best", "the best");
    json_t *params = parse("{\"epochs\": 48, \"weights\": \"best\"}"), *stages = parse(stages_json);
    json_t *list = NULL;
    if (settings_compare(paper, params, stages, &list, differ, &err) < 0)
        fail_msg("%s", err.text);
    json_t *entry = json_incref(json_array_get(list, 0));
    json_decref(list);
    json_decref(paper);
    json_decref(params);
    json_decref(stages);
    return entry;
}

static void expect(const char *name, const char *setting, const char *ours, size_t differs)
{
    size_t differ = 99;
    json_t *entry = compare(name, setting, &differ);
    if (ours)
        assert_string_equal(cells_string(entry, "ours"), ours);
    else
        assert_null(entry);
    assert_int_equal(differ, differs);
    json_decref(entry);
}

/* The stage's param counts, not the experiment's param of that name. */
static void test_overrides(void **state)
{
    (void)state;
    expect("epochs", "{\"value\": 48}", "48", 0);
    expect("epochs", "{\"value\": 48, \"param\": \"train_cnn\", \"group_by\": \"model\"}",
           "48; ResNeXt29: 24", 1);
    expect("epochs", "{\"value\": 200, \"param\": \"train_cnn\", \"group_by\": \"model\"}",
           "48; ResNeXt29: 24", 1);
    expect("epochs", "{\"value\": null, \"param\": \"train_cnn\", \"group_by\": \"model\"}",
           "48; ResNeXt29: 24", 0);
    expect("epochs", "{\"value\": 48, \"param\": \"train_cnn\"}", "48; train/full/slow: 24", 1);
    /* the model doesn't determine the seed, so the stage is named instead */
    expect("seed", "{\"value\": 1, \"param\": \"train_cnn\", \"group_by\": \"model\"}",
           "1; train/cleaned/quick: 2", 1);
    expect("rate", "{\"value\": 0.05, \"param\": \"train_cnn.lr\", \"group_by\": \"model\"}",
           "0.05", 0);
    expect("svm_c", "{\"value\": 1, \"param\": \"train_svm.c\"}", "1", 0);
    expect("weights", "{\"value\": null}", "the best", 0);
}

/* A cosine has no decay, and a run without forests no trees. */
static void test_unused(void **state)
{
    (void)state;
    expect("decay_start",
           "{\"value\": 80, \"param\": \"train_cnn\", \"where\": {\"schedule\": \"step\"}}", NULL,
           0);
    expect("decay_start",
           "{\"value\": 80, \"param\": \"train_cnn\", \"where\": {\"schedule\": \"cosine\"}}", "80",
           0);
    expect("trees", "{\"value\": 100, \"param\": \"random_forest\"}", NULL, 0);
    expect("nothing", "{\"value\": 100}", NULL, 0);
}

static void test_unknown(void **state)
{
    (void)state;
    static const char *const bad[] = {"train_cn", "train_cnn.epoch", "train_cnn.", ".epochs"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {""};
        json_t *paper =
            json_pack("{s:{s:{s:i, s:s}}}", "settings", "epochs", "value", 1, "param", bad[i]);
        json_t *params = parse("{}"), *stages = parse(stages_json), *list = NULL;
        size_t differ;
        assert_int_equal(settings_compare(paper, params, stages, &list, &differ, &err), -EINVAL);
        assert_null(list);
        assert_non_null(strstr(err.text, "paper.settings: epochs: param: "));
        json_decref(paper);
        json_decref(params);
        json_decref(stages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
