/* Power cuts, simulated: what a workload did to its files is recorded call by call; then the power
 * fails after every step, with all, none or some of what was not synced, and the store is opened
 * again. All that was acknowledged before the cut must be there.
 *
 * `make test` takes a sample of the cuts; MERO_SOAK=1 all of them, several times. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "support/interposed_io.h"
#include "support/store_workload.h"

static bool soak;
static struct scratch_store scratch;

static void need(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s: %s", err->code, err->message);
}

/* ---- playing it back ---- */

static void parent_of(const char *path, char out[200])
{
    snprintf(out, 200, "%s", path);
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        out[0] = 0;
    else
        *slash = 0;
}

static bool changes_name(const struct io_op *op)
{
    return op->kind == IO_CREATE || op->kind == IO_RENAME || op->kind == IO_UNLINK ||
           op->kind == IO_MKDIR;
}

/* A sync of `path` before the cut makes what came before it durable: bytes of the file, names in
 * the directory. A file's own sync makes the name under which it was created durable too, as file
 * systems do in practice and fsync(2) does not promise: not relied on. */
static bool covers(const struct io_op *sync, const struct io_op *op)
{
    char parent[200], to_parent[200] = "";
    parent_of(op->path, parent);
    if (op->kind == IO_RENAME)
        parent_of(op->to, to_parent);
    if (!changes_name(op))
        return strcmp(sync->path, op->path) == 0;
    return strcmp(sync->path, parent) == 0 ||
           (op->kind == IO_RENAME && strcmp(sync->path, to_parent) == 0);
}

/* Where a file was renamed to is all that counts of where it came from. */
static void mark_creation_of(size_t rename)
{
    for (size_t i = rename; i-- > 0;)
        if (io.ops[i].kind == IO_CREATE && strcmp(io.ops[i].path, io.ops[rename].path) == 0) {
            io.ops[i].durable = true;
            return;
        }
}

static void mark_durable(size_t cut)
{
    for (size_t i = 0; i < cut; i++)
        io.ops[i].durable = false;
    for (size_t s = 0; s < cut; s++)
        for (size_t i = 0; io.ops[s].kind == IO_SYNC && i < s; i++) {
            if (io.ops[i].durable || !covers(&io.ops[s], &io.ops[i]))
                continue;
            io.ops[i].durable = true;
            if (io.ops[i].kind == IO_RENAME)
                mark_creation_of(i);
        }
}

/* The file that a write went to may have been renamed before the cut: writes follow the file, which
 * is why they are applied to its first name, and names are applied in order. */
static void apply(const struct io_op *op, const char *root)
{
    char path[PATH_TEXT_MAX], to[PATH_TEXT_MAX];
    snprintf(path, sizeof path, "%.3000s/%s", root, op->path);
    snprintf(to, sizeof to, "%.3000s/%s", root, op->to);
    int fd;
    switch (op->kind) {
    case IO_CREATE:
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        if (fd >= 0)
            close(fd);
        break;
    case IO_MKDIR:
        (void)mkdir(path, 0700);
        break;
    case IO_WRITE:
        fd = open(path, O_WRONLY);
        if (fd >= 0) {
            assert_int_equal(pwrite(fd, op->data, op->len, op->at), (ssize_t)op->len);
            close(fd);
        }
        break;
    case IO_TRUNCATE:
        if (truncate(path, op->at) != 0)
            break; /* its creation was lost */
        break;
    case IO_RENAME:
        (void)rename(path, to);
        break;
    case IO_UNLINK:
        if (unlink(path) != 0)
            (void)rmdir(path);
        break;
    case IO_SYNC:
    case IO_NOTE:
        break;
    }
}

enum fate { ALL, NOTHING, SOME };

/* Names that hang on one that was lost are lost as well: a rename of a file whose creation is not
 * on disk cannot be. */
static void play(size_t cut, enum fate fate, uint64_t *x)
{
    struct error err;
    need(file_remove_tree(scratch.data_dir, &err), &err);
    need(file_remove_tree(scratch.blob_dir, &err), &err);
    mark_durable(cut);
    for (size_t i = 0; i < cut; i++) {
        *x = *x * 6364136223846793005ULL + 1442695040888963407ULL;
        bool kept = io.ops[i].durable || fate == ALL || (fate == SOME && (*x >> 40) % 2 == 0);
        /* Directories are there from the start of every real store. */
        if (kept || io.ops[i].kind == IO_MKDIR)
            apply(&io.ops[i], scratch.root);
    }
}

static unsigned noted_before(size_t cut)
{
    unsigned note = 0;
    for (size_t i = 0; i < cut; i++)
        if (io.ops[i].kind == IO_NOTE)
            note = io.ops[i].note;
    return note;
}

static void check_cut(size_t cut, enum fate fate, uint64_t *x)
{
    unsigned done = noted_before(cut);
    play(cut, fate, x);
    struct error err;
    if (!store_open(&scratch.options, &scratch.store, &err))
        fail_msg("cut at %zu (step %u, fate %d): %s: %s", cut, done + 1, (int)fate, err.code,
                 err.message);
    workload_expect(&scratch, done);
    scratch_put(&scratch, "Meta", "life", "goes on");
    store_close(&scratch.store);
}

static void power_fails_at_every_step(void **state)
{
    (void)state;
    uint64_t x = 4711;
    scratch_begin(&scratch);
    snprintf(io.root, sizeof io.root, "%s", scratch.root);
    io.ops = calloc(IO_OPS_MAX, sizeof *io.ops);
    assert_non_null(io.ops);
    io.recording = true;
    for (unsigned number = 1; number <= WORKLOAD_STEPS; number++) {
        struct error err;
        need(workload_step(&scratch, number, &err), &err);
        io_note(number);
    }
    io.recording = false;
    io.root[0] = 0;
    assert_true(io.count < IO_OPS_MAX);
    size_t cuts = 0, stride = soak ? 1 : 3;
    for (size_t cut = 0; cut <= io.count; cut += stride, cuts++) {
        check_cut(cut, (enum fate)(cuts % 3), &x);
        for (int again = 0; soak && again < 6; again++)
            check_cut(cut, again < 2 ? (enum fate)again : SOME, &x);
    }
    print_message("%zu calls recorded, power cut after %zu of them\n", io.count, cuts);
    for (size_t i = 0; i < io.count; i++)
        free(io.ops[i].data);
    free(io.ops);
    scratch_end(&scratch);
}

int main(void)
{
    if (!IO_IS_HERE) {
        puts("skipped: the sanitizers have system calls of their own");
        return 77;
    }
    soak = getenv("MERO_SOAK") != NULL;
    const struct CMUnitTest tests[] = {cmocka_unit_test(power_fails_at_every_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
