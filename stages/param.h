/* A param: name, type, range, default and one line of help. Tables of params describe the settings
 * of a stage kind and every section of an experiment file. The checker, `ferdag kinds`, the JSON
 * Schema, `ferdag migrate` and the stages all read these tables, so that they can't disagree. */
#ifndef FERDAG_STAGES_PARAM_H
#define FERDAG_STAGES_PARAM_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"

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

/* A seed: any integer that JSON and YAML readers keep exactly. */
/* clang-format off */
#define SEED_PARAM(TEXT)                                                                           \
    {.name = "seed", .type = PARAM_INT, .standard = "1", .min = 0, .max = 9007199254740992.0,      \
     .text = (TEXT)}
/* clang-format on */

/* Whether x lies within min and max, or the param has no bounds. */
bool param_in_range(const struct param *param, double x);

/* Converts text to a value of the param's type and checks that with param_check. The text of a
 * scalar is written as in YAML without quotes; that of a JSON, LIST, MAP or NAMED is JSON. A SIZE
 * becomes a number of bytes. The caller owns *value, which is NULL after an error. Returns 0,
 * -EINVAL with what was expected in err (without the param's name), or -ENOMEM. */
int param_parse(const struct param *param, const char *text, json_t **value, struct error *err);

/* The value of the param's default, which it must have; otherwise as param_parse. */
int param_default(const struct param *param, json_t **value, struct error *err);

/* Checks the type and range of a value; of a LIST, MAP or NAMED the type alone, without the
 * members. `shown` is the value as the user wrote it, for the message. Errors as param_parse. */
int param_check(const struct param *param, const json_t *value, const char *shown,
                struct error *err);

#endif
