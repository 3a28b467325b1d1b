/* See parts.h. */
#include "dag/experiment/parts.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_LIMIT = 200, LISTED = 5 };

bool experiment_name_is_valid(const char *name, const char *also)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t n = strlen(name);
    if (n == 0 || n > NAME_LIMIT || !strchr(letters, name[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr(letters, name[i]) && !strchr(also, name[i]))
            return false;
    return true;
}

const char *experiment_name_list(struct arena *arena, const char *const *names, size_t count)
{
    size_t listed = count > LISTED ? LISTED : count;
    const char *list = "";
    for (size_t i = 0; i < listed; i++) {
        const char *between = i == 0 ? "" : i + 1 == count ? " and " : ", ";
        list = arena_print(arena, "%s%s%s", list, between, names[i]);
    }
    return count > listed ? arena_print(arena, "%s and %zu more", list, count - listed) : list;
}

struct scope experiment_scope(struct experiment *e, const struct variable *locals, size_t count)
{
    return (struct scope){.arena = e->arena,
                          .params = e->params,
                          .locals = locals,
                          .local_count = count,
                          .steps = &e->steps};
}

struct reading experiment_reading(struct experiment *e, const struct draft *draft)
{
    return (struct reading){.e = e,
                            .stage = draft->stage,
                            .entry = draft->entry,
                            .misspelled = draft->misspelled,
                            .scope = experiment_scope(e, draft->locals, draft->local_count)};
}

struct external *experiment_add_external(struct experiment *e, struct external external)
{
    struct external *added = arena_alloc(e->arena, sizeof *added);
    struct stat st;
    size_t n = strlen(external.path);
    external.folder = (n > 1 && external.path[n - 1] == '/') ||
                      (stat(external.path, &st) == 0 && S_ISDIR(st.st_mode));
    while (n > 1 && external.path[n - 1] == '/')
        n--;
    external.path = arena_copy(e->arena, external.path, n);
    external.place = e->external_count;
    *added = external;
    e->externals = arena_push(e->arena, e->externals, e->external_count, sizeof(struct external *));
    e->externals[e->external_count++] = added;
    return added;
}

const char *experiment_path(struct experiment *e, const char *folder, const char *text)
{
    char cwd[PATH_MAX] = "";
    if (*text == '/')
        folder = "";
    else if (*folder != '/' && !getcwd(cwd, sizeof cwd - 1))
        return NULL;
    return arena_print(e->arena, "%s%s%s%s", cwd, *cwd ? "/" : "", folder, text);
}
