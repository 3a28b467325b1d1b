/* The only file that calls oneDNN. Its versions 2 and 3 differ: version 3 has no operation
 * descriptors (one call creates a primitive descriptor), its memory descriptors are opaque
 * pointers, and its post-operations have fewer parameters. The small functions at the top hide the
 * differences; the rest of the file is the same for both. */
#include "kernels/backends/cpu/onednn.h"
#include <errno.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGUMENTS = 5 };

struct dnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void *scratch;
    size_t scratch_size;
};

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t md_t;
typedef const_dnnl_memory_desc_t const_md_t;

static dnnl_status_t md_make(md_t *md, int dims, const dnnl_dim_t *sizes, dnnl_data_type_t type,
                             dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(md, dims, sizes, type, tag);
}

static dnnl_status_t md_copy(md_t *md, const_md_t from)
{
    return dnnl_memory_desc_clone(md, from);
}

static void md_free(md_t md)
{
    if (md)
        dnnl_memory_desc_destroy(md);
}
#else
typedef dnnl_memory_desc_t *md_t;
typedef const dnnl_memory_desc_t *const_md_t;

static dnnl_status_t md_make(md_t *md, int dims, const dnnl_dim_t *sizes, dnnl_data_type_t type,
                             dnnl_format_tag_t tag)
{
    *md = calloc(1, sizeof **md);
    return *md ? dnnl_memory_desc_init_by_tag(*md, dims, sizes, type, tag) : dnnl_out_of_memory;
}

static dnnl_status_t md_copy(md_t *md, const_md_t from)
{
    *md = calloc(1, sizeof **md);
    if (!*md)
        return dnnl_out_of_memory;
    **md = *from;
    return dnnl_success;
}

static void md_free(md_t md)
{
    free(md);
}
#endif

/* Memory descriptors and sizes of a convolution; bias may be NULL. */
struct parts {
    md_t x, weights, bias, y;
    dnnl_dims_t strides, pads;
};

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t make_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                  const struct parts *p, bool training,
                                  const_dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t dilates = {0, 0};
    return dnnl_convolution_forward_primitive_desc_create(
        pd, engine, training ? dnnl_forward_training : dnnl_forward_inference,
        dnnl_convolution_direct, p->x, p->weights, p->bias, p->y, p->strides, dilates, p->pads,
        p->pads, attr);
}

static dnnl_status_t make_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                        const struct parts *p, const_dnnl_primitive_desc_t hint,
                                        const_dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t dilates = {0, 0};
    return dnnl_convolution_backward_data_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, p->x, p->weights, p->y, p->strides, dilates, p->pads,
        p->pads, hint, attr);
}

static dnnl_status_t make_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                           const struct parts *p, const_dnnl_primitive_desc_t hint,
                                           const_dnnl_primitive_attr_t attr)
{
    const dnnl_dims_t dilates = {0, 0};
    return dnnl_convolution_backward_weights_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, p->x, p->weights, p->bias, p->y, p->strides, dilates,
        p->pads, p->pads, hint, attr);
}

static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0F, 0, dnnl_data_type_undef);
}

static dnnl_status_t append_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0.0F, 0.0F);
}
#else
static dnnl_status_t make_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                  const struct parts *p, bool training,
                                  const_dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t s = dnnl_convolution_forward_desc_init(
        &d, training ? dnnl_forward_training : dnnl_forward_inference, dnnl_convolution_direct,
        p->x, p->weights, p->bias, p->y, p->strides, p->pads, p->pads);
    return s ? s : dnnl_primitive_desc_create(pd, &d, attr, engine, NULL);
}

static dnnl_status_t make_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                        const struct parts *p, const_dnnl_primitive_desc_t hint,
                                        const_dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t s = dnnl_convolution_backward_data_desc_init(
        &d, dnnl_convolution_direct, p->x, p->weights, p->y, p->strides, p->pads, p->pads);
    return s ? s : dnnl_primitive_desc_create(pd, &d, attr, engine, hint);
}

static dnnl_status_t make_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                           const struct parts *p, const_dnnl_primitive_desc_t hint,
                                           const_dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t s = dnnl_convolution_backward_weights_desc_init(
        &d, dnnl_convolution_direct, p->x, p->weights, p->bias, p->y, p->strides, p->pads, p->pads);
    return s ? s : dnnl_primitive_desc_create(pd, &d, attr, engine, hint);
}

static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0F);
}

static dnnl_status_t append_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, 1.0F, dnnl_eltwise_relu, 0.0F, 0.0F);
}
#endif

struct dnn_conv {
    struct dnn *dnn;
    enum dnn_direction direction;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[MAX_ARGUMENTS]; /* owned: destroyed with this struct */
    int argument_count;
    md_t packed, plain; /* of the weights */
    size_t scratch_size;
};

