/* `migrate`: brings a file of format 1, and what it includes, to format 2. */
#include "dag/commands.h"
#include "dag/migrate.h"
#include "dag/session.h"

#include <stdio.h>

int command_migrate(const struct options *options, struct error *err)
{
    struct arena *arena = arena_create();
    struct problems problems = {0};
    struct migrated *files;
    size_t count;
    int rc = migrate_file(arena, options->names[0], &files, &count, &problems, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (files[i].changes)
            printf("%s: %zu change%s\n", files[i].file, files[i].changes,
                   files[i].changes == 1 ? "" : "s");
        else
            printf("%s: nothing to change\n", files[i].file);
    }
    session_print_problems(&problems);
    problems_free(&problems);
    arena_destroy(arena);
    return session_status(rc);
}
