/* See migrate_names.h. A walk along the schema finds names that changed (`was`). It follows
 * "${...}" too, but leaves what it finds there for the user, since other places may use the same
 * value. */
#define _GNU_SOURCE
#include "dag/migrate/migrate_names.h"
#include "dag/experiment/schema.h"
#include "stages/kind.h"

#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KINDS_LIMIT = 64,     /* kinds that one stage may have by a variable */
    REFERENCE_LIMIT = 32, /* nesting of params in params */
    STEP_LIMIT = 1000000, /* nodes visited through params */
};

/* ---- nodes and their new texts ---- */

static int by_node(const void *a, const void *b)
{
    const struct node *x = ((const struct spot *)a)->node, *y = ((const struct spot *)b)->node;
    return (x > y) - (x < y);
}

static struct spot *find_spot(const struct file *f, const struct node *node)
{
    struct spot wanted = {.node = node};
    struct spot *const *found = tfind(&wanted, &f->spots, by_node);
    return found ? *found : NULL;
}

/* Counts the occurrences of a node and of every node in it. */
static void count_places(struct migration *m, struct file *f, const struct node *node)
{
    struct spot *spot = find_spot(f, node);
    if (!spot) {
        spot = arena_alloc(m->arena, sizeof *spot);
        spot->node = node;
        must(tsearch(spot, &f->spots, by_node));
    }
    spot->places++;
    for (size_t i = 0; i < node->count; i++) {
        if (node->type == NODE_MAP)
            count_places(m, f, node->keys[i]);
        count_places(m, f, node->items[i]);
    }
}

static struct file *file_of(const struct migration *m, const struct node *node)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->files[i].name, node->file) == 0)
            return &m->files[i];
    return NULL;
}

void migrate_by_hand(struct migration *m, const struct node *node, const char *format, ...)
{
    char text[800];
    size_t before = m->problems->warnings;
    struct file *f = file_of(m, node);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    node_warn(m->problems, node, "change this by hand: %s", text);
    if (f)
        f->by_hand += m->problems->warnings - before; /* 0 if the same warning was given before */
}

/* Reports a name that is used through a param, once. */
static void leave(struct migration *m, const struct node *node, const char *text)
{
    const struct file *f = file_of(m, node);
    struct spot *spot = f ? find_spot(f, node) : NULL;
    if (spot && spot->reported)
        return;
    if (spot)
        spot->reported = true;
    migrate_by_hand(m, node, "'%s' is called '%s' now, where %s:%d:%d uses it", node->text, text,
                    m->through->file, m->through->line, m->through->column);
}

static void change(struct migration *m, struct file *f, const struct node *node, const char *text)
{
    if (strcmp(node->text, text) == 0)
        return;
    if (m->through) {
        leave(m, node, text);
        return;
    }
    struct spot *spot = find_spot(f, node);
    if (!spot->text) {
        f->edits = arena_push(m->arena, f->edits, f->edit_count, sizeof *f->edits);
        f->edits[f->edit_count++] = spot;
    }
    spot->conflict |= spot->text && strcmp(spot->text, text) != 0;
    spot->text = text;
    spot->renamed++;
}

static int by_place(const void *a, const void *b)
{
    const struct node *x = (*(struct spot *const *)a)->node, *y = (*(struct spot *const *)b)->node;
    return x->line != y->line ? x->line - y->line : x->column - y->column;
}

/* Drops edits that do not hold for every occurrence of their node, and reports them. */
static void settle(struct migration *m, struct file *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->edit_count; i++) {
        const struct spot *spot = f->edits[i];
        if (!spot->conflict && spot->renamed == spot->places)
            f->edits[kept++] = f->edits[i];
        else
            migrate_by_hand(m, spot->node,
                            "'%s' is called '%s' now, but an alias also uses it where it has "
                            "another name or keeps this one",
                            spot->node->text, spot->text);
    }
    f->edit_count = kept;
    if (kept)
        qsort(f->edits, kept, sizeof *f->edits, by_place);
}

