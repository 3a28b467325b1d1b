/* Where stages run: a fresh folder for each attempt, and a lock for each key.
 *
 *   CACHE/work/KEY.CHANCE/   one attempt; it stays when the stage is killed
 *   CACHE/work/KEY.lock      held by whoever runs the stage, and by its process
 *
 * A process that outlives its attempt knows the path of that attempt only, so it can't write into
 * the next one. A stage that can resume keeps its state in files whose names start with
 * "checkpoint": the next attempt takes them along. */
#ifndef FERDAG_CACHE_WORK_H
#define FERDAG_CACHE_WORK_H

#include <time.h>
#include "cache/cache.h"

/* Takes the lock of a key without waiting: a file descriptor whose closing gives it back, or
 * -EAGAIN (err untouched) while another run holds it. Children that inherit it hold it too. */
int work_lock(struct cache *cache, const char *key, struct error *err);
/* Whether somebody holds it. */
bool work_locked(struct cache *cache, const char *key);
/* Removes the lock's file and gives the lock back. */
void work_unlock(struct cache *cache, const char *key, int lock);

/* Makes the folder of a new attempt and removes the earlier ones of the key, whose lock is held.
 * With `resume` the checkpoint and the log of the last one move along. *folder is malloc'd. */
int work_start(struct cache *cache, const char *key, bool resume, char **folder, struct error *err);

/* The folder of the key's last attempt, malloc'd, or NULL. */
char *work_last(struct cache *cache, const char *key);

/* An attempt that was interrupted. */
struct attempt {
    char key[65];
    char *folder;
    time_t touched;
    bool checkpoint; /* it can be resumed */
    bool locked;
};

/* Days after which an untouched attempt is removed. */
enum { WORK_DAYS = 1, WORK_CHECKPOINT_DAYS = 30 };

/* All of them, sorted by folder; malloc'd, attempts_free frees. */
int work_list(struct cache *cache, struct attempt **attempts, size_t *count, struct error *err);
void attempts_free(struct attempt *attempts, size_t count);

/* Ends what attempts that nobody holds left running, and removes those of finished stages and those
 * that nobody touched for some days, and such locks. */
void work_clean(struct cache *cache);

#endif
