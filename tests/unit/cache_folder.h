/* Fixture of the tests of cache/: a folder with an empty cache. */
#ifndef FERDAG_TESTS_CACHE_FOLDER_H
#define FERDAG_TESTS_CACHE_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "cache/cache.h"
#include "cache/tree.h"

struct fixture {
    char folder[64];
    struct cache cache;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err;
    assert_non_null(f);
    strcpy(f->folder, "/tmp/ferdag-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(chdir(f->folder), 0);
    assert_int_equal(cache_open(&f->cache, "cache", true, &err), 0);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    cache_close(&f->cache);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(file_remove_tree(f->folder, NULL), 0);
    free(f);
    return 0;
}

static inline void put(const char *path, const char *text)
{
    assert_int_equal(file_write(path, text, strlen(text), NULL), 0);
}

/* Stores one result; fails the test if that fails. */
static inline struct blob stored(struct fixture *f, const char *path, bool tree)
{
    struct blob_writer writer;
    struct blob blob;
    struct error err;
    blob_writer_start(&writer, &f->cache);
    assert_int_equal(blob_writer_add(&writer, path, tree, &blob, &err), 0);
    assert_int_equal(blob_writer_finish(&writer, &err), 0);
    blob_writer_free(&writer);
    return blob;
}

static inline struct blob stored_text(struct fixture *f, const char *text)
{
    struct blob_writer writer;
    struct blob blob;
    struct error err;
    blob_writer_start(&writer, &f->cache);
    assert_int_equal(blob_writer_add_memory(&writer, text, strlen(text), &blob, &err), 0);
    assert_int_equal(blob_writer_finish(&writer, &err), 0);
    blob_writer_free(&writer);
    return blob;
}

/* The error code of storing a result that must be refused. */
static inline int refused(struct fixture *f, const char *path, bool tree, struct error *err)
{
    struct blob_writer writer;
    struct blob blob;
    blob_writer_start(&writer, &f->cache);
    int rc = blob_writer_add(&writer, path, tree, &blob, err);
    blob_writer_free(&writer);
    return rc;
}

static inline bool present(struct fixture *f, const struct blob *blob)
{
    struct error err;
    int rc = cache_check(&f->cache, blob, &err);
    assert_true(rc == 0 || rc == -ENOENT);
    return rc == 0;
}

/* Changes bytes of a blob's file without the cache; its size and times stay. */
static inline void damage(struct fixture *f, const struct digest *digest)
{
    char *path = cache_blob_path(&f->cache, digest);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(chmod(path, 0644), 0);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    int first = fgetc(file);
    rewind(file);
    fputc(first ^ 1, file);
    assert_int_equal(fclose(file), 0);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(chmod(path, 0444), 0);
    free(path);
}

#endif
