/* `schema`: the tables that the checker uses, as JSON Schema (draft 7) for editors. A scalar may be
 * "${...}" wherever a value may stand, so that each type is "that, or a text with ${". */
#include "dag/commands/commands.h"
#include "dag/experiment/schema.h"
#include "dag/session.h"
#include "stages/kind.h"

#include <string.h>

static json_t *describe(const struct param *param);

static void put(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, must(value)) < 0)
        must(NULL);
}

static void append(json_t *list, json_t *value)
{
    if (json_array_append_new(list, must(value)) < 0)
        must(NULL);
}

/* The schema, or a reference to a param of the experiment. */
static json_t *or_expression(json_t *schema)
{
    return must(json_pack("{s:[o, {s:s}]}", "anyOf", schema, "$ref", "#/definitions/expression"));
}

static void put_range(json_t *schema, const struct param *param, const char *least,
                      const char *most)
{
    if (param->min == 0 && param->max == 0)
        return;
    put(schema, least, json_real(param->min));
    put(schema, most, json_real(param->max));
}

static json_t *describe_choices(const char *choices)
{
    json_t *list = must(json_array());
    char *text = must(strdup(choices)), *rest = text, *choice;
    while ((choice = strsep(&rest, "|")))
        append(list, json_string(choice));
    free(text);
    return must(json_pack("{s:o}", "enum", list));
}

static json_t *describe_scalar(const struct param *param)
{
    json_t *schema;
    switch (param->type) {
    case PARAM_INT:
        schema = must(json_pack("{s:s}", "type", "integer"));
        put_range(schema, param, "minimum", "maximum");
        return or_expression(schema);
    case PARAM_REAL:
        schema = must(json_pack("{s:s}", "type", "number"));
        put_range(schema, param, "minimum", "maximum");
        return or_expression(schema);
    case PARAM_BOOL:
        return or_expression(must(json_pack("{s:s}", "type", "boolean")));
    case PARAM_ENUM:
        return or_expression(describe_choices(param->choices));
    case PARAM_SIZE:
        return or_expression(must(json_pack("{s:[s, s], s:s}", "type", "string", "integer",
                                            "pattern", "^[0-9]+(\\.[0-9]+)?([KMGT](B|iB)?)?$")));
    case PARAM_GPUS:
        return or_expression(
            must(json_pack("{s:[{s:[i, s]}, {s:s, s:f, s:i}, {s:s, s:i, s:i}]}", "anyOf", "enum", 0,
                           "optional", "type", "number", "minimum", PARAM_GPUS_LEAST, "maximum", 1,
                           "type", "integer", "minimum", 1, "maximum", PARAM_GPUS_MOST)));
    case PARAM_STRING: /* YAML reads a text such as 1 or true as something else */
        return must(json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean"));
    default:
        return must(json_object());
    }
}

static json_t *describe_members(const struct param *rows)
{
    json_t *properties = must(json_object());
    for (const struct param *p = rows; p && p->name; p++)
        if (!p->gone)
            put(properties, p->name, describe(p));
    return properties;
}

/* What any other key of a map holds: nothing may be there, or something. */
static void put_others(json_t *schema, const struct param *others)
{
    put(schema, "additionalProperties", others ? describe(others) : json_false());
}

static json_t *describe_map(const struct param *param)
{
    json_t *schema = must(
        json_pack("{s:s, s:o}", "type", "object", "properties", describe_members(param->members)));
    put_others(schema, param->others);
    if (!param->scalar)
        return schema;
    return must(json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "string"));
}

static json_t *describe_named(const struct param *param)
{
    json_t *schema = must(json_pack("{s:s, s:o}", "type", "object", "additionalProperties",
                                    describe(schema_item(param))));
    put_range(schema, param, "minProperties", "maxProperties");
    if (!param->single)
        return schema;
    return must(json_pack("{s:[o, {s:s, s:{s:[s, s]}}]}", "anyOf", schema, "type", "array", "items",
                          "type", "string", "number"));
}

