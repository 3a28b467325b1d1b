/* docs/ferdag.schema.json, with a validator for the keywords that it uses: it accepts the files of
 * experiments/, and refuses what the checker refuses in a single file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include "dag/experiment/schema.h"

static json_t *schema;

static int setup(void **state)
{
    (void)state;
    schema = json_load_file("docs/ferdag.schema.json", 0, NULL);
    return schema ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(schema);
    return 0;
}

/* ---- a validator: which keyword refuses the value, or NULL ---- */

static const char *refuses(const json_t *s, const json_t *value);

static bool has_type(const json_t *value, const char *name)
{
    double x = json_number_value(value);
    if (strcmp(name, "integer") == 0)
        return json_is_number(value) && x == floor(x);
    return (strcmp(name, "object") == 0 && json_is_object(value)) ||
           (strcmp(name, "array") == 0 && json_is_array(value)) ||
           (strcmp(name, "string") == 0 && json_is_string(value)) ||
           (strcmp(name, "number") == 0 && json_is_number(value)) ||
           (strcmp(name, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(name, "null") == 0 && json_is_null(value));
}

static bool is_of(const json_t *types, const json_t *value)
{
    size_t i;
    json_t *type;
    if (json_is_string(types))
        return has_type(value, json_string_value(types));
    json_array_foreach((json_t *)types, i, type)
    {
        if (has_type(value, json_string_value(type)))
            return true;
    }
    return false;
}

static bool is_among(const json_t *list, const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        if (json_equal(item, value))
            return true;
    }
    return false;
}

static bool fits(const char *pattern, const char *text)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static bool any_accepts(const json_t *list, const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        if (!refuses(item, value))
            return true;
    }
    return false;
}

static bool refuses_map(const json_t *s, const json_t *map)
{
    const char *key;
    json_t *value;
    const json_t *others = json_object_get(s, "additionalProperties");
    json_object_foreach((json_t *)map, key, value)
    {
        const json_t *own = json_object_get(json_object_get(s, "properties"), key);
        if (own ? refuses(own, value) != NULL
                : others && (json_is_false(others) || refuses(others, value)))
            return true;
    }
    return false;
}

static bool is_outside(const json_t *s, const char *least, const char *most, double x)
{
    const json_t *a = json_object_get(s, least), *b = json_object_get(s, most);
    return (a && x < json_number_value(a)) || (b && x > json_number_value(b));
}

static const char *refuses_parts(const json_t *s, const json_t *value)
{
    size_t i;
    json_t *item;
    const json_t *condition = json_object_get(s, "if");
    json_array_foreach(json_object_get(s, "allOf"), i, item)
    {
        if (refuses(item, value))
            return "allOf";
    }
    json_array_foreach(json_object_get(s, "required"), i, item)
    {
        if (!json_object_get(value, json_string_value(item)))
            return "required";
    }
    if (json_is_object(value) && refuses_map(s, value))
        return "properties";
    json_array_foreach((json_t *)value, i, item)
    {
        if (json_object_get(s, "items") && refuses(json_object_get(s, "items"), item))
            return "items";
    }
    if (condition && !refuses(condition, value) && refuses(json_object_get(s, "then"), value))
        return "then";
    return NULL;
}

static const char *refuses(const json_t *s, const json_t *value)
{
    const json_t *word;
    if ((word = json_object_get(s, "$ref"))) {
        const char *name = json_string_value(word);
        assert_true(strncmp(name, "#/definitions/", 14) == 0);
        return refuses(json_object_get(json_object_get(schema, "definitions"), name + 14), value);
    }
    if ((word = json_object_get(s, "type")) && !is_of(word, value))
        return "type";
    if ((word = json_object_get(s, "const")) && !json_equal(word, value))
        return "const";
    if ((word = json_object_get(s, "enum")) && !is_among(word, value))
        return "enum";
    if ((word = json_object_get(s, "pattern")) && json_is_string(value) &&
        !fits(json_string_value(word), json_string_value(value)))
        return "pattern";
    if (json_is_number(value) && is_outside(s, "minimum", "maximum", json_number_value(value)))
        return "minimum";
    if (json_is_array(value) &&
        is_outside(s, "minItems", "maxItems", (double)json_array_size(value)))
        return "minItems";
    if (json_is_object(value) &&
        is_outside(s, "minProperties", "maxProperties", (double)json_object_size(value)))
        return "minProperties";
    if ((word = json_object_get(s, "anyOf")) && !any_accepts(word, value))
        return "anyOf";
    return refuses_parts(s, value);
}

/* `refuses` implements every keyword of the schema. */
static void check_keywords(const json_t *s)
{
    static const char *const known[] = {
        "$ref",
        "$schema",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "default",
        "definitions",
        "description",
        "enum",
        "if",
        "items",
        "maxItems",
        "maxProperties",
        "maximum",
        "minItems",
        "minimum",
        "pattern",
        "properties",
        "minProperties",
        "required",
        "then",
        "title",
        "type",
    };
    const char *key, *name;
    json_t *value, *part;
    size_t i;
    json_object_foreach((json_t *)s, key, value)
    {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            found |= strcmp(known[k], key) == 0;
        if (!found)
            fail_msg("unknown keyword '%s'", key);
        if (strcmp(key, "properties") == 0 || strcmp(key, "definitions") == 0)
            json_object_foreach(value, name, part) check_keywords(part);
        else if (strcmp(key, "enum") != 0 && json_is_array(value))
            json_array_foreach(value, i, part) check_keywords(part);
        else if (strcmp(key, "const") != 0)
            check_keywords(value);
    }
}

/* ---- tests ---- */

