/* See file_list.h. */
#define _GNU_SOURCE
#include "dag/file_list.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_NAME ".ferdag-files"

enum { LIST_LIMIT = 16 << 20 };

void file_list_add(struct arena *arena, struct file_list *list, const char *path)
{
    list->paths = arena_push(arena, list->paths, list->count, sizeof *list->paths);
    list->paths[list->count++] = path;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Drops repeated ones too. */
static void sort(struct file_list *list)
{
    size_t kept = 0;
    if (list->count > 1)
        qsort(list->paths, list->count, sizeof *list->paths, by_text);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || strcmp(list->paths[kept - 1], list->paths[i]) != 0)
            list->paths[kept++] = list->paths[i];
    list->count = kept;
}

/* The list must be sorted. */
static bool has(const struct file_list *list, const char *path)
{
    return list->count && bsearch(&path, list->paths, list->count, sizeof *list->paths, by_text);
}

bool file_list_path_sound(const char *path)
{
    for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (!*p || *p == '/' || (p[0] == '.' && strchr("./", p[1])) || strcmp(p, ".") == 0)
            return false;
    return true;
}

/* The list of a folder, sorted; empty if there is none. */
static void read_list(struct arena *arena, const char *folder, struct file_list *list)
{
    char *data, *path = must(format_string("%s/" LIST_NAME, folder));
    size_t size;
    if (file_read(path, LIST_LIMIT, &data, &size, NULL) == 0) {
        char *text = arena_copy(arena, data, size);
        for (char *line; (line = strsep(&text, "\n"));)
            if (file_list_path_sound(line))
                file_list_add(arena, list, line);
        free(data);
    }
    free(path);
    sort(list);
}

static bool same_lists(const struct file_list *a, const struct file_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->paths[i], b->paths[i]) == 0;
    return same;
}

static int write_list(const char *folder, const struct file_list *list, struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = must(open_memstream(&text, &size));
    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s\n", list->paths[i]);
    if (fclose(out) != 0)
        must(NULL);
    char *path = must(format_string("%s/" LIST_NAME, folder));
    int rc = file_write(path, text, size, err);
    free(path);
    free(text);
    return rc;
}

static void remove_name(int folder, const char *name, enum file_list_removal removal)
{
    struct stat st;
    if (removal == FILE_LIST_ANY ||
        (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)))
        unlinkat(folder, name, 0);
}

static void remove_file(const char *folder, const char *path, enum file_list_removal removal)
{
    char *name = must(strdup(path));
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *slash = strchr(name, '/');
    if (slash)
        *slash = 0;
    if (at >= 0 && !slash)
        remove_name(at, name, removal);
    if (at >= 0 && slash) {
        struct stat st;
        char *below = must(format_string("%s/%s", folder, name));
        if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
            remove_file(below, slash + 1, removal);
            unlinkat(at, name, AT_REMOVEDIR); /* if it is empty now */
        }
        free(below);
    }
    if (at >= 0)
        close(at);
    free(name);
}

int file_list_replace(struct arena *arena, const char *folder, struct file_list *now,
                      enum file_list_removal removal, file_list_stays *stays, const void *data,
                      struct error *err)
{
    struct file_list before = {0}, kept = {0};
    read_list(arena, folder, &before);
    sort(now);
    for (size_t i = 0; i < before.count; i++) {
        if (has(now, before.paths[i]))
            continue;
        if (stays(data, before.paths[i]))
            file_list_add(arena, &kept, before.paths[i]);
        else
            remove_file(folder, before.paths[i], removal);
    }
    for (size_t i = 0; i < kept.count; i++)
        file_list_add(arena, now, kept.paths[i]);
    sort(now);
    return same_lists(now, &before) ? 0 : write_list(folder, now, err);
}
