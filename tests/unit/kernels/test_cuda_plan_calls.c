/* The calls of conv_plan.c, with the real cuDNN behind them: convolutions that are split into
 * groups, graphs that cuDNN refuses, the failure of each call in turn, and that all descriptors are
 * destroyed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "kernels/backends/cuda/conv_plan.h"
#include "tests/unit/kernels/cuda_cards.h"

static struct cudnn cudnn;

/* ---- counting: the descriptors that exist, and a failure of the n-th call ---- */

static struct cudnn real;
static long living, calls, failing; /* failing: the number of the call that fails; 0: none */

static cudnnStatus_t count_call(void)
{
    return ++calls == failing ? CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED
                              : CUDNN_STATUS_SUCCESS;
}

/* The heuristics that cuDNN then "can't" make. */
static cudnnBackendDescriptor_t heuristics;
static int refusing;

static cudnnStatus_t counted_create(cudnnBackendDescriptorType_t type,
                                    cudnnBackendDescriptor_t *made)
{
    cudnnStatus_t status = count_call();
    if (!status)
        status = real.BackendCreateDescriptor(type, made);
    living += !status;
    if (!status && type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)
        heuristics = *made;
    return status;
}

static cudnnStatus_t counted_destroy(cudnnBackendDescriptor_t gone)
{
    living--;
    return real.BackendDestroyDescriptor(gone);
}

/* The pointers of variant packs, and the alignments of tensors. */
static void *packed[8][3], *packed_workspace;
static int64_t alignments[8];
static int pack_count, executed, tensor_count;

static cudnnStatus_t counted_set(cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                                 cudnnBackendAttributeType_t type, int64_t count,
                                 const void *values)
{
    if (name == CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS && pack_count < 8)
        memcpy(packed[pack_count++], values, sizeof packed[0]);
    if (name == CUDNN_ATTR_VARIANT_PACK_WORKSPACE)
        memcpy(&packed_workspace, values, sizeof packed_workspace);
    if (name == CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT && tensor_count < 8)
        memcpy(&alignments[tensor_count++], values, sizeof *alignments);
    cudnnStatus_t status = count_call();
    return status ? status : real.BackendSetAttribute(of, name, type, count, values);
}

static cudnnStatus_t counted_get(const cudnnBackendDescriptor_t of,
                                 cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                 int64_t count, int64_t *written, void *values)
{
    cudnnStatus_t status = count_call();
    return status ? status : real.BackendGetAttribute(of, name, type, count, written, values);
}

static cudnnStatus_t counted_finalize(cudnnBackendDescriptor_t made)
{
    if (refusing && made == heuristics) {
        refusing--;
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    cudnnStatus_t status = count_call();
    return status ? status : real.BackendFinalize(made);
}

static cudnnStatus_t counted_execute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                     cudnnBackendDescriptor_t pack)
{
    assert_null(handle);
    assert_non_null(plan);
    assert_non_null(pack);
    executed++;
    return count_call();
}

static void count_calls(void)
{
    real = cudnn;
    cudnn.BackendCreateDescriptor = counted_create;
    cudnn.BackendDestroyDescriptor = counted_destroy;
    cudnn.BackendSetAttribute = counted_set;
    cudnn.BackendGetAttribute = counted_get;
    cudnn.BackendFinalize = counted_finalize;
    cudnn.BackendExecute = counted_execute;
}

static void open_target(const struct card *card, struct conv_target *target)
{
    char json[2048];
    struct error err = {""};
    card_json(card, json, sizeof json);
    if (conv_target_json(&cudnn, json, target, &err))
        fail_msg("%s: %s", card->name, err.text);
}

/* ---- tests ---- */

static const struct conv_spec plain = {64, 64, 3, 1, 1, 1, 5, 5, false};
static const struct conv_spec grouped = {512, 512, 3, 1, 1, 2, 10, 10, false};

static struct conv_problem problem_of(const struct conv_spec *spec, enum conv_direction direction)
{
    return (struct conv_problem){*spec, 128, VALUE_BF16, direction};
}

