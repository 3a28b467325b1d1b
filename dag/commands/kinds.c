/* `kinds`: the tables of the stage kinds, for people and as JSON. */
#include "dag/commands/commands.h"
#include "base/nearest.h"
#include "dag/commands/columns.h"
#include "dag/session.h"
#include "stages/kind.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [PARAM_INT] = "int",   [PARAM_REAL] = "real",          [PARAM_BOOL] = "bool",
    [PARAM_ENUM] = "enum", [PARAM_STRING] = "string",      [PARAM_JSON] = "any value",
    [PARAM_SIZE] = "size", [PARAM_GPUS] = "GPUs",          [PARAM_LIST] = "list",
    [PARAM_MAP] = "map",   [PARAM_NAMED] = "map of names",
};

/* ---- for people ---- */

/* 0.001, 128, 1000000, 1e9, 1e-6, 2^53: as people write it. */
static const char *number_text(struct arena *arena, double value)
{
    double size = fabs(value);
    if (size == 0 || (size >= 1e-4 && size < 1e7))
        return arena_print(arena, "%.10g", value);
    int exponent;
    if (size >= 1e7 && frexp(value, &exponent) == 0.5)
        return arena_print(arena, "2^%d", exponent - 1);
    char text[40];
    snprintf(text, sizeof text, "%.9e", value); /* "-1.500000000e+09" */
    char *e = strchr(text, 'e'), *end = e;
    while (end[-1] == '0')
        end--;
    end -= end[-1] == '.';
    return arena_print(arena, "%.*se%ld", (int)(end - text), text, strtol(e + 1, NULL, 10));
}

static const char *default_text(struct arena *arena, const struct param *p)
{
    if (!p->standard)
        return p->optional ? "" : "required";
    size_t n = strlen(p->standard);
    char *end;
    double value = strtod(p->standard, &end);
    if ((p->type == PARAM_INT || p->type == PARAM_REAL) && n > 0 && !*end)
        return number_text(arena, value);
    bool quoted = n > 2 && p->standard[0] == '"' && p->standard[n - 1] == '"';
    return quoted ? arena_copy(arena, p->standard + 1, n - 2) : p->standard;
}

/* What the values of a list or a map are. */
static const struct param *value_of(const struct param *p)
{
    while (p->type == PARAM_LIST || p->type == PARAM_NAMED)
        p = p->members;
    return p;
}

static const char *type_text(struct arena *arena, const struct param *p)
{
    const struct param *value = value_of(p);
    if (value == p || value->type == PARAM_MAP || value->type == PARAM_JSON)
        return type_names[p->type];
    return arena_print(arena, "%s of %s", p->type == PARAM_LIST ? "list" : "map",
                       type_names[value->type]);
}

static const char *range_text(struct arena *arena, const struct param *p)
{
    p = value_of(p);
    if (p->type == PARAM_ENUM) {
        const char *text = "";
        for (const char *at = p->choices; *at; at += strspn(at, "|")) {
            size_t n = strcspn(at, "|");
            text = arena_print(arena, "%s%s%.*s", text, *text ? ", " : "", (int)n, at);
            at += n;
        }
        return text;
    }
    if (p->min == 0 && p->max == 0)
        return "";
    if (p->type != PARAM_INT && p->type != PARAM_REAL)
        return "";
    return arena_print(arena, "%s to %s", number_text(arena, p->min), number_text(arena, p->max));
}

/* A row, and below it the keys of the maps that it holds. */
static void add_param(struct columns *table, const struct param *p, int depth)
{
    struct arena *arena = table->arena;
    columns_add(table,
                (struct columns_row){.cells = {arena_print(arena, "%*s%s", 2 * depth, "", p->name),
                                               type_text(arena, p), default_text(arena, p),
                                               range_text(arena, p), p->text}});
    const struct param *value = value_of(p);
    for (const struct param *m = value->type == PARAM_MAP ? value->members : NULL; m && m->name;
         m++)
        if (!m->gone)
            add_param(table, m, depth + 1);
}

static void print_params(struct arena *arena, const struct kind *kind, int screen)
{
    struct columns table = {.arena = arena, .count = 5};
    columns_add(&table,
                (struct columns_row){.cells = {"name", "type", "default", "range", "meaning"}});
    for (const struct param *p = kind->params; p->name; p++)
        if (!p->gone)
            add_param(&table, p, 0);
    if (table.row_count == 1)
        return;
    puts("\nparams");
    columns_print(&table, screen);
}

static const char *form_text(struct arena *arena, const struct port *port)
{
    return arena_print(arena, "%s%s%s%s", port->form == PORT_TREE ? "folder" : "file",
                       port->many ? ", list" : "", port->optional ? ", optional" : "",
                       port->measured ? ", measured" : "");
}

