/* Attempts of stages: a new folder for each attempt, and a lock for each key.
 *
 *   CACHE/work/KEY.RANDOM/   one attempt; it stays if the stage is killed
 *   CACHE/work/KEY.lock      locked by the run that computes the stage, and by the stage's process
 *
 * A process that outlives its attempt has only that attempt's path, so it can't write into the
 * next one. A stage that can resume keeps its state in files whose names start with "checkpoint",
 * which move to the next attempt. */
#ifndef FERDAG_CACHE_ATTEMPTS_H
#define FERDAG_CACHE_ATTEMPTS_H

#include <time.h>
#include "cache/cache.h"

/* Locks a key without waiting. Returns a file descriptor: closing it unlocks, and children that
 * inherit it keep the lock. -EAGAIN (err untouched): another run has locked the key. */
int key_lock(struct cache *cache, const char *key, struct error *err);

/* Whether a run has locked the key. */
bool key_is_locked(struct cache *cache, const char *key);

/* Removes the lock's file, unlocks and closes. */
void key_unlock(struct cache *cache, const char *key, int lock);

/* Makes the folder of a new attempt and removes earlier ones of the key, which the caller has
 * locked. With `resume` the checkpoint and the log of the last attempt move to it. *folder is
 * malloc'd. */
int attempt_start(struct cache *cache, const char *key, bool resume, char **folder,
                  struct error *err);

/* The folder of the key's last attempt, malloc'd, or NULL. */
char *attempt_last(struct cache *cache, const char *key);

/* An attempt that left its folder. */
struct attempt {
    char key[65];
    char *folder;
    time_t touched;  /* last change of the folder or of a file in it */
    bool checkpoint; /* it can be resumed */
    bool locked;     /* a run is computing the stage */
    bool failed;     /* it ended with an error; else, if not locked, it was interrupted */
};

/* Days without a change after which an attempt is removed. */
enum { ATTEMPT_DAYS = 1, ATTEMPT_CHECKPOINT_DAYS = 30 };

/* All attempts, sorted by folder; attempts_free frees. */
int attempt_list(struct cache *cache, struct attempt **attempts, size_t *count, struct error *err);
void attempts_free(struct attempt *attempts, size_t count);

/* For attempts whose keys aren't locked: kills processes that they left running, removes attempts
 * of finished stages and those that are old enough, and locks without attempts. */
void attempts_clean(struct cache *cache);

#endif
