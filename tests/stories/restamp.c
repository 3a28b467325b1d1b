/* Simulates damage by a failing disk: the bytes of a file change, its metadata doesn't. A story
 * can't keep a file's metadata, so this program stores the current metadata of a blob's file in the
 * index of a cache, as if the file had been verified with it.
 *
 *   restamp CACHE DIGEST */
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "cache/index.h"
#include "cache/store_local.h"

int main(int argc, char **argv)
{
    struct error err = {""};
    struct index *index = NULL;
    struct store_local *store = NULL;
    struct digest digest = {""};
    struct stat st;
    struct metadata metadata;
    double verified = 0;
    if (argc != 3 || store_local_open(&store, argv[1], &err) < 0)
        return 2;
    snprintf(digest.hex, sizeof digest.hex, "%s", argv[2]);
    char *file = format_string("%s/index.sqlite", argv[1]),
         *blob = store_local_path(store, &digest);
    int rc = file && blob && lstat(blob, &st) == 0 ? index_open(&index, file, &err) : -1;
    if (rc == 0)
        rc = index_find_blob(index, &digest, &metadata, &verified, &err);
    if (rc == 0) {
        metadata = metadata_of(&st);
        rc = index_put_blob(index, &digest, &metadata, verified, &err);
    }
    index_close(index);
    store_close(&store->base);
    free(blob);
    free(file);
    if (rc < 0)
        fprintf(stderr, "restamp: %s\n", err.text);
    return rc < 0;
}
