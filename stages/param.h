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
    PARAM_GPUS,  /* devices: 0, 1, 2, ..., a part of one such as 0.25, or "optional" */
    PARAM_LIST,  /* of values described by the first row of `members` */
    PARAM_MAP,   /* with the keys of `members` */
    PARAM_NAMED, /* a map from names chosen by the user to values described by the first row of
                    `members` */
};

/* Bounds of PARAM_GPUS: the smallest part of a device, and the largest number of devices. */
#define PARAM_GPUS_LEAST 0.01
enum { PARAM_GPUS_MOST = 64 };

/* Tables end with name == NULL. */
struct param {
    const char *name;
    enum param_type type;
    const char *standard; /* the default, as written in YAML; NULL: the param must be given, unless
                             it is optional */
    bool optional;
    double min, max; /* inclusive bounds of an INT or REAL, or of the number of items of a LIST or
                        NAMED; max alone: greatest length of a STRING. Both 0: no bounds */
    const char *choices; /* of ENUM: "one|two|three" */

    const struct param *members; /* of LIST, MAP and NAMED */
    bool single;  /* of LIST: a single value may be written for a list of one; of NAMED: a list
                     of names for a map without values */
    bool counted; /* of LIST: an integer n may be written for the list 1, 2, ..., n */
    const char *scalar;         /* of MAP: the member that is meant by a single value, or NULL */
    const struct param *others; /* of MAP: describes the values of other keys; NULL: no others */

    const char *was;      /* name in format 1; NULL: the same; "one|two" if several became one */
    const char *gone;     /* no longer allowed: what to do instead */
    const char *key_name; /* name in the text of a key; NULL: the same. It never changes, so that
                             results stay valid when a param is renamed */
    bool not_in_key;      /* can't change any result, so it is left out of the key */
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
