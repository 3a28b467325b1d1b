/* See settings.h. */
#include "reports/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "reports/cells.h"
#include "reports/check_values.h"
#include "base/text.h"
#include "stages/kind.h"

enum { NAME_SIZE = 80 };

static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal((json_t *)a, (json_t *)b);
}

/* The name for readers of a value, or the value. */
static const char *display_name(const json_t *names, const char *word)
{
    const json_t *name = json_object_get(names, word);
    return json_is_string(name) ? json_string_value(name) : word;
}

/* A scalar as text for readers. */
static void add_value(struct text *t, const json_t *value, const json_t *names)
{
    if (json_is_string(value)) {
        text_add(t, display_name(names, json_string_value(value)));
    } else if (json_is_boolean(value)) {
        text_add(t, json_is_true(value) ? "yes" : "no");
    } else if (json_is_number(value)) {
        text_print(t, "%.7g", json_number_value(value));
    } else {
        char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
        text_add(t, dump ? dump : "");
        free(dump);
    }
}

/* ---- which param a setting is compared with ---- */

struct compared {
    char kind[NAME_SIZE]; /* "": the experiment's param */
    char param[NAME_SIZE];
};

/* NULL, and the nearest of its params, if it has none of that name. */
static const struct param *find_param(const struct kind *kind, const char *name,
                                      struct nearest *nearest)
{
    *nearest = (struct nearest){.wrong = name};
    for (const struct param *p = kind->params; p->name; p++) {
        if (strcmp(p->name, name) == 0)
            return p;
        nearest_offer(nearest, p->name);
    }
    return NULL;
}

static int read_compared(const char *name, const json_t *setting, struct compared *compared,
                         struct error *err)
{
    const char *of = cells_string(setting, "param"), *dot = strchr(of, '.');
    size_t n = dot ? (size_t)(dot - of) : strlen(of);
    *compared = (struct compared){0};
    if (n >= NAME_SIZE || strlen(dot ? dot + 1 : name) >= NAME_SIZE)
        return error_set(err, EINVAL, "paper.settings: %.80s: the name is too long", name);
    memcpy(compared->kind, of, n);
    snprintf(compared->param, sizeof compared->param, "%s", dot ? dot + 1 : name);
    if (!*of)
        return 0;
    const struct kind *kind = kind_find(compared->kind);
    struct nearest nearest = {.wrong = compared->kind};
    for (size_t i = 0; !kind && kinds[i]; i++)
        nearest_offer(&nearest, kinds[i]->name);
    if (!kind)
        return error_set(err, EINVAL, "paper.settings: %s: param: there is no kind '%s'%s", name,
                         compared->kind, nearest_hint(&nearest));
    return find_param(kind, compared->param, &nearest)
               ? 0
               : error_set(err, EINVAL, "paper.settings: %s: param: kind %s has no param '%s'%s",
                           name, compared->kind, compared->param, nearest_hint(&nearest));
}

/* Checks a param of the kind that the setting is compared with. `member` of the setting names the
 * param; value is the setting's for it (NULL: none). */
static void check_param(const char *name, const char *member, const char *param,
                        const json_t *value, const struct compared *compared,
                        struct problems *problems)
{
    struct nearest nearest;
    char pointer[4 * NAME_SIZE];
    const struct param *found;
    const struct kind *kind = *compared->kind ? kind_find(compared->kind) : NULL;
    snprintf(pointer, sizeof pointer, "/paper/settings/%.*s/%s", NAME_SIZE, name, member);
    if (!kind)
        problems_at(problems, pointer, "%s needs a kind of stage: expected it in `param`", member);
    else if ((found = find_param(kind, param, &nearest)) && value)
        value_check(pointer, member, value, found, problems);
    else if (!found)
        problems_at(problems, pointer, "%s: kind %s has no param '%s'%s", member, kind->name, param,
                    nearest_hint(&nearest));
}

