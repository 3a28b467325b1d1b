/* What tells a run apart from the plain `ferdag run FILE`: --set, --cache and --backend. */
#ifndef FERDAG_DAG_VARIANT_H
#define FERDAG_DAG_VARIANT_H

#include "base/arena.h"
#include "dag/commands/commands.h"

/* "" for a plain run, else what commands on the same results must say too: " --set a=1 --cache c",
 * quoted for a shell. */
const char *variant_options(struct arena *arena, const struct options *options);

/* Where the report goes: --out; else out/NAME for the plain run and, apart from it,
 * out/NAME,PARAM=VALUE,backend=BACKEND@CACHE for others. Parts that aren't sound in a file name, or
 * are too long, are replaced by a hash. */
const char *variant_folder(struct arena *arena, const struct options *options, const char *name);

/* A text as one word of a shell. */
const char *variant_quote(struct arena *arena, const char *text);

#endif