static json_t *describe_list(const struct param *param)
{
    json_t *schema =
        must(json_pack("{s:s, s:o}", "type", "array", "items", describe(schema_item(param))));
    put_range(schema, param, "minItems", "maxItems");
    json_t *any =
        must(json_pack("{s:[o, {s:s}]}", "anyOf", schema, "$ref", "#/definitions/expression"));
    if (param->single)
        append(json_object_get(any, "anyOf"), describe(schema_item(param)));
    if (param->counted) {
        json_t *count = must(json_pack("{s:s}", "type", "integer"));
        put_range(count, param, "minimum", "maximum");
        append(json_object_get(any, "anyOf"), count);
    }
    return any;
}

static json_t *describe_form(const struct param *param)
{
    switch (param->type) {
    case PARAM_MAP:
        return or_expression(describe_map(param));
    case PARAM_NAMED:
        return or_expression(describe_named(param));
    case PARAM_LIST:
        return describe_list(param);
    default:
        return describe_scalar(param);
    }
}

static json_t *describe_as(const struct param *param, json_t *schema)
{
    if (param->optional || param->standard) /* null: nothing is said */
        schema = must(json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null"));
    if (param->text)
        put(schema, "description", json_string(param->text));
    return schema;
}

static json_t *describe(const struct param *param)
{
    return describe_as(param, describe_form(param));
}

/* A section of the file, which can't be a param. */
static json_t *describe_section(const struct param *param)
{
    return describe_as(param, param->type == PARAM_MAP     ? describe_map(param)
                              : param->type == PARAM_NAMED ? describe_named(param)
                                                           : describe_form(param));
}

/* ---- stages: `with` and `in` hang on the kind ---- */

static json_t *describe_ports(const struct kind *kind)
{
    const struct param *in = schema_member(&schema_stage, "in");
    json_t *properties = must(json_object());
    for (const struct port *p = kind->inputs; p->name; p++) {
        json_t *port = describe(schema_item(in));
        put(port, "description", json_string(p->text ? p->text : ""));
        put(properties, p->name, port);
    }
    return must(json_pack("{s:[{s:s, s:o, s:b}, {s:s}]}", "anyOf", "type", "object", "properties",
                          properties, "additionalProperties", 0, "type", "null"));
}

static json_t *describe_kind(const struct kind *kind)
{
    const struct param with = {
        .name = "with", .type = PARAM_MAP, .members = kind->params, .optional = true};
    json_t *properties = must(json_pack("{s:o}", "with", describe(&with)));
    if (!kind->open_ports)
        put(properties, "in", describe_ports(kind));
    return must(json_pack("{s:{s:{s:{s:s}}, s:[s]}, s:{s:o}}", "if", "properties", "kind", "const",
                          kind->name, "required", "kind", "then", "properties", properties));
}

static json_t *describe_stage(void)
{
    json_t *schema = describe_map(&schema_stage), *all = must(json_array());
    json_t *names = must(json_array());
    for (size_t i = 0; kinds[i]; i++) {
        if (strncmp(kinds[i]->name, "report_", 7) == 0)
            continue; /* the tables bring them */
        append(names, json_string(kinds[i]->name));
        append(all, describe_kind(kinds[i]));
    }
    json_t *kind = json_object_get(json_object_get(schema, "properties"), "kind");
    json_object_clear(kind);
    put(kind, "anyOf",
        json_pack("[{s:o}, {s:s}]", "enum", names, "$ref", "#/definitions/expression"));
    put(kind, "description", json_string(schema_member(&schema_stage, "kind")->text));
    put(schema, "allOf", all);
    return schema;
}

int command_schema(const struct options *options, struct error *err)
{
    struct arena *arena = arena_create();
    json_t *properties = must(json_object());
    json_t *schema = must(json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
                                    "additionalProperties", 0));
    (void)options;
    (void)err;
    for (const struct param *p = schema_file(arena)->members; p->name; p++)
        put(properties, p->name, describe_section(p));
    put(schema, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    put(schema, "title", json_string("ferdag experiment"));
    put(schema, "definitions",
        json_pack("{s:{s:s, s:s}, s:o}", "expression", "type", "string", "pattern", "\\$\\{",
                  "stage", describe_stage()));
    put(properties, "ferdag",
        json_pack("{s:i, s:s}", "const", FORMAT_VERSION, "description", "version of this format"));
    put(properties, "stages",
        json_pack("{s:s, s:{s:s}, s:s}", "type", "object", "additionalProperties", "$ref",
                  "#/definitions/stage", "description", "the graph"));
    session_print(schema);
    arena_destroy(arena);
    return EXIT_DONE;
}
