/* Hashing and placing of external files and folders: entries of `inputs`, and code of stages. */
#ifndef FERDAG_DAG_SOURCE_H
#define FERDAG_DAG_SOURCE_H

#include "cache/cache.h"
#include "cache/tree.h"
#include "dag/experiment/experiment.h"

/* An external file or folder as it was when it was hashed. */
struct source {
    bool known;
    char *obstacle; /* malloc'd: why it can't be read, "input photos is missing: /data/photos" */
    bool tree;      /* a folder; its digest is that of its manifest, as for output folders */
    struct digest digest;
    uint64_t size;     /* bytes of the file, or of the manifest */
    bool executable;   /* a file with an executable bit */
    struct tree files; /* of a folder */
    uint64_t stamps;   /* hash of all files' stamps (base/metadata.h) */
};

/* Hashes an external; files that have not changed since are looked up in the stat cache. Links are
 * followed. In a folder of code, hidden files and __pycache__ are left out. Returns 0; -EINVAL with
 * the place in the YAML if it can't be read; -EIO or -ENOMEM. Free with source_free. */
int source_hash(struct cache *cache, const struct external *external, struct source *source,
                struct error *err);
void source_free(struct source *source);

/* Whether source_hash could read everything: 0, or a negative code. Reads no content. */
int source_look(const struct external *external, struct error *err);

/* 0, or -EIO if a file was written, added or removed since it was hashed. Also if its bytes are the
 * same again: a stage may have read different ones in between. */
int source_check(const struct external *external, const struct source *source, struct error *err);

/* Reads all content. 0, or -EIO if it differs from what was hashed. */
int source_verify(const struct external *external, const struct source *source, struct error *err);

/* Makes `as` a link to the file, or a folder of links; code is copied. -EIO if the copy differs
 * from what was hashed. */
int source_place(const struct external *external, const struct source *source, const char *as,
                 struct error *err);

#endif
