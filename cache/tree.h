/* The manifest of a folder of files: a text with one line for each entry, sorted by path.
 *
 *   DIGEST SIZE PATH              a file
 *   exec DIGEST SIZE PATH         a file with an executable bit
 *   link LENGTH PATH TARGET       a symbolic link to TARGET in the same folder; LENGTH of PATH
 *   folder PATH                   an empty folder
 *
 * Paths are relative, without "." and "..", and separated by '/'. A target is any number of "../"
 * followed by such a path, and stays in the folder. */
#ifndef FERDAG_CACHE_TREE_H
#define FERDAG_CACHE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"
#include "cache/sha256.h"

/* The four kinds of lines. */
enum tree_form { TREE_FILE, TREE_EXECUTABLE, TREE_LINK, TREE_FOLDER };

struct tree_entry {
    enum tree_form form;
    struct digest digest; /* of files */
    uint64_t size;        /* of files */
    char *path;
    char *target; /* of links, else NULL */
};

struct tree {
    struct tree_entry *entries;
    size_t count;
};

bool tree_is_file(const struct tree_entry *entry);

/* Reads and checks a manifest: `size` bytes and a 0 byte, which are overwritten. `name` stands for
 * it in errors. -EINVAL if it is malformed. tree_free frees. */
int tree_parse(char *text, size_t size, const char *name, struct tree *tree, struct error *err);

/* Sorts the entries and writes the manifest; *text is malloc'd, with a 0 byte at its end. -ENOMEM.
 */
int tree_print(struct tree *tree, char **text, size_t *size, struct error *err);

/* Appends an entry and takes ownership of its path and target, also when it returns -ENOMEM. */
int tree_add(struct tree *tree, struct tree_entry entry);
void tree_free(struct tree *tree);

/* Whether a link at `path` may have that target: one in the folder. */
bool tree_target_sound(const char *path, const char *target);

#endif
