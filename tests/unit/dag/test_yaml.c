/* dag/experiment/yaml.c: places, forms, bounds. What a user sees of its errors is in
 * story/bad_yaml.sh. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dag/experiment/yaml.h"

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

static void the_last_anchor_of_a_name_wins(void **state)
{
    struct arena *arena = arena_create();
    struct node *root;
    struct error err;
    (void)state;
    assert_int_equal(parse(arena, "[&a 1, &b 2, *a, &a 3, *a, *b]", &root, &err), 0);
    assert_string_equal(root->items[2]->text, "1");
    assert_string_equal(root->items[4]->text, "3");
    assert_string_equal(root->items[5]->text, "2");
    arena_destroy(arena);
}

static void keys_are_found_by_their_first_bytes(void **state)
{
    char text[2000] = "";
    struct arena *arena = arena_create();
    struct node *root;
    struct error err;
    (void)state;
    for (int keys = 10; keys <= 100; keys += 90) { /* a large map is searched through an index */
        text[0] = 0;
        for (int i = 0; i < keys; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "k%d: %d\n", i, i);
        assert_int_equal(parse(arena, text, &root, &err), 0);
        assert_int_equal(node_find(root, "k7.rest", 2), 7);
        assert_true(node_find(root, "k7.rest", 3) == NOWHERE);
        assert_true(node_find(root, "k7", 1) == NOWHERE);
        assert_string_equal(node_get(root, "k9")->text, "9");
        assert_null(node_get(root, "k100"));
        assert_true(node_find(root->items[0], "k0", 2) == NOWHERE);
    }
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

/* Asserts that a file of these n bytes is refused with this message. */
static void expect_refused(const char *bytes, size_t n, const char *text)
{
    struct arena *arena = arena_create();
    struct node *root;
    struct error err = {""};
    char copy[64] = "";
    memcpy(copy, bytes, n);
    assert_int_equal(yaml_parse(arena, "t.yaml", copy, n, &root, &err), -EINVAL);
    assert_string_equal(err.text, text);
    arena_destroy(arena);
}

static void bytes_that_are_no_text_have_a_place(void **state)
{
    (void)state;
#define REFUSED(bytes, text) expect_refused(bytes, sizeof(bytes) - 1, "t.yaml:" text)
    REFUSED("a: b\nc: caf\xe9 d", "2:7: byte 0xe9 is not UTF-8");
    REFUSED("\xef\xbb\xbf\xff", "1:1: byte 0xff is not UTF-8");
    REFUSED("a: \xc3\xa9\xf0\x9d\x84\x9e\xe2\x82", "1:6: byte 0xe2 is not UTF-8"); /* cut */
    REFUSED("\xed\xa0\x80", "1:1: byte 0xed is not UTF-8");                        /* a surrogate */
    REFUSED("a:\r\n  \0", "2:3: the file contains a NUL byte");
    REFUSED("a\0:\0", "1:2: the file contains a NUL byte"); /* UTF-16 without a byte order mark */
    REFUSED("# \xc2\x85# \xe2\x80\xa8\x1b",                 /* line ends of libyaml */
            "3:1: the control character 0x1b is not allowed; in double quotes it is \"\\x1b\"");
    REFUSED("a: \xc2\x81", "1:4: the character U+0081 is not allowed");
    REFUSED("a: \xef\xbf\xbf", "1:4: the character U+FFFF is not allowed");
    REFUSED("\xff\xfe#\0\n\0a\0\0\xdc", "2:2: in UTF-16: unexpected low surrogate area");
    REFUSED("\xfe\xff\0a\xd8\x34\xdd\x1e\xd8\x34\0b",
            "1:3: in UTF-16: expected low surrogate area");
#undef REFUSED
}

static void utf16_is_read_and_knows_its_places(void **state)
{
    static const char text[] = "\xff\xfe#\0\xe9\0\n\0[\0'\0\x34\xd8\x1e\xdd'\0,\0 \0b\0]\0";
    struct arena *arena = arena_create();
    struct node *root;
    struct error err = {""};
    (void)state;
    assert_int_equal(yaml_parse(arena, "t.yaml", text, sizeof text - 1, &root, &err), 0);
    assert_string_equal(root->items[0]->text, "\xf0\x9d\x84\x9e");
    assert_int_equal(root->items[1]->line, 2);
    assert_int_equal(root->items[1]->column, 7);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_places),
        cmocka_unit_test(scalars_become_json_by_the_core_schema),
        cmocka_unit_test(aliases_share_nodes),
        cmocka_unit_test(the_last_anchor_of_a_name_wins),
        cmocka_unit_test(keys_are_found_by_their_first_bytes),
        cmocka_unit_test(bad_yaml_is_refused_with_its_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(bytes_that_are_no_text_have_a_place),
        cmocka_unit_test(utf16_is_read_and_knows_its_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
