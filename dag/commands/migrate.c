/* `migrate`: brings a file of format 1, and what it includes, to format 2. */
#include "dag/commands/commands.h"
#include "dag/migrate/migrate.h"
#include "dag/session.h"

#include <stdio.h>

/* "12 changes, 1 left to do by hand" */
static void print_counts(const char *what, size_t changes, size_t by_hand)
{
    if (changes == 0 && by_hand == 0) {
        printf("%s: nothing to change\n", what);
        return;
    }
    printf("%s: %zu change%s", what, changes, changes == 1 ? "" : "s");
    if (by_hand)
        printf(", %zu left to do by hand", by_hand);
    puts("");
}

/* Prints a line for each file and, if the last one wouldn't say that work is left, one for all.
 * Returns how much is left. */
static size_t print_files(const struct migrated *files, size_t count)
{
    size_t changes = 0, by_hand = 0;
    for (size_t i = 0; i < count; i++) {
        print_counts(files[i].file, files[i].changes, files[i].by_hand);
        changes += files[i].changes;
        by_hand += files[i].by_hand;
    }
    if (by_hand && count > 1)
        print_counts("in all", changes, by_hand);
    return by_hand;
}

int command_migrate(const struct options *options, struct error *err)
{
    struct arena *arena = arena_create();
    struct problems problems = {0};
    struct migrated *files;
    size_t count, by_hand = 0;
    int rc = migrate_file(arena, options->names[0], &files, &count, &problems, err);
    session_print_problems(&problems);
    if (rc == 0)
        by_hand = print_files(files, count);
    problems_free(&problems);
    arena_destroy(arena);
    return by_hand ? EXIT_FAILED : session_status(rc);
}
