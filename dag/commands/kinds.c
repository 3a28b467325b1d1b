/* `kinds`: the tables of the stage kinds, for people and as JSON. */
#include "dag/commands/commands.h"
#include "base/nearest.h"
#include "dag/session.h"
#include "stages/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {
    [PARAM_INT] = "int",       [PARAM_REAL] = "real",
    [PARAM_BOOL] = "bool",     [PARAM_ENUM] = "enum",
    [PARAM_STRING] = "string", [PARAM_JSON] = "any value",
    [PARAM_SIZE] = "size",     [PARAM_LIST] = "list",
    [PARAM_MAP] = "map",       [PARAM_NAMED] = "map of names",
};

static void print_port(const struct port *port, const char *direction)
{
    printf("  %-6s %-14s %s%s%s%s%s%s\n", direction, port->name, port->text ? port->text : "",
           port->form == PORT_TREE ? " [folder]" : "", port->many ? " [list]" : "",
           port->optional ? " [optional]" : "", port->measured ? " [measured]" : "", "");
}

/* "int 1 to 4096; default 128" */
static void print_type(const struct param *param)
{
    bool bounded = param->type == PARAM_INT || param->type == PARAM_REAL;
    fputs(type_names[param->type], stdout);
    if (param->type == PARAM_ENUM)
        printf(" %s", param->choices);
    else if (bounded && (param->min != 0 || param->max != 0))
        printf(" %.10g to %.10g", param->min, param->max);
    if (param->standard && *param->standard)
        printf("; default %s", param->standard);
    else if (!param->standard && !param->optional)
        fputs("; must be given", stdout);
}

/* A row, and below it the keys of the maps that it holds. */
static void print_param(const struct param *param, int depth)
{
    const struct param *in = param;
    if (depth == 0)
        printf("  param  %-14s %s (", param->name, param->text ? param->text : "");
    else
        printf("%*s%-*s %s (", 9 + 2 * depth, "", 20 - 2 * depth, param->name,
               param->text ? param->text : "");
    print_type(param);
    puts(")");
    while (in->type == PARAM_LIST || in->type == PARAM_NAMED)
        in = in->members;
    for (const struct param *m = in->type == PARAM_MAP ? in->members : NULL; m && m->name; m++)
        if (!m->gone)
            print_param(m, depth + 1);
}

static void print_kind(const struct kind *kind)
{
    printf("%s (version %d): %s\n", kind->name, kind->version, kind->text);
    for (const struct port *p = kind->inputs; p->name; p++)
        print_port(p, "input");
    for (const struct port *p = kind->outputs; p->name; p++)
        print_port(p, "output");
    for (const struct param *p = kind->params; p->name; p++)
        print_param(p, 0);
    if (kind->open_ports)
        puts("  The YAML names its inputs and outputs, and what else it may see:\n"
             "    in: { NAME: stage }             a list or a matrix's \"stage/*\" is a folder "
             "NAME\n"
             "    out: { PORT: file }             \"folder/\" is a folder\n"
             "    files: [script.py, lib/]        code: relative to the YAML, copied into the "
             "stage's\n"
             "                                    folder; an edit runs the stage again\n"
             "    env: [NAME]                     environment variables; part of the key");
}

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
                           type_names[p->type], "default", p->standard, "keyless", p->keyless,
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

int command_kinds(const struct options *options, struct error *err)
{
    const struct kind *one = NULL;
    if (options->name_count > 0 && find(options->names[0], &one, err) < 0)
        return EXIT_BAD;
    json_t *list = options->json && !one ? must(json_array()) : NULL;
    if (one && options->json)
        session_print(kind_json(one));
    else if (one)
        print_kind(one);
    for (size_t i = 0; !one && kinds[i]; i++) {
        if (list)
            json_array_append_new(list, kind_json(kinds[i]));
        else
            printf("%-18s %s\n", kinds[i]->name, kinds[i]->text);
    }
    if (list)
        session_print(list);
    return EXIT_DONE;
}
