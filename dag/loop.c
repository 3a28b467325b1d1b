/* See loop.h. */
#include "dag/loop.h"
#include "base/arena.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

enum { SIGNALS = 3 };

struct loop {
    uv_loop_t uv;
    uv_timer_t timer;
    uv_signal_t signals[SIGNALS];
    int taken; /* signals that came */
};

struct background {
    uv_work_t request;
    void (*work)(void *data), (*done)(void *data);
    void *data;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;
    (void)number;
    loop->taken++;
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer; /* it only ends the wait */
}

struct loop *loop_create(void)
{
    struct loop *loop = must_alloc(sizeof *loop);
    if (uv_loop_init(&loop->uv) < 0)
        must(NULL);
    uv_timer_init(&loop->uv, &loop->timer);
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction hangup;
    bool nohup = sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
        if (numbers[i] != SIGHUP || !nohup)
            uv_signal_start(&loop->signals[i], on_signal, numbers[i]);
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->timer, NULL);
    for (int i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&loop->signals[i], NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
        ;
    uv_loop_close(&loop->uv);
    free(loop);
}

void loop_wait(struct loop *loop, int milliseconds)
{
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, milliseconds > 0 ? (uint64_t)milliseconds : 0, 0);
    uv_run(&loop->uv, UV_RUN_ONCE);
    uv_timer_stop(&loop->timer);
}

int loop_take_signals(struct loop *loop)
{
    int taken = loop->taken;
    loop->taken = 0;
    return taken;
}

static void work_in_background(uv_work_t *request)
{
    struct background *b = request->data;
    b->work(b->data);
}

static void background_done(uv_work_t *request, int status)
{
    struct background *b = request->data, copy = *b;
    (void)status; /* nothing cancels it */
    free(b);
    copy.done(copy.data);
}

void loop_background(struct loop *loop, void (*work)(void *data), void (*done)(void *data),
                     void *data)
{
    struct background *b = must_alloc(sizeof *b);
    *b = (struct background){.work = work, .done = done, .data = data};
    b->request.data = b;
    uv_queue_work(&loop->uv, &b->request, work_in_background, background_done);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}
