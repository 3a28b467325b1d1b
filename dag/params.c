/* See params.h. */
#include "dag/params.h"
#include "dag/nearest.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int range_error(const struct param *p, const struct node *node, struct error *err)
{
    return node_error(err, node, "%s: %s is out of range; expected %.10g to %.10g", p->name,
                      node->text, p->min, p->max);
}

static bool in_range(const struct param *p, double x)
{
    return (p->min == 0 && p->max == 0) || (x >= p->min && x <= p->max);
}

static int read_int(const struct param *p, const struct node *node, json_t **out, struct error *err)
{
    char *end;
    errno = 0;
    long long value = strtoll(node->text, &end, 10);
    if (end == node->text || *end || errno)
        return node_error(err, node, "%s: expected an integer, not '%s'", p->name, node->text);
    if (!in_range(p, (double)value))
        return range_error(p, node, err);
    *out = must(json_integer(value));
    return 0;
}

static int read_real(const struct param *p, const struct node *node, json_t **out,
                     struct error *err)
{
    char *end;
    double value = strtod(node->text, &end);
    if (end == node->text || *end || !isfinite(value) || strpbrk(node->text, "xX"))
        return node_error(err, node, "%s: expected a number, not '%s'", p->name, node->text);
    if (!in_range(p, value))
        return range_error(p, node, err);
    *out = must(json_real(value + 0.0)); /* -0 and 0 are one value */
    return 0;
}

static int read_bool(const struct param *p, const struct node *node, json_t **out,
                     struct error *err)
{
    bool yes = strcmp(node->text, "true") == 0;
    if (!yes && strcmp(node->text, "false") != 0)
        return node_error(err, node, "%s: expected true or false, not '%s'", p->name, node->text);
    *out = json_boolean(yes);
    return 0;
}

static int read_enum(const struct param *p, const struct node *node, json_t **out,
                     struct error *err)
{
    struct nearest nearest = {.wrong = node->text};
    char *choices = must(strdup(p->choices)), *rest = choices, *choice;
    while ((choice = strsep(&rest, "|"))) {
        if (strcmp(choice, node->text) == 0)
            *out = must(json_string(choice));
        nearest_offer(&nearest, choice);
    }
    int rc = *out ? 0
                  : node_error(err, node, "%s: unknown value '%s'%s; expected %s", p->name,
                               node->text, nearest_hint(&nearest), p->choices);
    free(choices);
    return rc;
}

static int read_string(const struct param *p, const struct node *node, json_t **out,
                       struct error *err)
{
    if (p->max > 0 && (double)strlen(node->text) > p->max)
        return node_error(err, node, "%s: longer than %.0f bytes", p->name, p->max);
    *out = must(json_string(node->text));
    return 0;
}

static int read_value(const struct param *p, const struct node *node, json_t **out,
                      struct error *err)
{
    *out = NULL;
    if (p->type == PARAM_JSON) {
        *out = node_json(node);
        return 0;
    }
    if (node->type != NODE_SCALAR)
        return node_error(err, node, "%s: expected one value, not %s", p->name, node_form(node));
    switch (p->type) {
    case PARAM_INT:
        return read_int(p, node, out, err);
    case PARAM_REAL:
        return read_real(p, node, out, err);
    case PARAM_BOOL:
        return read_bool(p, node, out, err);
    case PARAM_ENUM:
        return read_enum(p, node, out, err);
    default:
        return read_string(p, node, out, err);
    }
}

int params_standard(const struct param *p, const struct node *where, json_t **out,
                    struct error *err)
{
    if (p->type == PARAM_JSON) {
        *out = must(json_loads(p->standard, JSON_DECODE_ANY, NULL));
        return 0;
    }
    struct node node = *where;
    node.type = NODE_SCALAR;
    node.text = p->standard;
    return read_value(p, &node, out, err);
}

static int check_names(const struct kind *kind, const struct node *with, struct error *err)
{
    for (size_t i = 0; with && i < with->count; i++) {
        struct nearest nearest = {.wrong = with->keys[i]->text};
        const struct param *p = kind->params;
        for (; p->name && strcmp(p->name, nearest.wrong) != 0; p++)
            nearest_offer(&nearest, p->name);
        if (!p->name)
            return node_error(err, with->keys[i], "unknown param '%s' of kind %s%s", nearest.wrong,
                              kind->name, nearest_hint(&nearest));
    }
    return 0;
}

int params_check(const struct kind *kind, const struct node *with, const struct node *where,
                 json_t **params, struct error *err)
{
    if (with && with->type != NODE_MAP)
        return node_error(err, with, "with: expected a map of params, not %s", node_form(with));
    int rc = check_names(kind, with, err);
    if (rc < 0)
        return rc;
    json_t *all = must(json_object());
    for (const struct param *p = kind->params; rc == 0 && p->name; p++) {
        const struct node *node = node_get(with, p->name);
        json_t *value = NULL;
        if (node && !(node_is_null(node) && p->type != PARAM_JSON && p->standard))
            rc = read_value(p, node, &value, err);
        else if (p->standard)
            rc = params_standard(p, where, &value, err);
        else
            rc = node_error(err, where, "param '%s' of kind %s must be given", p->name, kind->name);
        if (rc == 0 && json_object_set_new(all, p->name, value) < 0)
            must(NULL);
    }
    if (rc < 0)
        json_decref(all);
    else
        *params = all;
    return rc;
}
