/* `kinds`: the tables of the stage kinds, for people and as JSON. */
#include "dag/commands.h"
#include "base/nearest.h"
#include "dag/session.h"
#include "stages/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {"int", "real", "bool", "enum", "string", "json"};

static void print_port(const struct port *port, const char *direction)
{
    printf("  %-6s %-14s %s%s%s%s%s%s\n", direction, port->name, port->text ? port->text : "",
           port->form == PORT_TREE ? " [folder]" : "", port->many ? " [list]" : "",
           port->optional ? " [optional]" : "", port->measured ? " [measured]" : "", "");
}

static void print_param(const struct param *param)
{
    char bounds[200] = "";
    if (param->type == PARAM_ENUM)
        snprintf(bounds, sizeof bounds, " %s", param->choices);
    else if (param->type != PARAM_STRING && (param->min != 0 || param->max != 0))
        snprintf(bounds, sizeof bounds, " %.10g to %.10g", param->min, param->max);
    printf("  param  %-14s %s (%s%s%s%s)\n", param->name, param->text ? param->text : "",
           type_names[param->type], bounds, param->standard ? "; default " : "; must be given",
           param->standard ? param->standard : "");
}

static void print_kind(const struct kind *kind)
{
    printf("%s (version %d): %s\n", kind->name, kind->version, kind->text);
    for (const struct port *p = kind->inputs; p->name; p++)
        print_port(p, "input");
    for (const struct port *p = kind->outputs; p->name; p++)
        print_port(p, "output");
    for (const struct param *p = kind->params; p->name; p++)
        print_param(p);
    if (kind->open_ports)
        puts("  Its inputs and outputs are named by the YAML: in: { name: stage }, out: { port: "
             "file }");
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
    for (const struct param *p = params; p->name; p++) {
        json_t *item =
            must(json_pack("{s:s, s:s, s:s?, s:b, s:b, s:s?, s:s?}", "name", p->name, "type",
                           type_names[p->type], "default", p->standard, "keyless", p->keyless,
                           "continues", p->continues, "choices", p->choices, "text", p->text));
        if (p->min != 0 || p->max != 0) {
            json_object_set_new(item, "min", json_real(p->min));
            json_object_set_new(item, "max", json_real(p->max));
        }
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
