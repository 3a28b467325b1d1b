/* See tree.h. */
#include "cache/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 64 };

bool tree_is_file(const struct tree_entry *entry)
{
    return entry->form == TREE_FILE || entry->form == TREE_EXECUTABLE;
}

void tree_free(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->entries[i].path);
        free(tree->entries[i].target);
    }
    free(tree->entries);
    *tree = (struct tree){0};
}

int tree_add(struct tree *tree, struct tree_entry entry)
{
    if ((tree->count & (tree->count - 1)) == 0) {
        size_t capacity = tree->count ? tree->count * 2 : 1;
        struct tree_entry *larger = realloc(tree->entries, capacity * sizeof *larger);
        if (!larger) {
            free(entry.path);
            free(entry.target);
            return -ENOMEM;
        }
        tree->entries = larger;
    }
    tree->entries[tree->count++] = entry;
    return 0;
}

/* ---- checks: a manifest may be damaged or malicious ---- */

/* Length of the path component at p; 0 for "", "." and "..". */
static size_t component(const char *p)
{
    size_t n = strcspn(p, "/");
    return (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.') ? 0 : n;
}

static bool path_sound(const char *path)
{
    for (const char *p = path;; p++) {
        size_t n = component(p);
        if (n == 0)
            return false;
        p += n;
        if (!*p)
            return true;
    }
}

bool tree_target_sound(const char *path, const char *target)
{
    size_t depth = 0, up = 0;
    for (const char *p = path; *p; p++)
        depth += *p == '/';
    for (; strncmp(target, "../", 3) == 0; target += 3)
        up++;
    if (strcmp(target, "..") == 0)
        return up + 1 <= depth;
    return up <= depth && path_sound(target) && !strchr(target, '\n');
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct tree_entry *)a)->path, ((const struct tree_entry *)b)->path);
}

/* The entry whose path is the first n bytes of `path`, or NULL. */
static const struct tree_entry *find(const struct tree *tree, const char *path, size_t n)
{
    size_t low = 0, high = tree->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *there = tree->entries[middle].path;
        int order = strncmp(there, path, n);
        if (order == 0)
            order = there[n] != 0;
        if (order == 0)
            return &tree->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Sorted, no path twice, and no path below a file or link: else a link could lead out. */
static bool entries_sound(const struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        const char *path = tree->entries[i].path;
        if (i > 0 && strcmp(tree->entries[i - 1].path, path) >= 0)
            return false;
        for (const char *slash = path; (slash = strchr(slash, '/')); slash++)
            if (find(tree, path, (size_t)(slash - path)))
                return false;
    }
    return true;
}

/* ---- reading ---- */

static char *copy_path(const char *text)
{
    return path_sound(text) ? strdup(text) : NULL;
}

/* "DIGEST SIZE PATH" */
static int parse_file(const char *line, enum tree_form form, struct tree_entry *entry)
{
    *entry = (struct tree_entry){.form = form};
    if (strspn(line, "0123456789abcdef") != DIGITS || line[DIGITS] != ' ')
        return -EINVAL;
    memcpy(entry->digest.hex, line, DIGITS);
    line += DIGITS + 1;
    char *end;
    errno = 0;
    entry->size = strtoull(line, &end, 10);
    if (errno || *line < '0' || *line > '9' || *end != ' ' || !path_sound(end + 1))
        return -EINVAL;
    entry->path = strdup(end + 1);
    return entry->path ? 0 : -ENOMEM;
}

/* "LENGTH PATH TARGET" */
static int parse_link(const char *line, struct tree_entry *entry)
{
    char *end;
    *entry = (struct tree_entry){.form = TREE_LINK};
    errno = 0;
    unsigned long long n = strtoull(line, &end, 10);
    if (errno || *line < '0' || *line > '9' || *end != ' ' || n >= strlen(end + 1) ||
        end[1 + n] != ' ')
        return -EINVAL;
    entry->path = strndup(end + 1, (size_t)n);
    entry->target = strdup(end + 2 + n);
    if (!entry->path || !entry->target)
        return -ENOMEM;
    return path_sound(entry->path) && tree_target_sound(entry->path, entry->target) ? 0 : -EINVAL;
}

static int parse_line(const char *line, struct tree *tree)
{
    struct tree_entry entry = {0};
    int rc;
    if (strncmp(line, "exec ", 5) == 0) {
        rc = parse_file(line + 5, TREE_EXECUTABLE, &entry);
    } else if (strncmp(line, "link ", 5) == 0) {
        rc = parse_link(line + 5, &entry);
    } else if (strncmp(line, "folder ", 7) == 0) {
        entry = (struct tree_entry){.form = TREE_FOLDER, .path = copy_path(line + 7)};
        rc = entry.path ? 0 : -EINVAL;
    } else {
        rc = parse_file(line, TREE_FILE, &entry);
    }
    if (rc == 0)
        return tree_add(tree, entry);
    free(entry.path);
    free(entry.target);
    return rc;
}

int tree_parse(char *text, size_t size, const char *name, struct tree *tree, struct error *err)
{
    *tree = (struct tree){0};
    int rc = strlen(text) == size ? 0 : -EINVAL;
    for (char *line = text, *end; rc == 0 && *line; line = end + 1) {
        end = strchr(line, '\n');
        if (end)
            *end = 0;
        rc = end ? parse_line(line, tree) : -EINVAL;
    }
    if (rc == 0 && !entries_sound(tree))
        rc = -EINVAL;
    if (rc == 0)
        return 0;
    tree_free(tree);
    return rc == -ENOMEM
               ? error_set(err, ENOMEM, "out of memory reading %s", name)
               : error_set(err, EINVAL, "%s is damaged: not a manifest of a folder", name);
}

/* ---- writing ---- */

static void print_entry(const struct tree_entry *e, FILE *out)
{
    switch (e->form) {
    case TREE_FILE:
    case TREE_EXECUTABLE:
        fprintf(out, "%s%s %" PRIu64 " %s\n", e->form == TREE_EXECUTABLE ? "exec " : "",
                e->digest.hex, e->size, e->path);
        break;
    case TREE_LINK:
        fprintf(out, "link %zu %s %s\n", strlen(e->path), e->path, e->target);
        break;
    case TREE_FOLDER:
        fprintf(out, "folder %s\n", e->path);
        break;
    }
}

int tree_print(struct tree *tree, char **text, size_t *size, struct error *err)
{
    *text = NULL;
    FILE *out = open_memstream(text, size);
    if (!out)
        return error_set(err, ENOMEM, "out of memory storing a folder");
    if (tree->count)
        qsort(tree->entries, tree->count, sizeof *tree->entries, by_path);
    for (size_t i = 0; i < tree->count; i++)
        print_entry(&tree->entries[i], out);
    bool bad = ferror(out);
    bad |= fclose(out) != 0;
    if (!bad)
        return 0;
    free(*text);
    *text = NULL;
    return error_set(err, ENOMEM, "out of memory storing a folder");
}
