/* See experiment.h. Resolves references such as "train/vgg19.best" to outputs of stages. */
#include "dag/experiment/experiment.h"
#include "base/nearest.h"
#include "dag/experiment/parts.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct stage *const *)a)->name, (*(struct stage *const *)b)->name);
}

void references_prepare(struct experiment *e)
{
    e->by_name = arena_alloc(e->arena, (e->stage_count + 1) * sizeof *e->by_name);
    if (e->stage_count)
        memcpy(e->by_name, e->stages, e->stage_count * sizeof *e->by_name);
    for (size_t i = 0; i < e->stage_count; i++)
        e->stages[i]->place = i;
    qsort(e->by_name, e->stage_count, sizeof *e->by_name, by_name);
}

struct stage *experiment_stage(const struct experiment *e, const char *name)
{
    struct stage wanted = {.name = name}, *key = &wanted;
    struct stage **found = bsearch(&key, e->by_name, e->stage_count, sizeof *e->by_name, by_name);
    return found ? *found : NULL;
}

static bool below(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && (name[n] == 0 || name[n] == '/');
}

int experiment_pick(const struct experiment *e, const char *name, bool *picked, struct error *err)
{
    struct nearest nearest = {.wrong = name};
    size_t n = strlen(name);
    bool any = false, group = n > 1 && name[n - 1] == '/'; /* "train/", as completed */
    for (size_t i = 0; i < e->stage_count; i++) {
        if (below(e->stages[i]->name, name) || (group && strncmp(e->stages[i]->name, name, n) == 0))
            any = picked[i] = true;
        nearest_offer(&nearest, e->stages[i]->name);
        nearest_offer(&nearest, e->stages[i]->group);
    }
    return any ? 0
               : error_set(err, EINVAL, "%s: unknown stage '%s'%s", e->file, name,
                           nearest_hint(&nearest));
}

/* Whether the name may belong to an entry of `stages` that could not be expanded, or to a
 * misspelled section `inputs` or `stages`: then it is no error of its own. */
static bool hangs_on_broken(const struct experiment *e, const char *text)
{
    if (e->misspelled && (!node_get(e->root, "inputs") || !node_get(e->root, "stages")))
        return true;
    size_t n = strcspn(text, "/.");
    for (size_t i = 0; i < e->broken_count; i++)
        if (strncmp(e->broken[i], text, n) == 0 && !e->broken[i][n])
            return true;
    return false;
}