/* ---- what "${name}" stands for ---- */

static bool has_reference(const struct node *node)
{
    return node->type == NODE_SCALAR && strstr(node->text, "${");
}

/* The name, if the text is exactly "${name}"; else NULL. */
static char *reference_name(struct arena *arena, const char *text)
{
    size_t n = strlen(text);
    if (n < 4 || strncmp(text, "${", 2) != 0 || strcspn(text + 2, "${}:") != n - 3)
        return NULL;
    return arena_copy(arena, text + 2, n - 3);
}

static const struct node *find_path(const struct node *map, char *path)
{
    char *rest = path, *name;
    while (map && (name = strsep(&rest, ".")))
        map = node_get(map, name);
    return map;
}

/* The value of a param: the first file that has it overrides the others. NULL if unknown. */
static const struct node *find_param(const struct migration *m, const struct node *node)
{
    for (int depth = 0; node && has_reference(node); depth++) {
        const char *text = node->text;
        node = NULL;
        for (size_t i = 0; i < m->count && !node; i++) {
            char *name = depth < REFERENCE_LIMIT ? reference_name(m->arena, text) : NULL;
            node = name ? find_path(node_get(m->files[i].root, "params"), name) : NULL;
        }
    }
    return node;
}

/* ---- what the schema describes ---- */

/* The table's row with that name or, failing that, with that name in format 1. */
static const struct param *find_row(const struct param *rows, const char *name)
{
    const struct param *found = NULL;
    for (const struct param *p = rows; p && p->name && !found; p++)
        if (strcmp(p->name, name) == 0)
            found = p;
    for (const struct param *p = rows; p && p->name && !found; p++)
        if (schema_was(p, name))
            found = p;
    return found;
}

/* Whether a member at any depth has a new name. */
static bool has_new_names(const struct param *param)
{
    for (const struct param *p = param->members; p && p->name; p++)
        if (p->was || p->gone || has_new_names(p))
            return true;
    return false;
}

static bool is_boolean(const struct node *node)
{
    return node->type == NODE_SCALAR &&
           (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0);
}

static bool is_true(const struct node *node)
{
    return node->type == NODE_SCALAR && strcmp(node->text, "true") == 0;
}

/* A key of the current claim, from the first file that has it, or NULL. */
static const struct node *find_in_claim(const struct migration *m, const struct node *claim,
                                        const char *key)
{
    const struct node *found = node_get(claim, key);
    for (size_t i = 0; m->entry && i < m->count && !found; i++)
        found = node_get(node_get(node_get(m->files[i].root, "claims"), m->entry), key);
    return found;
}

/* `absolute: true` and `eased: true` became one key, smaller_settings, with words for values. */
static void migrate_flag(struct migration *m, struct file *f, const struct node *claim, size_t i)
{
    const struct node *key = claim->keys[i], *value = claim->items[i];
    bool absolute = strcmp(key->text, "absolute") == 0;
    const char *word = absolute ? "harder" : "easier";
    const struct node *other = find_in_claim(m, claim, absolute ? "eased" : "absolute");
    const struct spot *key_spot = find_spot(f, key), *value_spot = find_spot(f, value);
    if (other && is_true(value) && is_true(other))
        migrate_by_hand(m, key,
                        "'absolute' and 'eased' are one key now, smaller_settings, and it can't "
                        "say both; choose harder (absolute) or easier (eased)");
    else if (other)
        migrate_by_hand(m, key,
                        "'absolute' and 'eased' are one key now: instead of both write "
                        "smaller_settings: harder if absolute is true, easier if eased is, else "
                        "neutral");
    else if (!is_boolean(value) || /* or an alias uses key or value elsewhere */
             (key_spot && value_spot && key_spot->places != value_spot->places))
        migrate_by_hand(m, key, "'%s: true' is 'smaller_settings: %s' now", key->text, word);
    else {
        change(m, f, key, "smaller_settings");
        change(m, f, value, is_true(value) ? word : "neutral");
    }
}

