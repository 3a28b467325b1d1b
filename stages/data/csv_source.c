/* See csv_source.h. Uncompressed files are read directly in large blocks, because libarchive would
 * copy them once more. All others are read with libarchive, limited to the filters that it has
 * built in: for the rest it would start other programs. */
#define _GNU_SOURCE
#include "stages/data/csv_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 20, PACKED_BLOCK = 1 << 16, TAR_HEADER = 512, MAX_ENTRIES = 100000 };

struct csv_source {
    const char *path;        /* to open */
    const char *name;        /* for errors */
    int fd;                  /* of an uncompressed file, or -1 */
    char *buffer;            /* BLOCK bytes, for an uncompressed file */
    struct archive *archive; /* for any other, or NULL */
    long long size, done;    /* bytes of the file, bytes read */
};

static const struct {
    const char *bytes;
    size_t at, size;
} packed_marks[] = {
    {"\x1f\x8b", 0, 2},               /* gzip */
    {"\xfd\x37\x7a\x58\x5a\0", 0, 6}, /* xz */
    {"BZh", 0, 3},                    /* bzip2 */
    {"\x28\xb5\x2f\xfd", 0, 4},       /* zstd */
    {"ustar", 257, 5},                /* tar */
};

static bool is_packed(const char *head, size_t size)
{
    for (size_t i = 0; i < sizeof packed_marks / sizeof *packed_marks; i++)
        if (packed_marks[i].at + packed_marks[i].size <= size &&
            memcmp(head + packed_marks[i].at, packed_marks[i].bytes, packed_marks[i].size) == 0)
            return true;
    return false;
}

static int archive_failure(struct csv_source *s, struct error *err)
{
    const char *why = archive_error_string(s->archive);
    return error_set(err, EIO, "%s: truncated or damaged archive: %s", s->name,
                     why ? why : "unknown cause");
}

static int open_archive(struct csv_source *s, struct error *err)
{
    archive_read_free(s->archive);
    s->archive = archive_read_new();
    if (!s->archive)
        return error_set(err, ENOMEM, "out of memory reading %s", s->name);
    archive_read_support_filter_gzip(s->archive);
    archive_read_support_filter_xz(s->archive);
    archive_read_support_filter_bzip2(s->archive);
    archive_read_support_filter_zstd(s->archive);
    archive_read_support_format_tar(s->archive);
    archive_read_support_format_raw(s->archive);
    archive_read_support_format_empty(s->archive);
    if (archive_read_open_filename(s->archive, s->path, PACKED_BLOCK) != ARCHIVE_OK)
        return archive_failure(s, err);
    return 0;
}

static bool ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

enum fitness { UNFIT, SOME_CSV, THE_CSV };

static enum fitness entry_fitness(struct archive *archive, struct archive_entry *entry)
{
    if (archive_format(archive) == ARCHIVE_FORMAT_RAW)
        return THE_CSV;
    const char *name = archive_entry_pathname(entry);
    if (!name || archive_entry_filetype(entry) != AE_IFREG)
        return UNFIT;
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    if (*base == '.') /* "._fer2013.csv", which tar on a Mac adds */
        return UNFIT;
    return ends_in(base, "fer2013.csv") ? THE_CSV : ends_in(base, ".csv") ? SOME_CSV : UNFIT;
}

/* Moves to entry number `wanted`, or with wanted < 0 to the first that is THE_CSV. Returns 1 if it
 * exists, 0 if not (*some is then the number of the first SOME_CSV, or -1), or an error. */
static int seek_entry(struct csv_source *s, int wanted, int *some, struct error *err)
{
    *some = -1;
    struct archive_entry *entry;
    for (int i = 0; i < MAX_ENTRIES; i++) {
        int rc = archive_read_next_header(s->archive, &entry);
        if (rc == ARCHIVE_EOF)
            return 0;
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
            return archive_failure(s, err);
        enum fitness fitness = entry_fitness(s->archive, entry);
        if (wanted >= 0 ? i == wanted : fitness == THE_CSV)
            return 1;
        if (fitness == SOME_CSV && *some < 0)
            *some = i;
    }
    return error_set(err, EFBIG, "%s: more than %d entries in the archive", s->name, MAX_ENTRIES);
}

static int find_entry(struct csv_source *s, struct error *err)
{
    int some, ignored, rc = open_archive(s, err);
    if (rc == 0)
        rc = seek_entry(s, -1, &some, err);
    if (rc == 0 && some >= 0) {
        rc = open_archive(s, err);
        if (rc == 0)
            rc = seek_entry(s, some, &ignored, err);
    }
    if (rc == 0)
        return error_set(err, EINVAL, "%s: no .csv file in the archive", s->name);
    return rc < 0 ? rc : 0;
}

int csv_source_open(struct csv_source **source, const char *path, const char *name,
                    struct error *err)
{
    struct csv_source *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, ENOMEM, "out of memory reading %s", name);
    *s = (struct csv_source){.path = path, .name = name, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    int rc = 0;
    struct stat st;
    char head[TAR_HEADER];
    ssize_t n = 0;
    if (s->fd < 0 || fstat(s->fd, &st) < 0) {
        rc = error_errno(err, errno, "cannot open %s", name);
    } else if (!S_ISREG(st.st_mode)) {
        rc = error_set(err, EINVAL, "%s: expected a file", name);
    } else if ((n = pread(s->fd, head, sizeof head, 0)) < 0) {
        rc = error_errno(err, errno, "cannot read %s", name);
    } else if (s->size = st.st_size, is_packed(head, (size_t)n)) {
        close(s->fd);
        s->fd = -1;
        rc = find_entry(s, err);
    } else {
        s->buffer = malloc(BLOCK);
        if (!s->buffer)
            rc = error_set(err, ENOMEM, "out of memory reading %s", name);
    }
    if (rc < 0) {
        csv_source_close(s);
        s = NULL;
    }
    *source = s;
    return rc;
}

static int next_of_archive(struct csv_source *s, const char **block, size_t *size,
                           struct error *err)
{
    const void *data;
    la_int64_t offset;
    int rc;
    do { /* blocks may be empty before the end */
        data = NULL;
        *size = 0;
        rc = archive_read_data_block(s->archive, &data, size, &offset);
    } while ((rc == ARCHIVE_OK || rc == ARCHIVE_WARN) && *size == 0);
    s->done = archive_filter_bytes(s->archive, -1);
    *block = data;
    if (rc == ARCHIVE_EOF)
        *size = 0;
    return rc == ARCHIVE_OK || rc == ARCHIVE_WARN || rc == ARCHIVE_EOF ? 0
                                                                       : archive_failure(s, err);
}

int csv_source_next(struct csv_source *s, const char **block, size_t *size, struct error *err)
{
    if (s->archive)
        return next_of_archive(s, block, size, err);
    ssize_t n;
    do
        n = read(s->fd, s->buffer, BLOCK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_errno(err, errno, "cannot read %s", s->name);
    s->done += n;
    *block = s->buffer;
    *size = (size_t)n;
    return 0;
}

double csv_source_fraction(const struct csv_source *s)
{
    return s->size > 0 && s->done < s->size ? (double)s->done / (double)s->size : 1;
}

void csv_source_close(struct csv_source *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    archive_read_free(s->archive);
    free(s->buffer);
    free(s);
}
