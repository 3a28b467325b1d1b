/* See migrate.h. Nodes know their places in the text; migrate_names.c finds the nodes to rename;
 * this file copies the text with the new names. Nothing is written until all files are known to be
 * readable and writable. */
#define _GNU_SOURCE
#include "dag/migrate/migrate.h"
#include "base/file.h"
#include "dag/experiment/include.h"
#include "dag/migrate/migrate_names.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 4 << 20, FILES_LIMIT = 200 };

/* ---- reading ---- */

/* Reports an error that has no line in its file, at the include that names the file if there is
 * one. */
static int fail(struct migration *m, const struct node *from, const char *why)
{
    return from ? node_problem(m->problems, from, "%s", why)
                : problems_at(m->problems, "", "%s", why);
}

/* above: the version of the including file. */
static int read_version(struct migration *m, struct file *file, const struct node *from, int above)
{
    const struct node *version = node_get(file->root, "ferdag");
    file->version = above;
    file->has_version = version;
    if (!version && !from)
        return node_problem(m->problems, file->root,
                            "key 'ferdag' must be given: the version of the format, 1 or 2; a file "
                            "without it is rewritten with one that includes it");
    if (!version)
        return 0;
    if (version->type != NODE_SCALAR ||
        (strcmp(version->text, "1") != 0 && strcmp(version->text, "2") != 0))
        return node_problem(m->problems, version,
                            "ferdag: expected 1 or 2: this program reads formats 1 and 2");
    file->version = *version->text - '0';
    return 0;
}

/* Returns 1 if the path is new, 0 if it was added before, -EINVAL if there are too many. */
static int add_name(struct migration *m, const char *name, const struct node *from)
{
    for (size_t i = 0; i < m->name_count; i++)
        if (strcmp(m->names[i], name) == 0)
            return 0;
    if (m->name_count >= FILES_LIMIT)
        return node_problem(m->problems, from, "include: more than %d files", FILES_LIMIT);
    m->names = arena_push(m->arena, m->names, m->name_count, sizeof *m->names);
    m->names[m->name_count++] = name;
    return 1;
}

/* The file with that path, or NULL. Compares inodes: two paths may lead to one file. */
static struct file *find_file(struct migration *m, const char *name)
{
    struct stat st;
    for (size_t i = 0; stat(name, &st) == 0 && i < m->count; i++)
        if (m->files[i].device == st.st_dev && m->files[i].inode == st.st_ino)
            return &m->files[i];
    return NULL;
}

static int add_file(struct migration *m, const char *name, const struct node *from, int above)
{
    struct file file = {0};
    struct stat st = {0};
    struct error why = {""};
    int rc = yaml_read(m->arena, name, &file.root, &why);
    if (rc == 0 && stat(name, &st) < 0)
        rc = error_errno(&why, errno, "cannot open %s", name);
    if (rc < 0)
        return fail(m, rc == -EINVAL ? NULL : from,
                    why.text); /* the text of -EINVAL has its own place */
    if (file.root->type != NODE_MAP)
        return node_problem(m->problems, file.root,
                            "expected a map with ferdag, params, inputs, stages ..., not %s",
                            node_form(file.root));
    file.name = file.root->file; /* the same pointer as in its nodes */
    file.device = st.st_dev;
    file.inode = st.st_ino;
    m->files = arena_push(m->arena, m->files, m->count, sizeof *m->files);
    m->files[m->count++] = file;
    return read_version(m, &m->files[m->count - 1], from, above);
}

static int read_file(struct migration *m, const char *name, const struct node *from, int above);

static int read_include(struct migration *m, const char *name, const struct node *path, int version)
{
    if (path->type != NODE_SCALAR || !*path->text)
        return node_problem(m->problems, path, "include: expected the name of a file");
    const char *folder = *path->text == '/' ? "" : include_folder(m->arena, name);
    return read_file(m, arena_print(m->arena, "%s%s", folder, path->text), path, version);
}

/* A file that was read by another path is not read again, but its includes are relative to the new
 * path, so they are followed. */
static int read_file(struct migration *m, const char *name, const struct node *from, int above)
{
    struct file *file = find_file(m, name);
    if (file && !file->has_version && above == 1)
        file->version = 1;
    int rc = add_name(m, name, from);
    if (rc <= 0)
        return rc;
    rc = file ? 0 : add_file(m, name, from, above);
    if (rc < 0)
        return rc;
    file = file ? file : &m->files[m->count - 1];
    const struct node *include = node_get(file->root, "include");
    int version = file->version;
    if (!include || node_is_null(include))
        return 0;
    if (include->type != NODE_LIST)
        return read_include(m, name, include, version);
    for (size_t i = 0; rc == 0 && i < include->count; i++)
        rc = read_include(m, name, include->items[i], version);
    return rc;
}

/* ---- the new text ---- */

/* The start of the next line, with libyaml's line ends; NULL after the last line. */
static const char *next_line(const char *p)
{
    for (; *p; p++) {
        if (*p == '\n' || *p == '\r')
            return p + (p[0] == '\r' && p[1] == '\n' ? 2 : 1);
        if (strncmp(p, "\xc2\x85", 2) == 0) /* NEL, and then U+2028 and U+2029 */
            return p + 2;
        if (strncmp(p, "\xe2\x80\xa8", 3) == 0 || strncmp(p, "\xe2\x80\xa9", 3) == 0)
            return p + 3;
    }
    return NULL;
}

