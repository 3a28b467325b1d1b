/* See schema.h. */
#include "dag/experiment/schema.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int(node_problem)(struct problems *problems, const struct node *node, const char *format, ...)
{
    char text[900];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!node)
        return problems_at(problems, "", "%s", text);
    return problems_add(problems, node->file, node->line, node->column, "%s", text);
}

void node_warn(struct problems *problems, const struct node *node, const char *format, ...)
{
    char text[900];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problems_warn(problems, node->file, node->line, node->column, "%s", text);
}

const struct param *schema_member(const struct param *param, const char *name)
{
    for (const struct param *m = param->members; m && m->name; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

const struct param *schema_item(const struct param *param)
{
    return param->members;
}

bool schema_absent(const struct node *node)
{
    return !node || node_is_null(node);
}

/* ---- scalars ---- */

/* The value of a scalar; NULL with a problem if the table doesn't allow it. */
static json_t *read_scalar(const struct param *p, const struct node *node,
                           struct problems *problems)
{
    struct error why = {""};
    json_t *value;
    int rc = param_parse(p, node->text, &value, &why);
    if (rc == -ENOMEM)
        must(NULL);
    if (rc < 0)
        node_problem(problems, node, "%s: %s", p->name, why.text);
    return value;
}

static int check_scalar(const struct param *p, const struct node *node, struct problems *problems)
{
    json_t *value = read_scalar(p, node, problems);
    json_decref(value);
    return value ? 0 : -EINVAL;
}

/* ---- maps and lists ---- */

bool schema_was(const struct param *param, const char *name)
{
    size_t n = strlen(name);
    for (const char *w = param->was; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL)
        if (strcspn(w, "|") == n && strncmp(w, name, n) == 0)
            return true;
    return false;
}

/* The name of a member in messages, such as "tables.table3.rows"; the result is in `text`. */
static const char *join(const char *above, const char *name, char text[200])
{
    snprintf(text, 200, "%s%s%s", above, *above ? "." : "", name);
    return text;
}

static void list_names(const struct param *param, char text[500])
{
    size_t used = 0;
    text[0] = 0;
    for (const struct param *m = param->members; m && m->name && used < 450; m++)
        if (!m->gone)
            used += (size_t)snprintf(text + used, 500 - used, "%s%s", used ? ", " : "", m->name);
}

/* Whether the map is the params of a kind ("kind knn"). */
static bool is_kind(const char *what)
{
    return strncmp(what, "kind ", 5) == 0;
}

static int unknown_key(const struct node *key, const struct param *param, const char *what,
                       struct problems *problems)
{
    struct nearest nearest = {.wrong = key->text};
    char names[500];
    for (const struct param *m = param->members; m && m->name; m++) {
        if (schema_was(m, key->text))
            return node_problem(problems, key,
                                "'%s' is called '%s' since format 2 (`ferdag migrate` "
                                "renames it in a file of format 1)",
                                key->text, m->name);
        if (!m->gone)
            nearest_offer(&nearest, m->name);
    }
    list_names(param, names);
    const char *noun = is_kind(what) ? "param" : "key";
    what = *what ? what : "the file";
    return nearest.best ? node_problem(problems, key, "unknown %s '%s' of %s%s", noun, key->text,
                                       what, nearest_hint(&nearest))
                        : node_problem(problems, key, "unknown %s '%s' of %s; expected %s", noun,
                                       key->text, what, names);
}

static int must_be_given(const struct node *node, const struct param *member, const char *what,
                         struct problems *problems)
{
    return node_problem(problems, node, "%s '%s' of %s must be given: %s",
                        is_kind(what) ? "param" : "key", member->name, what, member->text);
}

/* The member that had the name in format 1, or NULL. A user's variable may have such a name. */
static const struct param *was_member(const struct param *param, const char *name)
{
    bool variables = param->others && param->others->type == PARAM_JSON;
    for (const struct param *m = variables ? NULL : param->members; m && m->name; m++)
        if (schema_was(m, name))
            return m;
    return NULL;
}

/* Reports a key that is probably a misspelled member, not a name that the user chose: its value has
 * the wrong form for such a name, and a member's name is near. */
static int check_misspelled(const struct node *key, const struct node *value,
                            const struct param *param, const char *what, struct problems *problems)
{
    const struct param *others = param->others;
    struct nearest nearest = {.wrong = key->text};
    bool holds_more = (others->type == PARAM_MAP && !others->scalar) || others->type == PARAM_NAMED;
    for (const struct param *m = param->members; m && m->name; m++)
        if (!m->gone)
            nearest_offer(&nearest, m->name);
    if (value->type != NODE_SCALAR || !holds_more || !nearest.best)
        return 0;
    return node_problem(problems, key, "unknown key or %s '%s' of %s%s", others->name, key->text,
                        what, nearest_hint(&nearest));
}

/* Checks a key that is not a member. */
static int check_other(const struct node *key, const struct node *value, const struct param *param,
                       const char *what, enum schema_form form, struct problems *problems)
{
    char name[200];
    const struct param *was = was_member(param, key->text);
    if (!was && param->others && param->others->optional && node_is_null(value))
        return 0;
    bool open = form == SCHEMA_RAW && value->type == NODE_SCALAR && strstr(value->text, "${");
    if (!was && param->others && !open && check_misspelled(key, value, param, what, problems) < 0)
        return -EINVAL;
    if (!was && param->others)
        return schema_check(value, param->others, join(what, key->text, name), form, problems);
    if (was && was->members) /* its members have old names too */
        schema_check(value, was, join(what, was->name, name), form, problems);
    return unknown_key(key, param, what, problems);
}

static int check_members(const struct node *node, const struct param *param, const char *what,
                         enum schema_form form, struct problems *problems)
{
    char name[200];
    int rc = 0;
    bool whole = form == SCHEMA_WHOLE;
    for (size_t i = 0; i < node->count; i++) {
        const struct param *m = schema_member(param, node->keys[i]->text);
        whole &= m || (param->others && !was_member(param, node->keys[i]->text));
        if (m && m->gone && form == SCHEMA_RAW)
            rc = node_problem(problems, node->keys[i], "%s: '%s' can't be given: %s", what, m->name,
                              m->gone);
        if (!m)
            rc = check_other(node->keys[i], node->items[i], param, what, form, problems) < 0
                     ? -EINVAL
                     : rc;
        else if (!m->gone && !(node_is_null(node->items[i]) && m->type != PARAM_JSON) &&
                 schema_check(node->items[i], m, join(what, node->keys[i]->text, name), form,
                              problems) < 0)
            rc = -EINVAL;
    }
    /* A missing member may stand under a misspelled key. */
    for (const struct param *m = param->members; whole && m && m->name; m++)
        if (!m->gone && !m->optional && !m->standard && schema_absent(node_get(node, m->name)))
            rc = must_be_given(node, m, what, problems);
    return rc;
}

static int check_count(const struct node *node, const struct param *param, const char *what,
                       struct problems *problems)
{
    char count[40] = "none";
    if (param_in_range(param, (double)node->count))
        return 0;
    if (node->count > 0)
        snprintf(count, sizeof count, "%zu", node->count);
    if (param->min == param->max)
        return node_problem(problems, node, "%s: %s given; expected %.10g", what, count,
                            param->min);
    return node_problem(problems, node, "%s: %s given; expected %.10g to %.10g", what, count,
                        param->min, param->max);
}

static int wrong_form(const struct node *node, const char *expected, const char *what,
                      struct problems *problems)
{
    return node_problem(problems, node, "%s%sexpected %s, not %s", what, *what ? ": " : "",
                        expected, node_form(node));
}

/* Whether the param is one value, neither a list nor a map. */
static bool is_value(const struct param *param)
{
    return param->type != PARAM_JSON && param->type != PARAM_LIST && param->type != PARAM_MAP &&
           param->type != PARAM_NAMED;
}

static int check_items(const struct node *node, const struct param *param, const char *what,
                       enum schema_form form, struct problems *problems)
{
    const struct param *item = schema_item(param);
    char name[200];
    int rc = check_count(node, param, what, problems);
    for (size_t i = 0; i < node->count; i++) {
        if (node->type == NODE_MAP && node_is_null(node->items[i]) && item->optional)
            continue;
        if (form == SCHEMA_WHOLE && item->type == PARAM_STRING && node_is_null(node->items[i]))
            rc = node_problem(problems, node->items[i], "%s: expected a text, not null", what);
        else if (node->type == NODE_LIST && is_value(item) &&
                 node->items[i]->type != NODE_SCALAR) /* an item has no name of its own */
            rc = wrong_form(node->items[i], "one value", what, problems);
        else if (schema_check(node->items[i], item,
                              node->type == NODE_MAP ? join(what, node->keys[i]->text, name) : what,
                              form, problems) < 0)
            rc = -EINVAL;
    }
    return rc;
}

static int check_map(const struct node *node, const struct param *param, const char *what,
                     enum schema_form form, struct problems *problems)
{
    if (node->type == NODE_SCALAR && param->scalar)
        return schema_check(node, schema_member(param, param->scalar), what, form, problems);
    return node->type == NODE_MAP ? check_members(node, param, what, form, problems)
                                  : wrong_form(node, "a map", what, problems);
}

static int check_named(const struct node *node, const struct param *param, const char *what,
                       enum schema_form form, struct problems *problems)
{
    if (node->type == NODE_MAP)
        return check_items(node, param, what, form, problems);
    if (node->type != NODE_LIST || !param->single)
        return wrong_form(node, param->single ? "a map, or a list of names" : "a map", what,
                          problems);
    int rc = check_count(node, param, what, problems);
    for (size_t i = 0; i < node->count; i++)
        if (node->items[i]->type != NODE_SCALAR)
            rc = wrong_form(node->items[i], "a name", what, problems);
    return rc;
}

/* A number or boolean in quotes is a text, and is refused. An expanded "${...}" needs its quotes,
 * so this is checked in the form RAW only. */
static int check_plain(const struct param *param, const struct node *node,
                       struct problems *problems)
{
    const char *expected = param->type == PARAM_INT    ? "an integer"
                           : param->type == PARAM_REAL ? "a number"
                           : param->type == PARAM_BOOL ? "true or false"
                                                       : NULL;
    if (!expected || node->plain || check_scalar(param, node, NULL) < 0)
        return check_scalar(param, node, problems);
    return node_problem(problems, node,
                        "%s: expected %s, not the text \"%s\"; leave out the quotes", param->name,
                        expected, node->text);
}

/* An integer in place of a list that is counted. */
static int check_length(const struct node *node, const struct param *param, const char *what,
                        enum schema_form form, struct problems *problems)
{
    const struct param length = {.type = PARAM_INT, .min = param->min, .max = param->max};
    bool is_text = form == SCHEMA_RAW && !node->plain;
    if (!is_text && check_scalar(&length, node, NULL) == 0 && !node_is_null(node))
        return 0;
    return node_problem(problems, node,
                        "%s: expected a list, or an integer n from %.10g to %.10g for 1 to n, not "
                        "%s'%s'",
                        what, param->min, param->max, is_text ? "the text " : "", node->text);
}

int schema_check(const struct node *node, const struct param *param, const char *what,
                 enum schema_form form, struct problems *problems)
{
    if (node->broken ||
        (form == SCHEMA_RAW && node->type == NODE_SCALAR && strstr(node->text, "${")))
        return 0;
    switch (param->type) {
    case PARAM_JSON:
        return 0;
    case PARAM_MAP:
        return check_map(node, param, what, form, problems);
    case PARAM_NAMED:
        return check_named(node, param, what, form, problems);
    case PARAM_LIST:
        if (node->type == NODE_MAP && param->single && is_value(schema_item(param)))
            return wrong_form(node, "one value or a list", what, problems);
        if (node->type != NODE_LIST && param->single)
            return schema_check(node, schema_item(param), what, form, problems);
        if (node->type == NODE_SCALAR && param->counted)
            return check_length(node, param, what, form, problems);
        return node->type == NODE_LIST ? check_items(node, param, what, form, problems)
                                       : wrong_form(node, "a list", what, problems);
    default:
        if (node->type == NODE_SCALAR)
            return form == SCHEMA_RAW ? check_plain(param, node, problems)
                                      : check_scalar(param, node, problems);
        return node_problem(problems, node, "%s: expected one value, not %s", param->name,
                            node_form(node));
    }
}

/* ---- values ---- */

json_t *schema_standard(const struct param *param)
{
    json_t *value;
    struct error why = {""};
    return param_default(param, &value, &why) < 0 ? must(NULL) : value;
}

static void put(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, must(value)) < 0)
        must(NULL);
}