/* Reports cells that use a variable, which was also a setting, by its old name. */
static void find_variable(struct migration *m, const struct node *node, const struct param *row)
{
    const char *use = arena_print(m->arena, "${%s", row->was);
    if (node->type == NODE_SCALAR && strstr(node->text, use))
        migrate_by_hand(m, node, "the row's '%s', which is used here, is called '%s' now", row->was,
                        row->name);
    for (size_t i = 0; i < node->count; i++)
        find_variable(m, node->items[i], row);
}

static void rename_variable(struct migration *m, struct file *f, const struct node *key,
                            const struct param *row)
{
    change(m, f, key, row->name);
    for (size_t i = 0; i < m->count && !m->variable; i++) {
        const struct node *tables = node_get(m->files[i].root, "tables");
        if (tables)
            find_variable(m, tables, row);
    }
    m->variable = true;
}

/* A key of a map in which users also define variables. In format 1 a key with a setting's old name
 * is a variable if its value does not fit the setting. */
static void migrate_variable(struct migration *m, struct file *f, const struct node *key,
                             const struct node *value, const struct param *row)
{
    bool old = schema_was(row, key->text);
    const struct node *told = find_param(m, value);
    bool fits = row->type != PARAM_BOOL || !told || is_boolean(told);
    if (old && !told)
        migrate_by_hand(m, key, "'%s' is called '%s' now if it is a setting, not a variable",
                        key->text, row->name);
    else if (old && fits)
        rename_variable(m, f, key, row);
    else if (!old && row->was && !fits)
        migrate_by_hand(m, key, "'%s' is a setting since format 2; give the variable another name",
                        row->name);
}

static void walk(struct migration *m, struct file *f, const struct node *node,
                 const struct param *param);

static void walk_entry(struct migration *m, struct file *f, const struct node *map, size_t i,
                       const struct param *param)
{
    const struct node *key = map->keys[i];
    const struct param *row = find_row(param->members, key->text);
    if (!row)
        return;
    bool old = strcmp(row->name, key->text) != 0;
    if (row->gone)
        migrate_by_hand(m, key, "%s", row->gone);
    else if (old && node_get(map, row->name))
        migrate_by_hand(m, key, "'%s' is called '%s' now, which stands here as well", key->text,
                        row->name);
    else if (old && strchr(row->was, '|'))
        migrate_flag(m, f, map, i);
    else if (param->others)
        migrate_variable(m, f, key, map->items[i], row);
    else
        change(m, f, key, row->name);
    walk(m, f, map->items[i], row);
}

static void walk_reference(struct migration *m, struct file *f, const struct node *node,
                           const struct param *param)
{
    const struct node *value = find_param(m, node), *outer = m->through;
    if (!value || m->steps > STEP_LIMIT) {
        migrate_by_hand(m, node,
                        "what '%s' stands for isn't known here; keys in it may have new names",
                        node->text);
        return;
    }
    m->through = node;
    walk(m, f, value, param);
    m->through = outer;
}

/* needs.gpu had words for values. */
static void migrate_gpus(struct migration *m, struct file *f, const struct node *value)
{
    if (strcmp(value->text, "none") == 0)
        change(m, f, value, "0");
    else if (strcmp(value->text, "required") == 0)
        change(m, f, value, "1");
}

static void walk(struct migration *m, struct file *f, const struct node *node,
                 const struct param *param)
{
    bool map = node->type == NODE_MAP, list = node->type == NODE_LIST;
    if (m->through && ++m->steps > STEP_LIMIT)
        return; /* the next reference reports it */
    if (has_reference(node)) {
        if (has_new_names(param) || param->type == PARAM_GPUS)
            walk_reference(m, f, node, param);
    } else if (param->type == PARAM_GPUS && node->type == NODE_SCALAR) {
        migrate_gpus(m, f, node);
    } else if (map && param->type == PARAM_MAP) {
        for (size_t i = 0; i < node->count; i++)
            walk_entry(m, f, node, i, param);
    } else if ((map && param->type == PARAM_NAMED) || (list && param->type == PARAM_LIST)) {
        for (size_t i = 0; i < node->count; i++) {
            m->entry = map ? node->keys[i]->text : m->entry;
            walk(m, f, node->items[i], schema_item(param));
        }
    } else if (map && param->type == PARAM_LIST && param->single) {
        walk(m, f, node, schema_item(param));
    }
}

