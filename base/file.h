/* Reads, writes, copies and removes files and folders. */
#ifndef FERDAG_BASE_FILE_H
#define FERDAG_BASE_FILE_H

#include <stddef.h>
#include "base/error.h"

/* Reads a whole file of at most `limit` bytes. *data is malloc'd, with a 0 byte after the last one,
 * and owned by the caller; *size is its length. -EFBIG if the file is larger. */
int file_read(const char *path, size_t limit, char **data, size_t *size, struct error *err);

/* Writes a file atomically: to a temporary file beside it, which is synced and renamed to `path`. A
 * reader finds the old bytes or the new ones, also after a crash. */
int file_write(const char *path, const void *data, size_t size, struct error *err);

/* Copies a file as file_write writes one, copy-on-write where the file system supports it. */
int file_copy(const char *from, const char *to, struct error *err);

/* Writes a new file at `path`, where nothing may be, without syncing it: for files that are not
 * needed after a crash. An error leaves no file. */
int file_write_unsynced(const char *path, const void *data, size_t size, struct error *err);

/* Copies a file in the same way. mode: its permissions; 0: as the umask gives. */
int file_copy_unsynced(const char *from, const char *to, int mode, struct error *err);

/* Makes a copy-on-write copy (FICLONE). -EOPNOTSUPP, -EXDEV or -EINVAL if the file system can't; an
 * error leaves no file at `to`. */
int file_reflink(const char *from, const char *to, int mode, struct error *err);

/* fsync: waits until a file's content, or the list of names of a folder, is on the disk. */
int file_sync(const char *path, struct error *err);

/* Makes a folder and its parents; those that exist are left. -ENOTDIR: another file is there. */
int file_make_folders(const char *path, struct error *err);

/* Makes the folder that the file at `path` is to be in, as file_make_folders does. */
int file_make_parents(const char *path, struct error *err);

/* Removes a file, or a folder with all its content, read-only folders included. Links are removed,
 * not followed. 0 if nothing is there. */
int file_remove_tree(const char *path, struct error *err);

/* FOLDER/ and 16 random hex digits, malloc'd; NULL when memory or randomness is out. Process
 * numbers aren't unique: two containers that share a folder may have the same. */
char *file_random_name(const char *folder);

/* PATH.tmp. and 8 random hex digits, for a file that is then renamed to PATH; malloc'd, NULL as
 * above. */
char *file_temporary_name(const char *path);

/* printf into malloc'd memory; NULL when memory is out. The caller frees it. */
char *format_string(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
