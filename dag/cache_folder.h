/* Which cache a command uses if --cache doesn't name one. */
#ifndef FERDAG_DAG_CACHE_FOLDER_H
#define FERDAG_DAG_CACHE_FOLDER_H

#include <stdbool.h>

/* FERDAG_CACHE or, if that is unset or empty, cache_folder_search. malloc'd. */
char *cache_folder_default(void);

/* As git finds .git: `.ferdag` in the current folder or in the nearest folder above it that has
 * one; if there is none, ".ferdag", which isn't there yet. The path is relative: "../../.ferdag".
 * malloc'd.
 *
 * In a folder above, `.ferdag` must hold a cache and belong to this user, since results are served
 * from it: a folder such as /tmp may hold one that somebody else made. */
char *cache_folder_search(void);

/* Whether a path is ".ferdag", the cache of the current folder. */
bool cache_folder_is_here(const char *path);

/* Whether the folder holds a cache. */
bool cache_folder_has_cache(const char *folder);

#endif
