/* The plan of a training step: the instructions, their order, and the number of images per range.
 *
 * A norm needs the moments of a whole batch, but all operations between two norms can process a few
 * images at a time, while those are in cache. So a value has a level: the number of norms on the
 * path to it. The operations of a level form a segment, which runs range by range. A segment starts
 * with its norms and ends with the convolutions whose outputs the norms of the next level read, and
 * with the moments of these outputs. The backward pass has the same segments in reverse order: the
 * gradient through the norms of the next level, the convolutions, the sums for the norms of this
 * level.
 *
 * A value that only one segment uses needs memory for one range; the next range overwrites it while
 * it is still in cache. If the device recomputes, the backward pass computes the outputs of
 * max-pools and of norms without a residual again, so that only one segment uses them. It does the
 * same with the outputs of norms with a residual if they are too many to be kept; then it also
 * computes the residual again, which is the output of an earlier operation. The device's traits
 * (backend.h) decide this.
 *
 * Workers share the images of a batch. They run a segment at the same time, each with its own
 * ranges, and wait for each other only at the end of the segment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/nets/net_internal.h"

enum { LEAST_RANGE = 2 };

/* The gradients of a value that have been computed so far, one for each operation that reads it;
 * not yet added. */
struct pending {
    int slots[2], count;
};

struct planner {
    struct net *net;
    struct step_plan *plan;
    int level[NETS_MAX_OPS], levels;
    int value[NETS_MAX_OPS + 1]; /* slot of each value, in the current segment */
    struct pending pending[NETS_MAX_OPS + 1];
    struct pending captured[NETS_MAX_OPS]; /* of norms, between DO_NORM_SUMS and DO_NORM_BACKWARD */
    bool keeps_residuals;                  /* keep the outputs of norms with a residual */
    int holders[PLAN_MAX_SLOTS]; /* number of operations that have yet to read a gradient */
};

/* ---- levels ---- */

/* Number of operations in the plan: all but the last, which is the linear layer. */
static int planned(const struct net *net)
{
    return net->program.op_count - 1;
}

static int max(int a, int b)
{
    return a > b ? a : b;
}

/* Sets the level of each operation: the lowest possible one, but for a norm the lowest level of the
 * operations that read its output. */
static void find_levels(struct planner *p)
{
    const struct op *ops = p->net->program.ops;
    int of_value[NETS_MAX_OPS + 1] = {0};
    for (int i = 0; i < planned(p->net); i++) {
        int in = of_value[ops[i].in], with = ops[i].with >= 0 ? of_value[ops[i].with] : 0;
        p->level[i] = max(in + (ops[i].kind == OP_NORM), with);
        of_value[ops[i].out] = p->level[i];
        p->levels = max(p->levels, p->level[i] + 1);
    }
    for (int i = 0; i < planned(p->net); i++) {
        int least = p->levels;
        for (int j = i + 1; j < planned(p->net); j++)
            if ((ops[j].in == ops[i].out || ops[j].with == ops[i].out) && p->level[j] < least)
                least = p->level[j];
        if (ops[i].kind == OP_NORM && least < p->levels)
            p->level[i] = least;
    }
}

static size_t values_of(const struct net *net, int value)
{
    const struct value_shape *e = &net->program.values[value];
    return e->channels * e->height * e->width;
}

/* Number of images in a range: activation values within the trait range_values or, if that is more,
 * twice the number of weights. */
static size_t range_of_level(const struct planner *p, int level)
{
    const struct net *net = p->net;
    size_t most = net_share(net, (size_t)net->spec.batch, 0).end, limit = net->traits.range_values;
    size_t values = 0, weights = 0, range = LEAST_RANGE;
    for (int i = 0; i < planned(net); i++) {
        const struct op *op = &net->program.ops[i];
        if (p->level[i] != level)
            continue;
        values += values_of(net, op->out) + (op->kind == OP_NORM ? values_of(net, op->in) : 0);
        weights += op->kind == OP_CONV ? net->params[op->param].public.count : 0;
    }
    if (limit == 0)
        return most;
    limit = limit > 2 * weights ? limit : 2 * weights;
    while (range < most && 2 * range * values <= limit)
        range *= 2;
    return range < most ? range : most;
}

/* ---- instructions ---- */

static int new_slot(struct planner *p, int value)
{
    struct slot *s = &p->plan->slots[p->plan->slot_count];
    *s = (struct slot){.extent = p->net->program.values[value], .first = -1};
    return p->plan->slot_count++;
}

static void emit(struct planner *p, struct instruction instruction)
{
    struct step_plan *plan = p->plan;
    int at = plan->instruction_count++;
    plan->instructions[at] = instruction;
    for (int k = 0; k < OPERANDS; k++) {
        struct slot *s = &plan->slots[instruction.slots[k]];
        if (instruction.slots[k] == 0)
            continue;
        if (s->first < 0) {
            s->first = at;
            s->segment = plan->segment_count;
        } else if (s->segment != plan->segment_count) {
            s->whole = true;
        }
        s->last = at;
    }
    plan->segments[plan->segment_count].end = plan->instruction_count;
}

