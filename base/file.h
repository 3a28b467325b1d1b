/* Files, whole or not at all: what every part needs of the file system. */
#ifndef FERDAG_BASE_FILE_H
#define FERDAG_BASE_FILE_H

#include <stddef.h>
#include "base/error.h"

/* Reads a whole file of at most `limit` bytes. On success *data is malloc'd, has a 0 byte
 * after its last, and belongs to the caller; *size is its length. -EFBIG if it is larger. */
int file_read(const char *path, size_t limit, char **data, size_t *size, struct error *err);

/* Writes a file whole: to PATH.tmp.CHANCE, synced, then renamed over PATH, so that a reader finds
 * the old bytes or the new, never half of them. */
int file_write(const char *path, const void *data, size_t size, struct error *err);

/* Copies a file the same way (copy-on-write where the file system can). */
int file_copy(const char *from, const char *to, struct error *err);

/* The same into a new file, where nothing is, without syncing it: for folders whose content nobody
 * needs after a power cut. An error leaves nothing there. file_copy_unsynced sets the permissions.
 */
int file_write_unsynced(const char *path, const void *data, size_t size, struct error *err);
int file_copy_unsynced(const char *from, const char *to, int mode, struct error *err);

/* Makes a new file that shares the blocks of another until one is written to. -EOPNOTSUPP, -EXDEV
 * or -EINVAL where the file system can't; an error leaves nothing at `to`. */
int file_reflink(const char *from, const char *to, int mode, struct error *err);

/* Waits until a file's content, or a folder's list of names, is on the disk. */
int file_sync(const char *path, struct error *err);

/* Makes a folder and those above it; one that is there already is fine. */
int file_make_folders(const char *path, struct error *err);

/* Removes a file, or a folder with all in it, read-only folders too (links are removed, not
 * followed); one that is not there is fine. */
int file_remove_tree(const char *path, struct error *err);

/* PATH.tmp. and 8 random hex digits, for a file that will be renamed to PATH; as above. */
char *file_temporary_name(const char *path);

/* FOLDER/ and 16 random hex digits, malloc'd; NULL without memory or randomness. A process's number
 * won't do: two containers on one folder may both have it. */
char *file_random_name(const char *folder);

/* printf into malloc'd memory; NULL when memory is out. The caller frees it. */
char *file_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
