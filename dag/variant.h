/* Variants of `ferdag run FILE`: runs with --set, --cache or --backend. */
#ifndef FERDAG_DAG_VARIANT_H
#define FERDAG_DAG_VARIANT_H

#include "base/arena.h"
#include "dag/options.h"

/* The options that another command needs to work on the same results, quoted for a shell:
 * " --set a=1 --cache c"; "" for a run without any of them. */
const char *variant_options(struct arena *arena, const struct options *options);

/* The folder for the report and the links to results: --out or else out/NAME, for variants
 * out/NAME,PARAM=VALUE,backend=BACKEND@CACHE. Parts with characters that file names shouldn't have,
 * and long parts, end with a hash. */
const char *variant_folder(struct arena *arena, const struct options *options, const char *name);

/* The text, quoted for a shell if need be. */
const char *variant_quote(struct arena *arena, const char *text);

#endif
