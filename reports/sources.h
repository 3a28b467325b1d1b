/* The results that a report reads: references such as "@cnn/full/vgg19/1.metrics:/public/accuracy",
 * looked up in the inputs of the port `sources`. A stage without a result is no error, nor is a
 * file that can't be used: the value is missing, with the reason. */
#ifndef FERDAG_REPORTS_SOURCES_H
#define FERDAG_REPORTS_SOURCES_H

#include <jansson.h>
#include "stages/job.h"

struct sources {
    const json_t *list; /* job.json's entries of the port, borrowed */
    json_t *loaded;     /* path -> its JSON, read on first use */
    json_t *broken;     /* path -> {missing, detail} of files that are not JSON */
};

/* The result of looking up a reference. Strings belong to the job or the sources, or are constants.
 */
struct lookup {
    const json_t *entry; /* provenance of the stage's port; NULL if there is none */
    const json_t *value; /* at the pointer; NULL if missing */
    const char *missing; /* why value is NULL: "not run", "no such value", "not JSON"; else NULL */
    const char *detail;  /* of a file that can't be used: the error and its place; else NULL */
    const char *pointer; /* part of the reference, "" for the whole file */
};

void sources_open(struct sources *s, const struct job *job);
void sources_close(struct sources *s);

/* Looks up a reference. JSON lines files read as an array of their lines. Returns 0 also when
 * the value is missing; -EINVAL if the reference is malformed; another error if the file can't be
 * read. */
int sources_find(struct sources *s, const char *reference, struct lookup *found, struct error *err);

/* Whether a path of folders and a file has no "..". */
bool sources_path_is_safe(const char *path);

/* The same for a file that isn't JSON: that of a port, or with a pointer one in the port's folder.
 * On success *path (the caller frees it) is its path, or NULL with found->missing set. */
int sources_path(struct sources *s, const char *reference, struct lookup *found, char **path,
                 struct error *err);

#endif
