/* A setting: its name, its type, what it may be, one line of help. Tables of settings describe the
 * params of a stage kind and every section of an experiment file; the checker, `ferdag kinds`, the
 * JSON Schema and `ferdag migrate` are driven by them, so they can't disagree. */
#ifndef FERDAG_STAGES_PARAM_H
#define FERDAG_STAGES_PARAM_H

#include <stdbool.h>

enum param_type {
    PARAM_INT,
    PARAM_REAL,
    PARAM_BOOL,
    PARAM_ENUM,
    PARAM_STRING,
    PARAM_JSON,  /* any value */
    PARAM_SIZE,  /* bytes: 500M, 1.5G */
    PARAM_LIST,  /* of values as the first row of `members` describes them */
    PARAM_MAP,   /* with the keys of `members` */
    PARAM_NAMED, /* a map of names that the user chose to values as the first row of `members`
                    describes them */
};

/* Tables end with name == NULL. */
struct param {
    const char *name;
    enum param_type type;
    const char *standard; /* the default, as YAML would write it; NULL: must be given, unless it is
                             optional */
    bool optional;
    double min, max;     /* inclusive, of INT and REAL; of STRING max is the longest length; of LIST
                            and NAMED how many there may be. Both 0: no bounds of its own */
    const char *choices; /* of ENUM: "one|two|three" */

    const struct param *members; /* of LIST, MAP and NAMED */
    bool single;        /* of LIST: one value may stand for a list of it; of NAMED: a list of
                           names for a map of names to nothing */
    const char *scalar; /* of MAP: the member that a single value stands for, or NULL */
    const struct param *others; /* of MAP: what any other key holds; NULL: there may be none */

    const char *was;  /* its name in format 1, or NULL if that was the same; "one|two" of several
                         that became one */
    const char *gone; /* it may not be written: what to do instead */
    const char *key_name; /* its name in the text of a key, or NULL if that is the same: fixed for
                             ever, so that results stay valid when a param gets another name */
    bool keyless;         /* can't change any result, so it is left out of the key */
    bool continues;       /* of one INT of a kind: a stage may continue from a finished one that
                             differs in this alone, being smaller; see job_earlier in job.h */
    const char *text;     /* one line of help */
};

#endif