/* A grouped convolution without an engine of its own runs once for each group. */
static void test_split(void **state)
{
    (void)state;
    struct conv_target target;
    struct conv_plan *plan;
    struct error err = {""};
    open_target(&cards[2], &target);
    struct conv_problem problem = problem_of(&grouped, CONV_WEIGHT_GRADIENT);
    assert_int_equal(conv_plan_build(&cudnn, &target, &problem, &plan, &err), 0);
    struct conv_engine engine = conv_plan_engine(plan);
    assert_int_equal(engine.parts, 2);
    assert_true(engine.tensor_cores);

    static char memory[8][64] __attribute__((aligned(16)));
    pack_count = executed = 0;
    assert_int_equal(conv_plan_run(plan, NULL, memory[0], memory[1], memory[2], memory[3], &err),
                     0);
    assert_int_equal(executed, 2);
    assert_int_equal(pack_count, 2);
    assert_ptr_equal(packed_workspace, memory[3]);
    for (int part = 0; part < 2; part++) {
        assert_int_equal((uintptr_t)packed[part][0], (uintptr_t)memory[0] + part * 256 * 2);
        assert_int_equal((uintptr_t)packed[part][1],
                         (uintptr_t)memory[1] + part * 256 * 3 * 3 * 256 * 2);
        assert_int_equal((uintptr_t)packed[part][2], (uintptr_t)memory[2] + part * 256 * 2);
    }
    /* cuDNN was told that all tensors are aligned. */
    assert_int_equal(
        conv_plan_run(plan, NULL, memory[0] + 8, memory[1], memory[2], memory[3], &err), -EINVAL);
    assert_int_equal(conv_plan_run(plan, NULL, memory[0], memory[1], memory[2], NULL, &err),
                     -EINVAL);
    assert_int_equal(executed, 2);
    conv_plan_free(plan);
    conv_target_free(&cudnn, &target);
    assert_int_equal(living, 0);
}

