/* See scope.h. */
#include "dag/experiment/scope.h"
#include "base/nearest.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_LIMIT = 32,     /* nesting of params in params */
    NEST_LIMIT = 32,      /* ${a.${b.${c...}}} */
    TEXT_LIMIT = 1 << 20, /* bytes of one expanded scalar */
    STEP_LIMIT = 5000000, /* nodes and references of one experiment */
    STEP_BYTES = 64,      /* bytes of expanded text that count as one step */
    STEP_DOTS = 4, /* bytes of a long name that count as one step: each dot may separate two keys */
    STEP_LOCALS = 32, /* variables compared that count as one step */
};

static int expand(struct scope *scope, const struct node *node, int depth, struct node **out,
                  struct problems *problems);

int scope_count_steps(struct scope *scope, const struct node *node, size_t steps,
                      struct problems *problems)
{
    if (*scope->steps > STEP_LIMIT)
        return -EINVAL; /* reported before */
    *scope->steps += steps;
    if (*scope->steps > STEP_LIMIT)
        return node_problem(problems, node, "the experiment expands to more than %d values",
                            STEP_LIMIT);
    return 0;
}

/* Finds a dotted path in a map; keys may contain dots themselves. */
static const struct node *find_path(const struct node *map, const char *path)
{
    struct node *found = node_get(map, path);
    size_t first = NOWHERE, length = 0;
    for (const char *dot = found ? NULL : strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t n = (size_t)(dot - path), place = n > 0 ? node_find(map, path, n) : NOWHERE;
        if (place < first) {
            first = place;
            length = n;
        }
    }
    if (map && first != NOWHERE) {
        map->items[first]->used = true;
        return find_path(map->items[first], path + length + 1);
    }
    if (found)
        found->used = true;
    return found;
}

static const struct node *use(const struct variable *variable, const struct node *found)
{
    if (variable->used)
        *variable->used = true;
    return found;
}

static const struct node *find_local(const struct scope *scope, const char *path)
{
    bool dotted = strchr(path, '.');
    for (size_t i = 0; i < scope->local_count; i++) {
        const char *name = scope->locals[i].name;
        if (strcmp(name, path) == 0)
            return use(&scope->locals[i], scope->locals[i].value);
        if (!dotted)
            continue;
        size_t n = strlen(name);
        if (n > 0 && strncmp(name, path, n) == 0 && path[n] == '.') {
            const struct node *found = find_path(scope->locals[i].value, path + n + 1);
            if (found)
                return use(&scope->locals[i], found);
        }
    }
    return NULL;
}

/* Offers the names that could follow the valid part of the path. */
static void offer_names(const struct scope *scope, struct nearest *nearest, const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; i < scope->local_count; i++)
        nearest_offer(nearest, scope->locals[i].name);
    for (size_t i = 0; scope->params && i < scope->params->count; i++)
        nearest_offer(nearest, scope->params->keys[i]->text);
    if (!dot)
        return;
    char *above = arena_copy(scope->arena, path, (size_t)(dot - path));
    const struct node *map = find_path(scope->params, above);
    for (size_t i = 0; map && map->type == NODE_MAP && i < map->count; i++)
        nearest_offer(nearest, arena_print(scope->arena, "%s.%s", above, map->keys[i]->text));
}

static void report_unknown(const struct scope *scope, const struct node *node, const char *path,
                           struct problems *problems)
{
    struct nearest nearest = {.wrong = path};
    offer_names(scope, &nearest, path);
    node_problem(problems, node, "unknown %s '%s'%s",
                 scope->environment   ? "param or environment variable"
                 : scope->local_count ? "param or variable"
                                      : "param",
                 path, nearest_hint(&nearest));
}

/* Finds the value of a name, expanded. `otherwise` is the text after ":-", or NULL. -ENOENT: the
 * name or its value is unknown, which was reported; the caller may go on with the text behind it.
 */
static int look_up(struct scope *scope, const struct node *node, const char *path,
                   const char *otherwise, int depth, struct node **out, struct problems *problems)
{
    const struct node *found = find_local(scope, path);
    if (found && found->broken)
        return -ENOENT;
    if (found) {
        *out = (struct node *)found;
        return 0;
    }
    found = find_path(scope->params, path);
    if (found) {
        struct scope global = *scope;
        global.local_count = 0;
        int rc = depth >= DEPTH_LIMIT
                     ? node_problem(problems, found, "param '%s' is made of itself", path)
                     : expand(&global, found, depth + 1, out, problems);
        scope->used_environment |= global.used_environment;
        return rc < 0 ? -EINVAL : 0;
    }
    const char *value = scope->environment ? getenv(path) : NULL;
    if (value && *value) {
        scope->used_environment = true;
        *out =
            node_scalar(scope->arena, node, arena_copy(scope->arena, value, strlen(value)), false);
        return 0;
    }
    if (scope->environment && otherwise) {
        *out = node_scalar(scope->arena, node, otherwise, true);
        return 0;
    }
    if (otherwise)
        return node_problem(problems, node, "':-' gives a default only in the path of an input");
    report_unknown(scope, node, path, problems);
    return -ENOENT;
}

struct buffer {
    char *bytes;
    size_t used, room;
};

static int append(const struct node *node, struct buffer *b, const char *text, size_t n,
                  struct problems *problems)
{
    if (b->used + n > TEXT_LIMIT)
        return node_problem(problems, node, "expands to more than %d bytes", TEXT_LIMIT);
    if (b->used + n + 1 > b->room) {
        b->room = (b->used + n + 1) * 2;
        b->bytes = must(realloc(b->bytes, b->room));
    }
    memcpy(b->bytes + b->used, text, n);
    b->used += n;
    b->bytes[b->used] = 0;
    return 0;
}

