/* What a failing medium does can't be done to a file by a story: its bytes change, its times don't.
 * This tells the index of a cache that a blob's file, as it looks now, is the one that was stored.
 *
 *   restamp CACHE DIGEST */
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "cache/blobs.h"
#include "cache/index.h"

int main(int argc, char **argv)
{
    struct error err = {""};
    struct index *index = NULL;
    struct digest digest = {""};
    struct stat st;
    struct stamp stamp;
    double verified = 0;
    if (argc != 3)
        return 2;
    snprintf(digest.hex, sizeof digest.hex, "%s", argv[2]);
    char *file = file_path("%s/index.sqlite", argv[1]), *blob = blob_path(argv[1], &digest);
    int rc = file && blob && lstat(blob, &st) == 0 ? index_open(&index, file, &err) : -1;
    if (rc == 0)
        rc = index_blob_find(index, &digest, &stamp, &verified, &err);
    if (rc == 0) {
        stamp = stamp_of(&st);
        rc = index_blob_set(index, &digest, &stamp, verified, &err);
    }
    index_close(index);
    free(blob);
    free(file);
    if (rc < 0)
        fprintf(stderr, "restamp: %s\n", err.text);
    return rc < 0;
}