/* ---- stages ---- */

/* The kinds that a stage may have, by a variable of its `for`. */
struct choice {
    const struct kind *kinds[KINDS_LIMIT];
    size_t count;
    bool unknown; /* it may have other kinds too */
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; kinds[i]; i++)
        if (strcmp(kinds[i]->name, name) == 0 ||
            (kinds[i]->was && strcmp(kinds[i]->was, name) == 0))
            return kinds[i];
    return NULL;
}

/* A field of a stage, from the first file that has it. */
static const struct node *stage_field(const struct migration *m, const char *stage,
                                      const char *name)
{
    const struct node *found = NULL;
    for (size_t i = 0; i < m->count && !found; i++)
        found = node_get(node_get(node_get(m->files[i].root, "stages"), stage), name);
    return found;
}

/* The value of `kind`: a scalar, or a list of them; NULL if unknown. */
static const struct node *kind_value(const struct migration *m, const char *stage,
                                     const struct node *kind)
{
    const char *name = has_reference(kind) ? reference_name(m->arena, kind->text) : NULL;
    const struct node *axis = name ? node_get(stage_field(m, stage, "for"), name) : NULL;
    return find_param(m, axis ? axis : kind);
}

static void add_kind(struct migration *m, struct choice *choice, const struct node *node,
                     const struct node *written)
{
    const struct kind *kind =
        node->type == NODE_SCALAR && !has_reference(node) ? find_kind(node->text) : NULL;
    if (!kind || choice->count == KINDS_LIMIT) {
        choice->unknown = true;
        return;
    }
    choice->kinds[choice->count++] = kind;
    if (node != written && strcmp(kind->name, node->text) != 0)
        migrate_by_hand(m, node, "kind '%s' is called '%s' now; %s:%d:%d makes it a kind",
                        node->text, kind->name, written->file, written->line, written->column);
}

static void find_kinds(struct migration *m, const char *stage, struct choice *choice)
{
    const struct node *kind = stage_field(m, stage, "kind");
    const struct node *value = kind ? kind_value(m, stage, kind) : NULL;
    *choice = (struct choice){.unknown = !value || value->type == NODE_MAP};
    if (value && value->type == NODE_SCALAR)
        add_kind(m, choice, value, kind);
    for (size_t i = 0; value && value->type == NODE_LIST && i < value->count; i++)
        add_kind(m, choice, value->items[i], kind);
}

/* Renames a param of a stage that may have one of several kinds, if all of them agree. */
static void migrate_shared_params(struct migration *m, struct file *f, const struct node *with,
                                  const struct choice *choice)
{
    for (size_t i = 0; i < with->count; i++) {
        const struct node *key = with->keys[i];
        const char *name = NULL;
        bool agreed = true;
        for (size_t k = 0; k < choice->count; k++) {
            const struct param *row = find_row(choice->kinds[k]->params, key->text);
            agreed &= !row || !name || strcmp(row->name, name) == 0;
            name = row ? row->name : name;
        }
        if (!agreed || (name && strcmp(name, key->text) != 0 && node_get(with, name)))
            migrate_by_hand(m, key, "'%s' has another name in one of the kinds of this stage",
                            key->text);
        else if (name)
            change(m, f, key, name);
    }
}

