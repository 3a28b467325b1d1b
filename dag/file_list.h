/* The files that earlier runs put into a folder of the user, so that what is no longer part of a
 * run is removed, and nothing else. The list is kept in FOLDER/.ferdag-files, one path a line. */
#ifndef FERDAG_DAG_FILE_LIST_H
#define FERDAG_DAG_FILE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/error.h"

/* Starts zeroed. */
struct file_list {
    const char **paths; /* in the arena; below the folder */
    size_t count;
};

void file_list_add(struct arena *arena, struct file_list *list, const char *path);

/* Whether a path leads to something below the folder that it is relative to. */
bool file_list_path_sound(const char *path);

/* What may be removed: anything that the list names, or symbolic links alone. */
enum file_list_removal { FILE_LIST_ANY, FILE_LIST_LINKS };

/* Whether a file of the earlier list that isn't in the new one stays. */
typedef bool file_list_stays(const void *data, const char *path);

/* Makes `now`, which it sorts, the list of the folder. Removes the files of the list before that
 * neither are in it nor stay, and the folders that this leaves empty; not through a link to another
 * folder that a user made. */
int file_list_replace(struct arena *arena, const char *folder, struct file_list *now,
                      enum file_list_removal removal, file_list_stays *stays, const void *data,
                      struct error *err);

#endif
