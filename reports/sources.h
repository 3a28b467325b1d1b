/* The results a report reads: references such as "@cnn/full/vgg19.metrics:/public/accuracy", looked
 * up among the inputs of the port `sources`. A stage that has no result is no error, nor is a file
 * of it that isn't what is wanted: what it would have told is missing, with the reason. */
#ifndef FERDAG_REPORTS_SOURCES_H
#define FERDAG_REPORTS_SOURCES_H

#include <jansson.h>
#include "stages/job.h"

struct sources {
    const json_t *list; /* job.json's entries of the port, borrowed */
    json_t *loaded;     /* path -> its JSON, read on first use */
    json_t *broken;     /* path -> {missing, detail} of what is no JSON */
};

/* One reference, looked up. Strings belong to the job or the sources, or are constants. */
struct found {
    const json_t *entry; /* provenance of the stage's port; NULL if there is none */
    const json_t *value; /* the value the pointer names; NULL if missing */
    const char *missing; /* why value is NULL: "not run", "no such value", "not JSON"; else NULL */
    const char *detail;  /* of a file that can't be used: what is wrong, and where; else NULL */
    const char *pointer; /* part of the reference, "" for the whole file */
};

void sources_open(struct sources *s, const struct job *job);
void sources_close(struct sources *s);

/* Whether the text is a reference at all: "@stage.port" with or without ":/pointer". */
bool sources_is_reference(const char *text);

/* Looks up a reference. JSON lines files read as an array of their lines. Returns 0 also when
 * the value is missing; -EINVAL if the reference is malformed; another error if the file can't be
 * read. */
int sources_find(struct sources *s, const char *reference, struct found *found, struct error *err);

/* Whether a path of folders and a file has no "..". */
bool sources_path_sound(const char *path);

/* As above for a port that holds no JSON: a file, or with a pointer a file of a tree. On success
 * *path (malloc'd, the caller's) is where it lies, or NULL with found->missing set. */
int sources_path(struct sources *s, const char *reference, struct found *found, char **path,
                 struct error *err);

#endif
