/* Which cache a command uses if --cache doesn't name one. */
#ifndef FERDAG_DAG_CACHE_FOLDER_H
#define FERDAG_DAG_CACHE_FOLDER_H

#include <stdbool.h>
#include "base/error.h"

/* FERDAG_CACHE or, if that is unset or empty, cache_folder_search. malloc'd. */
char *cache_folder_default(void);

/* As git finds .git: `.ferdag` in the current folder or in the nearest folder above it that has
 * one; if there is none, ".ferdag", which isn't there yet. The path is relative: "../../.ferdag".
 * malloc'd.
 *
 * In a folder above, `.ferdag` must hold a cache and belong to this user, since results are served
 * from it: a folder such as /tmp may hold one that somebody else made. */
char *cache_folder_search(void);

/* -ENOTDIR if the path exists and is not a folder. With `warn`, prints a warning on stderr if there
 * is no cache in it. */
int cache_folder_check(const char *path, bool warn, struct error *err);

/* Whether a path is ".ferdag", the cache of the current folder. */
bool cache_folder_is_here(const char *path);

#endif
