/* `fsck`: finds damage in the cache and, with --mend, sets it aside. */
#include "dag/arena.h"
#include "dag/commands.h"
#include "dag/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include "cache/fsck.h"

static json_t *fsck_json(const struct fsck *f, bool mended)
{
    json_t *damages = must(json_array()), *lost = must(json_array());
    for (size_t i = 0; i < f->damage_count; i++)
        json_array_append_new(
            damages, must(json_pack("{s:s, s:s, s:s}", "digest", f->damages[i].digest.hex, "why",
                                    f->damages[i].why, "outputs", f->damages[i].users)));
    for (size_t i = 0; i < f->lost_count; i++)
        json_array_append_new(lost, must(json_string(f->lost[i])));
    return must(json_pack("{s:I, s:I, s:o, s:b, s:o}", "blobs", (json_int_t)f->blobs, "bytes",
                          (json_int_t)f->bytes, "damaged", damages, "mended", mended, "missing",
                          lost));
}

static void print_fsck(const struct fsck *f, const char *folder, bool mended)
{
    for (size_t i = 0; i < f->damage_count; i++)
        printf("damaged  %s  %s: %s\n", f->damages[i].digest.hex,
               *f->damages[i].users ? f->damages[i].users : "no output of a known result",
               f->damages[i].why);
    for (size_t i = 0; i < f->lost_count; i++)
        printf("missing  %s\n", f->lost[i]);
    fprintf(stderr, "%zu blobs, %.1f MB: %zu damaged; %zu outputs missing\n", f->blobs,
            (double)f->bytes / 1e6, f->damage_count, f->lost_count);
    if (f->damage_count && mended)
        fprintf(stderr, "what is damaged lies in %s/damaged now; the next run makes it again\n",
                folder);
    else if (f->damage_count)
        fprintf(stderr, "with --mend it is set aside, and the next run makes it again\n");
}

int command_fsck(const struct options *options, struct error *err)
{
    struct cache cache;
    struct fsck fsck = {0};
    struct stat st;
    if (stat(options->cache, &st) < 0) {
        error_errno(err, errno, "cannot open cache %s", options->cache);
        return EXIT_BAD;
    }
    int rc = cache_open(&cache, options->cache, false, err);
    if (rc < 0)
        return session_status(rc);
    rc = fsck_look(&cache, &fsck, err);
    if (rc == 0 && options->mend)
        rc = fsck_set_aside(&cache, &fsck, err);
    if (rc == 0 && options->json)
        session_print(fsck_json(&fsck, options->mend));
    else if (rc == 0)
        print_fsck(&fsck, cache.folder, options->mend);
    bool sound = rc == 0 && (fsck.damage_count == 0 || options->mend);
    fsck_free(&fsck);
    cache_close(&cache);
    return rc < 0 ? session_status(rc) : sound ? EXIT_DONE : EXIT_FAILED;
}