/* Sets a member's value or, if it has none, the mark SCHEMA_WRONG. */
static void put_member(json_t *object, const char *name, json_t *value)
{
    if (value)
        put(object, name, value);
    else
        put(object, SCHEMA_WRONG, json_true());
}

/* Sets the entries of a map that are not members of the table. */
static void put_others(json_t *object, const struct node *node, const struct param *param)
{
    for (size_t i = 0; i < node->count; i++) {
        const char *name = node->keys[i]->text;
        if (schema_member(param, name))
            continue;
        bool known = param->others && !was_member(param, name);
        put_member(object, name, known ? schema_json(node->items[i], param->others) : NULL);
    }
}

static json_t *map_json(const struct node *node, const struct param *param)
{
    if (node->type != NODE_MAP && !(node->type == NODE_SCALAR && param->scalar))
        return NULL;
    json_t *object = must(json_object());
    for (const struct param *m = param->members; m && m->name; m++) {
        const struct node *value = node->type == NODE_MAP ? node_get(node, m->name) : NULL;
        if (node->type == NODE_SCALAR && param->scalar && strcmp(param->scalar, m->name) == 0)
            value = node;
        if (value && (!node_is_null(value) || m->type == PARAM_JSON))
            put_member(object, m->name, schema_json(value, m));
        else if (m->standard)
            put(object, m->name, schema_standard(m));
        else if (!m->optional && !m->gone)
            put(object, SCHEMA_WRONG, json_true());
    }
    if (node->type == NODE_MAP)
        put_others(object, node, param);
    return object;
}