/* Converts a column (characters, from 1) to an offset in bytes. */
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

/* The start of the scalar's text, in quotes or not; NULL if other text is there. */
static const char *find_text(const char *line, const struct node *node)
{
    const char *at = line + column_offset(line, node->column);
    if (*at == '\'' || *at == '"')
        at++;
    return strncmp(at, node->text, strlen(node->text)) == 0 ? at : NULL;
}

/* Writes the text with its edits to `out`. An edit whose place has other text (a key with escapes,
 * an anchor, a file that changed just now) is left for the user. */
static void apply(struct migration *m, struct file *f, const char *text, FILE *out)
{
    const char *done = text, *next;
    const char *line =
        strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text; /* the byte order mark */
    int number = 1;
    for (size_t i = 0; i < f->edit_count; i++) {
        const struct node *node = f->edits[i]->node;
        for (; number < node->line && (next = next_line(line)); number++)
            line = next;
        const char *at = number == node->line ? find_text(line, node) : NULL;
        if (!at || at < done) {
            migrate_by_hand(
                m, node, "'%s' is called '%s' now; escapes, anchors and blocks are not rewritten",
                node->text, f->edits[i]->text);
            continue;
        }
        fwrite(done, 1, (size_t)(at - done), out);
        fputs(f->edits[i]->text, out);
        done = at + strlen(node->text);
        f->made++;
    }
    fputs(done, out);
}

static int make_text(struct migration *m, struct file *f)
{
    char *text;
    size_t size;
    if (f->edit_count == 0)
        return 0;
    struct error why = {""};
    if (file_read(f->name, FILE_LIMIT, &text, &size, &why) < 0)
        return fail(m, NULL, why.text);
    if (strncmp(text, "\xff\xfe", 2) == 0 || strncmp(text, "\xfe\xff", 2) == 0) {
        free(text);
        return node_problem(m->problems, f->root,
                            "UTF-16 is not supported by migrate; save the file as UTF-8");
    }
    FILE *out = must(open_memstream(&f->text, &f->size));
    apply(m, f, text, out);
    bool bad = ferror(out);
    if (fclose(out) != 0 || bad)
        must(NULL);
    free(text);
    return 0;
}

/* ---- writing ---- */

/* Checks that a file may be replaced: it is writable, and has no other hard links, which would keep
 * the old text. */
static int check_writable(struct migration *m, const struct file *f)
{
    struct stat st;
    const char *why = NULL;
    if (!f->made)
        return 0;
    if (stat(f->name, &st) < 0)
        why = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        why = "it is not a plain file";
    else if ((st.st_mode & 0222) == 0 ||
             access(f->name, W_OK) < 0) /* root's access() ignores the mode */
        why = "it is read-only; make it writable, as with chmod u+w";
    else if (st.st_nlink > 1)
        why = "it has several names (hard links); make it a file of its own: cp it to a new file "
              "and mv that over it";
    return why ? problems_at(m->problems, "", "%s can't be rewritten: %s", f->name, why) : 0;
}

/* Replaces the file behind a symbolic link; keeps its mode and, if permitted, its owner. */
static int replace_file(const struct file *f, struct error *err)
{
    char *real = realpath(f->name, NULL);
    struct stat st;
    if (!real || stat(real, &st) < 0) {
        int rc = error_errno(err, errno, "cannot write %s", f->name);
        free(real);
        return rc;
    }
    int rc = file_write(real, f->text, f->size, err);
    if (rc == 0 && chown(real, st.st_uid, st.st_gid) < 0)
        rc = 0; /* not permitted: the file becomes ours, as with an editor */
    if (rc == 0 && chmod(real, st.st_mode & 07777) < 0)
        rc = error_errno(err, errno, "cannot set the mode of %s", f->name);
    free(real);
    return rc;
}

/* Starts with the last file, so that the file with the version changes last and an interrupted
 * migration can be repeated. */
static int write_files(struct migration *m)
{
    int rc = 0;
    for (size_t i = 0; i < m->count; i++)
        rc = check_writable(m, &m->files[i]) < 0 ? -EINVAL : rc;
    for (size_t i = m->count; rc == 0 && i-- > 0;)
        if (m->files[i].made)
            rc = replace_file(&m->files[i], m->err);
    return rc;
}

static int migrate(struct migration *m, const char *file)
{
    int rc = read_file(m, file, NULL, 0);
    if (rc == 0)
        migrate_names(m);
    for (size_t i = 0; rc == 0 && i < m->count; i++)
        rc = make_text(m, &m->files[i]);
    return rc == 0 ? write_files(m) : rc;
}

static void keep(void *spot)
{
    (void)spot; /* the arena owns it */
}

int migrate_file(struct arena *arena, const char *file, struct migrated **files, size_t *count,
                 struct problems *problems, struct error *err)
{
    struct migration m = {
        .arena = arena, .schema = schema_file(arena), .problems = problems, .err = err};
    int rc = migrate(&m, arena_copy(arena, file, strlen(file)));
    *files = arena_alloc(arena, (m.count + 1) * sizeof **files);
    *count = m.count;
    for (size_t i = 0; i < m.count; i++) {
        struct file *f = &m.files[i];
        (*files)[i] = (struct migrated){f->name, f->made, f->by_hand};
        free(f->text);
        tdestroy(f->spots, keep);
    }
    return rc;
}
