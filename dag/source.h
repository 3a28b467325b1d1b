/* Files and folders from outside: an entry of `inputs`, or code that a stage declares. */
#ifndef FERDAG_DAG_SOURCE_H
#define FERDAG_DAG_SOURCE_H

#include "cache/cache.h"
#include "cache/tree.h"
#include "dag/experiment/experiment.h"

/* One as it was when it was hashed. */
struct source {
    bool known;
    bool tree; /* a folder: its digest is that of its manifest, as of an output folder */
    struct digest digest;
    uint64_t size;     /* bytes of the file, or of the manifest */
    bool executable;   /* a file with an executable bit */
    struct tree files; /* of a folder */
    uint64_t stamps;   /* of all files, as stamp_number sums them up */
};

/* Hashes it, mostly by the stat cache. Links are followed. In a folder of code, hidden files and
 * __pycache__ are left out. -EINVAL with the place in the YAML if it can't be read. */
int source_hash(struct cache *cache, const struct external *external, struct source *source,
                struct error *err);
void source_free(struct source *source);

/* Whether source_hash could read all of it: 0, or -EINVAL. Looks only, and needs no cache. */
int source_look(const struct external *external, struct error *err);

/* 0, or -EIO if a file of it was written, came or went since it was hashed, even if its bytes are
 * the same again: a stage may have read others. */
int source_check(const struct external *external, const struct source *source, struct error *err);

/* Reads all of it. 0, or -EIO if it has other bytes than it had when it was hashed. */
int source_verify(const struct external *external, const struct source *source, struct error *err);

/* Makes `as` a link to it or, of a folder, a folder of links; of code a copy. -EIO if what was
 * copied isn't what was hashed. */
int source_place(const struct external *external, const struct source *source, const char *as,
                 struct error *err);

#endif