/* Inputs have no file names, so that their column is empty and takes no space. */
static void print_ports(struct arena *arena, const char *title, const struct port *ports,
                        int screen)
{
    struct columns table = {.arena = arena, .count = 4};
    for (const struct port *p = ports; p->name; p++) {
        struct columns_row row = {.cells = {p->name, form_text(arena, p), p->file, p->text}};
        if (p->holds)
            row.below =
                arena_print(arena, "%s: %s", p->form == PORT_TREE ? "files" : "values", p->holds);
        columns_add(&table, row);
    }
    if (table.row_count == 0)
        return;
    printf("\n%s\n", title);
    columns_print(&table, screen);
}

static void print_kind(struct arena *arena, const struct kind *kind, int screen)
{
    columns_wrap(arena_print(arena, "%s (version %d): %s", kind->name, kind->version, kind->text),
                 0, 4, screen);
    print_ports(arena, "inputs", kind->inputs, screen);
    print_ports(arena, "outputs", kind->outputs, screen);
    print_params(arena, kind, screen);
    if (kind->open_ports)
        puts("\nports and environment, named by the YAML\n"
             "  in: { NAME: stage }        a list, or a matrix's \"stage/*\", is a folder NAME\n"
             "  out: { PORT: file }        \"folder/\" is a folder\n"
             "  files: [script.py, lib/]   code: relative to the YAML, copied into the stage's\n"
             "                             folder; an edit runs the stage again\n"
             "  env: [NAME]                environment variables; part of the key");
}

static void print_list(struct arena *arena, int screen)
{
    struct columns table = {.arena = arena, .count = 2};
    for (size_t i = 0; kinds[i]; i++)
        columns_add(&table, (struct columns_row){.cells = {kinds[i]->name, kinds[i]->text}});
    columns_print(&table, screen);
    puts("\nferdag kinds KIND shows its ports and params.");
}

/* ---- for programs ---- */

static json_t *ports_json(const struct port *ports)
{
    json_t *list = must(json_array());
    for (const struct port *p = ports; p->name; p++)
        json_array_append_new(
            list, must(json_pack("{s:s, s:s, s:s?, s:b, s:b, s:b, s:s?}", "name", p->name, "form",
                                 p->form == PORT_TREE ? "tree" : "file", "file", p->file,
                                 "optional", p->optional, "many", p->many, "measured", p->measured,
                                 "text", p->text)));
    return list;
}

static json_t *params_json(const struct param *params)
{
    json_t *list = must(json_array());
    for (const struct param *p = params; p && p->name; p++) {
        if (p->gone)
            continue;
        json_t *item =
            must(json_pack("{s:s, s:s, s:s?, s:b, s:b, s:s?, s:s?}", "name", p->name, "type",
                           type_names[p->type], "default", p->standard, "keyless", p->not_in_key,
                           "continues", p->continues, "choices", p->choices, "text", p->text));
        if (p->min != 0 || p->max != 0) {
            json_object_set_new(item, "min", json_real(p->min));
            json_object_set_new(item, "max", json_real(p->max));
        }
        if (p->members)
            json_object_set_new(item, "members", params_json(p->members));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *kind_json(const struct kind *kind)
{
    return must(json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:b, s:b, s:b}", "name", kind->name,
                          "version", kind->version, "text", kind->text, "inputs",
                          ports_json(kind->inputs), "outputs", ports_json(kind->outputs), "params",
                          params_json(kind->params), "numerics", kind->numerics != NUMERICS_NONE,
                          "report", kind->report, "open_ports", kind->open_ports));
}

static int find(const char *name, const struct kind **kind, struct error *err)
{
    struct nearest nearest = {.wrong = name};
    for (size_t i = 0; kinds[i]; i++)
        nearest_offer(&nearest, kinds[i]->name);
    *kind = kind_find(name);
    return *kind ? 0 : error_set(err, EINVAL, "unknown kind '%s'%s", name, nearest_hint(&nearest));
}

static void print_json(const struct kind *one)
{
    json_t *list = one ? NULL : must(json_array());
    for (size_t i = 0; !one && kinds[i]; i++)
        json_array_append_new(list, kind_json(kinds[i]));
    session_print(one ? kind_json(one) : list);
}

int command_kinds(const struct options *options, struct error *err)
{
    const struct kind *one = NULL;
    if (options->name_count > 0 && find(options->names[0], &one, err) < 0)
        return EXIT_BAD;
    struct arena *arena = arena_create();
    if (options->json)
        print_json(one);
    else if (one)
        print_kind(arena, one, columns_screen());
    else
        print_list(arena, columns_screen());
    arena_destroy(arena);
    return EXIT_DONE;
}
