/* See include.h. */
#include "dag/experiment/include.h"
#include "base/nearest.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <string.h>

enum {
    INCLUDE_DEPTH = 16,
    INCLUDE_FILES = 200,
    INCLUDE_ENTRIES = 3000000, /* copied while maps are merged */
};

enum merge { MERGE_WHOLE, MERGE_ENTRIES, MERGE_DEEP };

/* The sections of a file, and how the values of two files are merged. */
static const struct {
    const char *name;
    enum merge merge;
} top_keys[] = {
    {"ferdag", MERGE_WHOLE}, {"title", MERGE_WHOLE},    {"include", MERGE_WHOLE},
    {"params", MERGE_DEEP},  {"inputs", MERGE_ENTRIES}, {"stages", MERGE_DEEP},
    {"tables", MERGE_DEEP},  {"claims", MERGE_DEEP},    {"paper", MERGE_DEEP},
    {"report", MERGE_DEEP},  {"numerics", MERGE_DEEP},
};

enum { TOP_KEYS = sizeof top_keys / sizeof *top_keys };

struct chain {
    const char *file;
    const struct chain *above;
};

struct loader {
    struct arena *arena;
    const struct param *schema;
    size_t files, entries; /* read and merged so far */
    bool misspelled;       /* a file has an unknown section */
    struct problems *problems;
};

char *include_folder(struct arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/');
    return arena_copy(arena, file, slash ? (size_t)(slash - file) + 1 : 0);
}

/* Sections are merged before params are expanded, so a map can't be given as "${name}". */
static void check_section(struct loader *l, const struct node *key, const struct node *value)
{
    const struct param *section = schema_member(l->schema, key->text);
    l->misspelled |= !section;
    bool map = section && (section->type == PARAM_MAP || section->type == PARAM_NAMED);
    if (map && value->type == NODE_SCALAR && strstr(value->text, "${"))
        node_problem(l->problems, value,
                     "%s: expected a map, not a scalar; what stands in it may use params",
                     key->text);
}

/* Checks one file: its version and its keys. Required keys may be in another file. */
static int check_file(struct loader *l, const struct node *root)
{
    if (root->type != NODE_MAP)
        return node_problem(l->problems, root,
                            "expected a map with ferdag, params, inputs, stages ..., not %s",
                            node_form(root));
    const struct node *version = node_get(root, "ferdag");
    if (version && version->type == NODE_SCALAR && strcmp(version->text, "1") == 0)
        node_problem(l->problems, version,
                     "format 1 was replaced by format 2; `ferdag migrate %s` rewrites the file",
                     root->file);
    else if (version && (version->type != NODE_SCALAR || strcmp(version->text, "2") != 0))
        node_problem(l->problems, version, "ferdag: expected 2, the version of this format");
    else if (version && !version->plain)
        node_problem(l->problems, version,
                     "ferdag: expected 2, not the text \"2\"; leave out the quotes");
    for (size_t i = 0; i < root->count; i++)
        check_section(l, root->keys[i], root->items[i]);
    schema_check(root, l->schema, "", SCHEMA_RAW, l->problems);
    return 0;
}

/* A null that removes an included value; the mark tells it from a null by mistake. */
static struct node *take_away(struct loader *l, const struct node *over)
{
    struct node *null = arena_alloc(l->arena, sizeof *null);
    *null = *over;
    null->unset = true;
    return null;
}

/* Merges b over a, down to `levels`; changes neither. Stops once l->entries exceeds its limit. */
static struct node *merge(struct loader *l, struct node *a, struct node *b, int levels)
{
    struct arena *arena = l->arena;
    if (levels > 0 && node_is_null(b) && (!node_is_null(a) || a->unset))
        return take_away(l, b);
    if (levels == 0 || a->type != NODE_MAP || b->type != NODE_MAP || l->entries > INCLUDE_ENTRIES)
        return b;
    l->entries += a->count + b->count;
    struct node *both = node_empty(arena, b, NODE_MAP);
    for (size_t i = 0; i < a->count; i++) {
        struct node *over = node_get(b, a->keys[i]->text);
        node_append(arena, both, a->keys[i],
                    over ? merge(l, a->items[i], over, levels - 1) : a->items[i]);
    }
    for (size_t i = 0; i < b->count; i++)
        if (!node_get(a, b->keys[i]->text))
            node_append(arena, both, b->keys[i], b->items[i]);
    node_seal(arena, both);
    return both;
}

static struct node *merge_top(struct loader *l, struct node *a, struct node *b)
{
    struct arena *arena = l->arena;
    static const int levels[] = {[MERGE_WHOLE] = 0, [MERGE_ENTRIES] = 1, [MERGE_DEEP] = 1000};
    struct node *both = node_empty(arena, b, NODE_MAP);
    for (int k = 0; k < TOP_KEYS; k++) {
        const char *name = top_keys[k].name;
        struct node *x = node_get(a, name), *y = node_get(b, name);
        if (x && node_is_null(x))
            x = NULL;
        if (y && node_is_null(y))
            y = NULL;
        if (!x && !y)
            continue;
        struct node *value = x && y ? merge(l, x, y, levels[top_keys[k].merge]) : x ? x : y;
        node_append(arena, both, node_scalar(arena, value, name, true), value);
    }
    return both;
}

