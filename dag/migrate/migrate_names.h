/* What migrate.c, which reads and writes the files, and migrate_names.c, which finds what has a new
 * name in them, share. */
#ifndef FERDAG_DAG_MIGRATE_MIGRATE_NAMES_H
#define FERDAG_DAG_MIGRATE_MIGRATE_NAMES_H

#include <sys/types.h>
#include "base/problems.h"
#include "dag/experiment/yaml.h"
#include "stages/param.h"

/* A node of a file. An alias is the very node that its anchor names, so one may stand in several
 * places, and its text may change only if it is to change in all of them. */
struct spot {
    const struct node *node;
    size_t places;    /* where it stands */
    size_t wished;    /* in how many of them it has a new text */
    const char *text; /* that text; NULL: none has */
    bool torn;        /* two places want different ones */
    bool said;        /* it is left to the user */
};

struct file {
    const char *name;
    dev_t device;
    ino_t inode;
    struct node *root;
    int version;         /* its own, or that of the file that includes it */
    bool says_version;   /* it is its own */
    void *spots;         /* a tree of struct spot, by node */
    struct spot **edits; /* those with a new text */
    size_t edit_count;
    char *text; /* with the edits made; malloc'd, NULL if there are none */
    size_t size;
    size_t made, by_hand; /* edits that were made, changes that are left to the user */
};

struct migration {
    struct arena *arena;
    const char **names; /* under which files were met; two may be of one file */
    size_t name_count;
    struct file *files; /* the first is the one to migrate, those that it includes follow */
    size_t count;
    const struct param *schema;
    const char *entry;          /* the name, in a map of names, that what we look at stands under */
    const struct node *through; /* the "${param}" by which we came here; NULL: none */
    size_t steps;               /* nodes that were looked at by way of them */
    bool variable;              /* a variable of the tables' cells got a new name */
    struct problems *problems;
    struct error *err;
};

/* Finds what changes in the files of format 1: their edits, in the order of their text. */
void migrate_names(struct migration *m);

/* Says what is left to the user, with its place. */
void migrate_by_hand(struct migration *m, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
