/* dag/experiment/scope.c: the value of ${...}; base/nearest.c: "did you mean". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "dag/experiment/scope.h"

static const char params_text[] = "model: vgg19\n"
                                  "width: { vgg19: 32, a.b: 7 }\n"
                                  "list: [1, '${model}']\n"
                                  "again: ${width.${model}}\n"
                                  "loop: ${loop}\n"
                                  "o.p: { q: first }\n"
                                  "o: { p.q: second, r.s: third }\n"
                                  "dollar: $$5\n"
                                  "empty: ''\n";

struct fixture {
    struct arena *arena;
    struct scope scope;
    struct variable local;
    size_t steps;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct node *params, *value;
    struct error err;
    assert_non_null(f);
    f->arena = arena_create();
    assert_int_equal(
        yaml_parse(f->arena, "p.yaml", params_text, strlen(params_text), &params, &err), 0);
    assert_int_equal(yaml_parse(f->arena, "p.yaml", "resnet18", 8, &value, &err), 0);
    f->local = (struct variable){.name = "net", .value = value};
    f->scope = (struct scope){.arena = f->arena,
                              .params = params,
                              .locals = &f->local,
                              .local_count = 1,
                              .steps = &f->steps};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_destroy(f->arena);
    free(f);
    return 0;
}

/* Copies the first problem to err. */
static int expand(struct fixture *f, const char *text, struct node **out, struct error *err)
{
    struct node here = {.file = "t.yaml", .line = 3, .column = 4};
    struct problems problems = {0};
    int rc = scope_expand(&f->scope, node_scalar(f->arena, &here, text, true), out, &problems);
    if (problems_first(&problems, err) != rc)
        fail_msg("what is wrong and what is said differ: %s", err->text);
    problems_free(&problems);
    return rc;
}

static void texts_are_expanded(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"${model}", "vgg19"},
        {"a ${model} b", "a vgg19 b"},
        {"${width.${model}}", "32"},
        {"${width.a.b}", "7"},
        {"${o.p.q}", "first"}, /* the first key in the file that has this beginning */
        {"${o.r.s}", "third"},
        {"${again}", "32"},
        {"${net}/${model}", "resnet18/vgg19"},
        {"$$", "$"},
        {"$${model}", "${model}"},
        {"$x", "$x"},
        {"a$", "a$"},
        {"${dollar}", "$5"},
        {"x${empty}y", "xy"},
        {"${list}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct node *out;
        struct error err = {""};
        assert_int_equal(expand(*state, cases[i].in, &out, &err), 0);
        if (cases[i].out)
            assert_string_equal(out->text, cases[i].out);
        assert_int_equal(out->line, 3);
    }
}

static void a_whole_reference_keeps_lists(void **state)
{
    struct node *out;
    struct error err = {""};
    assert_int_equal(expand(*state, "${list}", &out, &err), 0);
    assert_int_equal(out->type, NODE_LIST);
    assert_string_equal(out->items[1]->text, "vgg19");
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *in, *text;
    } cases[] = {
        {"${modle}", "t.yaml:3:4: unknown param or variable 'modle' (did you mean 'model'?)"},
        {"${width.vgg18}", "(did you mean 'width.vgg19'?)"},
        {"x${width}", "a map can't stand inside a text"},
        {"${", "without its '}'"},
        {"${}", "names nothing"},
        {"${loop}", "is made of itself"},
        {"${x:-y}", "only in the path of an input"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct node *out;
        struct error err = {""};
        assert_int_not_equal(expand(*state, cases[i].in, &out, &err), 0);
        if (!strstr(err.text, cases[i].text))
            fail_msg("'%s' is not in '%s'", cases[i].text, err.text);
    }
}

static void the_environment_serves_paths(void **state)
{
    struct fixture *f = *state;
    struct node *out;
    struct error err = {""};
    f->scope.environment = true;
    setenv("FERDAG_TEST_PATH", "/here", 1);
    assert_int_equal(expand(f, "${FERDAG_TEST_PATH:-there}/x", &out, &err), 0);
    assert_string_equal(out->text, "/here/x");
    assert_true(f->scope.used_environment);
    unsetenv("FERDAG_TEST_PATH");
    f->scope.used_environment = false;
    assert_int_equal(expand(f, "${FERDAG_TEST_PATH:-there/${model}}/x", &out, &err), 0);
    assert_string_equal(out->text, "there/vgg19/x");
    assert_false(f->scope.used_environment);
}

static void the_nearest_name_is_near(void **state)
{
    static const struct {
        const char *wrong, *candidate;
        bool near;
    } cases[] = {
        {"widht", "width", true},
        {"wdth", "width", true},
        {"width1", "width", true},
        {"x", "width", false},
        {"resnet8", "resnet18", true},
        {"abc", "xyz", false},
        {"", "a", false},
        {"a", "b", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nearest nearest = {.wrong = cases[i].wrong};
        nearest_offer(&nearest, cases[i].candidate);
        assert_int_equal(nearest.best != NULL, cases[i].near);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(texts_are_expanded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_whole_reference_keeps_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(the_environment_serves_paths, setup, teardown),
        cmocka_unit_test(the_nearest_name_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