static int failed(struct error *err, const char *what, dnnl_status_t status)
{
    int code = status == dnnl_out_of_memory ? ENOMEM : status == dnnl_unimplemented ? ENOTSUP : EIO;
    return error_set(err, code, "oneDNN: %s failed (status %d)", what, (int)status);
}

static bool isa_includes(unsigned isa)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & isa) == isa;
}

bool dnn_has_avx512(void)
{
    return isa_includes(dnnl_cpu_isa_avx512_core);
}

bool dnn_has_avx2(void)
{
    return isa_includes(dnnl_cpu_isa_avx2);
}

bool dnn_has_bf16(void)
{
    return isa_includes(dnnl_cpu_isa_avx512_core_bf16);
}

const char *dnn_isa(void)
{
    static const struct {
        unsigned isa;
        const char *name;
    } names[] = {
        {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
        {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
        {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
        {dnnl_cpu_isa_avx512_core, "avx512_core"},
        {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
        {dnnl_cpu_isa_avx2, "avx2"},
        {dnnl_cpu_isa_avx, "avx"},
        {dnnl_cpu_isa_sse41, "sse41"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (isa_includes(names[i].isa))
            return names[i].name;
    return "any";
}

int dnn_open(struct dnn **dnn, struct error *err)
{
    struct dnn *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(err, ENOMEM, "out of memory");
    dnnl_status_t s = dnnl_engine_create(&d->engine, dnnl_cpu, 0);
    if (!s)
        s = dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags);
    if (s) {
        dnn_close(d);
        return failed(err, "making a CPU engine", s);
    }
    *dnn = d;
    return 0;
}

void dnn_close(struct dnn *dnn)
{
    if (!dnn)
        return;
    if (dnn->stream)
        dnnl_stream_destroy(dnn->stream);
    if (dnn->engine)
        dnnl_engine_destroy(dnn->engine);
    free(dnn->scratch);
    free(dnn);
}

static dnnl_status_t activation_md(md_t *md, size_t n, size_t c, size_t h, size_t w, bool bf16,
                                   bool plain)
{
    const dnnl_dims_t sizes = {(dnnl_dim_t)n, (dnnl_dim_t)c, (dnnl_dim_t)h, (dnnl_dim_t)w};
    dnnl_format_tag_t tag = dnn_has_avx512() ? dnnl_nChw16c : dnnl_nChw8c;
    return md_make(md, 4, sizes, bf16 ? dnnl_bf16 : dnnl_f32, plain ? dnnl_nchw : tag);
}

static dnnl_status_t weights_md(md_t *md, const struct dnn_shape *s, dnnl_data_type_t type,
                                bool any)
{
    dnnl_dim_t g = (dnnl_dim_t)s->groups;
    dnnl_dim_t o = (dnnl_dim_t)s->out / g, i = (dnnl_dim_t)s->in / g, k = (dnnl_dim_t)s->kernel;
    const dnnl_dims_t grouped = {g, o, i, k, k}, ordinary = {o, i, k, k};
    if (g > 1)
        return md_make(md, 5, grouped, type, any ? dnnl_format_tag_any : dnnl_goihw);
    return md_make(md, 4, ordinary, type, any ? dnnl_format_tag_any : dnnl_oihw);
}

static void parts_free(struct parts *p)
{
    md_free(p->x);
    md_free(p->weights);
    md_free(p->bias);
    md_free(p->y);
}

static dnnl_status_t parts_make(struct parts *p, enum dnn_direction direction,
                                const struct dnn_shape *s, const struct dnn_conv *like)
{
    *p = (struct parts){.strides = {(dnnl_dim_t)s->stride, (dnnl_dim_t)s->stride},
                        .pads = {(dnnl_dim_t)s->pad, (dnnl_dim_t)s->pad}};
    size_t oh = (s->height + 2 * s->pad - s->kernel) / s->stride + 1;
    size_t ow = (s->width + 2 * s->pad - s->kernel) / s->stride + 1;
    bool wide = direction == DNN_BACKWARD_WEIGHTS || !s->bf16;
    const dnnl_dims_t bias = {(dnnl_dim_t)s->out};
    dnnl_status_t e = activation_md(&p->x, s->n, s->in, s->height, s->width, s->bf16, s->image);
    if (!e)
        e = activation_md(&p->y, s->n, s->out, oh, ow, s->bf16, false);
    if (!e)
        e = like ? md_copy(&p->weights, like->packed)
                 : weights_md(&p->weights, s, wide ? dnnl_f32 : dnnl_bf16, true);
    if (!e && s->bias && direction != DNN_BACKWARD_DATA)
        e = md_make(&p->bias, 1, bias, dnnl_f32, dnnl_x);
    return e;
}

static dnnl_status_t make_attributes(dnnl_primitive_attr_t *attr, const struct dnn_shape *s)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t e = dnnl_primitive_attr_create(attr);
    if (!e)
        e = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (!e && (s->add || s->relu)) {
        e = dnnl_post_ops_create(&ops);
        if (!e && s->add)
            e = append_sum(ops);
        if (!e && s->relu)
            e = append_relu(ops);
        if (!e)
            e = dnnl_primitive_attr_set_post_ops(*attr, ops);
        if (ops)
            dnnl_post_ops_destroy(ops);
    }
    return e;
}

/* Creates the primitive descriptor. Backward ones need the descriptor of a forward pass as a hint.
 */
static dnnl_status_t make_descriptor(struct dnn_conv *c, const struct dnn_shape *s,
                                     const struct dnn_conv *like)
{
    struct parts p = {0}, q = {0};
    dnnl_primitive_attr_t attr = NULL, plain = NULL;
    dnnl_primitive_desc_t hint = NULL;
    struct dnn_shape bare = *s;
    bare.add = bare.relu = false;
    dnnl_status_t e = parts_make(&p, c->direction, s, like);
    if (!e)
        e = make_attributes(&attr, s);
    if (!e && c->direction == DNN_FORWARD)
        e = make_forward(&c->pd, c->dnn->engine, &p, !s->add && !s->relu, attr);
    if (!e && c->direction != DNN_FORWARD) {
        e = parts_make(&q, DNN_FORWARD, &bare, NULL);
        if (!e)
            e = make_attributes(&plain, &bare);
        if (!e)
            e = make_forward(&hint, c->dnn->engine, &q, true, plain);
        if (!e && c->direction == DNN_BACKWARD_DATA)
            e = make_backward_data(&c->pd, c->dnn->engine, &p, hint, attr);
        if (!e && c->direction == DNN_BACKWARD_WEIGHTS)
            e = make_backward_weights(&c->pd, c->dnn->engine, &p, hint, attr);
    }
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    if (plain)
        dnnl_primitive_attr_destroy(plain);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    parts_free(&p);
    parts_free(&q);
    return e;
}

/* Adds an argument with the layout in the primitive descriptor. dnn_conv_run sets its address. */
static dnnl_status_t add_argument(struct dnn_conv *c, int argument, dnnl_query_t query, int index)
{
    dnnl_memory_t memory = NULL;
    const_md_t md = dnnl_primitive_desc_query_md(c->pd, query, index);
    dnnl_status_t e = dnnl_memory_create(&memory, md, c->dnn->engine, DNNL_MEMORY_NONE);
    if (!e)
        c->arguments[c->argument_count++] = (dnnl_exec_arg_t){argument, memory};
    return e;
}

static dnnl_status_t make_arguments(struct dnn_conv *c, const struct dnn_shape *s)
{
    static const struct {
        int x, weights, bias, y;
        dnnl_query_t query_x, query_weights, query_y;
    } table[DNN_DIRECTIONS] = {
        [DNN_FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST,
                         dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
        [DNN_BACKWARD_DATA] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DIFF_DST,
                               dnnl_query_diff_src_md, dnnl_query_weights_md,
                               dnnl_query_diff_dst_md},
        [DNN_BACKWARD_WEIGHTS] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS,
                                  DNNL_ARG_DIFF_DST, dnnl_query_src_md, dnnl_query_diff_weights_md,
                                  dnnl_query_diff_dst_md},
    };
    enum dnn_direction d = c->direction;
    dnnl_query_t query_weights = table[d].query_weights;
    dnnl_status_t e = add_argument(c, table[d].x, table[d].query_x, 0);
    if (!e)
        e = add_argument(c, table[d].weights, query_weights, 0);
    if (!e)
        e = add_argument(c, table[d].y, table[d].query_y, 0);
    if (!e)
        e = add_argument(c, DNNL_ARG_SCRATCHPAD, dnnl_query_scratchpad_md, 0);
    if (!e && s->bias && d != DNN_BACKWARD_DATA)
        e = add_argument(c, table[d].bias, query_weights, 1);
    if (!e)
        e = md_copy(&c->packed, dnnl_primitive_desc_query_md(c->pd, query_weights, 0));
    if (!e)
        e = weights_md(&c->plain, s, dnnl_f32, false);
    c->scratch_size =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(c->pd, dnnl_query_scratchpad_md, 0));
    return e;
}

int dnn_conv_create(struct dnn *dnn, enum dnn_direction direction, const struct dnn_shape *shape,
                    const struct dnn_conv *like, struct dnn_conv **conv, struct error *err)
{
    struct dnn_conv *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(err, ENOMEM, "out of memory");
    c->dnn = dnn;
    c->direction = direction;
    omp_set_num_threads(1);
    dnnl_status_t e = make_descriptor(c, shape, like);
    if (!e)
        e = dnnl_primitive_create(&c->primitive, c->pd);
    if (!e)
        e = make_arguments(c, shape);
    if (e) {
        dnn_conv_free(c);
        return failed(err, "making a convolution", e);
    }
    if (c->scratch_size > dnn->scratch_size) {
        void *larger = aligned_alloc(64, (c->scratch_size + 63) / 64 * 64);
        if (!larger) {
            dnn_conv_free(c);
            return error_set(err, ENOMEM, "out of memory");
        }
        free(dnn->scratch);
        dnn->scratch = larger;
        dnn->scratch_size = c->scratch_size;
    }
    *conv = c;
    return 0;
}

void dnn_conv_free(struct dnn_conv *conv)
{
    if (!conv)
        return;
    for (int i = 0; i < conv->argument_count; i++)
        dnnl_memory_destroy(conv->arguments[i].memory);
    if (conv->primitive)
        dnnl_primitive_destroy(conv->primitive);
    if (conv->pd)
        dnnl_primitive_desc_destroy(conv->pd);
    md_free(conv->packed);
    md_free(conv->plain);
    free(conv);
}

size_t dnn_conv_weights_size(const struct dnn_conv *conv)
{
    return dnnl_memory_desc_get_size(conv->packed);
}

const char *dnn_conv_name(const struct dnn_conv *conv)
{
    const char *name = NULL;
    dnnl_status_t e =
        dnnl_primitive_desc_query(conv->pd, dnnl_query_impl_info_str, 0, (void *)&name);
    return e || !name ? "?" : name;
}

static int reorder(struct dnn *dnn, const_md_t from_md, const void *from, const_md_t to_md,
                   void *to, struct error *err)
{
    dnnl_engine_t engine = dnn->engine;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t source = NULL, target = NULL;
    omp_set_num_threads(1);
    dnnl_status_t e = dnnl_reorder_primitive_desc_create(&pd, from_md, engine, to_md, engine, NULL);
    if (!e)
        e = dnnl_primitive_create(&primitive, pd);
    if (!e)
        e = dnnl_memory_create(&source, from_md, engine, (void *)(size_t)from);
    if (!e)
        e = dnnl_memory_create(&target, to_md, engine, to);
    if (!e) {
        dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
        e = dnnl_primitive_execute(primitive, dnn->stream, 2, arguments);
    }
    if (!e)
        e = dnnl_stream_wait(dnn->stream);
    if (source)
        dnnl_memory_destroy(source);
    if (target)
        dnnl_memory_destroy(target);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return e ? failed(err, "packing weights", e) : 0;
}

int dnn_conv_pack(struct dnn *dnn, const struct dnn_conv *conv, const float *plain, void *packed,
                  struct error *err)
{
    return reorder(dnn, conv->plain, plain, conv->packed, packed, err);
}

int dnn_conv_unpack(struct dnn *dnn, const struct dnn_conv *conv, const void *packed, float *plain,
                    struct error *err)
{
    return reorder(dnn, conv->packed, packed, conv->plain, plain, err);
}

/* oneDNN 2 clears the padding whenever an address is set, so an unchanged address isn't set again.
 */
static dnnl_status_t set_address(dnnl_memory_t memory, void *address)
{
    void *old = NULL;
    dnnl_status_t e = dnnl_memory_get_data_handle(memory, &old);
    return e || old == address ? e : dnnl_memory_set_data_handle(memory, address);
}

int dnn_conv_run(struct dnn_conv *conv, void *x, void *weights, void *bias, void *y,
                 struct error *err)
{
    void *const addresses[MAX_ARGUMENTS] = {x, weights, y, conv->dnn->scratch, bias};
    dnnl_status_t e = dnnl_success;
    omp_set_num_threads(1);
    for (int i = 0; !e && i < conv->argument_count; i++)
        e = set_address(conv->arguments[i].memory, addresses[i]);
    if (!e)
        e = dnnl_primitive_execute(conv->primitive, conv->dnn->stream, conv->argument_count,
                                   conv->arguments);
    if (!e)
        e = dnnl_stream_wait(conv->dnn->stream);
    return e ? failed(err, "a convolution", e) : 0;
}

int dnn_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
             size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc,
             struct error *err)
{
    omp_set_num_threads(1);
    dnnl_status_t e = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', (dnnl_dim_t)m,
                                 (dnnl_dim_t)n, (dnnl_dim_t)k, 1.0F, a, (dnnl_dim_t)lda, b,
                                 (dnnl_dim_t)ldb, beta, c, (dnnl_dim_t)ldc);
    return e ? failed(err, "a matrix product", e) : 0;
}