/* "; the stages are a, b and c", from the entries of `stages`. */
static const char *known_stages(const struct experiment *e)
{
    const struct node *stages = node_get(e->root, "stages");
    size_t count = stages && stages->type == NODE_MAP ? stages->count : 0;
    const char **names = arena_alloc(e->arena, (count + 1) * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = stages->keys[i]->text;
    return count < 2 ? ""
                     : arena_print(e->arena, "; the stages are %s",
                                   experiment_name_list(e->arena, names, count));
}

static int unknown_stage(const struct experiment *e, const char *text, const struct node *where)
{
    struct nearest nearest = {.wrong = text};
    if (hangs_on_broken(e, text))
        return -EINVAL;
    for (size_t i = 0; i < e->stage_count; i++) {
        if (below(e->stages[i]->name, text))
            return node_problem(e->problems, where,
                                "'%s' is a matrix; name one of its stages, such as '%s', or all "
                                "with '%s/*'",
                                text, e->stages[i]->name, text);
        nearest_offer(&nearest, e->stages[i]->name);
    }
    for (size_t i = 0; i < e->external_count; i++)
        nearest_offer(&nearest, e->externals[i]->name);
    const char *hint = nearest_hint(&nearest);
    return node_problem(e->problems, where, "unknown stage or input '%s'%s", text,
                        *hint ? hint : known_stages(e));
}

struct external *experiment_external(const struct experiment *e, const char *name)
{
    const struct node *inputs = node_get(e->root, "inputs");
    size_t place =
        inputs && inputs->type == NODE_MAP ? node_find(inputs, name, strlen(name)) : NOWHERE;
    return place < e->external_count ? e->externals[place] : NULL;
}

/* -EINVAL without a report if the stage's outputs are unknown because it is broken. */
static int find_output(const struct experiment *e, const struct stage *stage, const char *port,
                       const struct node *where, size_t *output)
{
    struct nearest nearest = {.wrong = port};
    if (stage->out) {
        *output = node_find(stage->out, port, strlen(port));
    } else {
        *output = 0;
        while (*output < stage->output_count && strcmp(stage->outputs[*output].port, port) != 0)
            ++*output;
    }
    if (*output < stage->output_count)
        return 0;
    if (stage->broken && (!stage->kind || stage->kind->open_ports))
        return -EINVAL;
    const char **names = arena_alloc(e->arena, (stage->output_count + 1) * sizeof *names);
    for (size_t i = 0; i < stage->output_count; i++) {
        names[i] = stage->outputs[i].port;
        nearest_offer(&nearest, names[i]);
    }
    const char *hint = nearest_hint(&nearest);
    if (!*hint)
        hint =
            arena_print(e->arena, "; its output%s %s", stage->output_count == 1 ? " is" : "s are",
                        experiment_name_list(e->arena, names, stage->output_count));
    return node_problem(e->problems, where, "unknown output '%s' of stage '%s' (kind %s)%s", port,
                        stage->name, stage->kind->name, hint);
}

int experiment_resolve(const struct experiment *e, const char *text, const struct node *where,
                       struct stage **from, size_t *output, struct external **external)
{
    *output = 0;
    if ((*external = experiment_external(e, text))) {
        (*external)->used = true;
        return 0;
    }
    if ((*from = experiment_stage(e, text))) /* names may contain dots: try the whole text first */
        return (*from)->output_count ? 0 : -EINVAL;
    const char *dot = strrchr(text, '.');
    char *name = arena_copy(e->arena, text, dot ? (size_t)(dot - text) : strlen(text));
    *from = dot ? experiment_stage(e, name) : NULL;
    if (dot && !*from && experiment_external(e, name))
        return node_problem(e->problems, where, "'%s' is an input, which has no ports: write '%s'",
                            name, name);
    return *from ? find_output(e, *from, dot + 1, where, output) : unknown_stage(e, name, where);
}

/* ---- patterns ---- */

/* Matches a name against a pattern; a star matches the text between two slashes. Puts the texts
 * that the stars match, separated by slashes, into `stars`, which is as long as the name. */
static bool matches_name(const char *pattern, const char *name, char *stars)
{
    char *to = stars;
    for (;;) {
        size_t n = strcspn(pattern, "/"), m = strcspn(name, "/");
        if (n == 1 && *pattern == '*' && m > 0) {
            if (to > stars)
                *to++ = '/';
            memcpy(to, name, m);
            to += m;
        } else if (n != m || strncmp(pattern, name, n) != 0) {
            return false;
        }
        pattern += n;
        name += m;
        if (!*pattern || !*name)
            break;
        pattern++;
        name++;
    }
    *to = 0;
    return !*pattern && !*name;
}

static int by_place(const void *a, const void *b)
{
    const struct match *x = a, *y = b;
    return x->from->place < y->from->place ? -1 : x->from->place > y->from->place;
}

/* Finds the stages whose names match, among those with the pattern's prefix. */
static void find_matches(const struct experiment *e, const char *pattern, struct match **matches,
                         size_t *count)
{
    size_t n = strcspn(pattern, "*"), low = 0, high = e->stage_count;
    *matches = NULL;
    *count = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strncmp(e->by_name[middle]->name, pattern, n) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < e->stage_count && strncmp(e->by_name[low]->name, pattern, n) == 0; low++) {
        char *stars = arena_alloc(e->arena, strlen(e->by_name[low]->name) + 1);
        if (!matches_name(pattern, e->by_name[low]->name, stars))
            continue;
        *matches = arena_push(e->arena, *matches, *count, sizeof **matches);
        (*matches)[(*count)++] = (struct match){.from = e->by_name[low], .name = stars};
    }
    if (*count > 1)
        qsort(*matches, *count, sizeof **matches, by_place);
}

int experiment_match(const struct experiment *e, const char *pattern, const struct node *where,
                     struct match **matches, size_t *count)
{
    int rc = 0;
    find_matches(e, pattern, matches, count);
    for (size_t i = 0; i < *count; i++)
        if ((*matches)[i].from->output_count == 0)
            return -EINVAL;
    if (*count > 0)
        return 0;
    const char *dot = strrchr(pattern, '.');
    char *name = arena_copy(e->arena, pattern, dot ? (size_t)(dot - pattern) : 0);
    if (dot)
        find_matches(e, name, matches, count);
    for (size_t i = 0; rc == 0 && i < *count; i++)
        rc = find_output(e, (*matches)[i].from, dot + 1, where, &(*matches)[i].output);
    if (*count > 0 || hangs_on_broken(e, pattern))
        return *count > 0 ? rc : -EINVAL;
    return node_problem(e->problems, where,
                        "'%s' names no stage; a star stands for one value of a matrix", pattern);
}