void settings_check(const char *name, const json_t *setting, const json_t *params,
                    struct problems *problems)
{
    struct compared compared;
    struct error why;
    char pointer[2 * NAME_SIZE];
    const char *group_by = cells_string(setting, "group_by"), *key;
    json_t *value;
    struct nearest nearest = {.wrong = name};
    snprintf(pointer, sizeof pointer, "/paper/settings/%.*s", NAME_SIZE, name);
    if (read_compared(name, setting, &compared, &why) < 0) {
        snprintf(pointer, sizeof pointer, "/paper/settings/%.*s/param", NAME_SIZE, name);
        problems_at(problems, pointer, "%s", why.text);
        return;
    }
    if (!*compared.kind && !json_object_get(params, name)) {
        json_object_foreach((json_t *)params, key, value) nearest_offer(&nearest, key);
        problems_at(problems, pointer,
                    "the experiment has no param '%s'%s; `param` names that of a stage kind", name,
                    nearest_hint(&nearest));
        return;
    }
    if (*group_by)
        check_param(name, "group_by", group_by, NULL, &compared, problems);
    value = json_object_get(setting, "value");
    if (*compared.kind && value && !json_is_null(value))
        check_param(name, "value", compared.param, value, &compared, problems);
    json_object_foreach(json_object_get(setting, "where"), key, value)
    {
        char member[2 * NAME_SIZE];
        snprintf(member, sizeof member, "where/%.*s", NAME_SIZE, key);
        check_param(name, member, key, value, &compared, problems);
    }
}

/* Whether the params have all the values of `where`. */
static bool has_values(const json_t *params, const json_t *where)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)where, name,
                        value) if (!same_value(json_object_get(params, name), value)) return false;
    return true;
}

/* ---- values, each once, with the stages that have them ---- */

/* Adds to [{value, stages: [stage, ...]}]; 0, or -1 without memory. */
static int add_stage(json_t *groups, json_t *value, json_t *stage)
{
    size_t i;
    json_t *group;
    json_array_foreach(
        groups, i,
        group) if (same_value(json_object_get(group, "value"),
                              value)) return json_array_append(json_object_get(group, "stages"),
                                                               stage);
    return json_array_append_new(groups,
                                 json_pack("{s:O, s:[O]}", "value", value, "stages", stage));
}

/* The setting's values in this run; NULL without memory. */
static json_t *group_values(const char *name, const json_t *setting,
                            const struct compared *compared, const json_t *params,
                            const json_t *stages)
{
    json_t *groups = json_array(), *stage, *value = json_object_get(params, name);
    size_t i;
    int rc = groups ? 0 : -1;
    if (rc == 0 && !*compared->kind && value)
        rc = json_array_append_new(groups, json_pack("{s:O, s:[]}", "value", value, "stages"));
    json_array_foreach((json_t *)stages, i, stage)
    {
        const json_t *given = json_object_get(stage, "params");
        value = json_object_get(given, compared->param);
        if (rc == 0 && value && *compared->kind &&
            strcmp(cells_string(stage, "kind"), compared->kind) == 0 &&
            has_values(given, json_object_get(setting, "where")))
            rc = add_stage(groups, value, stage);
    }
    if (rc < 0) {
        json_decref(groups);
        groups = NULL;
    }
    return groups;
}

static size_t stage_count(const json_t *group)
{
    return json_array_size(json_object_get(group, "stages"));
}

/* The value of most stages, the first of equals. */
static size_t usual_group(const json_t *groups)
{
    size_t best = 0;
    for (size_t i = 1; i < json_array_size(groups); i++)
        if (stage_count(json_array_get(groups, i)) > stage_count(json_array_get(groups, best)))
            best = i;
    return best;
}

/* The stage's value of the param group_by (may be NULL), else its name. */
static void name_stage(struct text *t, const json_t *stage, const char *group_by)
{
    const json_t *value =
        group_by ? json_object_get(json_object_get(stage, "params"), group_by) : NULL;
    if (value)
        add_value(t, value, NULL);
    else
        text_add(t, cells_string(stage, "name"));
}

