/* See migrate.h. A tree of nodes knows where each key stands in the text; a walk along the schema
 * finds those that have new names; then the text is put together again around them. */
#include "dag/migrate.h"
#include "base/file.h"
#include "dag/include.h"
#include "dag/schema.h"
#include "stages/kind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 4 << 20, FILES_LIMIT = 200 };

/* Another text for a scalar. */
struct edit {
    int line, column;
    const char *old, *new;
};

struct file {
    const char *name;
    struct node *root;
    struct edit *edits;
    size_t edit_count;
    size_t made; /* of the edits */
};

struct migration {
    struct arena *arena;
    struct file *files;
    size_t count;
    const struct param *schema;
    struct problems *problems;
    struct error *err;
};

/* ---- edits ---- */

static void change(struct migration *m, struct file *f, const struct node *node, const char *text)
{
    if (strcmp(node->text, text) == 0 || strcmp(node->file, f->name) != 0)
        return;
    for (size_t i = 0; i < f->edit_count; i++) /* an alias is visited as often as it is used */
        if (f->edits[i].line == node->line && f->edits[i].column == node->column)
            return;
    f->edits = arena_push(m->arena, f->edits, f->edit_count, sizeof *f->edits);
    f->edits[f->edit_count++] = (struct edit){node->line, node->column, node->text, text};
}

static void by_hand(struct migration *m, const struct node *node, const char *what)
{
    node_warn(m->problems, node, "change this by hand: %s", what);
}

/* ---- names of kinds and params ---- */

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; kinds[i]; i++)
        if (strcmp(kinds[i]->name, name) == 0 ||
            (kinds[i]->was && strcmp(kinds[i]->was, name) == 0))
            return kinds[i];
    return NULL;
}

/* The table's row that has, or had, that name. */
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

/* The kind that an entry of `stages` has in any of the files; NULL if none says it. */
static const struct kind *stage_kind(const struct migration *m, const char *stage)
{
    const struct kind *kind = NULL;
    for (size_t i = 0; i < m->count && !kind; i++) {
        const struct node *node =
            node_get(node_get(node_get(m->files[i].root, "stages"), stage), "kind");
        kind = node && node->type == NODE_SCALAR ? find_kind(node->text) : NULL;
    }
    return kind;
}

static void rename_keys(struct migration *m, struct file *f, const struct node *map,
                        const struct param *rows)
{
    for (size_t i = 0; map && map->type == NODE_MAP && i < map->count; i++) {
        const struct param *row = find_row(rows, map->keys[i]->text);
        if (row)
            change(m, f, map->keys[i], row->name);
    }
}

static void migrate_stages(struct migration *m, struct file *f, const struct node *stages)
{
    for (size_t i = 0; stages && stages->type == NODE_MAP && i < stages->count; i++) {
        const struct node *entry = stages->items[i], *kind = node_get(entry, "kind");
        const struct node *with = node_get(entry, "with");
        const struct kind *found = stage_kind(m, stages->keys[i]->text);
        if (kind && kind->type == NODE_SCALAR && find_kind(kind->text))
            change(m, f, kind, find_kind(kind->text)->name);
        if (found)
            rename_keys(m, f, with, found->params);
        else if (with && with->count)
            by_hand(m, with,
                    "the kind of this stage is not known here, so its params may have new "
                    "names");
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
    const struct param *row = kind ? find_row(kind->params, dot ? dot + 1 : setting) : NULL;
    if (!row)
        return;
    bool same = !dot && strcmp(row->name, setting) == 0;
    change(m, f, node, same ? kind->name : arena_print(m->arena, "%s.%s", kind->name, row->name));
}

static void migrate_setting(struct migration *m, struct file *f, const struct node *key,
                            const struct node *setting)
{
    const struct node *place = node_get(setting, "of"), *by = node_get(setting, "by");
    const struct param *params = NULL, *row;
    if (!place)
        place = node_get(setting, "param");
    if (!by)
        by = node_get(setting, "group_by");
    if (place && place->type == NODE_SCALAR)
        migrate_place(m, f, key->text, place, &params);
    if (by && by->type == NODE_SCALAR && (row = find_row(params, by->text)))
        change(m, f, by, row->name);
    rename_keys(m, f, node_get(setting, "where"), params);
}

static void migrate_settings(struct migration *m, struct file *f, const struct node *settings)
{
    for (size_t i = 0; settings && settings->type == NODE_MAP && i < settings->count; i++)
        migrate_setting(m, f, settings->keys[i], settings->items[i]);
}

/* ---- what the schema describes ---- */

static void walk(struct migration *m, struct file *f, const struct node *node,
                 const struct param *param);

/* absolute: true and eased: true became one key with words for values. */
static void migrate_value(struct migration *m, struct file *f, const char *key,
                          const struct node *value)
{
    if (value->type != NODE_SCALAR)
        return;
    bool yes = strcmp(value->text, "true") == 0;
    if (strcmp(key, "absolute") == 0)
        change(m, f, value, yes ? "harder" : "neutral");
    if (strcmp(key, "eased") == 0)
        change(m, f, value, yes ? "easier" : "neutral");
}

static void walk_map(struct migration *m, struct file *f, const struct node *map,
                     const struct param *param)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *key = map->keys[i]->text;
        const struct param *row = find_row(param->members, key);
        if (row && row->gone)
            by_hand(m, map->keys[i], row->gone);
        else if (row)
            change(m, f, map->keys[i], row->name);
        if (row && row->was)
            migrate_value(m, f, key, map->items[i]);
        if (row)
            walk(m, f, map->items[i], row);
    }
}

