/* The event loop of a run: background work, signals that stop the run, and the events of executors.
 * All callbacks are called from loop_wait, on the thread of the caller. */
#ifndef FERDAG_DAG_LOOP_H
#define FERDAG_DAG_LOOP_H

struct loop;
struct uv_loop_s;

struct loop *loop_create(void);
/* Background work and the handles of executors must have ended. */
void loop_free(struct loop *loop);

/* Waits for events, at most so many milliseconds, and handles those that have come. */
void loop_wait(struct loop *loop, int milliseconds);

/* How many of SIGINT, SIGTERM and SIGHUP came since the last call. SIGHUP doesn't count if it was
 * ignored when the program started (nohup). */
int loop_take_signals(struct loop *loop);

/* Calls work(data) on another thread, and done(data) from loop_wait when that has returned. */
void loop_background(struct loop *loop, void (*work)(void *data), void (*done)(void *data),
                     void *data);

/* The loop of libuv below it, for executors. */
struct uv_loop_s *loop_uv(struct loop *loop);

#endif
