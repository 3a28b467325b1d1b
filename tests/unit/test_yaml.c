/* dag/yaml.c: places, forms, bounds. What a user sees of its errors is in story/bad_yaml.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "dag/yaml.h"

static int parse(struct arena *arena, const char *text, struct node **root, struct error *err)
{
    return yaml_parse(arena, "t.yaml", text, strlen(text), root, err);
}

static void nodes_know_their_places(void **state)
{
    struct arena *arena = arena_create();
    struct node *root;
    struct error err;
    (void)state;
    assert_int_equal(parse(arena, "a: 1\nb:\n  - x\n  - { c: 'y' }\n", &root, &err), 0);
    assert_int_equal(root->type, NODE_MAP);
    assert_int_equal(root->count, 2);
    struct node *c = node_get(node_get(root, "b")->items[1], "c");
    assert_string_equal(c->text, "y");
    assert_false(c->plain);
    assert_int_equal(c->line, 4);
    assert_int_equal(c->column, 10);
    assert_string_equal(c->file, "t.yaml");
    assert_null(node_get(root, "c"));
    arena_destroy(arena);
}

static void scalars_become_json_by_the_core_schema(void **state)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"1", "1"},
        {"-7", "-7"},
        {"1.5", "1.5"},
        {"1e3", "1000.0"},
        {"true", "true"},
        {"false", "false"},
        {"~", "null"},
        {"null", "null"},
        {"'1'", "\"1\""},
        {"\"true\"", "\"true\""},
        {"yes", "\"yes\""},
        {"1.2.3", "\"1.2.3\""},
        {"0x10", "\"0x10\""},
        {"[1, a]", "[1,\"a\"]"},
        {"{b: 1, a: 2}", "{\"b\":1,\"a\":2}"},
        {"[]", "[]"},
        {"''", "\"\""},
        {"e", "\"e\""},
        {"1e999", "\"1e999\""},
        {"99999999999999999999", "1e20"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_create();
        struct node *root;
        struct error err;
        assert_int_equal(parse(arena, cases[i].yaml, &root, &err), 0);
        json_t *json = node_json(root);
        char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        assert_string_equal(text, cases[i].json);
        free(text);
        json_decref(json);
        arena_destroy(arena);
    }
}

static void aliases_share_nodes(void **state)
{
    struct arena *arena = arena_create();
    struct node *root;
    struct error err;
    (void)state;
    assert_int_equal(parse(arena, "a: &x [1, 2]\nb: *x\n", &root, &err), 0);
    assert_ptr_equal(node_get(root, "a"), node_get(root, "b"));
    assert_int_equal(root->weight, 9);
    arena_destroy(arena);
}

static void refuses(const char *text, const char *expected)
{
    struct arena *arena = arena_create();
    struct node *root;
    struct error err = {""};
    assert_int_not_equal(parse(arena, text, &root, &err), 0);
    if (!strstr(err.text, expected))
        fail_msg("'%s' is not in '%s'", expected, err.text);
    arena_destroy(arena);
}

static void bad_yaml_is_refused_with_its_place(void **state)
{
    (void)state;
    refuses("", "t.yaml:1:1: the file is empty");
    refuses("a: 1\na: 2\n", "t.yaml:2:1: key 'a' was given before, on line 1");
    refuses("? [1]\n: 2\n", "a key must be a scalar");
    refuses("a: *b\n", "t.yaml:1:4: this alias names no anchor");
    refuses("a: &b [*b]\n", "this alias names no anchor");
    refuses("a: !x 1\n", "tags are not supported");
    refuses("a: \"x\\0y\"\n", "0 byte");
    refuses("a: [1\nb: 2", "t.yaml:2:");
    refuses("a: \xff\xfe", "t.yaml");
    refuses("--- a\n--- b\n", "expected one document");
}

static void depth_is_bounded(void **state)
{
    char text[400] = "";
    (void)state;
    memset(text, '[', 200);
    refuses(text, "nested more than 64 deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_places),
        cmocka_unit_test(scalars_become_json_by_the_core_schema),
        cmocka_unit_test(aliases_share_nodes),
        cmocka_unit_test(bad_yaml_is_refused_with_its_place),
        cmocka_unit_test(depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