static int expand_text(struct scope *scope, const struct node *node, const char **p, bool inner,
                       int depth, struct buffer *out, struct problems *problems);

/* Expands the reference at *p, which starts with "${". Returns as look_up. */
static int reference(struct scope *scope, const struct node *node, const char **p, int depth,
                     struct node **out, struct problems *problems)
{
    struct buffer name = {0};
    int rc = scope_count_steps(scope, node, 1 + scope->local_count / STEP_LOCALS, problems);
    if (rc == 0 && depth > DEPTH_LIMIT + NEST_LIMIT) /* more than nested params alone can reach */
        rc = node_problem(problems, node, "'${' nested more than %d deep", NEST_LIMIT);
    if (rc == 0) {
        *p += 2;
        rc = expand_text(scope, node, p, true, depth + 1, &name, problems);
    }
    if ((rc == 0 || rc == -ENOENT) && **p != '}')
        rc = node_problem(problems, node, "'${' without its '}'");
    if (rc == -ENOENT)
        *p += 1;
    if (rc == 0 && name.used == 0)
        rc = node_problem(problems, node, "'${}' names nothing");
    if (rc == 0)
        rc = scope_count_steps(scope, node, name.used > STEP_BYTES ? name.used / STEP_DOTS : 0,
                               problems);
    if (rc == 0) {
        *p += 1;
        char *path = arena_copy(scope->arena, name.bytes, name.used);
        char *otherwise = strstr(path, ":-");
        if (otherwise) {
            *otherwise = 0;
            otherwise += 2;
        }
        rc = look_up(scope, node, path, otherwise, depth, out, problems);
    }
    free(name.bytes);
    return rc;
}

/* Expands text up to its end or, if inner, up to the "}" of the name. -ENOENT if unknown names are
 * the only errors. */
static int expand_text(struct scope *scope, const struct node *node, const char **p, bool inner,
                       int depth, struct buffer *out, struct problems *problems)
{
    int rc = 0;
    bool unknown = false;
    while (rc == 0 && **p && !(inner && **p == '}')) {
        size_t plain = strcspn(*p, inner ? "$}" : "$");
        if (plain > 0) {
            rc = append(node, out, *p, plain, problems);
            *p += plain;
        } else if ((*p)[1] == '{') {
            struct node *value;
            rc = reference(scope, node, p, depth, &value, problems);
            if (rc == 0 && value->type != NODE_SCALAR)
                rc = node_problem(problems, node, "%s can't stand inside a text", node_form(value));
            if (rc == 0)
                rc = append(node, out, value->text, strlen(value->text), problems);
            unknown |= rc == -ENOENT;
            rc = rc == -ENOENT ? 0 : rc;
        } else {
            rc = append(node, out, "$", 1, problems);
            *p += (*p)[1] == '$' ? 2 : 1;
        }
    }
    return rc == 0 && unknown ? -ENOENT : rc;
}

static int expand_scalar(struct scope *scope, const struct node *node, int depth, struct node **out,
                         struct problems *problems)
{
    const char *p = node->text;
    if (!strchr(p, '$')) {
        *out = (struct node *)node;
        return 0;
    }
    if (p[0] == '$' && p[1] == '{') {
        struct node *value = NULL;
        int rc = reference(scope, node, &p, depth, &value, problems);
        if (rc < 0 && (rc != -ENOENT || !*p))
            return -EINVAL;
        if (!*p && value) { /* the reference is the whole scalar: take the value, with this place */
            *out = arena_alloc(scope->arena, sizeof **out);
            **out = *value;
            (*out)->file = node->file;
            (*out)->line = node->line;
            (*out)->column = node->column;
            return 0;
        }
        p = node->text;
    }
    struct buffer text = {0};
    int rc = append(node, &text, "", 0, problems);
    if (rc == 0)
        rc = expand_text(scope, node, &p, false, depth, &text, problems);
    if (rc == 0)
        rc = scope_count_steps(scope, node, text.used / STEP_BYTES, problems);
    if (rc == 0)
        *out = node_scalar(scope->arena, node, arena_copy(scope->arena, text.bytes, text.used),
                           node->plain);
    free(text.bytes);
    return rc < 0 ? -EINVAL : 0;
}

static int expand(struct scope *scope, const struct node *node, int depth, struct node **out,
                  struct problems *problems)
{
    int rc = scope_count_steps(scope, node, 1, problems);
    if (rc < 0)
        return rc;
    if (node->type == NODE_SCALAR)
        return expand_scalar(scope, node, depth, out, problems);
    struct node *copy = node_empty(scope->arena, node, node->type);
    for (size_t i = 0; i < node->count && *scope->steps <= STEP_LIMIT; i++) {
        struct node *item = NULL;
        if (expand(scope, node->items[i], depth, &item, problems) < 0) {
            rc = -EINVAL; /* go on: other items may have errors too */
            item = node_broken(scope->arena, node->items[i]);
        }
        node_append(scope->arena, copy, node->type == NODE_MAP ? node->keys[i] : NULL, item);
    }
    *out = copy;
    return *scope->steps <= STEP_LIMIT ? rc : -EINVAL;
}

int scope_expand(struct scope *scope, const struct node *node, struct node **out,
                 struct problems *problems)
{
    return expand(scope, node, 0, out, problems);
}

int scope_text(struct scope *scope, const struct node *node, const char **out,
               struct problems *problems)
{
    struct node *value = NULL;
    int rc = scope_expand(scope, node, &value, problems);
    if (rc < 0 || !value)
        return -EINVAL;
    if (value->type != NODE_SCALAR)
        return node_problem(problems, node, "expected a text, not %s", node_form(value));
    *out = value->text;
    return 0;
}
