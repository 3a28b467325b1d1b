/* What the files that build an experiment share: valid names, scopes, paths, external files, and
 * the stages that are not complete yet. */
#ifndef FERDAG_DAG_EXPERIMENT_PARTS_H
#define FERDAG_DAG_EXPERIMENT_PARTS_H

#include "dag/experiment/experiment.h"

/* A stage while the file is read: the entry of `stages` that it comes from, and the values of the
 * variables of its `for`. Of an entry whose matrix can't be expanded, the variables' values are
 * broken nodes; its stage is only checked, and not in the experiment's list. */
struct draft {
    struct stage *stage;
    const struct node *entry;
    const struct variable *locals;
    size_t local_count;
    bool unlisted;   /* it is not in the experiment's list, and the draft owns stage->params */
    bool misspelled; /* the entry has an unknown key: what seems to be missing may stand there */
};

struct drafts {
    struct draft *items;
    size_t count;
};

/* A stage while its fields or inputs are read. */
struct reading {
    struct experiment *e;
    struct stage *stage;
    const struct node *entry;
    bool misspelled;
    struct scope scope;
};

struct reading experiment_reading(struct experiment *e, const struct draft *draft);

/* Whether the name starts with a letter, digit or _, and holds only these and the characters in
 * `also`; 200 bytes at most. Names become file names and parts of references, so '/' and blanks are
 * never allowed. */
bool experiment_name_is_valid(const char *name, const char *also);

/* "a", "a and b" or, of more than five names, "a, b, c, d, e and 3 more". */
const char *experiment_name_list(struct arena *arena, const char *const *names, size_t count);

/* The scope for expanding "${name}": the local variables first, then the experiment's params. */
struct scope experiment_scope(struct experiment *e, const struct variable *locals, size_t count);

/* Appends a copy of the external and returns it. Sets its `folder` and `place`. */
struct external *experiment_add_external(struct experiment *e, struct external external);

/* The absolute path of `text`, which is relative to `folder` ("" or ending with '/'). NULL with
 * errno set if the current folder is unknown. */
const char *experiment_path(struct experiment *e, const char *folder, const char *text);

#endif
