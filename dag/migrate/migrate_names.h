/* Shared by migrate.c, which reads and writes the files, and migrate_names.c, which finds the names
 * to change. */
#ifndef FERDAG_DAG_MIGRATE_MIGRATE_NAMES_H
#define FERDAG_DAG_MIGRATE_MIGRATE_NAMES_H

#include <sys/types.h>
#include "base/problems.h"
#include "dag/experiment/yaml.h"
#include "stages/param.h"

/* A node of a file. Aliases share the node of their anchor, so a node may occur in several places;
 * its text may change only if it changes in all of them. */
struct spot {
    const struct node *node;
    size_t places;    /* number of occurrences */
    size_t renamed;   /* occurrences that get a new text */
    const char *text; /* the new text, or NULL */
    bool conflict;    /* two occurrences need different texts */
    bool reported;    /* it is left for the user to change */
};

struct file {
    const char *name;
    dev_t device;
    ino_t inode;
    struct node *root;
    int version;         /* its own, or that of the file that includes it */
    bool has_version;    /* it has its own */
    void *spots;         /* a tree of struct spot, by node */
    struct spot **edits; /* the spots with a new text */
    size_t edit_count;
    char *text; /* the file with the edits made; malloc'd, NULL if there are none */
    size_t size;
    size_t made, by_hand; /* edits that were made, and changes left for the user */
};

struct migration {
    struct arena *arena;
    const char **names; /* paths by which files were reached; two may lead to one file */
    size_t name_count;
    struct file *files; /* the file to migrate, then those that it includes */
    size_t count;
    const struct param *schema;
    const char *entry;          /* the key of the NAMED entry that the walk is in */
    const struct node *through; /* the "${param}" that led the walk here, or NULL */
    size_t steps;               /* nodes visited through params */
    bool variable;              /* a variable of the tables' cells was renamed */
    struct problems *problems;
    struct error *err;
};

/* Finds the edits of all files in format 1, sorted by place in the text. */
void migrate_names(struct migration *m);

/* Reports a change that the user must make, with its place. */
void migrate_by_hand(struct migration *m, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