static void migrate_params(struct migration *m, struct file *f, const struct node *with,
                           const struct choice *choice)
{
    if (choice->unknown) {
        if (with->count || has_reference(with))
            migrate_by_hand(m, with,
                            "the kind of this stage is not known here, so its params may have new "
                            "names");
    } else if (with->type == NODE_MAP && choice->count > 1) {
        migrate_shared_params(m, f, with, choice);
    } else {
        for (size_t k = 0; k < choice->count; k++) {
            const struct param params = {.type = PARAM_MAP, .members = choice->kinds[k]->params};
            walk(m, f, with, &params);
        }
    }
}

static void migrate_stages(struct migration *m, struct file *f, const struct node *stages)
{
    for (size_t i = 0; stages && stages->type == NODE_MAP && i < stages->count; i++) {
        const struct node *entry = stages->items[i], *kind = node_get(entry, "kind");
        const struct node *with = node_get(entry, "with");
        struct choice choice;
        find_kinds(m, stages->keys[i]->text, &choice);
        if (kind && kind->type == NODE_SCALAR && find_kind(kind->text))
            change(m, f, kind, find_kind(kind->text)->name);
        if (kind && has_reference(kind) && choice.unknown)
            migrate_by_hand(m, kind,
                            "what '%s' stands for isn't known here; a kind may have a "
                            "new name",
                            kind->text);
        if (with)
            migrate_params(m, f, with, &choice);
    }
}

/* ---- the paper's settings ---- */

/* "train_cnn" or "train_cnn.batch": the param of an entry of paper.settings. */
static void migrate_place(struct migration *m, struct file *f, const char *setting,
                          const struct node *node, const struct param **params)
{
    const char *dot = strchr(node->text, '.');
    char *name =
        arena_copy(m->arena, node->text, dot ? (size_t)(dot - node->text) : strlen(node->text));
    const struct kind *kind = find_kind(name);
    *params = kind ? kind->params : NULL;
    if (!kind)
        return;
    const struct param *row = find_row(kind->params, dot ? dot + 1 : setting);
    const char *param = row ? row->name : dot ? dot + 1 : setting;
    bool same = !dot && strcmp(param, setting) == 0;
    change(m, f, node, same ? kind->name : arena_print(m->arena, "%s.%s", kind->name, param));
}

static void migrate_setting(struct migration *m, struct file *f, const struct node *key,
                            const struct node *setting)
{
    const struct node *place = node_get(setting, "of"), *by = node_get(setting, "by");
    const struct node *where = node_get(setting, "where");
    struct param params = {.type = PARAM_MAP};
    const struct param *row;
    if (!place)
        place = node_get(setting, "param");
    if (!by)
        by = node_get(setting, "group_by");
    if (place && has_reference(place))
        migrate_by_hand(m, place,
                        "what '%s' stands for may have a new name, and params of its kind",
                        place->text);
    else if (place && place->type == NODE_SCALAR)
        migrate_place(m, f, key->text, place, &params.members);
    if (by && has_reference(by))
        migrate_by_hand(m, by, "the param that '%s' stands for may have a new name", by->text);
    else if (by && by->type == NODE_SCALAR && (row = find_row(params.members, by->text)))
        change(m, f, by, row->name);
    if (where)
        walk(m, f, where, &params);
}

static void migrate_settings(struct migration *m, struct file *f, const struct node *settings)
{
    for (size_t i = 0; settings && settings->type == NODE_MAP && i < settings->count; i++)
        migrate_setting(m, f, settings->keys[i], settings->items[i]);
}

static void migrate_names_of(struct migration *m, struct file *f)
{
    const struct node *version = node_get(f->root, "ferdag");
    if (version)
        change(m, f, version, "2");
    migrate_stages(m, f, node_get(f->root, "stages"));
    migrate_settings(m, f, node_get(node_get(f->root, "paper"), "settings"));
    walk(m, f, f->root, m->schema);
    settle(m, f);
}

void migrate_names(struct migration *m)
{
    for (size_t i = 0; i < m->count; i++)
        count_places(m, &m->files[i], m->files[i].root);
    for (size_t i = 0; i < m->count; i++)
        if (m->files[i].version == 1)
            migrate_names_of(m, &m->files[i]);
}