static void the_validator_knows_all_of_the_schema(void **state)
{
    (void)state;
    check_keywords(schema);
}

static void the_experiments_are_right(void **state)
{
    glob_t files;
    (void)state;
    assert_int_equal(glob("experiments/*.yaml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct arena *arena = arena_create();
        struct node *root;
        struct error err = {""};
        if (yaml_read(arena, files.gl_pathv[i], &root, &err) < 0)
            fail_msg("%s", err.text);
        json_t *value = node_json(root);
        const char *word = refuses(schema, value);
        if (word)
            fail_msg("%s: %s", files.gl_pathv[i], word);
        json_decref(value);
        arena_destroy(arena);
    }
    globfree(&files);
}

/* Whether the file by itself is right, for the checker and by the schema, which must agree. */
static bool is_right(const char *text)
{
    struct arena *arena = arena_create();
    struct node *root;
    struct error err = {""};
    struct problems problems = {0};
    if (yaml_parse(arena, "x.yaml", text, strlen(text), &root, &err) < 0)
        fail_msg("%s", err.text);
    bool right = schema_check(root, schema_file(arena), "", SCHEMA_RAW, &problems) == 0;
    json_t *value = node_json(root);
    const char *word = refuses(schema, value);
    if (right != !word)
        fail_msg("%s: the checker and the schema (%s) do not agree", text, word ? word : "right");
    json_decref(value);
    problems_free(&problems);
    arena_destroy(arena);
    return right;
}

static void checker_and_schema_agree(void **state)
{
    static const char *const right[] = {
        "ferdag: 2",
        "title: 7",
        "title: ~",
        "params: {a: 1, b: {c: [d]}}",
        "include: a.yaml",
        "include: [a.yaml, b.yaml]",
        "inputs: {a: x.csv, b: {path: y}}",
        "stages: {a: {kind: knn, needs: {mem: 1.5G, cpu: 2, gpu: 0}}}",
        "stages: {a: {needs: {gpu: 0.25}}, b: {needs: {gpu: 8}}, c: {needs: {gpu: optional}}}",
        "numerics: {net: cuda x, blas: y}",
        "stages: {a: {for: {x: [1, b]}, in: {y: [c, d], z: e}}}",
        "stages: {a: {for: {x: '${all}'}, needs: '${needs}', env: A, files: [b, c/]}}",
        "tables: {t: {columns: [a, b], rows: {r: {label: x, mine: 7}}, scale: 1e2}}",
        "report: {comparable: false, headline: [{cell: t/a/b, label: x}]}",
        "claims: {c: {smaller_settings: harder, checks: [{check: rank, top: 2}]}}",
        "paper: {source: x, t: {a: {b: 1.5}}, settings: {w: {value: [1]}}}",
    };
    static const char *const wrong[] = {
        "tilte: x",
        "title: [x]",
        "include: {a: b}",
        "inputs: {a: {pth: x}}",
        "inputs: [a]",
        "stages: {a: {kidn: knn}}",
        "stages: {a: {needs: {mem: 1Q}}}",
        "stages: {a: {needs: {cpu: 0}}}",
        "stages: {a: {needs: {cpu: 1.5}}}",
        "stages: {a: {needs: {gpu: maybe}}}",
        "stages: {a: {needs: {gpu: none}}}",
        "stages: {a: {needs: {gpu: 1.5}}}",
        "numerics: {nets: cuda x}",
        "stages: {a: {for: {x: y}}}",
        "stages: {a: [b]}",
        "tables: {t: {scael: 100}}",
        "tables: {t: {digits: many}}",
        "tables: {t: {rows: 7}}",
        "report: {comparabel: false}",
        "report: {comparable: perhaps}",
        "report: {curves: [{lnes: {}}]}",
        "report: {headline: {cell: x}}",
        "claims: {c: {checks: [{check: abov}]}}",
        "claims: {c: {check: []}}",
        "claims: {c: {smaller_settings: eased}}",
        "paper: {settings: {w: {lable: x}}}",
        "paper: {t: [1]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (!is_right(right[i]))
            fail_msg("refused: %s", right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (is_right(wrong[i]))
            fail_msg("accepted: %s", wrong[i]);
}

/* What hangs on a stage's kind is checked when the stage is read, so here it is the schema alone.
 */
static void params_hang_on_the_kind(void **state)
{
    static const struct {
        const char *stage;
        bool right;
    } cases[] = {
        {"{\"kind\": \"knn\", \"with\": {\"k\": 3}, \"in\": {\"features\": \"f\"}}", true},
        {"{\"kind\": \"knn\", \"with\": {\"k\": \"${k}\"}}", true},
        {"{\"kind\": \"knn\", \"with\": {\"k\": 0}}", false},
        {"{\"kind\": \"knn\", \"with\": {\"kk\": 3}}", false},
        {"{\"kind\": \"knn\", \"in\": {\"featuers\": \"f\"}}", false},
        {"{\"kind\": \"kn\"}", false},
        {"{\"kind\": \"train_cnn\", \"with\": {\"kk\": 3}}", false},
        {"{\"kind\": \"command\", \"in\": {\"anything\": [\"a/*\"]}, \"with\": {\"run\": \"x\"}}",
         true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *value = json_pack("{s:{s:o}}", "stages", "a", json_loads(cases[i].stage, 0, NULL));
        assert_non_null(value);
        if (!refuses(schema, value) != cases[i].right)
            fail_msg("%s", cases[i].stage);
        json_decref(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_validator_knows_all_of_the_schema),
        cmocka_unit_test(the_experiments_are_right),
        cmocka_unit_test(checker_and_schema_agree),
        cmocka_unit_test(params_hang_on_the_kind),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