static json_t *or_null(json_t *value)
{
    return value ? value : json_null();
}

static json_t *named_json(const struct node *node, const struct param *param)
{
    const struct param *item = schema_item(param);
    bool names = node->type == NODE_LIST && param->single;
    if (node->type != NODE_MAP && !names)
        return NULL;
    json_t *object = must(json_object());
    for (size_t i = 0; i < node->count; i++) {
        const struct node *value = node->items[i];
        if (names && value->type == NODE_SCALAR)
            put(object, value->text, json_object());
        else if (!names)
            put(object, node->keys[i]->text,
                node_is_null(value) && item->type == PARAM_MAP ? json_object()
                                                               : or_null(schema_json(value, item)));
    }
    return object;
}

static json_t *list_json(const struct node *node, const struct param *param)
{
    if (node->type != NODE_LIST && !param->single)
        return NULL;
    json_t *list = must(json_array());
    size_t count = node->type == NODE_LIST ? node->count : 1;
    for (size_t i = 0; i < count; i++) {
        const struct node *item = node->type == NODE_LIST ? node->items[i] : node;
        if (json_array_append_new(list, must(or_null(schema_json(item, schema_item(param))))) < 0)
            must(NULL);
    }
    return list;
}

static json_t *checked_scalar(const struct node *node, const struct param *param)
{
    if (node->type != NODE_SCALAR)
        return NULL;
    if (node_is_null(node))
        return json_null();
    return read_scalar(param, node, NULL);
}

json_t *schema_json(const struct node *node, const struct param *param)
{
    if (node->broken)
        return NULL;
    switch (param->type) {
    case PARAM_JSON:
        return node_json(node);
    case PARAM_MAP:
        return map_json(node, param);
    case PARAM_NAMED:
        return named_json(node, param);
    case PARAM_LIST:
        return list_json(node, param);
    default:
        return checked_scalar(node, param);
    }
}