static void walk(struct migration *m, struct file *f, const struct node *node,
                 const struct param *param)
{
    if (node->type == NODE_MAP && param->type == PARAM_MAP)
        walk_map(m, f, node, param);
    else if (node->type != NODE_SCALAR && (param->type == PARAM_NAMED || param->type == PARAM_LIST))
        for (size_t i = 0; i < node->count; i++)
            walk(m, f, node->items[i], schema_item(param));
}

static void migrate_root(struct migration *m, struct file *f)
{
    const struct node *version = node_get(f->root, "ferdag");
    if (version && version->type == NODE_SCALAR && strcmp(version->text, "1") == 0)
        change(m, f, version, "2");
    migrate_stages(m, f, node_get(f->root, "stages"));
    migrate_settings(m, f, node_get(node_get(f->root, "paper"), "settings"));
    walk(m, f, f->root, m->schema);
}

/* ---- files ---- */

static int read_file(struct migration *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->files[i].name, name) == 0)
            return 0;
    if (m->count >= FILES_LIMIT)
        return error_set(m->err, EINVAL, "%s: more than %d files", name, FILES_LIMIT);
    struct file file = {.name = name};
    int rc = yaml_read(m->arena, name, &file.root, m->err);
    if (rc < 0)
        return rc;
    file.name = file.root->file; /* the same text as its nodes have */
    m->files = arena_push(m->arena, m->files, m->count, sizeof *m->files);
    m->files[m->count++] = file;
    const struct node *include = node_get(file.root, "include");
    size_t count = !include ? 0 : include->type == NODE_LIST ? include->count : 1;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct node *path = include->type == NODE_LIST ? include->items[i] : include;
        if (path->type == NODE_SCALAR && *path->text)
            rc = read_file(
                m, *path->text == '/'
                       ? path->text
                       : arena_print(m->arena, "%s%s", include_folder(m->arena, name), path->text));
    }
    return rc;
}

static int by_place(const void *a, const void *b)
{
    const struct edit *x = a, *y = b;
    return x->line != y->line ? x->line - y->line : x->column - y->column;
}

/* Bytes from the start of a line to a column, which counts characters from 1. */
static size_t column_offset(const char *line, int column)
{
    size_t n = 0;
    for (int c = 1; c < column && line[n]; c++) {
        n++;
        while (((unsigned char)line[n] & 0xc0) == 0x80)
            n++;
    }
    return n;
}

/* The start of the scalar's text at an edit's place, in quotes or not; NULL if it isn't there. */
static const char *find_text(const char *line, const struct edit *edit)
{
    const char *at = line + column_offset(line, edit->column);
    if (*at == '\'' || *at == '"')
        at++;
    return strncmp(at, edit->old, strlen(edit->old)) == 0 ? at : NULL;
}

/* Writes the text with the edits made to `out`; one that finds other text than the file had a
 * moment ago, such as a key with escapes, is left to the user. */
static void apply(struct migration *m, struct file *f, const char *text, FILE *out)
{
    const char *line = text, *done = text;
    int number = 1;
    for (size_t i = 0; i < f->edit_count; i++) {
        const struct edit *edit = &f->edits[i];
        for (; number < edit->line && strchr(line, '\n'); number++)
            line = strchr(line, '\n') + 1;
        const char *at = find_text(line, edit);
        if (!at || at < done) {
            problems_warn(m->problems, f->name, edit->line, edit->column,
                          "change this by hand: '%s' is called '%s' now", edit->old, edit->new);
            continue;
        }
        fwrite(done, 1, (size_t)(at - done), out);
        fputs(edit->new, out);
        done = at + strlen(edit->old);
        f->made++;
    }
    fputs(done, out);
}

static int replace_file(const char *name, const char *text, size_t size, struct error *err)
{
    char *real = realpath(name, NULL);
    struct stat st;
    if (!real || stat(real, &st) < 0) {
        int rc = error_errno(err, errno, "cannot write %s", name);
        free(real);
        return rc;
    }
    int rc = file_write(real, text, size, err);
    if (rc == 0 && chmod(real, st.st_mode & 07777) < 0)
        rc = error_errno(err, errno, "cannot set the mode of %s", name);
    free(real);
    return rc;
}

static int rewrite(struct migration *m, struct file *f)
{
    char *text, *changed = NULL;
    size_t size, changed_size = 0;
    if (f->edit_count == 0)
        return 0;
    qsort(f->edits, f->edit_count, sizeof *f->edits, by_place);
    int rc = file_read(f->name, FILE_LIMIT, &text, &size, m->err);
    if (rc < 0)
        return rc;
    FILE *out = must(open_memstream(&changed, &changed_size));
    apply(m, f, text, out);
    bool bad = ferror(out);
    if (fclose(out) != 0 || bad)
        must(NULL);
    rc = f->made ? replace_file(f->name, changed, changed_size, m->err) : 0;
    free(changed);
    free(text);
    return rc;
}

int migrate_file(struct arena *arena, const char *file, struct migrated **files, size_t *count,
                 struct problems *problems, struct error *err)
{
    struct migration m = {
        .arena = arena, .schema = schema_file(arena), .problems = problems, .err = err};
    *files = NULL;
    *count = 0;
    int rc = read_file(&m, arena_copy(arena, file, strlen(file)));
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < m.count; i++)
        migrate_root(&m, &m.files[i]);
    for (size_t i = 0; rc == 0 && i < m.count; i++) {
        rc = rewrite(&m, &m.files[i]);
        *files = arena_push(arena, *files, *count, sizeof **files);
        (*files)[(*count)++] = (struct migrated){m.files[i].name, m.files[i].made};
    }
    return rc;
}