/* The names of a group's stages, each once: a set in the order of its first members. */
static json_t *name_group(const json_t *group, const char *group_by)
{
    json_t *names = json_object(), *stage;
    size_t i;
    json_array_foreach(json_object_get(group, "stages"), i, stage)
    {
        struct text name = {0};
        name_stage(&name, stage, group_by);
        json_object_set_new(names, text_string(&name), json_true());
        text_free(&name);
    }
    return names;
}

/* Whether no two groups have a name in common. */
static bool names_are_distinct(const json_t *groups, const char *group_by)
{
    json_t *seen = json_object(), *group, *none;
    size_t i;
    bool apart = true;
    json_array_foreach((json_t *)groups, i, group)
    {
        json_t *names = name_group(group, group_by);
        const char *name;
        json_object_foreach(names, name, none)
        {
            apart = apart && !json_object_get(seen, name);
            json_object_set_new(seen, name, json_true());
        }
        json_decref(names);
    }
    json_decref(seen);
    return apart;
}

/* "48; resnext29: 24": the most frequent value, then the others with their stages. */
static void add_values(struct text *t, const json_t *groups, const char *group_by,
                       const json_t *names)
{
    size_t usual = usual_group(groups), i;
    json_t *group, *none;
    if (!group_by || !names_are_distinct(groups, group_by))
        group_by = NULL;
    add_value(t, json_object_get(json_array_get(groups, usual), "value"), names);
    json_array_foreach((json_t *)groups, i, group)
    {
        const char *name, *separator = "; ";
        if (i == usual)
            continue;
        json_t *members = name_group(group, group_by);
        json_object_foreach(members, name, none)
        {
            text_print(t, "%s%s", separator, display_name(names, name));
            separator = ", ";
        }
        text_add(t, ": ");
        add_value(t, json_object_get(group, "value"), names);
        json_decref(members);
    }
}

/* ---- one setting ---- */

static json_t *compare(const char *name, const json_t *setting, const json_t *groups,
                       const json_t *names)
{
    const json_t *theirs = json_object_get(setting, "value");
    const char *label = cells_string(setting, "label");
    bool stated = theirs && !json_is_null(theirs), same = stated;
    struct text ours = {0}, paper = {0};
    size_t i;
    json_t *group;
    json_array_foreach((json_t *)groups, i, group) same =
        same && same_value(json_object_get(group, "value"), theirs);
    add_values(&ours, groups, json_string_value(json_object_get(setting, "group_by")), names);
    if (stated)
        add_value(&paper, theirs, names);
    json_t *entry = ours.failed || paper.failed
                        ? NULL
                        : json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "param", name, "label",
                                    *label ? label : name, "ours", text_string(&ours), "paper",
                                    text_string(&paper), "stated", stated, "same", same);
    text_free(&ours);
    text_free(&paper);
    return entry;
}

int settings_compare(const json_t *paper, const json_t *params, const json_t *stages, json_t **list,
                     size_t *differ, struct error *err)
{
    const char *name;
    json_t *setting, *result = json_array();
    int rc = 0;
    *differ = 0;
    json_object_foreach(json_object_get(paper, "settings"), name, setting)
    {
        struct compared compared;
        rc = read_compared(name, setting, &compared, err);
        if (rc < 0)
            break;
        json_t *groups = group_values(name, setting, &compared, params, stages);
        json_t *entry = json_array_size(groups)
                            ? compare(name, setting, groups, json_object_get(paper, "value_names"))
                            : NULL;
        *differ += entry && json_is_true(json_object_get(entry, "stated")) &&
                   !json_is_true(json_object_get(entry, "same"));
        if (!groups || (json_array_size(groups) && json_array_append_new(result, entry) < 0))
            rc = error_set(err, ENOMEM, "out of memory comparing settings");
        json_decref(groups);
        if (rc < 0)
            break;
    }
    if (rc < 0) {
        json_decref(result);
        result = NULL;
    }
    *list = result;
    return rc;
}