static int check_entries(struct loader *l, const struct node *where)
{
    return l->entries > INCLUDE_ENTRIES
               ? node_problem(l->problems, where, "include: more than %d entries to merge",
                              INCLUDE_ENTRIES)
               : 0;
}

static int load(struct loader *l, const char *file, const struct chain *above,
                const struct node *from, struct node **out);

static int load_one(struct loader *l, const char *file, const struct chain *chain,
                    const struct node *name, struct node **merged)
{
    if (name->type != NODE_SCALAR || !*name->text)
        return node_problem(l->problems, name, "include: expected the name of a file");
    const char *path = *name->text == '/' ? name->text
                                          : arena_print(l->arena, "%s%s",
                                                        include_folder(l->arena, file), name->text);
    struct node *root = NULL;
    int rc = load(l, path, chain, name, &root);
    if (rc == 0)
        *merged = *merged ? merge_top(l, *merged, root) : root;
    return rc == 0 ? check_entries(l, name) : rc;
}

static int load(struct loader *l, const char *file, const struct chain *above,
                const struct node *from, struct node **out)
{
    const struct chain chain = {file, above};
    int depth = 0;
    for (const struct chain *c = above; c; c = c->above, depth++)
        if (strcmp(c->file, file) == 0)
            return node_problem(l->problems, from, "include: %s includes itself", file);
    if (depth > INCLUDE_DEPTH || ++l->files > INCLUDE_FILES)
        return node_problem(l->problems, from, "include: too many files, or too deep");
    struct node *root, *merged = NULL;
    struct error why = {""};
    int rc = yaml_read(l->arena, file, &root, &why);
    if (rc < 0 && from && rc != -EINVAL)
        return node_problem(l->problems, from, "%s", why.text);
    if (rc < 0)
        return problems_at(l->problems, "", "%s", why.text);
    rc = check_file(l, root);
    struct node *include = node_get(root, "include");
    if (rc == 0 && include && include->type == NODE_LIST)
        for (size_t i = 0; i < include->count; i++)
            rc = load_one(l, file, &chain, include->items[i], &merged) < 0 ? -EINVAL : rc;
    else if (rc == 0 && include)
        rc = load_one(l, file, &chain, include, &merged);
    if (rc == 0) {
        *out = merge_top(l, merged ? merged : node_empty(l->arena, root, NODE_MAP), root);
        rc = check_entries(l, include);
    }
    return rc;
}

int include_read(struct arena *arena, const char *file, const struct param *schema,
                 struct node **root, bool *misspelled, struct problems *problems)
{
    struct loader loader = {.arena = arena, .schema = schema, .problems = problems};
    int rc = load(&loader, file, NULL, NULL, root);
    *misspelled = loader.misspelled;
    return rc;
}

static int unknown_param(struct arena *arena, const struct node *map, const char *setting,
                         size_t known, const char *name, struct problems *problems)
{
    struct nearest nearest = {.wrong = name};
    for (size_t i = 0; map && map->type == NODE_MAP && i < map->count; i++)
        nearest_offer(&nearest, map->keys[i]->text);
    return problems_at(problems, "", "--set %s: unknown param '%s%s'%s", setting,
                       arena_copy(arena, setting, known), name, nearest_hint(&nearest));
}

/* Replaces the value at a path below a map. Copies the maps on the way, since aliases share them.
 */
static int replace(struct arena *arena, const struct node *map, const char *setting, char *path,
                   size_t known, struct node *value, struct node **out, struct problems *problems)
{
    /* Try the whole rest as one key first: keys may contain dots. */
    char *dot = node_get(map, path) ? NULL : strchr(path, '.');
    if (dot)
        *dot = 0;
    struct node *found = node_get(map, path);
    if (!found)
        return unknown_param(arena, map, setting, known, path, problems);
    if (dot) {
        int rc = replace(arena, found, setting, dot + 1, known + (size_t)(dot + 1 - path), value,
                         &value, problems);
        if (rc < 0)
            return rc;
    } else if ((found->type == NODE_MAP) != (value->type == NODE_MAP)) {
        return problems_at(problems, "", "%s: expected %s, not %s", value->file, node_form(found),
                           node_form(value));
    }
    *out = node_empty(arena, map, NODE_MAP);
    for (size_t i = 0; i < map->count; i++)
        node_append(arena, *out, map->keys[i],
                    strcmp(map->keys[i]->text, path) == 0 ? value : map->items[i]);
    node_seal(arena, *out);
    return 0;
}

int include_set(struct arena *arena, struct node *root, const char *setting,
                struct problems *problems)
{
    const char *equals = strchr(setting, '=');
    if (!equals || equals == setting)
        return problems_at(problems, "", "--set %s: expected name=value", setting);
    char *path = arena_copy(arena, setting, (size_t)(equals - setting));
    struct node here = {.file = arena_print(arena, "--set %s", path), .line = 1, .column = 1};
    struct node *value = node_scalar(arena, &here, "", false), *params = NULL;
    struct error why = {""};
    int rc = 0;
    if (equals[1])
        rc = yaml_parse(arena, here.file, equals + 1, strlen(equals + 1), &value, &why);
    if (rc < 0)
        return problems_at(problems, "", "%s", why.text);
    if (rc == 0)
        rc = replace(arena, node_get(root, "params"), setting, path, 0, value, &params, problems);
    for (size_t i = 0; rc == 0 && i < root->count; i++)
        if (strcmp(root->keys[i]->text, "params") == 0)
            root->items[i] = params;
    return rc;
}