static void start_segment(struct planner *p, int level)
{
    struct segment *s = &p->plan->segments[p->plan->segment_count];
    s->first = s->end = p->plan->instruction_count;
    s->range = range_of_level(p, level);
}

/* ---- forward ---- */

static struct instruction forward_of(const struct planner *p, int i)
{
    static const enum action actions[] = {
        [OP_CONV] = DO_CONV,
        [OP_NORM] = DO_NORM,
        [OP_ADD] = DO_ADD,
        [OP_MAX_POOL] = DO_MAX_POOL,
        [OP_AVERAGE_POOL] = DO_AVERAGE_POOL,
    };
    const struct op *op = &p->net->program.ops[i];
    int with = op->with >= 0 ? p->value[op->with] : 0;
    return (struct instruction){actions[op->kind], i, {p->value[op->in], with, p->value[op->out]}};
}

static void plan_forward(struct planner *p, int level)
{
    const struct program *program = &p->net->program;
    start_segment(p, level);
    for (int i = 0; i < planned(p->net); i++) {
        const struct op *op = &program->ops[i];
        if (p->level[i] != level)
            continue;
        if (op->kind == OP_ADD) /* no operation reads its summand again: add in place */
            p->value[op->out] = p->value[op->in];
        else if (op->out != program->features)
            p->value[op->out] = new_slot(p, op->out);
        emit(p, forward_of(p, i));
        for (int j = 0; j < planned(p->net); j++)
            if (program->ops[j].kind == OP_NORM && program->ops[j].in == op->out)
                emit(p, (struct instruction){DO_MOMENTS, j, {p->value[op->out]}});
    }
    p->plan->segment_count++;
}

/* Whether the backward pass computes the output of operation i again: i is a norm or max-pool, and
 * all operations whose backward pass reads the output are of the same level. The backward pass
 * doesn't read residuals and summands. */
static bool is_temporary(const struct planner *p, int i)
{
    const struct op *ops = p->net->program.ops;
    bool temporary = ops[i].kind == OP_MAX_POOL ||
                     (ops[i].kind == OP_NORM && (ops[i].with < 0 || !p->keeps_residuals));
    temporary = temporary && p->net->traits.recomputes;
    for (int j = i + 1; j < planned(p->net); j++)
        if (ops[j].in == ops[i].out)
            temporary = temporary && p->level[j] == p->level[i];
    return temporary;
}

/* Computes a value again in the current segment, after the values that it needs, unless the segment
 * has it or it is kept. */
static void compute_again(struct planner *p, int value)
{
    const struct op *ops = p->net->program.ops;
    const struct slot *s = &p->plan->slots[p->value[value]];
    int i = 0;
    while (i < planned(p->net) && ops[i].out != value)
        i++;
    if (i == planned(p->net) || !is_temporary(p, i) || s->segment == p->plan->segment_count)
        return;
    if (ops[i].kind == OP_MAX_POOL)
        compute_again(p, ops[i].in);
    if (ops[i].with >= 0)
        compute_again(p, ops[i].with);
    p->value[value] = new_slot(p, value);
    emit(p, forward_of(p, i));
}

/* Computes again what the backward pass of a level reads. */
static void plan_again(struct planner *p, int level)
{
    const struct op *ops = p->net->program.ops;
    for (int i = 0; i < planned(p->net); i++) {
        bool needed = ops[i].kind == OP_NORM && ops[i].with >= 0;
        for (int j = i + 1; j < planned(p->net); j++)
            needed = needed || (ops[j].in == ops[i].out &&
                                (ops[j].kind == OP_CONV || ops[j].kind == OP_MAX_POOL));
        if (p->level[i] == level && needed)
            compute_again(p, ops[i].out);
    }
}

/* ---- backward ---- */

/* Adds the two gradients of a value, if there are two. Returns the slot of its gradient; 0: none.
 */
static int merge(struct planner *p, int value)
{
    struct pending *g = &p->pending[value];
    if (g->count < 2)
        return g->count ? g->slots[0] : 0;
    int a = g->slots[0], b = g->slots[1], sum = a;
    if (p->holders[a] > 1) {
        sum = new_slot(p, value);
        p->holders[sum] = 1;
        p->holders[a]--;
    }
    p->holders[b]--;
    emit(p, (struct instruction){DO_ADD, -1, {a, b, sum}});
    *g = (struct pending){{sum}, 1};
    return sum;
}

/* Adds a slot to the gradients of a value. */
static void deliver(struct planner *p, int value, int gradient)
{
    merge(p, value);
    p->pending[value].slots[p->pending[value].count++] = gradient;
    p->holders[gradient]++;
}