/* A part that starts at 26 bytes is aligned to 2. */
static void test_split_alignment(void **state)
{
    (void)state;
    struct conv_spec odd = {26, 26, 3, 1, 1, 2, 10, 10, false};
    struct conv_problem problem = problem_of(&odd, CONV_FORWARD);
    struct conv_target target;
    struct conv_plan *plan;
    struct error err = {""};
    open_target(&cards[2], &target);
    refusing = 2; /* both lists of the whole convolution */
    tensor_count = 0;
    int code = conv_plan_build(&cudnn, &target, &problem, &plan, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(code, 0);
    assert_int_equal(conv_plan_engine(plan).parts, 2);
    assert_int_equal(tensor_count, 6); /* three for the whole, three for the parts */
    const int64_t expected[] = {16, 16, 16, 2, 2, 2};
    assert_memory_equal(alignments, expected, sizeof expected);
    conv_plan_free(plan);
    conv_target_free(&cudnn, &target);
    assert_int_equal(living, 0);
}

static void test_unsupported(void **state)
{
    (void)state;
    struct conv_problem problem = problem_of(&plain, CONV_FORWARD);
    struct conv_target target;
    struct conv_plan *plan;
    struct error err = {""};
    open_target(&cards[2], &target);
    refusing = 2;
    assert_int_equal(conv_plan_build(&cudnn, &target, &problem, &plan, &err), -ENOTSUP);
    assert_null(plan);
    static const char *const words[] = {"64 -> 64, 3x3", "128 images of 5x5",
                                        "bf16",          "NVIDIA H200 (sm_90)",
                                        "multiple of 8", "precision: fp32"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(err.text, words[i]));
    problem.spec.groups = 3;
    assert_int_equal(conv_plan_build(&cudnn, &target, &problem, &plan, &err), -EINVAL);
    conv_target_free(&cudnn, &target);
    assert_int_equal(living, 0);
}

/* The n-th call of building or running fails: one error, another engine isn't tried, and nothing
 * leaks. */
static void fail_call(const struct conv_target *target, const struct conv_problem *problem, long n)
{
    struct conv_plan *plan = NULL;
    struct error err = {""};
    long before = living;
    calls = 0;
    failing = n;
    assert_int_equal(conv_plan_build(&cudnn, target, problem, &plan, &err), -ENOMEM);
    failing = 0;
    assert_non_null(strstr(err.text, "out of memory"));
    assert_null(plan);
    assert_int_equal(living, before);
}

/* Each call of a plan fails in turn; in the long lists of engines, each seventh. */
static void fail_calls(const struct conv_target *target, const struct conv_problem *problem)
{
    static char memory[64] __attribute__((aligned(16)));
    struct conv_plan *plan = NULL;
    struct error err = {""};
    calls = 0;
    assert_int_equal(conv_plan_build(&cudnn, target, problem, &plan, &err), 0);
    const long building = calls, before = living;
    assert_true(building > 100);
    for (long n = 1; n <= building; n += n < 100 || n > building - 20 ? 1 : 7)
        fail_call(target, problem, n);
    calls = 0;
    assert_int_equal(conv_plan_run(plan, NULL, memory, memory, memory, memory, &err), 0);
    const long running = calls;
    for (long n = 1; n <= running; n++) {
        calls = 0;
        failing = n;
        assert_int_equal(conv_plan_run(plan, NULL, memory, memory, memory, memory, &err), -ENOMEM);
        failing = 0;
        assert_int_equal(living, before);
    }
    conv_plan_free(plan);
}

static void test_failures(void **state)
{
    (void)state;
    struct conv_target target;
    open_target(&cards[2], &target);
    struct conv_problem problem = problem_of(&plain, CONV_FORWARD);
    fail_calls(&target, &problem);
    problem = problem_of(&grouped, CONV_WEIGHT_GRADIENT);
    fail_calls(&target, &problem);
    conv_target_free(&cudnn, &target);
    assert_int_equal(living, 0);
}

/* Whether an engine may take the place of the first one. */
static bool is_equal(const struct conv_engine *engine, const struct conv_engine *first)
{
    return engine->deterministic && engine->workspace <= CONV_PLAN_WORKSPACE &&
           engine->parts == first->parts && engine->tensor_cores == first->tensor_cores &&
           engine->compiled == first->compiled && !engine->down_converts;
}

static bool same_place(const struct conv_engine *a, const struct conv_engine *b)
{
    return a->fallback == b->fallback && a->index == b->index && a->parts == b->parts &&
           a->id == b->id;
}

/* Goes through all engines that fit, and makes the plan of each again by its place. Returns their
 * number. */
static size_t try_all(const struct conv_target *target, const struct conv_problem *problem)
{
    struct conv_engine first = {0}, engine = {0};
    struct conv_plan *plan, *again;
    struct error err = {""};
    size_t count = 0;
    int code = conv_plan_build(&cudnn, target, problem, &plan, &err);
    for (; !code && plan; count++) {
        struct conv_engine found = conv_plan_engine(plan), last = engine;
        engine = found;
        first = count ? first : found;
        assert_true(is_equal(&found, &first));
        if (count) /* they come in the order of the lists */
            assert_true(found.fallback > last.fallback ||
                        (found.fallback == last.fallback && found.index > last.index));
        conv_plan_free(plan);
        assert_int_equal(conv_plan_build_listed(&cudnn, target, problem, &found, &again, &err), 0);
        engine = conv_plan_engine(again);
        assert_true(same_place(&engine, &found));
        assert_int_equal(engine.workspace, found.workspace);
        conv_plan_free(again);
        found.id++; /* another cuDNN has another engine there */
        assert_int_equal(conv_plan_build_listed(&cudnn, target, problem, &found, &again, &err),
                         -ENOENT);
        assert_null(again);
        code = conv_plan_build_next(&cudnn, target, problem, &engine, &plan, &err);
    }
    assert_int_equal(code, 0);
    assert_null(plan);
    return count;
}

static void test_other_engines(void **state)
{
    static const struct conv_spec *const specs[] = {&plain, &grouped};
    size_t most = 0;
    (void)state;
    struct conv_target target;
    open_target(&cards[2], &target);
    for (int i = 0; i < 2; i++)
        for (int d = 0; d < CONV_DIRECTIONS; d++)
            for (int wide = 0; wide < 2; wide++) {
                struct conv_problem problem = problem_of(specs[i], (enum conv_direction)d);
                problem.type = wide ? VALUE_F32 : VALUE_BF16;
                size_t count = try_all(&target, &problem);
                assert_true(count > 0);
                most = count > most ? count : most;
            }
    assert_in_range(most, 5, 64); /* all of them are timed: MOST_CONTENDERS in engines.c */
    conv_target_free(&cudnn, &target);
    assert_int_equal(living, 0);
}

static void test_targets(void **state)
{
    (void)state;
    struct conv_target target;
    struct error err = {""};
    char text[2048], name[64];
    open_target(&cards[4], &target);
    assert_int_equal(conv_target_text(&cudnn, &target, text, sizeof text, &err), 0);
    assert_non_null(strstr(text, "\"deviceVer\":1200"));
    assert_int_equal(conv_target_text(&cudnn, &target, text, 20, &err), -ENOSPC);
    conv_target_name(&cudnn, &target, name, sizeof name);
    assert_string_equal(name, "NVIDIA GeForce RTX 5090 (sm_120)");
    conv_target_free(&cudnn, &target);
    assert_null(target.properties);
    assert_true(conv_target_json(&cudnn, "{\"deviceVer\":900}", &target, &err) < 0);
    assert_non_null(strstr(err.text, "properties of the GPU"));
    assert_int_equal(living, 0);
}

static void skip_test(void **state)
{
    print_message("skipped: %s\n", (const char *)*state);
    skip();
}

int main(void)
{
    struct error err = {""};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),         cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_alignment), cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_failures),        cmocka_unit_test(test_other_engines),
    };
    const struct CMUnitTest skipped[] = {{"all", skip_test, NULL, NULL, err.text}};
    if (cudnn_open(&cudnn, &err))
        return cmocka_run_group_tests(skipped, NULL, NULL);
    count_calls();
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    cudnn_close(&cudnn);
    return status;
}