/* Takes the gradient of a value, and becomes one of its holders. Returns its slot; 0: none. */
static int collect(struct planner *p, int value)
{
    int gradient = merge(p, value);
    p->pending[value].count = 0;
    return gradient;
}

/* Backward pass of norm i: adds the gradient of its input to the other gradients of that value. */
static void norm_gradient(struct planner *p, int i)
{
    const struct op *op = &p->net->program.ops[i];
    const struct pending *g = &p->captured[i];
    int add = collect(p, op->in), dx = new_slot(p, op->in);
    int second = g->count > 1 ? g->slots[1] : 0;
    emit(p, (struct instruction){
                DO_NORM_BACKWARD, i, {p->value[op->in], 0, 0, g->slots[0], second, 0, add, dx}});
    for (int k = 0; k < g->count; k++)
        p->holders[g->slots[k]]--;
    if (add)
        p->holders[add]--;
    deliver(p, op->in, dx);
}

/* Sums of norm i for its backward pass. The two gradients of its output remain separate operands,
 * which saves one pass over memory. */
static void norm_sums(struct planner *p, int i)
{
    const struct op *op = &p->net->program.ops[i];
    struct pending g = p->pending[op->out];
    int dy = g.slots[0], second = g.count > 1 ? g.slots[1] : 0, residual = 0, y = 0;
    p->pending[op->out].count = 0;
    if (op->with >= 0) {
        residual = p->holders[dy] > 1 ? new_slot(p, op->out) : dy;
        y = p->value[op->out];
    }
    emit(p, (struct instruction){DO_NORM_SUMS, i, {p->value[op->in], 0, y, dy, second, residual}});
    p->captured[i] = g;
    if (op->with < 0)
        return;
    for (int k = 0; k < g.count; k++)
        p->holders[g.slots[k]]--;
    p->captured[i] = (struct pending){{residual}, 1};
    p->holders[residual]++;
    deliver(p, op->with, residual);
}

static void plain_backward(struct planner *p, enum action action, int i)
{
    const struct op *op = &p->net->program.ops[i];
    int dy = collect(p, op->out), dx = op->in > 0 ? new_slot(p, op->in) : 0;
    emit(p, (struct instruction){action, i, {p->value[op->in], 0, 0, dy, 0, 0, 0, dx}});
    p->holders[dy]--;
    if (dx)
        deliver(p, op->in, dx);
}

static void plan_backward(struct planner *p, int level)
{
    const struct op *ops = p->net->program.ops;
    start_segment(p, level);
    plan_again(p, level);
    for (int i = planned(p->net) - 1; i >= 0; i--) {
        const struct op *op = &ops[i];
        if (p->level[i] != level)
            continue;
        for (int j = planned(p->net) - 1; j > i; j--)
            if (ops[j].kind == OP_NORM && ops[j].in == op->out)
                norm_gradient(p, j);
        if (op->kind == OP_NORM) {
            norm_sums(p, i);
        } else if (op->kind == OP_ADD) {
            int dy = collect(p, op->out);
            deliver(p, op->in, dy);
            deliver(p, op->with, dy);
            p->holders[dy]--;
        } else {
            plain_backward(p,
                           op->kind == OP_CONV       ? DO_CONV_BACKWARD
                           : op->kind == OP_MAX_POOL ? DO_MAX_POOL_BACKWARD
                                                     : DO_AVERAGE_POOL_BACKWARD,
                           i);
        }
    }
    p->plan->segment_count++;
}

/* ---- the plan ---- */

/* Whether the outputs of norms with a residual have few enough values to be kept. */
static bool keeps_residuals(const struct net *net)
{
    size_t values = 0;
    for (int i = 0; i < planned(net); i++)
        if (net->program.ops[i].kind == OP_NORM && net->program.ops[i].with >= 0)
            values += values_of(net, net->program.ops[i].out);
    return values * (size_t)net->spec.batch <= net->traits.kept_values;
}

int net_make_plan(struct net *net, struct error *err)
{
    const struct program *program = &net->program;
    struct planner *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(err, ENOMEM, "out of memory");
    p->net = net;
    p->plan = &net->plan;
    p->plan->slot_count = 1;
    p->keeps_residuals = keeps_residuals(net);
    find_levels(p);
    int images = p->value[0] = new_slot(p, 0);
    int features = p->value[program->features] = new_slot(p, program->features);
    int gradient = new_slot(p, program->features);
    for (int level = 0; level < p->levels; level++)
        plan_forward(p, level);
    p->plan->forward = p->plan->segment_count;
    deliver(p, program->features, gradient);
    for (int level = p->levels - 1; level >= 0; level--)
        plan_backward(p, level);
    free(p);
    const struct fixed fixed[] = {{images, net->values[0]},
                                  {features, net->values[program->features]},
                                  {gradient, net->features_gradient}};
    return net_allocate_plan(net, fixed, sizeof fixed / sizeof *fixed, err);
}
